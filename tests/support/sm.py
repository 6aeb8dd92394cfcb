"""One small SM2 authority, seal maker and seal for the tests of esign."""

from dataclasses import dataclass, replace
from functools import cache

from services.esign.certification import sm2_checks
from services.esign.certification.domain import sm2_chain, sm2_pki
from services.esign.certification.domain.sm2_pki import Sm2Signer
from services.esign.keys import sm2 as sm_keys
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.check import SmTrust
from shuniu.kit.crypto import sm
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID

PICTURE = ses.Picture("png", b"picture", 42, 42)
"""Bytes that nobody can draw."""


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


@cache
def eseal(*, at_us: int = NOW_US, picture: ses.Picture = PICTURE) -> bytes:
    """The seal of `sm_setting`, valid for a year from an hour before `at_us`."""
    made = sm_setting()
    content = ses.info(
        seal_id=SEAL_ID,
        kind=ses.ORGANISATION,
        name=ORGANISATION,
        certificates=[made.seal.certificate],
        valid_us=(at_us, at_us + 365 * 86_400 * 1_000_000),
        created_us=at_us,
        picture=picture,
    )
    return ses.make_seal(content, made.maker)


def trust(**changes: object) -> SmTrust:
    made = sm_setting()
    chosen = [sm2_chain.load(signer.certificate) for signer in (made.root, made.ca, made.maker)]
    return replace(ses_check.trust(chosen, sm2_checks.verifies, sm.sm3), **changes)  # type: ignore[arg-type]
