"""One timestamp authority under the root of tests.support.esign."""

from functools import cache

from services.esign.certification.domain import pki
from services.esign.domain.cms.signed_data import P256Key
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.timestamps.domain.token import TimestampSigner
from services.esign.timestamps.sources import Authority
from shuniu.kit.testing import ManualClock
from tests.support.esign import NOW_US, setting

POLICY = "2.25.231834905418379114823059182764411950033"


@cache
def tsa() -> pki.Authority:
    return pki.make_tsa(pki.make_tsa_ca(setting().root, "内蒙古枢纽", NOW_US), "内蒙古枢纽", NOW_US)


@cache
def signer() -> TimestampSigner:
    ca = pki.certificate_der(tsa().above[0])
    return TimestampSigner.prepare(P256Key(tsa().key), tsa().der, [ca], POLICY)


@cache
def authority() -> Authority:
    """Its clock stands at NOW_US."""
    return Authority(signer(), ClockGuard(ManualClock(NOW_US), passed_us=lambda: 0))
