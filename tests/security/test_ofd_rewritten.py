"""What nobody's signature covers in an OFD, and what its readers take in several ways: it leaves the verdict open."""

import pytest

from services.esign.domain.verdict import Outcome, Status
from services.esign.ses.domain import values as ses
from shuniu.kit.crypto import sm as provider
from tests.security.test_packages_read_otherwise import stored
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID
from tests.support.ofd import (
    LIST,
    NAMESPACE,
    PAGE,
    described,
    document,
    gm_cms,
    judged,
    page,
    reasons,
    signed,
    unsigned,
    v1,
    v4,
)
from tests.support.sm import sm_setting

pytestmark = pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
DAY_US = 86_400 * 1_000_000
LINE = b'<ofd:Signature ID="s0" Type="Seal" BaseLoc="/Doc_0/Signs/Sign_0/Signature.xml"/>'
DEBT = page("欠款 900000")


def relisted(old, new, files=None):
    """A signed document whose list anybody has written anew."""
    files = signed() if files is None else files
    return {**files, LIST: files[LIST].replace(old, new)}


@pytest.mark.parametrize(
    "attribute",
    [
        f'{XSI} xsi:BaseLoc="/Doc_0/Attachs/note.xml"',
        f'{XSI} xsi:Type="Sign"',
        f'{XSI} xsi:type="a"',
        f'{XSI} xsi:nil="true"',
        'xml:base="http://example.org/"',
        'xml:id="s1"',
        'xmlns:a="urn:a" a:ID="s1"',
    ],
)
def test_attributes_of_other_namespaces_are_foreign_in_the_list(attribute):
    """Many readers take an attribute by its name alone, and the first of that name: it would lead them elsewhere."""
    verdict = judged(relisted(b' ID="s0"', f' {attribute} ID="s0"'.encode()))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "SIGNATURE_FOREIGN")


def test_a_later_stamp_has_one_place():
    """A later signer gives his stamp a second boundary, of the whole page, in another namespace."""
    stamp = f'<ofd:StampAnnot ID="1" PageRef="1" {XSI} xsi:Boundary="0 0 210 297" Boundary="150 250 20 20"/>'
    verdict = judged(signed(signed(), stamp=stamp))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "SIGNATURE_FOREIGN")


def test_what_serialisers_add_is_accepted():
    """Where the schema is, what is white space, and the language."""
    added = f'{XSI} xsi:schemaLocation="a b" xsi:noNamespaceSchemaLocation="c" xml:space="preserve" xml:lang="zh"'
    files = described(unsigned(), lambda xml: xml.replace(b"<ofd:SignedInfo>", f"<ofd:SignedInfo {added}>".encode()))
    verdict = judged(relisted(b"<ofd:Signatures ", f"<ofd:Signatures {added} ".encode(), files))
    assert (verdict.outcome, reasons(verdict)) == (Outcome.VALID, {})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<ofd:Signature ", b"<!-- note --><ofd:Signature "),
        (b"<ofd:Signatures ", b'<?xml-stylesheet href="a.xsl"?><ofd:Signatures '),
        (b"</ofd:Signatures>", b"</ofd:Signatures><!-- note -->"),
        (b"<ofd:Signature ", b"<ofd:MaxSignId><![CDATA[1]]></ofd:MaxSignId><ofd:Signature "),
        (b"<ofd:Signature ", b"<ofd:MaxSignId>1 0</ofd:MaxSignId><ofd:Signature "),
        (b'ID="s0"', b'ID="s 0"'),
        (b'ID="s0"', b'ID="s0" Relative="a b"'),
        (b'Type="Seal"', b'Type="Sign"'),
        (b'Type="Seal"', b'Type="seal"'),
        (b'BaseLoc="/Doc_0/Signs/', b'BaseLoc="///Doc_0//Signs///'),
        (b'BaseLoc="/Doc_0/Signs/', b'BaseLoc="/Doc_0/x/../Signs/./'),
        (b'BaseLoc="/Doc_0', b'BaseLoc=" /Doc_0'),
        (
            LINE,
            LINE.replace(b"ofd:", b"x:").replace(b"Signature ", b'Signature xmlns:x="http://www.ofdspec.org/2016" ', 1),
        ),
        (b"http://www.ofdspec.org/2016", b"http://www.ofdspec.org"),
    ],
)
def test_the_list_is_written_in_one_way(old, new):
    """Nobody's signature covers it: it holds nothing but plain elements, and nothing that some readers take otherwise."""
    verdict = judged(relisted(old, new))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "SIGNATURE_FOREIGN")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<ofd:Signatures ", b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<ofd:Signatures '),
        (b"<ofd:Signature ", b"<ofd:MaxSignId>s001</ofd:MaxSignId>\n <ofd:Signature "),
        (b'Type="Seal" ', b""),
        (b"/Doc_0/Signs/Sign_0", b"Sign_0"),
        (b"/Doc_0/Signs/Sign_0", b"./Sign_0"),
        (b"/Doc_0/Signs/Sign_0", b"../Signs/Sign_0"),
        (b"/Doc_0/Signs/Sign_0", b"Doc_0/Signs/Sign_0"),
    ],
)
def test_lists_as_makers_write_them(old, new):
    """With and without a declaration, numbers as words, locations from the root, from the list and from above it."""
    verdict = judged(relisted(old, new))
    assert (verdict.outcome, reasons(verdict)) == (Outcome.VALID, {})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", [LIST, "OFD.xml", "Doc_0/Document.xml", PAGE])
def test_another_encoding_needs_no_declaration(encoding, name):
    """Readers of XML find two bytes to a character by themselves, and some do not."""
    files = unsigned()
    if name in files:
        files = signed({**files, name: files[name].decode().encode(encoding)})
    else:
        files = signed()
        files[LIST] = files[LIST].decode().encode(encoding)
    verdict = judged(files)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert reasons(verdict).get("parse") == "XML_ENCODING" or reasons(verdict)["coverage"] in {
        "XML_ENCODING",
        "TARGET_UNREAD",
    }


@pytest.mark.parametrize("value", [v4, v1, gm_cms])
@pytest.mark.parametrize("numbers", [b"1 0", b"1 00000000000", b"1 -0", b"1" + b" " * 5000 + b"0"])
@pytest.mark.parametrize("hidden", [b"<!--%b-->", b"<ofd:MaxSignId><![CDATA[%b]]></ofd:MaxSignId>"])
def test_no_pdf_is_written_into_the_list(value, numbers, hidden):
    """Anybody can: some viewers of PDF need no header and no table, and take numbers of any length."""
    pdf = b"\n" + numbers + b" obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\ntrailer\n<</Root 1 0 R>>\n"
    files = relisted(b"<ofd:Signature ", hidden % pdf + b"<ofd:Signature ", signed(value=value))
    verdict = judged(stored(files, LIST))
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "TWO_FACED")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_signature_that_was_struck_off_is_told(encoding):
    """The list no longer names it; a later signer protects its files, so that it cannot vanish without a trace."""

    def recoded(xml):
        return xml.decode().encode(encoding) if encoding != "utf-8" else xml

    first = described(unsigned(), recoded) if encoding != "utf-8" else signed()
    both = signed(first)
    verdict = judged(relisted(LINE, b"", both))
    assert (verdict.outcome, reasons(verdict)["changes"]) == (Outcome.INDETERMINATE, "SIGNATURE_UNLISTED")
    assert "Sign_0/Signature.xml" in verdict.step("changes").zh
    harmless = {**unsigned(), "Doc_0/Attachs/dsig.xml": b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>'}
    assert judged(signed(harmless)).outcome is Outcome.VALID


def resources(file="a.png", number="9", base="Res"):
    return (
        f'<ofd:Res {NAMESPACE} BaseLoc="{base}"><ofd:MultiMedias><ofd:MultiMedia ID="{number}" Type="Image">'
        f"<ofd:MediaFile>{file}</ofd:MediaFile></ofd:MultiMedia></ofd:MultiMedias></ofd:Res>"
    ).encode()


def with_resources(*names, **more):
    """A document that names these files of resources."""
    listed = "".join(f"<ofd:{name}>{name}.xml</ofd:{name}>" for name in names)
    described_as = document().replace(b"</ofd:CommonData>", f"{listed}</ofd:CommonData>".encode())
    return {**unsigned(), "Doc_0/Document.xml": described_as, "Doc_0/PublicRes.xml": resources(), **more}


@pytest.mark.parametrize(
    "files",
    [
        {**unsigned(), "Pages/Page_0/Content.xml": DEBT},
        with_resources("PublicRes", **{"Doc_0/Res/a.png": b"1", "Res/a.png": b"2"}),
        with_resources("PublicRes", **{"Doc_0/Res/a.png": b"1", "Doc_0/a.png": b"2"}),
        with_resources("PublicRes", **{"Doc_0/Res/a.png": b"1", "a.png": b"2"}),
    ],
    ids=["page", "root", "without base", "root without base"],
)
def test_a_location_leads_to_one_content(files):
    """From its file or from the root, with the folder of media or without: where two files differ, readers would."""
    verdict = judged(signed(files))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "LOCATION_AMBIGUOUS")


@pytest.mark.parametrize(
    "files",
    [
        {**unsigned(), "Pages/Page_0/Content.xml": unsigned()[PAGE]},
        with_resources("PublicRes", **{"Doc_0/Res/a.png": b"1", "Res/a.png": b"1"}),
        {
            **with_resources("PublicRes", **{"Doc_0/Res/a.png": b"1", "Doc_0/Pages/Page_0/Res/a.png": b"2"}),
            "Doc_0/Pages/Page_0/PageRes.xml": resources(),
            PAGE: unsigned()[PAGE].replace(b"<ofd:Content>", b"<ofd:PageRes>PageRes.xml</ofd:PageRes><ofd:Content>"),
        },
    ],
    ids=["same page", "same picture", "resources of a page"],
)
def test_files_of_one_name_in_other_folders_are_lawful(files):
    """The same content twice, and a page's own resources beside those of the document."""
    verdict = judged(signed(files))
    assert (verdict.outcome, reasons(verdict)) == (Outcome.VALID, {})


@pytest.mark.parametrize(
    "files",
    [
        with_resources(
            "PublicRes",
            "DocumentRes",
            **{"Doc_0/DocumentRes.xml": resources("b.png", "09"), "Doc_0/Res/a.png": b"1", "Doc_0/Res/b.png": b"2"},
        ),
        with_resources(
            "PublicRes",
            **{
                "Doc_0/PublicRes.xml": resources().replace(
                    b"</ofd:MultiMedias>", b'<ofd:MultiMedia ID="9"/></ofd:MultiMedias>'
                ),
                "Doc_0/Res/a.png": b"1",
            },
        ),
        {
            **unsigned(),
            "Doc_0/Document.xml": document().replace(
                b'<ofd:Page ID="1"', f'<ofd:Page {XSI} xsi:BaseLoc="Pages/Page_0/Content.xml" ID="1"'.encode()
            ),
        },
        {**unsigned(), PAGE: unsigned()[PAGE].replace(b"Boundary", f'{XSI} xsi:Boundary="0 0 1 1" Boundary'.encode())},
    ],
    ids=["two files", "one file", "location", "place"],
)
def test_content_that_readers_take_in_two_ways_is_open(files):
    """A resource that is defined twice, and attributes of another namespace on elements of OFD."""
    verdict = judged(signed(files))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "TARGET_UNREAD")


def seal(name=ORGANISATION, created_us=NOW_US, days=10):
    made = sm_setting()
    content = ses.info(
        seal_id=SEAL_ID,
        kind=ses.ORGANISATION,
        name=name,
        certificates=[made.seal.certificate],
        valid_us=(NOW_US, NOW_US + days * DAY_US),
        created_us=created_us,
        picture=ses.Picture("png", b"picture", 42, 42),
    )
    return ses.make_seal(content, made.maker)


def sealed_on(day, stated, **asked):
    """Signed by a seal on that day, as its signer says."""
    made = seal(**asked)
    return signed(value=lambda xml, at: v4(xml, at, at_us=NOW_US + day * DAY_US, seal=made), stated=stated)


def test_a_seal_that_has_ended_needs_a_proof_of_time():
    """Its certificate runs on, so that whoever holds it may state any moment: open, as for a certificate's end."""
    files = sealed_on(9, "20260610040000Z")
    assert judged(files, now_us=NOW_US + 10 * DAY_US).outcome is Outcome.VALID
    for day in (11, 300):
        verdict = judged(files, now_us=NOW_US + day * DAY_US)
        assert (verdict.outcome, reasons(verdict)) == (Outcome.INDETERMINATE, {"ses": "SES_SEAL_ENDED"})


def test_a_seal_signs_nothing_before_it_is_made():
    """Stated long before the maker made it: one of the two does not tell the truth. Clocks may differ by a day."""
    files = sealed_on(2, "20260603040000Z", created_us=NOW_US + 5 * DAY_US)
    verdict = judged(files, now_us=NOW_US + 6 * DAY_US)
    assert (verdict.outcome, reasons(verdict)) == (Outcome.INDETERMINATE, {"ses": "SES_TIME_CONTRADICTED"})
    near = sealed_on(2, "20260603040000Z", created_us=NOW_US + 2 * DAY_US + DAY_US // 2)
    assert judged(near, now_us=NOW_US + 6 * DAY_US).outcome is Outcome.VALID


@pytest.mark.parametrize("stated", ["20260801040000Z", "20300101000000Z", "2026-05-20 04:00:00"])
def test_one_signature_states_one_time(stated):
    """What Signature.xml says, which readers show, and what the value says: a day apart for zones, no more."""
    verdict = judged(signed(stated=stated))
    assert (verdict.outcome, reasons(verdict)) == (Outcome.INDETERMINATE, {"time": "TIMES_DIFFER"})
    assert judged(signed(stated="20260601120000Z")).outcome is Outcome.VALID


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("国家税务总局", True),
        (f"{ORGANISATION}（业务专用章）", False),
        (ORGANISATION, False),
    ],
)
def test_a_seal_of_another_name_tells_both(name, told):
    """The maker vouches for the seal's name, the authority for the signer's: nobody takes the one for the other."""
    step = judged(sealed_on(0, "20260601040000Z", name=name)).step("ses")
    assert (step.status, name in step.zh) == (Status.VALID, True)
    assert (ORGANISATION in step.zh.replace(name, "")) == told
