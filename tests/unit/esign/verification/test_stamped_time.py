"""Verdicts on seals with timestamps (PAdES B-T)."""

from functools import cache
from hashlib import sha256

from services.esign.certification.domain import chain
from services.esign.certification.domain.trust import Trust
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.verdict import Outcome, Status, Step
from services.esign.signing.domain import pades
from services.esign.signing.domain.pades import LastSignature
from services.esign.timestamps.domain import token as timestamp
from services.esign.verification.domain.stamped_time import Witnesses, judge_time
from tests.support.esign import NOW_US, setting, small_pdf
from tests.support.timestamps import authority, signer
from tests.support.verdicts import judged

HOUR_US = 3600 * 1_000_000
YEAR_US = 8766 * HOUR_US
TRUST = Trust((setting().root.certificate,))


def sealed(at_us: int = NOW_US) -> LastSignature:
    return LastSignature.of(pades.sign(small_pdf(), setting().seal, at_us, token=authority().max_size()))


@cache
def stamped() -> bytes:
    signature = sealed()
    return signature.stamped(authority().token(sha256(signature.value).digest()))


def stamped_at(at_us: int, claimed_us: int = NOW_US) -> bytes:
    signature = sealed(claimed_us)
    asked = timestamp.TimestampQuery(timestamp.imprint(sha256(signature.value).digest()), wants_certificates=True)
    return signature.stamped(signer().token(asked, 1, at_us))


def time_step(pdf: bytes, now_us: int = NOW_US + HOUR_US, trust: Trust = TRUST) -> tuple[Step, Outcome]:
    verdict = judged(pdf, trust=trust, now_us=now_us)
    return next(step for step in verdict.steps if step.step == "time"), verdict.outcome


def test_a_stamped_seal_is_valid_and_speaks_for_the_time_of_its_stamp():
    """The timestamp is judged, not passed over: the verdict's time is the authority's."""
    verdict = judged(stamped(), trust=TRUST, now_us=NOW_US + HOUR_US)
    step = next(step for step in verdict.steps if step.step == "time")
    assert (verdict.outcome, step.reason) == (Outcome.VALID, "TIME_STAMPED")
    assert verdict.as_of_us == NOW_US


def test_a_stamp_proves_the_time_after_the_seals_certificate_has_ended():
    """Without a stamp the time is not proven any more; with it the document stays valid."""
    later = NOW_US + 3 * YEAR_US
    assert time_step(stamped(), later)[1] is Outcome.VALID
    assert time_step(sealed().pdf, later)[1] is Outcome.INDETERMINATE


def test_a_stamp_of_something_else_or_of_a_stranger_never_gives_valid():
    """A token of another signature is invalid; one of an authority nobody vouches for is unknown."""
    other = sealed().stamped(authority().token(sha256(b"else").digest()))
    assert time_step(other) == (time_step(other)[0], Outcome.INVALID)
    assert time_step(other)[0].reason == "TIMESTAMP_OF_ANOTHER"
    step, outcome = time_step(stamped(), trust=Trust(()))
    assert (step.status, step.reason, outcome) == (Status.UNKNOWN, "TSA_NOT_TRUSTED", Outcome.INDETERMINATE)


def test_a_back_dated_or_forward_dated_seal_is_found_out():
    """Stated after the stamp: a fast clock, or nobody knows. Stamped when the seal's certificate had ended: nothing is proven."""
    step, outcome = time_step(stamped_at(NOW_US, claimed_us=NOW_US + HOUR_US), NOW_US + 2 * HOUR_US)
    assert (step.reason, outcome) == ("TIME_AHEAD", Outcome.INDETERMINATE)
    step, outcome = time_step(stamped_at(NOW_US + 3 * YEAR_US), NOW_US + 4 * YEAR_US)
    assert (step.reason, outcome) == ("TIME_NOT_PROVEN", Outcome.INDETERMINATE)


def test_no_flipped_digit_of_the_stamped_signature_gives_valid():
    """The part of the file that no signature covers, /Contents, holds nothing that can change unnoticed."""
    good = stamped()
    signature = LastSignature.of(good)
    for at in range(signature.start, signature.end, 7):
        bad = bytearray(good)
        bad[at] = ord("0") if bad[at] != ord("0") else ord("1")
        assert judged(bytes(bad), trust=TRUST, now_us=NOW_US + HOUR_US).outcome is not Outcome.VALID, at


def test_a_seal_just_made_is_the_same_as_one_read_again():
    """The way without reading what was just written ends with the same bytes."""
    made = pades.signed(small_pdf(), setting().seal, NOW_US, token=authority().max_size())
    assert made == LastSignature.of(made.pdf)


def test_what_is_stamped_may_be_logged_later_but_never_before():
    """A flow that waited for its close: the stamp proves when it was signed. Logged before it was signed, or logged
    late without a stamp: contradicted.
    """
    root = setting().root.certificate
    path = (chain.load(setting().certificate), setting().ca.certificate, root)
    for pdf, late_us, expected in (
        (stamped(), 9 * HOUR_US, "TIME_STAMPED"),
        (stamped(), -9 * HOUR_US, "TIME_CONTRADICTED"),
        (sealed().pdf, 9 * HOUR_US, "TIME_CONTRADICTED"),
        (sealed().pdf, 0, "TIME_LOGGED"),
    ):
        one = LastSignature.of(pdf)
        cms = cms_reader.read(cms_reader.unpadded(bytes.fromhex(pdf[one.start : one.end].decode())))
        others = Witnesses(NOW_US, NOW_US + 20 * HOUR_US, NOW_US + late_us, NOW_US + late_us)
        assert judge_time(cms, path, (root,), others).step.reason == expected
