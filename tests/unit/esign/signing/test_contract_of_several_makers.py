"""One contract, four visible seals by four makers: this hub (PAdES), a foreign library (RSA), a domestic signature by
GM/T 0010 (SM2), and a seal signature by GB/T 38540 inside the file. Each is judged by itself.
"""

import io
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from services.esign.certification.domain import chain
from services.esign.certification.domain.trust import Trust
from services.esign.domain.digests import SM3
from services.esign.domain.verdict import Outcome, SignatureFinding, SignatureKind, Status, Verdict
from services.esign.ses.domain import values as ses
from services.esign.signing.domain import multisign
from services.esign.signing.domain.multisign import Field
from shuniu.kit.crypto import sm
from tests.support.documents import now_us, update
from tests.support.esign import NOW_US, page, setting
from tests.support.multisign import RED
from tests.support.sm import eseal, sm_setting, trust
from tests.support.verdicts import judged
from tests.unit.esign.signing.test_gm_signatures import attributes, gm

pytestmark = pytest.mark.skipif(not sm.available(), reason="no SM2 on this machine")

NAMES = ("甲方", "乙方", "丙方", "丁方")
FIELDS = tuple(Field(name, 0, (60 + 120 * at, 400, 160 + 120 * at, 500)) for at, name in enumerate(NAMES))
ROOM = 6000


@cache
def foreign_maker() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """A maker with a certificate of its own authority: nobody here knows it."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "外省签章服务")])
    now = datetime.fromtimestamp(NOW_US / 1e6, UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return key, made.sign(key, hashes.SHA256())


def by_hub(pdf: bytes, field: str) -> bytes:
    template = setting().seal.cms
    step = multisign.begin(pdf, field, size=template.max_size_with(0), at_us=NOW_US, signer="本枢纽", appearance=RED)
    return step.finish(template.sign(step.digest))


def by_pyhanko(pdf: bytes, field: str) -> bytes:
    key, certificate = foreign_maker()
    secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    signer = signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER)),
        signing_key=asn1_keys.PrivateKeyInfo.load(secret),
        cert_registry=SimpleCertificateStore(),
    )
    metadata = signers.PdfSignatureMetadata(
        field_name=field, md_algorithm="sha256", subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED
    )
    out = io.BytesIO()
    signers.PdfSigner(metadata, signer=signer).sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)), output=out)
    return out.getvalue()


def by_gm(pdf: bytes, field: str) -> bytes:
    step = multisign.begin(pdf, field, size=ROOM, at_us=NOW_US, signer="丙方", appearance=RED, algorithm=SM3)
    return step.finish(gm(attributes(digest=step.digest)))


def by_seal(pdf: bytes, field: str) -> bytes:
    step = multisign.begin(pdf, field, size=ROOM, at_us=NOW_US, signer="丁方", appearance=RED, algorithm=SM3)
    return step.finish(ses.sign(eseal(), sm_setting().seal, step.digest, "/ByteRange", NOW_US))


MAKERS = (by_hub, by_pyhanko, by_gm, by_seal)


@cache
def contract(signed: int = len(MAKERS)) -> bytes:
    pdf = multisign.prepare(page(), FIELDS)
    for make, name in list(zip(MAKERS, NAMES, strict=True))[:signed]:
        pdf = make(pdf, name)
    return pdf


def verdict(pdf: bytes, roots: tuple[x509.Certificate, ...] = (), **options: Any) -> Verdict:
    known = (setting().root.certificate, chain.load(sm_setting().root.certificate), *roots)
    return judged(pdf, trust=Trust(known), now_us=now_us(), sm=trust, **options)


def of(found: Verdict, name: str) -> SignatureFinding:
    return next(each for each in found.signatures if each.name == name)


def test_each_seal_is_judged_and_told_by_itself() -> None:
    """What it covers, who says so, what came after it: for each of four, whatever its form."""
    found = verdict(contract(), (foreign_maker()[1],))
    assert found.outcome is Outcome.VALID, found.as_json()
    assert [each.name for each in found.signatures] == list(NAMES)
    assert [each.kind for each in found.signatures] == [
        SignatureKind.CMS,
        SignatureKind.CMS,
        SignatureKind.GM_CMS,
        SignatureKind.SES,
    ]
    assert all(each.certified and each.outcome is Outcome.VALID for each in found.signatures)
    first, last = found.signatures[0], found.signatures[-1]
    assert "第 1 个版本（共 4 个）" in first.covers.zh
    assert [each.zh for each in first.later] == ["另一签名（乙方）", "另一签名（丙方）", "另一签名（丁方）"]
    assert (last.covers.zh, last.later) == ("覆盖整个文件", ())
    assert of(found, "乙方").signer == "外省签章服务"
    assert found.step("ses").status is Status.VALID


def test_a_maker_whom_nobody_knows_spoils_its_own_seal_only() -> None:
    """The contract is INDETERMINATE; three seals stay certified, the fourth is a claim."""
    found = verdict(contract())
    assert found.outcome is Outcome.INDETERMINATE
    assert {each.name for each in found.signatures if each.certified} == set(NAMES) - {"乙方"}
    assert [each.outcome for each in found.signatures].count(Outcome.VALID) == 3
    assert found.step("signer").zh == "证书自称：外省签章服务"


def test_a_seal_of_an_unknown_seal_maker_is_unknown() -> None:
    """Without trusted seal makers the seal in the file is neither right nor wrong."""
    known = (setting().root.certificate, chain.load(sm_setting().root.certificate), foreign_maker()[1])
    found = judged(contract(), trust=Trust(known), now_us=now_us())
    assert (found.outcome, found.step("ses").status) == (Outcome.INDETERMINATE, Status.UNKNOWN)


@pytest.mark.parametrize("at", range(len(NAMES)))
def test_a_changed_signature_is_named(at: int) -> None:
    """One byte of one signature's value: INVALID, and the card of that signature says so."""
    pdf = bytearray(contract())
    present = of(verdict(contract(), (foreign_maker()[1],)), NAMES[at])
    assert present.outcome is Outcome.VALID
    # The last digits before the padding belong to the signature's value.
    gaps = _gaps(bytes(pdf))
    start, end = gaps[at]
    place = start + len(bytes(pdf[start:end]).rstrip(b"0>")) - 12
    pdf[place] = ord("1") if pdf[place] != ord("1") else ord("2")
    found = verdict(bytes(pdf), (foreign_maker()[1],))
    assert found.outcome is Outcome.INVALID
    assert of(found, NAMES[at]).outcome is Outcome.INVALID


def _gaps(pdf: bytes) -> list[tuple[int, int]]:
    from services.esign.domain.pdf import signatures
    from services.esign.domain.pdf.document import Document

    return [signature.gap for signature in signatures.find(Document(pdf))]


def test_what_comes_after_all_seals_spoils_all_of_them() -> None:
    """A page turned by a later save: INVALID, and every card says that more than signing came after it."""
    number = next(n for n, text in _pages(contract()).items() if b"/Type/Page" in text.replace(b" ", b""))
    text = _pages(contract())[number]
    changed = update(contract(), {number: text.rstrip()[:-2] + b"/Rotate 180>>"})
    found = verdict(changed, (foreign_maker()[1],))
    assert found.outcome is Outcome.INVALID
    assert all(each.outcome is Outcome.INVALID for each in found.signatures)
    assert all("签名以外的修改" in each.later[-1].zh for each in found.signatures)


def _pages(pdf: bytes) -> dict[int, bytes]:
    from services.esign.domain.pdf.document import Document

    document = Document(pdf)
    return {
        ref[0]: b"<<" + pdf[found.start : found.end].split(b"<<", 1)[1].rsplit(b"endobj", 1)[0]
        for ref, _ in document.pages()
        if (found := document.object(ref[0])) is not None
    }
