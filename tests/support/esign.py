"""One small authority, one seal and one document for the tests of esign."""

from dataclasses import dataclass
from datetime import date
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import pki
from services.esign.domain.cms import signed_data as cms
from services.esign.pages import layout
from services.esign.pages.domain import certificates, qr
from services.esign.signing.domain import pades

# 2026-06-01T04:00:00Z
NOW_US = 1_780_286_400_000_000
ORGANISATION = "呼和浩特市公安局"
SEAL_ID = "01JZ00000000000000000000SE"


@dataclass(frozen=True)
class Setting:
    root: pki.Authority
    ca: pki.Authority
    key: ec.EllipticCurvePrivateKey
    certificate: bytes
    seal: pades.SigningSeal
    qr_signer: qr.QrSigner


@cache
def setting() -> Setting:
    root = pki.make_root("内蒙古枢纽", NOW_US)
    ca = pki.make_seal_ca(root, "内蒙古枢纽", NOW_US)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.issue_seal_certificate(ca, key.public_key(), ORGANISATION, SEAL_ID, NOW_US, issues_licences=True)
    der = certificate.public_bytes(Encoding.DER)
    field = layout.seal_field(certificates.TEMPLATES[certificates.NO_CRIMINAL_RECORD])
    seal = pades.SigningSeal.prepare(cms.P256Key(key), der, [ca.der], ORGANISATION, field)
    return Setting(
        root, ca, key, der, seal, qr.QrSigner.prepare(ec.generate_private_key(ec.SECP256R1()), "hub.nmg.example")
    )


def certificate_data(name: str = "测试𬭎㛃", number: str = "NCR15260601000001") -> certificates.CertificateData:
    return certificates.CertificateData(
        number=number,
        template=certificates.NO_CRIMINAL_RECORD,
        issuer=ORGANISATION,
        issued_on=date(2026, 6, 1),
        facts={
            "name": name,
            "id_type": "居民身份证",
            "id_number": "150102199001010000",
            "from": "2006年1月1日",
            "to": "2026年5月31日",
        },
    )


@cache
def page() -> bytes:
    data, signer = certificate_data(), setting().qr_signer
    return layout.laid_out_here(data, signer.host, signer.url(data), NOW_US)


@cache
def sealed() -> bytes:
    return pades.sign(page(), setting().seal, NOW_US)


def small_pdf(*, xref_stream: bool = False, page_entries: bytes = b"", pages: int = 1) -> bytes:
    """The smallest document with a page, or so many alike, with either kind of cross-reference."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for body in (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%b]>>" % (pages, b" ".join(b"%d 0 R" % (3 + n) for n in range(pages))),
        *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<<>>" + page_entries + b">>"] * pages,
    ):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (len(offsets), body)
    xref, own = len(out), len(offsets) + 1
    if xref_stream:
        rows = b"\0\0\0\0\xff" + b"".join(b"\1" + o.to_bytes(3, "big") + b"\0" for o in (*offsets, xref))
        head = b"%d 0 obj\n<</Type/XRef/Size %d/W[1 3 1]/Root 1 0 R/Length %d>>\n" % (own, own + 1, len(rows))
        out += head + b"stream\n%b\nendstream\nendobj\n" % rows
    else:
        out += b"xref\n0 %d\n0000000000 65535 f \n" % own + b"".join(b"%010d 00000 n \n" % o for o in offsets)
        out += b"trailer\n<</Size %d/Root 1 0 R>>\n" % own
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % xref)
