"""A message that a holder signed, of 32 bytes that somebody gave him, is no signature of a package."""

from hashlib import sha256

import pytest

from services.esign.certification.domain import chain
from services.esign.certification.domain.trust import Trust
from services.esign.domain.digests import SHA256, SM3
from services.esign.domain.verdict import Outcome
from shuniu.kit.crypto import sm as provider
from tests.support import ofd
from tests.support.esign import setting
from tests.support.foreign_cms import CONTENT, by_hand, usual_attributes
from tests.support.foreign_cms import judged as in_pdf
from tests.support.sm import sm_setting

EITHER = {True: (Outcome.VALID, ""), False: (Outcome.INDETERMINATE, "DIGEST_INSIDE")}
pytestmark = pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")


def held(content, *, attributes, inside):
    told = usual_attributes(content) if attributes else None
    return by_hand(told, content=content if inside else None, message=None if attributes else content)


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (lambda xml: held(sha256(xml).digest(), attributes=True, inside=True), False),
        (lambda xml: held(sha256(xml).digest(), attributes=False, inside=True), False),
        (lambda xml: held(sha256(xml).digest(), attributes=False, inside=False), False),
        (lambda xml: by_hand(usual_attributes(xml)), True),
        (lambda xml: by_hand(None, message=xml), True),
    ],
    ids=["challenge", "bare-challenge", "digest", "package", "bare-package"],
)
def test_a_signed_challenge_is_no_signed_package(value, valid):
    """The attacker chose as challenge the digest of his Signature.xml; over the file itself the value holds."""
    files = ofd.signed(value=lambda xml, _location: value(xml), digest=SHA256, stamp="")
    verdict = ofd.judged(files, trust=Trust((setting().root.certificate,)))
    assert (verdict.outcome, ofd.reasons(verdict).get("integrity", "")) == EITHER[valid]


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (lambda xml: ofd.gm_value(SM3.of(xml), content=SM3.of(xml)), False),
        (lambda xml: ofd.gm_value(SM3.of(xml)), False),
        (ofd.gm_value, True),
        (lambda xml: ofd.gm_value(xml, content=xml), True),
        (lambda xml: ofd.gm_cms(xml, ""), True),
    ],
    ids=["bare-challenge", "digest", "bare-package", "package", "attributes"],
)
def test_a_challenge_signed_with_sm2_is_no_signed_package(value, valid):
    """All that calls a value one of GM/T 0010 stands outside what was signed: a login with a USB key gives the same."""
    verdict = ofd.judged(ofd.signed(value=lambda xml, _location: value(xml)))
    assert (verdict.outcome, ofd.reasons(verdict).get("integrity", "")) == EITHER[valid]


@pytest.mark.parametrize("inside", [True, False], ids=["inside", "beside"])
def test_a_challenge_is_judged_in_a_pdf_as_in_a_package(inside):
    """One rule for both doors, and for keys of either kind."""
    root = chain.load(sm_setting().root.certificate)
    digest = SM3.of(CONTENT)
    by_sm2 = in_pdf(ofd.gm_value(digest, content=digest if inside else b""), roots=[root])
    by_p256 = in_pdf(held(sha256(CONTENT).digest(), attributes=False, inside=inside))
    assert by_sm2.reason("integrity") == by_p256.reason("integrity") == ("unknown", "DIGEST_INSIDE")
