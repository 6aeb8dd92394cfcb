"""Lists of revoked certificates that tell of a part only: what they name is revoked, what they leave out is unsaid."""

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import pki
from services.esign.certification.domain.validation_data import Then, ValidationData, standing
from services.esign.domain.verdict import Outcome
from services.esign.verification.offline import Trusted, judged
from tests.support.documents import foreign_sign
from tests.support.esign import NOW_US, setting, small_pdf

NOW = datetime.fromtimestamp(NOW_US // 1_000_000, UTC)
COMPROMISED = x509.CRLReason(x509.ReasonFlags.key_compromise)
SOME = x509.ReasonFlags.key_compromise


def point(**members: object) -> x509.IssuingDistributionPoint:
    nothing = dict.fromkeys(
        ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs"), False
    )
    bare = {"full_name": None, "relative_name": None, "only_some_reasons": None, **nothing}
    return x509.IssuingDistributionPoint(**{**bare, **members})


PARTIAL: dict[str, x509.ExtensionType] = {
    "of authorities": point(only_contains_ca_certs=True),
    "of an address": point(full_name=[x509.UniformResourceIdentifier("http://ca.example/crl7.crl")]),
    "for some reasons": point(only_some_reasons=frozenset({SOME})),
    "of changes": x509.DeltaCRLIndicator(1),
    "of a kind not known": x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"),
}


@cache
def signer() -> x509.Certificate:
    return x509.load_der_x509_certificate(setting().certificate)


def listed(
    *extensions: x509.ExtensionType,
    serial: int | None = None,
    entry: tuple[x509.ExtensionType, ...],
    at: datetime = NOW,
    critical: bool = True,
) -> bytes:
    ca = setting().ca
    gone = x509.RevokedCertificateBuilder().serial_number(serial or signer().serial_number)
    gone = gone.revocation_date(NOW - timedelta(days=1))
    for each in entry:
        gone = gone.add_extension(each, critical=isinstance(each, x509.CertificateIssuer))
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(at).next_update(at + timedelta(days=7)).add_revoked_certificate(gone.build())
    for each in extensions:
        builder = builder.add_extension(each, critical=critical)
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)


def stood(crl: bytes) -> Then:
    return standing(signer(), setting().ca.certificate, ValidationData(crls=(crl,)), NOW_US, NOW_US)


@pytest.mark.parametrize("part", PARTIAL)
def test_what_a_partial_list_names_is_revoked(part: str) -> None:
    """A list of a part that the certificate's issuer signed proves the revocation of whom it names, and says nothing of
    whom it does not.
    """
    assert stood(listed(PARTIAL[part], entry=(COMPROMISED,))) is Then.REVOKED
    assert stood(listed(PARTIAL[part], serial=5, entry=(COMPROMISED,))) is Then.UNSAID
    assert stood(listed(serial=5, entry=(COMPROMISED,))) is Then.GOOD


@pytest.mark.parametrize("part", [each for each in PARTIAL if each != "of a kind not known"])
def test_a_scope_counts_although_it_is_not_marked_critical(part: str) -> None:
    """What a list says of its scope holds whether or not its maker marked it critical: silence is no word."""
    assert stood(listed(PARTIAL[part], serial=5, entry=(COMPROMISED,), critical=False)) is Then.UNSAID


@pytest.mark.parametrize("critical", [True, False])
def test_a_list_of_users_speaks_for_a_user(critical: bool) -> None:
    """A list whose scope the certificate is in (RFC 5280, 6.3.3 b 2) is a whole one for it."""
    assert stood(listed(point(only_contains_user_certs=True), serial=5, entry=(COMPROMISED,), critical=critical)) is (
        Then.GOOD
    )


def test_an_entry_of_another_authority_or_taken_off_names_nobody() -> None:
    """An entry of another issuer, on an indirect list or not, and one that takes a certificate off the list are no evidence of a
    revocation: the same serial number may be another's.
    """
    other = x509.CertificateIssuer([x509.DirectoryName(setting().root.certificate.subject)])
    off = x509.CRLReason(x509.ReasonFlags.remove_from_crl)
    for found in (
        listed(point(indirect_crl=True), entry=(COMPROMISED, other)),
        listed(entry=(COMPROMISED, other)),
        listed(x509.DeltaCRLIndicator(1), entry=(off,)),
    ):
        assert stood(found) is Then.UNSAID


def test_a_partial_list_in_the_trust_directory_counts() -> None:
    """Offline a document whose signer a list of changes alone names is INVALID, as by a whole list, and the list is not
    called useless.
    """
    root = pki.certificate_pem(setting().root.certificate)
    partial = listed(PARTIAL["of changes"], entry=(COMPROMISED,))
    found = judged(foreign_sign(small_pdf()), Trusted.of_files({"root.pem": root, "ca.crl": partial}), NOW_US)
    step = next(each for each in found.steps if each.step == "seal_then")
    assert (found.outcome, step.reason) == (Outcome.INVALID, "CERTIFICATE_REVOKED")
    assert "未能使用" not in step.zh


def test_a_hold_that_was_lifted_is_none() -> None:
    """An old list beside a newer one, which anybody may put into a document, calls nobody revoked any more."""
    hold = x509.CRLReason(x509.ReasonFlags.certificate_hold)
    old, new = listed(entry=(hold,), at=NOW - timedelta(hours=9)), listed(serial=5, entry=(COMPROMISED,))
    gone = listed(entry=(COMPROMISED,), at=NOW - timedelta(hours=9))

    def beside(*lists: bytes) -> Then:
        return standing(signer(), setting().ca.certificate, ValidationData(crls=lists), NOW_US, NOW_US)

    assert beside(old) is Then.REVOKED
    assert beside(old, new) is Then.GOOD
    assert beside(gone, new) is Then.REVOKED


def test_the_issuers_key_revokes_whichever_certificate_of_it_is_at_hand() -> None:
    """A forger brings the one that ended: what the key says since then of him counts; that it is silent does not."""
    ca = setting().ca
    builder = x509.CertificateBuilder().subject_name(ca.certificate.subject).issuer_name(ca.certificate.issuer)
    builder = builder.public_key(ca.key.public_key()).serial_number(7)
    builder = builder.not_valid_before(NOW - timedelta(days=900)).not_valid_after(NOW - timedelta(days=9))
    for extension in ca.certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    ended = builder.sign(setting().root.key, hashes.SHA256())

    def stood_under(crl: bytes) -> Then:
        return standing(signer(), ended, ValidationData(crls=(crl,)), NOW_US, NOW_US)

    assert stood_under(listed(entry=(COMPROMISED,))) is Then.REVOKED
    assert stood_under(listed(serial=5, entry=(COMPROMISED,))) is Then.UNSAID
