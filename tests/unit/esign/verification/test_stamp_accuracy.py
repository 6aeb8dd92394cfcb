"""A timestamp is only as exact as its authority says (RFC 3161, 2.4.2): whatever is judged by it is judged so."""

from dataclasses import fields
from hashlib import sha256

import pytest
from cryptography import x509

from services.esign.certification.domain.trust import Trust
from services.esign.domain import der, moments
from services.esign.domain.verdict import Outcome, Verdict
from services.esign.revocation.domain.answers import CertificateStanding, Standing, crl
from services.esign.signing.domain import pades
from services.esign.signing.domain.pades import LastSignature
from services.esign.timestamps.domain.token import TimestampQuery, TimestampSigner
from tests.support.esign import NOW_US, setting, small_pdf
from tests.support.longterm import CERTIFICATE, HOUR_US, renewed, token
from tests.support.timestamps import authority, signer
from tests.support.verdicts import judged

DAY_US, MINUTE_US = 24 * HOUR_US, HOUR_US // 60
AT_US = NOW_US + 5 * DAY_US
ENDS_US = moments.us(x509.load_der_x509_certificate(setting().certificate).not_valid_after_utc)


class VagueSigner(TimestampSigner):
    """An authority whose clock is exact to an hour."""

    def _info(self, asked: TimestampQuery, serial: int, at_us: int) -> bytes:
        parts = [each.raw for each in der.parse(super()._info(asked, serial, at_us)).children()]
        parts[5] = der.tlv(der.SEQUENCE, der.integer(3600))
        return der.tlv(der.SEQUENCE, *parts)


VAGUE = VagueSigner(*(getattr(signer(), field.name) for field in fields(TimestampSigner)))


def signed(at_us: int) -> LastSignature:
    return LastSignature.of(pades.sign(small_pdf(), setting().seal, at_us, token=authority().max_size() + 10))


def stamped(by: TimestampSigner, at_us: int = AT_US) -> bytes:
    one = signed(at_us)
    return one.stamped(token(sha256(one.value).digest(), at_us, by))


def verdict(pdf: bytes, *held: CertificateStanding, at_us: int = AT_US) -> Verdict:
    """With a list of two days after the signature."""
    lists = (crl(setting().ca, held, at_us + 2 * DAY_US),)
    trust = Trust((setting().root.certificate,), crls=lists)
    return judged(pdf, trust=trust, now_us=at_us + 2 * DAY_US + HOUR_US)


@pytest.mark.parametrize(
    ("after_us", "exact", "vague"),
    [
        (2 * HOUR_US, Outcome.VALID, Outcome.VALID),
        (30 * MINUTE_US, Outcome.VALID, Outcome.INDETERMINATE),
        # The signer states himself that he signed afterwards.
        (-30 * MINUTE_US, Outcome.INVALID, Outcome.INVALID),
        (-2 * HOUR_US, Outcome.INVALID, Outcome.INVALID),
    ],
)
def test_a_revocation_within_the_accuracy_of_a_stamp_leaves_it_open(
    after_us: int, exact: Outcome, vague: Outcome
) -> None:
    """Nobody knows which came first, the stamp or the revocation; outside its bounds the stamp proves as any."""
    gone = CertificateStanding(CERTIFICATE.serial_number, Standing.REVOKED, AT_US + after_us)
    assert verdict(stamped(signer()), gone).outcome is exact
    assert verdict(stamped(VAGUE), gone).outcome is vague
    renewal = renewed(signed(AT_US).pdf, AT_US + MINUTE_US, by=VAGUE)
    assert verdict(renewal, gone).outcome is vague


def test_a_stamp_that_may_lie_behind_the_certificates_end_proves_nothing() -> None:
    """The certificate ends within the accuracy of the stamp: what was signed may be younger."""
    at_us = ENDS_US - 30 * MINUTE_US
    assert verdict(stamped(signer(), at_us), at_us=at_us).outcome is Outcome.VALID
    step = next(step for step in verdict(stamped(VAGUE, at_us), at_us=at_us).steps if step.step == "time")
    assert step.reason == "TIME_NOT_PROVEN"


@pytest.mark.parametrize("proof", ["none", "stamp", "archive"])
def test_a_late_proof_makes_no_honest_signature_invalid(proof: str) -> None:
    """Signed, revoked five days later, stamped or archived later still: the proof bounds the moment from above alone."""
    one = signed(AT_US)
    late_us = AT_US + 18 * DAY_US
    gone = CertificateStanding(CERTIFICATE.serial_number, Standing.REVOKED, AT_US + 5 * DAY_US)
    pdf = {
        "none": lambda: one.pdf,
        "stamp": lambda: one.stamped(token(sha256(one.value).digest(), late_us)),
        "archive": lambda: renewed(one.pdf, late_us),
    }[proof]()
    found = verdict(pdf, gone, at_us=late_us)
    assert found.outcome is Outcome.INDETERMINATE
    assert next(step.reason for step in found.steps if step.step == "seal_then") == "CERTIFICATE_REVOKED_SINCE"


@pytest.mark.parametrize("proof", ["none", "stamp", "archive"])
def test_nobody_signed_before_the_certificate_was_there(proof: str) -> None:
    """A stated time before the signer's certificate began is open, whatever proves that it existed by a later one."""
    one = signed(NOW_US - 3 * DAY_US)
    pdf = {
        "none": lambda: one.pdf,
        "stamp": lambda: one.stamped(token(sha256(one.value).digest(), AT_US)),
        "archive": lambda: renewed(one.pdf, AT_US),
    }[proof]()
    found = verdict(pdf)
    assert found.outcome is Outcome.INDETERMINATE
    assert next(step.reason for step in found.steps if step.step == "time") == "OUTSIDE_VALIDITY"


def test_what_is_told_is_the_time_of_the_stamp() -> None:
    """The verdict's moment is the one that the stamp states; the proof of existence is its latest."""
    found = verdict(stamped(VAGUE))
    assert found.as_of_us == AT_US
    assert found.signatures[0].proven_us == AT_US + HOUR_US
