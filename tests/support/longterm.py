"""Documents at PAdES B-LT and B-LTA, and the answers that go into them."""

from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp as ocsp_lib

from services.esign.certification.domain import pki
from services.esign.certification.domain.validation_data import ValidationData
from services.esign.revocation.domain import answers as revocation
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.signing.domain import long_term as longterm
from services.esign.signing.domain import pades
from services.esign.signing.domain.pades import LastSignature
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.domain.token import TimestampSigner
from tests.support.esign import NOW_US, setting, small_pdf
from tests.support.timestamps import authority, signer

HOUR_US = 3600 * 1_000_000
YEAR_US = 8766 * HOUR_US
CERTIFICATE = x509.load_der_x509_certificate(setting().certificate)


def token(digest: bytes, at_us: int, by: TimestampSigner | None = None) -> bytes:
    asked = timestamp.TimestampQuery(timestamp.imprint(digest), wants_certificates=True)
    return (by or signer()).token(asked, 1, at_us)


@cache
def stamped() -> bytes:
    """B-T, certified so that nothing may change."""
    signature = LastSignature.of(pades.sign(small_pdf(), setting().seal, NOW_US, token=authority().max_size()))
    return signature.stamped(token(sha256(signature.value).digest(), NOW_US))


def answer_for(
    certificate: x509.Certificate, found: CertificateStanding, ca: pki.Authority, responder: pki.Authority, at_us: int
) -> bytes:
    """OCSPResponse, DER, as it goes into a document."""
    asked = ocsp_lib.OCSPRequestBuilder().add_certificate(certificate, ca.certificate, hashes.SHA1()).build()
    return revocation.answer(asked, found, responder, at_us)


def ocsp(
    standing: Standing = Standing.GOOD, since_us: int = 0, at_us: int = NOW_US, ca: pki.Authority | None = None
) -> bytes:
    issuer = ca or setting().ca
    responder = pki.make_ocsp_responder(issuer, "内蒙古枢纽", at_us)
    return answer_for(
        CERTIFICATE, CertificateStanding(CERTIFICATE.serial_number, standing, since_us), issuer, responder, at_us
    )


def crl(standing: Standing | None = None, since_us: int = 0, at_us: int = NOW_US) -> bytes:
    found = [CertificateStanding(CERTIFICATE.serial_number, standing, since_us)] if standing else []
    return revocation.crl(setting().ca, found, at_us)


def data(*ocsps: bytes, crls: tuple[bytes, ...] = ()) -> ValidationData:
    return ValidationData((setting().ca.der,), ocsps, crls)


@cache
def long_term() -> bytes:
    return longterm.with_validation_data(stamped(), data(ocsp()))


def renewed(
    pdf: bytes, at_us: int = NOW_US, found: ValidationData | None = None, by: TimestampSigner | None = None
) -> bytes:
    step = longterm.begin_renewal(pdf, found or data(ocsp(at_us=at_us), crls=(crl(),)), 4000)
    return step.finish(token(step.digest, at_us, by))
