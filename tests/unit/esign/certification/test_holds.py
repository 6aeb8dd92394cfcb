"""Certificates on hold: what answers before and after a hold prove of a signature's moment (RFC 5280, 5.3.1)."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain.validation_data import Then, ValidationData, path_standing, standing
from services.esign.domain import moments
from services.esign.revocation.domain.answers import CertificateStanding, Standing, crl
from tests.support.esign import NOW_US, setting
from tests.support.longterm import HOUR_US

# The hold lasts from the third to the seventh moment; lists of the hub last for an hour, moments are two apart.
HELD, RELEASED, LAST = 3, 7, 9
STEP_US = 2 * HOUR_US


@cache
def signer() -> x509.Certificate:
    return x509.load_der_x509_certificate(setting().certificate)


def at(step: float) -> int:
    return NOW_US + int(step * STEP_US)


ENDS = (moments.us(signer().not_valid_after_utc) - NOW_US) / STEP_US


@cache
def listed(step: float) -> bytes:
    """The authority's list of that moment, true to the certificate's history."""
    held = [CertificateStanding(signer().serial_number, Standing.HELD, at(HELD))]
    return crl(setting().ca, held if HELD <= step < RELEASED else [], at(step))


def stood(lists: tuple[float, ...], step: float) -> Then:
    data = ValidationData(crls=tuple(map(listed, lists)))
    return standing(signer(), setting().ca.certificate, data, at(step), at(step))


def test_whatever_lists_of_a_hold_are_at_hand_no_verdict_is_wrong() -> None:
    """Of all sets of lists: a signature made on hold is never good where a list of that hold is there, and one made off
    hold is never called revoked.
    """
    for lists in (c for n in range(1, 4) for c in combinations(range(LAST + 1), n)):
        for signed in (each + 0.25 for each in range(LAST + 1)):
            then, on_hold = stood(lists, signed), HELD <= signed < RELEASED
            assert not (on_hold and then is Then.GOOD and any(HELD <= each < RELEASED for each in lists))
            assert on_hold or then is not Then.REVOKED


@pytest.mark.parametrize(
    ("lists", "signed", "expected"),
    [
        ((4,), 2, Then.GOOD),
        ((4,), 4, Then.REVOKED),
        # Within the time of the list, and after it.
        ((4,), 4.25, Then.REVOKED),
        ((4,), 6, Then.UNPROVEN),
        # Between the last list of the hold and the first without it.
        ((4, 8), 4.25, Then.UNPROVEN),
        ((4, 8), 7.5, Then.UNPROVEN),
        ((4, 8), 8.25, Then.GOOD),
        # The hold and its end say nothing of a later moment.
        ((4, 8), 9, Then.UNSAID),
        ((2, 4), 4, Then.REVOKED),
        # Off the list because the certificate has ended.
        ((4, ENDS + 1), 4.25, Then.REVOKED),
        ((4, ENDS + 1), 6, Then.UNPROVEN),
    ],
)
def test_a_hold_lasts_until_a_list_of_the_certificates_life_is_without_it(
    lists: tuple[float, ...], signed: float, expected: Then
) -> None:
    """What was signed between the last list with the hold and the first without it may have been signed on hold."""
    assert stood(lists, signed) is expected


def test_an_old_release_does_not_make_an_undated_signature_fresh() -> None:
    """Where nothing proves when it was made, a hold that began and ended long ago is no answer of today."""
    path = (signer(), setting().ca.certificate)
    data = ValidationData(crls=(listed(4), listed(8)))
    assert path_standing(path, data, at(2), None, now_us=at(40)) is Then.UNSAID


def test_taken_off_by_a_list_of_changes_a_hold_is_over() -> None:
    """removeFromCRL ends the hold by that list's moment; for nothing else does it vouch."""
    moment = datetime.fromtimestamp(at(8) // 1_000_000, UTC)
    off = x509.CRLReason(x509.ReasonFlags.remove_from_crl)
    gone = x509.RevokedCertificateBuilder().serial_number(signer().serial_number).revocation_date(moment)
    ca = setting().ca
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject).last_update(moment)
    builder = builder.next_update(moment + timedelta(hours=1)).add_extension(x509.DeltaCRLIndicator(1), critical=True)
    builder = builder.add_revoked_certificate(gone.add_extension(off, critical=False).build())
    changes = builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def stood_by(*lists: bytes, signed: float) -> Then:
        data = ValidationData(crls=lists)
        return standing(signer(), ca.certificate, data, at(signed), at(signed))

    assert stood_by(listed(4), changes, signed=4.25) is Then.UNPROVEN
    assert stood_by(listed(4), changes, signed=8.25) is Then.UNSAID
    assert stood_by(listed(4), changes, listed(9), signed=8.25) is Then.GOOD
