"""One small SM2 authority, seal maker and seal for the tests of esign."""

from dataclasses import dataclass
from functools import cache

from services.esign import sm_keys
from services.esign.domain import sm2_pki
from services.esign.domain.sm2_pki import Sm2Signer
from shuniu.kit.crypto import sm
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID


@dataclass(frozen=True)
class SmSetting:
    root: Sm2Signer
    ca: Sm2Signer
    maker: Sm2Signer
    seal: Sm2Signer


@cache
def sm_setting() -> SmSetting:
    root = sm2_pki.make_root(sm_keys.pair(sm.PrivateKey.generate()), "内蒙古枢纽", NOW_US)
    ca = sm2_pki.make_seal_ca(root, sm_keys.pair(sm.PrivateKey.generate()), "内蒙古枢纽", NOW_US)
    maker = sm2_pki.make_maker(ca, sm_keys.pair(sm.PrivateKey.generate()), "内蒙古枢纽", NOW_US)
    key = sm.PrivateKey.generate()
    certificate = sm2_pki.issue_seal_certificate(ca, key.public.spki, ORGANISATION, SEAL_ID, NOW_US)
    return SmSetting(root, ca, maker, Sm2Signer(certificate, key.public.spki, key.sign))
