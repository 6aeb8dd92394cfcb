"""Where the document of an OFD package leads, and what stands in the files of its signatures: nothing that is shown lies
where no signature protects it.
"""

import io
import time
import zipfile

import pytest

from services.esign.domain.verdict import Outcome
from shuniu.kit.crypto import sm as provider
from tests.support import sm
from tests.support.ofd import LIST, NAMESPACE, PAGE, described, document, judged, page, reasons, signed, unsigned

pytestmark = pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")
FORGED = page("有犯罪记录")
_NOTE = """<ofd:Annot ID="90" Type="Stamp" Creator="x" LastModDate="2026-06-01"><ofd:Appearance Boundary="20 40 150 20">\
<ofd:TextObject ID="92" Boundary="0 0 150 20" Font="4" Size="8"><ofd:TextCode X="0" Y="8">Owes 900000</ofd:TextCode>\
</ofd:TextObject></ofd:Appearance></ofd:Annot>"""
_SECOND = "Doc_0/Signs/Sign_1/Signature.xml"


def _named(element: str, holder: str = "Doc_0/Document.xml") -> dict[str, bytes]:
    """A document with one more element before the end of one of its files."""
    files = unsigned()
    if holder == "Doc_0/Document.xml" and "Res>" in element:
        return {**files, holder: files[holder].replace(b"</ofd:CommonData>", f"{element}</ofd:CommonData>".encode())}
    at = files[holder].rindex(b"</")
    return {**files, holder: files[holder][:at] + element.encode() + files[holder][at:]}


def _annotated(location: str) -> dict[str, bytes]:
    return _named(f"<ofd:Annotations>{location}</ofd:Annotations>")


def _resource(element: str, base: str = "Res") -> dict[str, bytes]:
    """A document whose resources hold the element."""
    files = _named("<ofd:PublicRes>PublicRes.xml</ofd:PublicRes>")
    return {**files, "Doc_0/PublicRes.xml": f'<ofd:Res {NAMESPACE} BaseLoc="{base}">{element}</ofd:Res>'.encode()}


def _media(location: str, base: str = "Res") -> dict[str, bytes]:
    return _resource(f"<ofd:MultiMedia ID='5'><ofd:MediaFile>{location}</ofd:MediaFile></ofd:MultiMedia>", base)


def _further(kind: str, file: str, content: str) -> dict[str, bytes]:
    """A document that names a file of a kind, and that file."""
    held = f"<ofd:{kind} {NAMESPACE}>{content}</ofd:{kind}>".encode()
    return {**_named(f"<ofd:{kind}>{file}</ofd:{kind}>"), f"Doc_0/{file}": held}


def _leading(location: str) -> dict[str, dict[str, bytes]]:
    """Documents that lead to a location in each way there is."""
    loc = f"<ofd:FileLoc>{location}</ofd:FileLoc>"
    return {
        "page": {**unsigned(), "Doc_0/Document.xml": document(location)},
        "public": _named(f"<ofd:PublicRes>{location}</ofd:PublicRes>"),
        "resources": _named(f"<ofd:DocumentRes>{location}</ofd:DocumentRes>"),
        "template": _named(f'<ofd:TemplatePage ID="7" BaseLoc="{location}"/>'),
        "annotations": _annotated(location),
        "attachments": _named(f"<ofd:Attachments>{location}</ofd:Attachments>"),
        "tags": _named(f"<ofd:CustomTags>{location}</ofd:CustomTags>"),
        "extensions": _named(f"<ofd:Extensions>{location}</ofd:Extensions>"),
        "page-resources": _named(f"<ofd:PageRes>{location}</ofd:PageRes>", PAGE),
        "cover": _named(f"<ofd:Cover>{location}</ofd:Cover>", "OFD.xml"),
        "font": _resource(f"<ofd:Font ID='4'><ofd:FontFile>{location}</ofd:FontFile></ofd:Font>"),
        "media": _media(location),
        "profile": _resource(f"<ofd:ColorSpace ID='6' Profile='{location}'/>"),
        "page-annotation": _further("Annotations", "A.xml", f'<ofd:Page PageID="1">{loc}</ofd:Page>'),
        "attachment": _further("Attachments", "B.xml", f"<ofd:Attachment>{loc}</ofd:Attachment>"),
        "tag": _further("CustomTags", "C.xml", f"<ofd:CustomTag>{loc}</ofd:CustomTag>"),
        "extension": _further("Extensions", "D.xml", f"<ofd:ExtendData>{location}</ofd:ExtendData>"),
        "as-element": _named(f"<ofd:Page><ofd:BaseLoc>{location}</ofd:BaseLoc></ofd:Page>"),
        "as-attribute": _further("Annotations", "A.xml", f'<ofd:Page FileLoc="{location}"/>'),
        "other-namespace": _named(f"<PageRes xmlns='urn:other'>{location}</PageRes>", PAGE),
    }


@pytest.mark.parametrize("way", list(_leading("")))
def test_content_in_the_list_of_signatures_is_never_valid(way: str) -> None:
    """The document leads to the list, which anybody changes without a key: open before anybody does and afterwards."""
    first = signed(_leading(f"/{LIST}")[way])
    assert reasons(judged(first))["coverage"] == "CONTENT_IN_SIGNATURES"
    note = f'<ofd:Page PageID="1"><ofd:FileLoc>/{LIST}</ofd:FileLoc></ofd:Page>{_NOTE}'
    verdict = judged({**first, LIST: first[LIST].replace(b"</ofd:Signatures>", f"{note}</ofd:Signatures>".encode())})
    assert verdict.outcome is Outcome.INDETERMINATE
    assert reasons(verdict)["changes"] == "MAYBE_ADDED"


@pytest.mark.parametrize("way", list(_leading("")))
def test_a_target_that_a_later_signer_delivers_is_never_valid(way: str) -> None:
    """The document leads to a file that is missing when it is signed, and lies where a later trusted signer describes
    his signature: open before he signs and afterwards.
    """
    first = signed(_leading(f"/{_SECOND}")[way])
    assert reasons(judged(first))["coverage"] == "TARGET_MISSING"
    verdict = judged(signed(first))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "CONTENT_IN_SIGNATURES")


@pytest.mark.parametrize("own", ["Signature.xml", "SignedValue.dat", "Seal.esl"])
def test_every_file_of_a_signature_is_no_content(own: str) -> None:
    """Also its value and its seal, for a picture or a page."""
    for files in (_media(f"/Doc_0/Signs/Sign_0/{own}"), _annotated(f"Signs/Sign_0/{own}")):
        assert reasons(judged(signed(files, seal_file=sm.eseal())))["coverage"] == "CONTENT_IN_SIGNATURES"


_READINGS = {
    "from its folder": _annotated("Signs/Signatures.xml"),
    "from the root": _annotated("Doc_0/Signs/Signatures.xml"),
    "upwards": _annotated("./Pages/..//Signs/Signatures.xml"),
    "beyond the root": _annotated("../../../Doc_0/Signs/Signatures.xml"),
    "other letters": _annotated("signs/SIGNATURES.XML"),
    "percent": _annotated("%53igns/Signatures.xml"),
    "a fragment": _annotated("Signs/Signatures.xml#page"),
    "backslashes": _annotated("Signs\\Signatures.xml"),
    "spaces": _annotated("\n Signs/Signatures.xml\t"),
    "a slash that is dropped": _annotated("/Signs/Signatures.xml"),
    "characters by number": _annotated("Signs/&#83;ignatures.xml"),
    "a section": _annotated("<![CDATA[Signs/Signatures.xml]]>"),
    "a folder of resources": _media("Signatures.xml", "Signs"),
    "a folder from the root": _media("Signatures.xml", "/Doc_0/Signs"),
    "out of a folder": _media("../Signs/Signatures.xml"),
    "past a folder": _media("Signs/Signatures.xml"),
    "an action": _named('<ofd:Actions><ofd:Action><ofd:URI URI="Signs/Signatures.xml"/></ofd:Action></ofd:Actions>'),
}


@pytest.mark.parametrize("reading", list(_READINGS))
def test_no_reading_of_a_location_leads_into_the_signatures(reading: str) -> None:
    """Whatever way a reader takes to the list, a protected file in another reading of the same location heals nothing."""
    decoys = dict.fromkeys(
        (
            *(
                "Doc_0/Signs/Signatures.xml#page",
                "Doc_0/%53igns/Signatures.xml",
                "Signs/Signatures.xml",
                "Signatures.xml",
                "Doc_0/Signatures.xml",
            ),
            *("Doc_0/Res/Signs/Signatures.xml", "Doc_0/Res/Signatures.xml"),
        ),
        f"<ofd:Annotations {NAMESPACE}/>".encode(),
    )
    for files in (_READINGS[reading], {**decoys, **_READINGS[reading]}):
        assert reasons(judged(signed(files)))["coverage"] == "CONTENT_IN_SIGNATURES"


def test_a_name_composed_in_another_way_is_the_same_file() -> None:
    """The list's name in composed characters, the document's location in decomposed ones, which are one on some systems."""
    folder = "Doc_0/S\u00e9als"
    files = _annotated("Se\u0301als/Signatures.xml")
    first = signed({**files, "OFD.xml": files["OFD.xml"].replace(b"Doc_0/Signs", folder.encode())})
    first[f"{folder}/Signatures.xml"] = first.pop(LIST)
    assert reasons(judged(first))["coverage"] == "CONTENT_IN_SIGNATURES"


@pytest.mark.parametrize(
    "page_xml",
    [
        b"<ofd:Page",
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "../../Signs/Signatures.xml">]>' + page("x"),
        b'<?xml version="1.0" encoding="gb2312"?>' + page("x"),
        f"<ofd:Page {NAMESPACE}>".encode() + b"<ofd:a>" * 400 + b"</ofd:a>" * 400 + b"</ofd:Page>",
        f"<ofd:Page {NAMESPACE}><ofd:PageRes>Doc_0/PublicRes.xml<!-- -->.bak</ofd:PageRes></ofd:Page>".encode(),
        f"<ofd:Page {NAMESPACE}><ofd:PageRes>Doc_0/<ofd:a/>PublicRes.xml</ofd:PageRes></ofd:Page>".encode(),
        f"<ofd:Res {NAMESPACE} BaseLoc='Res'><ofd:Res BaseLoc='Signs'/></ofd:Res>".encode(),
    ],
    ids=["cut short", "entity", "encoding", "depth", "comment", "child", "two folders"],
)
def test_a_file_whose_locations_cannot_be_told_is_open(page_xml: bytes) -> None:
    """Signed as it is, but readers may find other locations in it: INDETERMINATE, and the file is named."""
    bak = {"Doc_0/PublicRes.xml.bak": b"x"}
    verdict = judged(signed({**unsigned(), **bak, PAGE: page_xml}))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "TARGET_UNREAD")
    assert PAGE in verdict.step("coverage").zh


def _stored(files: dict[str, bytes]) -> bytes:
    """Not compressed: what expands too much is not read at all."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return kept.getvalue()


def test_following_locations_is_bounded() -> None:
    """Elements, locations and tags beyond any document, and files that lead to each other: bounded, and told."""
    many = f"<ofd:Page {NAMESPACE}>".encode() + b"<ofd:a/>" * 2_100_000 + b"</ofd:Page>"
    links = f"<ofd:Page {NAMESPACE}>" + "".join(f"<a BaseLoc='{n}.xml'/>" for n in range(60_000)) + "</ofd:Page>"
    tag = f"<ofd:Page {NAMESPACE} a='".encode() + b"x y " * 2_000_000 + b"'/>"
    for content in (many, links.encode(), tag):
        started = time.process_time()
        verdict = judged(_stored(signed({**unsigned(), PAGE: content})))
        assert time.process_time() - started < 30
        assert reasons(verdict)["coverage"] in {"TARGET_UNREAD", "TARGET_MISSING"}
    circle = f"<ofd:Page {NAMESPACE}><ofd:PageRes>{PAGE}</ofd:PageRes></ofd:Page>".encode()
    assert judged(signed({**unsigned(), PAGE: circle})).outcome is Outcome.VALID


_FOREIGN = [
    _NOTE,
    '<ofd:Page PageID="1"><ofd:FileLoc>x</ofd:FileLoc></ofd:Page>',
    "<ofd:Content><ofd:Layer/></ofd:Content>",
    "text",
    "<![CDATA[text]]>",
]


@pytest.mark.parametrize("foreign", _FOREIGN)
def test_what_is_no_signature_in_the_list_is_open(foreign: str) -> None:
    """No signature covers the list, so the verdict names whatever the list holds beside signatures."""
    files = signed()
    text = files[LIST].decode()
    for forged in (
        text.replace("</ofd:Signatures>", f"{foreign}</ofd:Signatures>"),
        text.replace("/>", f">{foreign}</ofd:Signature>", 1),
        text.replace("<ofd:Signature ", f"<ofd:MaxSignId>1{foreign}</ofd:MaxSignId><ofd:Signature ", 1)
        if "<ofd:" in foreign
        else text.replace("<ofd:Signature ", '<ofd:Signature FileLoc="x" ', 1),
    ):
        verdict = judged({**files, LIST: forged.encode()})
        assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "SIGNATURE_FOREIGN")


@pytest.mark.parametrize("foreign", _FOREIGN)
@pytest.mark.parametrize("place", ["Signature", "SignedInfo", "References", "Reference", "Provider", "StampAnnot"])
def test_what_is_no_signature_in_a_description_is_open(place: str, foreign: str) -> None:
    """A trusted later signer puts content into his Signature.xml: INDETERMINATE for the whole document."""

    def written(xml: bytes) -> bytes:
        end = f"</ofd:{place}>".encode()
        if end in xml:
            return xml.replace(end, foreign.encode() + end, 1)
        head, _, tail = xml.partition(f"<ofd:{place} ".encode())
        inside, _, tail = tail.partition(b"/>")
        return head + f"<ofd:{place} ".encode() + inside + b">" + foreign.encode() + end + tail

    verdict = judged(described(signed(), written))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "SIGNATURE_FOREIGN")


def test_foreign_content_does_not_soften_a_forgery() -> None:
    """Changed after signing, and something foreign in the list besides: INVALID as before."""
    files = {**signed(), PAGE: FORGED}
    forged = files[LIST].replace(b"</ofd:Signatures>", f"{_NOTE}</ofd:Signatures>".encode())
    assert judged({**files, LIST: forged}).outcome is Outcome.INVALID
    assert judged({**signed(_annotated("nowhere.xml")), PAGE: FORGED}).outcome is Outcome.INVALID
