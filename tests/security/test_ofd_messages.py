"""A message that a holder signed, of 32 bytes that somebody gave him, is no signature of a package."""

from hashlib import sha256

import pytest

from services.esign.certification.domain.trust import Trust
from services.esign.domain.digests import SHA256
from services.esign.domain.verdict import Outcome
from shuniu.kit.crypto import sm as provider
from tests.support import ofd
from tests.support.esign import setting
from tests.support.foreign_cms import by_hand, usual_attributes

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
    assert (verdict.outcome is Outcome.VALID) is valid
