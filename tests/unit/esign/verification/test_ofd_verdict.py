"""OFD documents are judged by the steps of every verdict.

The documents that ofdrw ships as examples (org.ofdrw, commit 7459e350 of August 2026; not kept here) were judged by hand when
this was written, and by ofdrw beside. Sound, and INDETERMINATE for want of a trusted authority alone: 1, keyword2, signedFile,
v4signed (invoices, V4 seals of GOMAIN), SignScaleError, allprotected (整体保护), 不规范资源路径. Also for files that not every
signature protects: 999 (OFD.xml), draw_param_ref (templates), testPathClip, testImageNotFound, testImageOverridePage (two signers
by GM/T 0010, the first without OFD.xml). Also for a resource file that is not in the package: V4RideRight (a stamp over five
pages' edges). Changed after signing, INVALID:
zsbk, 发票示例, keyword, h (a later signature on a closed list). SESV4SignDoc: its seal had ended. n: a keyed digest;
DigitalSign: a value without certificate; both INDETERMINATE. Documents that ofdrw signed by our authority are VALID, but for its
signatures without attributes, whose message is a digest: INDETERMINATE.
"""

from functools import partial

import pytest
from cryptography import x509

from services.esign.domain.digests import SHA256, SM3, Digest
from services.esign.domain.ofd.archive import is_ofd
from services.esign.domain.verdict import STEPS, Form, Outcome, SignatureKind, Status
from services.esign.pages.domain.certificates import CertificateState
from services.esign.revocation.domain import sm2_answers
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.seals.domain.life import SealState
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.check import SmTrust
from services.esign.verification.domain.register_steps import Known
from shuniu.kit.crypto import sm as provider
from tests.support import sm
from tests.support.esign import NOW_US, ORGANISATION, small_pdf
from tests.support.ofd import (
    LIST,
    NAMESPACE,
    PAGE,
    YEAR_US,
    described,
    document,
    gm_cms,
    judged,
    packed,
    page,
    reasons,
    refused,
    signed,
    stamped,
    unsigned,
    v1,
    v1_seal,
    v4,
)

pytestmark = pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")


@pytest.mark.parametrize(
    ("value", "kind"), [(v4, SignatureKind.SES), (v1, SignatureKind.SES), (gm_cms, SignatureKind.GM_CMS)]
)
def test_a_soundly_signed_document_is_valid(value, kind) -> None:
    """A seal of either version, and a signature alone, over the whole document: VALID, and told who signed what."""
    verdict = judged(signed(value=value))
    assert (verdict.outcome, reasons(verdict), verdict.form) == (Outcome.VALID, {}, Form.OFD)
    assert [step.step for step in verdict.steps] == list(STEPS)
    (found,) = verdict.signatures
    assert (found.kind, found.outcome, found.certified, found.later) == (kind, Outcome.VALID, True, ())
    assert found.signer == ORGANISATION
    assert "全部 4 个文件" in found.covers.zh
    assert "第 1 页" in found.covers.zh
    assert found.claimed_us == NOW_US


@pytest.mark.parametrize(
    ("digest", "method"),
    [
        (SM3, "SM3"),
        (SM3, "1.2.156.10197.1.401"),
        (SHA256, "SHA256"),
        (SHA256, "http://www.w3.org/2001/04/xmlenc#sha256"),
    ],
)
def test_digest_methods_by_any_of_their_names(digest: Digest, method: str) -> None:
    """SM3 and SHA-256 by OID, URI or name."""
    assert judged(signed(digest=digest, method=method)).outcome is Outcome.VALID


def test_a_weak_digest_is_open_with_what_to_do() -> None:
    """MD5 says nothing: INDETERMINATE, and the issuer should sign anew."""
    verdict = judged(signed(method="MD5"))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert reasons(verdict)["coverage"] == "DIGEST_METHOD"
    assert "重新签名" in verdict.step("coverage").zh


def test_later_signatures_are_lawful_and_told() -> None:
    """A second signature adds its own folder and its line in the list: VALID, and the first is told of it."""
    verdict = judged(signed(signed(), value=gm_cms))
    assert (verdict.outcome, reasons(verdict)) == (Outcome.VALID, {})
    assert verdict.step("changes").reason == "SIGNED_ONLY"
    first, second = verdict.signatures
    assert [later.zh for later in first.later] == ["之后有 1 个签名"]
    assert (first.kind, second.kind, second.later) == (SignatureKind.SES, SignatureKind.GM_CMS, ())


def test_the_order_of_signatures_is_that_of_what_they_protect() -> None:
    """Whatever the order of the list, the one that protects the other is the later."""
    files = signed(signed(), value=gm_cms)
    first, second = '<ofd:Signature ID="s0" ', '<ofd:Signature ID="s1" '
    text = files[LIST].decode()
    lines = [first + text.split(first)[1].split("/>")[0] + "/>", second + text.split(second)[1].split("/>")[0] + "/>"]
    files[LIST] = text.replace("".join(lines), lines[1] + lines[0]).encode()
    assert [found.name for found in judged(files).signatures] == ["s0", "s1"]


def test_a_signer_who_closed_the_list_forbade_later_ones() -> None:
    """A signature that protects the list of signatures (整体保护) is broken by a later one."""
    closed = signed(closes=True)
    assert judged(closed).outcome is Outcome.VALID
    verdict = judged(signed(closed))
    assert (verdict.outcome, reasons(verdict)["changes"]) == (Outcome.INVALID, "CHANGED")
    assert LIST in verdict.step("changes").zh


def test_what_a_later_signature_brings_is_a_change() -> None:
    """A file that a later signer added and protects leaves the verdict open, and is named."""
    verdict = judged(signed({**signed(), "Doc_0/Attachs/new.xml": b"<a/>"}))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert "Doc_0/Attachs/new.xml" in verdict.step("changes").zh
    assert any("只有之后的签名保护" in later.zh for later in verdict.signatures[0].later)


def test_a_changed_page_is_invalid_and_named() -> None:
    """Another text on the page: INVALID, not merely open, and the file is named."""
    verdict = judged({**signed(), PAGE: page("有犯罪记录")})
    assert verdict.outcome is Outcome.INVALID
    assert reasons(verdict)["changes"] == "CHANGED"
    assert PAGE in verdict.step("changes").zh
    assert verdict.step("integrity").reason == "DIGEST"


def test_a_missing_page_is_invalid_and_named() -> None:
    """A protected file that is gone: INVALID."""
    files = signed()
    del files["Doc_0/PublicRes.xml"]
    verdict = judged(files)
    assert (verdict.outcome, reasons(verdict)["changes"]) == (Outcome.INVALID, "PROTECTED_MISSING")


@pytest.mark.parametrize("left_out", ["OFD.xml", "Doc_0/PublicRes.xml", PAGE])
def test_what_is_not_protected_leaves_the_verdict_open(left_out: str) -> None:
    """Nobody can know whether it was there: INDETERMINATE with the file's name, never VALID."""
    verdict = judged(signed(protects=lambda name: name != left_out))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert left_out in verdict.step("coverage").zh
    assert "核实" in verdict.step("coverage").zh


def test_an_unsigned_document_is_no_forgery_of_a_signature() -> None:
    """No signature at all is told as such."""
    files = unsigned()
    files["OFD.xml"] = files["OFD.xml"].replace(f"<ofd:Signatures>/{LIST}</ofd:Signatures>".encode(), b"")
    assert reasons(judged(files))["coverage"] == "NO_SIGNATURE"


def test_an_unknown_maker_and_signer_leave_it_open() -> None:
    """Nobody here vouches: the name is a claim, and the verdict INDETERMINATE."""
    verdict = judged(signed(), sm_trust=SmTrust(verify=sm.trust().verify, sm3=provider.sm3))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert not verdict.signatures[0].certified
    assert verdict.step("integrity").status is Status.VALID


def test_without_sm2_nothing_is_said() -> None:
    """A machine without SM2 cannot judge: INDETERMINATE."""
    verdict = judged(signed(), sm_trust=sm.trust(verify=None))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert reasons(verdict)["ses"] == "SES_SM_UNAVAILABLE"


def test_a_signature_value_without_certificate_is_open() -> None:
    """What some makers write is a bare value: nobody knows whose, and the words say what to ask for."""
    verdict = judged(signed(value=lambda xml, _: sm.sm_setting().seal.sign(xml)))
    assert (verdict.outcome, reasons(verdict)["integrity"]) == (Outcome.INDETERMINATE, "SIGNER_ABSENT")


def test_seal_file_beside_the_signature() -> None:
    """Seal.esl is the signature's own, and is the very seal that signed."""
    assert judged(signed(seal_file=sm.eseal())).outcome is Outcome.VALID
    verdict = judged(signed(seal_file=v1_seal()))
    assert (verdict.outcome, reasons(verdict)["ses"]) == (Outcome.INVALID, "SES_OTHER_SEAL")


def test_time_outside_the_seals_validity_is_invalid() -> None:
    """A seal that had ended when it signed."""
    late = NOW_US + 2 * YEAR_US
    verdict = judged(signed(value=lambda xml, at: v4(xml, at, at_us=late)), now_us=late + 1_000_000)
    assert (verdict.outcome, reasons(verdict)["ses"]) == (Outcome.INVALID, "SES_SEAL_EXPIRED")


@pytest.mark.parametrize(
    "stated",
    ["20260601040000Z", "20260601040000.000Z", "2026-06-01T04:00:00Z", "2026-06-01 04:00:00", "20260601120000"],
)
def test_times_as_makers_write_them(stated: str) -> None:
    """With a zone or without one, by a clock in China or in UTC: a signature of the certificate's first minute holds."""
    verdict = judged(signed(value=gm_cms, stated=stated))
    assert verdict.outcome is Outcome.VALID
    assert verdict.signatures[0].claimed_us == NOW_US


def test_what_the_register_says_counts() -> None:
    """Online, a withdrawn document is INVALID and a seal that was not active at signing too."""
    import hashlib

    certificate = hashlib.sha256(sm.sm_setting().seal.certificate).hexdigest()
    good = Known(CertificateState.VALID, SealState.ACTIVE, SealState.ACTIVE, certificate)
    verdict = judged(signed(), known=good)
    assert reasons(verdict) == {"ledger": "NO_RECEIPT"}
    withdrawn = Known(CertificateState.REVOKED, SealState.ACTIVE, SealState.ACTIVE, certificate)
    assert judged(signed(), known=withdrawn).step("document").reason == "DOCUMENT_REVOKED"
    stolen = Known(CertificateState.VALID, SealState.REVOKED, SealState.REVOKED, certificate)
    assert judged(signed(), known=stolen).step("seal_then").status is Status.INVALID


def test_stamps_must_stand_on_pages_of_the_document() -> None:
    """A stamp on a page that is not there; a later one so large that it hides what was signed."""
    nowhere = '<ofd:StampAnnot ID="1" PageRef="77" Boundary="1 1 42 42"/>'
    assert reasons(judged(signed(stamp=nowhere)))["changes"] == "STAMP_PAGE"
    vast = '<ofd:StampAnnot ID="1" PageRef="1" Boundary="0 0 210 297"/>'
    verdict = judged(signed(signed(), stamp=vast))
    assert refused(verdict)
    assert reasons(verdict)["changes"] == "STAMP_OVERSIZED"


def _sized(*, common: str, own: str = "", template: str = "") -> dict[str, bytes]:
    """One page with its common area, its own one and that of its template, each as boxes."""
    files = unsigned()
    area = f"<ofd:PageArea>{common}</ofd:PageArea>"
    listed = '<ofd:TemplatePage ID="7" BaseLoc="Tpls/Tpl_0/Content.xml"/>' if template else ""
    before = b"<ofd:PageArea><ofd:PhysicalBox>0 0 210 297</ofd:PhysicalBox></ofd:PageArea>"
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(before, f"{area}{listed}".encode())
    drawn = '<ofd:Template TemplateID="7"/>' if template else ""
    inside = f"<ofd:Area>{own}</ofd:Area>" if own else ""
    files[PAGE] = files[PAGE].replace(b"<ofd:Content>", f"{drawn}{inside}<ofd:Content>".encode(), 1)
    if template:
        content = f"<ofd:Page {NAMESPACE}><ofd:Area>{template}</ofd:Area><ofd:Content/></ofd:Page>"
        files["Doc_0/Tpls/Tpl_0/Content.xml"] = content.encode()
    return files


def _physical(text: str) -> str:
    return f"<ofd:PhysicalBox>{text}</ofd:PhysicalBox>"


_VAST, _SMALL = _physical("0 0 2100 2970"), _physical("0 0 210 297")


@pytest.mark.parametrize(
    "files",
    [
        _sized(common=_VAST, own=_SMALL),
        _sized(common=_VAST, template=_SMALL),
        _sized(common=_VAST, own=f"{_VAST}<ofd:ApplicationBox>0 0 210 297</ofd:ApplicationBox>"),
        _sized(common=_SMALL, own=_VAST),
        _sized(common=_VAST, own=_physical("0,0,210,297")),
    ],
    ids=["own", "template", "application", "common", "unreadable"],
)
def test_a_stamp_is_measured_by_what_is_seen_of_its_page(files: dict[str, bytes]) -> None:
    """A later stamp that fills the page as any reader cuts it leaves the verdict open, whatever else the page is called;
    a seal of the usual size is lawful.
    """
    filling = '<ofd:StampAnnot ID="1" PageRef="1" Boundary="0 0 210 297"/>'
    first = signed(files)
    assert judged(first).outcome is Outcome.VALID
    assert reasons(judged(signed(first, stamp=filling)))["changes"] == "STAMP_OVERSIZED"


def test_pages_with_their_own_area_may_be_sealed_by_several() -> None:
    """Two usual seals on a page that has an area of its own, a template and a common area: VALID."""
    files = _sized(common=_SMALL, own=_physical("0 0 297 420"), template=_SMALL)
    assert reasons(judged(signed(signed(files), value=gm_cms))) == {}


def test_all_later_stamps_of_a_page_count_together() -> None:
    """Four later signers, each with a stamp that is lawful alone: together they hide half of the page. A band across it
    is no seal.
    """
    files = signed(_sized(common=_physical("0 0 150 93"), own=""), stamp="")
    for left, top in ((0, 48), (48, 48), (96, 48)):
        files = signed(files, stamp=stamped(left, top))
    assert judged(files).outcome is Outcome.VALID
    verdict = judged(signed(files, stamp=stamped(120, 0)))
    assert (verdict.outcome, reasons(verdict)["changes"]) == (Outcome.INDETERMINATE, "STAMP_OVERSIZED")
    band = judged(signed(signed(), stamp=stamped(0, 100, 210, 56)))
    assert (band.outcome, reasons(band)["changes"]) == (Outcome.INDETERMINATE, "STAMP_ALTERED")


def test_a_stamp_beside_its_page_is_open() -> None:
    """A stamp that lies outside of the page's own area leaves the verdict open."""
    beside = '<ofd:StampAnnot ID="1" PageRef="1" Boundary="1000 1000 42 42"/>'
    assert reasons(judged(signed(_sized(common=_VAST, own=_SMALL), stamp=beside)))["changes"] == "STAMP_PAGE"


def test_locations_that_makers_write_lead_where_they_mean() -> None:
    """Resources in a folder of their own, absolute and from the root, annotations, attachments, tags in a foreign
    namespace, an action that opens a web page: every file is there and protected, so VALID.
    """
    files = unsigned()
    more = (
        "<ofd:PublicRes>PublicRes.xml</ofd:PublicRes><ofd:DocumentRes>/Doc_0/DocumentRes.xml</ofd:DocumentRes>"
        '<ofd:TemplatePage ID="7" BaseLoc="Doc_0/Tpls/Tpl_0/Content.xml"/></ofd:CommonData>'
    )
    last = (
        '<ofd:Actions><ofd:Action Event="DO"><ofd:URI URI="https://example.org/a.html"/></ofd:Action></ofd:Actions>'
        "<ofd:Annotations>Annots/Annotations.xml</ofd:Annotations><ofd:CustomTags>Tags/CustomTags.xml</ofd:CustomTags>"
        "<ofd:Attachments>Attachs/Attachments.xml</ofd:Attachments></ofd:Document>"
    )
    text = files["Doc_0/Document.xml"].decode()
    text = text.replace("</ofd:CommonData>", more).replace("</ofd:Document>", last)
    added = {
        "Document.xml": text,
        "PublicRes.xml": f'<ofd:Res {NAMESPACE} BaseLoc="Res"><ofd:Fonts><ofd:Font ID="4"><ofd:FontFile>a.ttf'
        "</ofd:FontFile></ofd:Font></ofd:Fonts></ofd:Res>",
        "DocumentRes.xml": f'<ofd:Res {NAMESPACE} BaseLoc="/Doc_0/Res"><ofd:MultiMedias><ofd:MultiMedia ID="5">'
        "<ofd:MediaFile> 图.png\n</ofd:MediaFile></ofd:MultiMedia></ofd:MultiMedias></ofd:Res>",
        "Res/a.ttf": "font",
        "Res/图.png": "picture",
        "Tpls/Tpl_0/Content.xml": page("模板").decode(),
        "Annots/Annotations.xml": f'<ofd:Annotations {NAMESPACE}><!-- one --><ofd:Page PageID="1"><ofd:FileLoc>'
        "Page_0/Annotation.xml</ofd:FileLoc></ofd:Page></ofd:Annotations>",
        "Annots/Page_0/Annotation.xml": f"<ofd:PageAnnot {NAMESPACE}/>",
        "Tags/CustomTags.xml": f'<ofd:CustomTags {NAMESPACE}><ofd:CustomTag TypeID="a"><ofd:FileLoc>Tag.xml'
        "</ofd:FileLoc></ofd:CustomTag></ofd:CustomTags>",
        "Tags/Tag.xml": "<a:BaseLoc xmlns:a='urn:a'>nowhere.xml</a:BaseLoc>",
        "Attachs/Attachments.xml": f'<ofd:Attachments {NAMESPACE}><ofd:Attachment ID="9" Name="a"><ofd:FileLoc>a.bin'
        "</ofd:FileLoc></ofd:Attachment></ofd:Attachments>",
        "Attachs/a.bin": "\0",
    }
    files |= {f"Doc_0/{name}": content.encode() for name, content in added.items()}
    verdict = judged(signed(files))
    assert (verdict.outcome, reasons(verdict)) == (Outcome.VALID, {})


def test_what_makers_write_into_descriptions_is_accepted() -> None:
    """The highest number, schema locations, times, properties, provider's data as attributes or elements: VALID."""
    provider = b'<ofd:Provider ProviderName="t"/>'
    other = (
        b'<ofd:Provider ProviderName="t" Version="1" Company="c" ProtocolVer="2"><ofd:ExtendData>AA==</ofd:ExtendData>'
        b"<ofd:Version>1</ofd:Version></ofd:Provider>"
    )
    parameters = b'<ofd:Parameters><ofd:Parameter Name="a" Type="b">c</ofd:Parameter></ofd:Parameters><ofd:References '
    stamp = '<ofd:StampAnnot ID="1" PageRef="1" Boundary="120 200 42 42" Clip="0 0 21 42"/>'

    def written(xml: bytes) -> bytes:
        return xml.replace(provider, other).replace(b"<ofd:References ", parameters)

    files = described(unsigned(), written, stamp=stamp)
    more = (
        b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.ofdspec.org/2016 a.xsd">'
        b"<ofd:MaxSignId>1</ofd:MaxSignId>"
    )
    files[LIST] = files[LIST].replace(b">", more, 1).replace(b'Type="Seal"', b'Type="Seal" Relative="s0"')
    verdict = judged(files)
    assert (verdict.outcome, reasons(verdict)) == (Outcome.VALID, {})


def test_several_documents_and_versions_are_told_not_guessed() -> None:
    """More than one document, or versions: INDETERMINATE with what to do."""
    files = unsigned()
    body = files["OFD.xml"].split(b"<ofd:DocBody>")[1].split(b"</ofd:DocBody>")[0]
    second = b"<ofd:DocBody>" + body + b"</ofd:DocBody></ofd:OFD>"
    two = judged(signed({**files, "OFD.xml": files["OFD.xml"].replace(b"</ofd:OFD>", second)}))
    assert (two.outcome, reasons(two)["parse"]) == (Outcome.INDETERMINATE, "SEVERAL_DOCUMENTS")
    versions = files["OFD.xml"].replace(b"</ofd:DocBody>", b"<ofd:Versions/></ofd:DocBody>")
    assert reasons(judged(signed({**files, "OFD.xml": versions})))["parse"] == "VERSIONS"


def test_what_is_an_ofd() -> None:
    """By its bytes alone; neither a PDF nor another ZIP file."""
    assert is_ofd(packed(signed()))
    assert not is_ofd(small_pdf())
    assert not is_ofd(packed({"word/document.xml": b"<x/>"}))


def test_pages_of_another_document_are_invalid() -> None:
    """OFD.xml, unprotected, leads to a document that nobody signed."""
    files = signed(protects=lambda name: name != "OFD.xml")
    files["Doc_1/Document.xml"] = document()
    files["Doc_1/Pages/Page_0/Content.xml"] = page("伪造")
    files["OFD.xml"] = files["OFD.xml"].replace(b"Doc_0/Document.xml", b"Doc_1/Document.xml")
    verdict = judged(files)
    assert (verdict.outcome, reasons(verdict)["changes"]) == (Outcome.INVALID, "OTHER_DOCUMENT")


def test_locations_of_all_makers_lead_to_the_same_file() -> None:
    """With and without a leading slash; where two files fit, nothing is guessed."""
    files = signed()
    xml = files["Doc_0/Signs/Sign_0/Signature.xml"].replace(b'FileRef="/Doc_0/Pub', b'FileRef="Doc_0/Pub')
    files["Doc_0/Signs/Sign_0/Signature.xml"] = xml
    files["Doc_0/Signs/Sign_0/SignedValue.dat"] = v4(xml, "/Doc_0/Signs/Sign_0/Signature.xml")
    assert judged(files).outcome is Outcome.VALID
    files["Doc_0/Signs/Sign_0/Doc_0/PublicRes.xml"] = b"<x/>"
    assert reasons(judged(files))["coverage"] == "LOCATION_AMBIGUOUS"


def test_the_seal_of_the_reader_is_what_it_says() -> None:
    """The V1 seal that these tests make is read as one."""
    read = ses.read(v1_seal())
    assert isinstance(read, ses.Seal)
    assert (read.version, read.info.name) == (1, ORGANISATION)


@pytest.mark.parametrize(
    ("stated", "valid"),
    [
        ("Doc_0/Signs/Sign_0/Signature.xml", True),
        ("Signs/Sign_0/Signature.xml", True),
        ("./Doc_0/Signs/Sign_0/Signature.xml", True),
        ("\\Doc_0\\Signs\\Sign_0\\Signature.xml", True),
        (" /doc_0/signs/sign_0/signature.xml", True),
        ("Doc_0/Signs/Sign_1/Signature.xml", False),
        ("0/Signature.xml", False),
        ("Doc_0/Signs/Sign_0/Other.xml", False),
    ],
)
def test_a_seal_names_its_description_as_makers_name_locations(stated: str, valid: bool) -> None:
    """From the root or from a folder above it, in any spelling; one that leads elsewhere was made for another place."""
    found = judged(signed(value=lambda xml, _place: v4(xml, stated)))
    assert found.outcome is (Outcome.VALID if valid else Outcome.INVALID)


def test_lists_that_a_signature_carries_beyond_what_is_read_leave_it_open() -> None:
    """One of the rest may say that the certificate was revoked, as in a PDF; within the limit it is read and says so."""
    made = sm.sm_setting()
    serial = x509.load_der_x509_certificate(made.seal.certificate).serial_number
    gone = CertificateStanding(serial, Standing.REVOKED, NOW_US - 10**9)
    revoked, clean = (sm2_answers.crl(made.ca, listed, NOW_US - 10**8) for listed in ([gone], []))
    for lists, outcome, reason in (
        ([revoked], Outcome.INVALID, "CERTIFICATE_REVOKED"),
        ([clean] * 64 + [revoked], Outcome.INDETERMINATE, "VALIDATION_DATA_TOO_LARGE"),
    ):
        found = judged(signed(value=partial(gm_cms, lists=lists)))
        assert (found.outcome, reasons(found)["seal_then"]) == (outcome, reason)
