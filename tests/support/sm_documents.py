"""A small document sealed and stamped with SM2 and SM3, by the authority of `sm_setting`."""

from functools import cache

from services.esign.certification.domain import sm2_pki
from services.esign.domain.cms.sm2 import Sm2Key
from services.esign.domain.digests import SM3
from services.esign.keys import sm2 as sm_keys
from services.esign.signing.domain import pades
from services.esign.signing.domain.pades import LastSignature, SigningSeal
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.domain.token import TimestampSigner
from shuniu.kit.crypto import sm
from tests.support.esign import NOW_US, ORGANISATION, small_pdf
from tests.support.sm import sm_setting

POLICY = "1.2.3.4"
_SERIAL = 7


@cache
def seal() -> SigningSeal:
    made = sm_setting()
    key = Sm2Key(made.seal.sign)
    return SigningSeal.prepare(key, made.seal.certificate, [made.ca.certificate], ORGANISATION, digest=SM3)


@cache
def _authority() -> tuple[bytes, sm2_pki.Sm2Signer]:
    root = sm_setting().root
    ca = sm2_pki.make_tsa_ca(root, sm_keys.pair(sm.PrivateKey.generate()), "内蒙古枢纽", NOW_US)
    return ca.certificate, sm2_pki.make_tsa(ca, sm_keys.pair(sm.PrivateKey.generate()), "内蒙古枢纽", NOW_US)


def tsa_chain() -> tuple[bytes, bytes]:
    """Timestamp CA and authority, DER."""
    ca, authority = _authority()
    return ca, authority.certificate


@cache
def stamper() -> TimestampSigner:
    ca, authority = _authority()
    return TimestampSigner.prepare(Sm2Key(authority.sign), authority.certificate, [ca], POLICY, SM3)


def token_over(message: bytes) -> bytes:
    asked = timestamp.TimestampQuery(timestamp.imprint(SM3.of(message), SM3), wants_certificates=True)
    return stamper().token(asked, _SERIAL, NOW_US)


@cache
def sealed() -> bytes:
    return pades.sign(small_pdf(), seal(), NOW_US, token=stamper().max_size(_SERIAL))


@cache
def stamped() -> bytes:
    signature = LastSignature.of(sealed())
    return signature.stamped(token_over(signature.value))
