"""Paths to a root where an authority has several certificates: the search goes on until one passes every rule."""

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.esign.certification.domain import chain, paths, pki, sm2_pki
from services.esign.certification.domain.chain import ChainError
from services.esign.certification.domain.validation_data import ValidationData
from services.esign.domain.findings import Findings
from services.esign.domain.verdict import Outcome
from services.esign.keys import sm2 as sm_keys
from services.esign.revocation.domain.answers import CertificateStanding, Standing, crl
from services.esign.signing.domain import signer_steps
from services.esign.verification.offline import Trusted, judged
from shuniu.kit.crypto import sm
from tests.support import foreign_cms, ofd
from tests.support.esign import NOW_US, sealed, setting
from tests.support.sm import sm_setting

DAY_US = 86_400_000_000
HASH = hashes.SHA256()
NOW = datetime.fromtimestamp(NOW_US / 1e6, UTC)
SERVERS = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
NAMES = (x509.NameConstraints([x509.DNSName("a.example")], None), False)
UNKNOWN = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
SIGNS = (foreign_cms.usage(digital_signature=True), True)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(
    name: str,
    by: str,
    *extensions: tuple[x509.ExtensionType, bool],
    days: tuple[int, int] = (-2, 365),
    ca: bool = True,
    length: int | None = None,
) -> x509.Certificate:
    """Of the subject `name`, whose key goes by its name, issued by `by`; valid between `days` from now."""
    subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, by))
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key(name).public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(NOW + timedelta(days=days[0]))
    builder = builder.not_valid_after(NOW + timedelta(days=days[1]))
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(key(by), HASH)


ROOT = certificate("root", "root", days=(-9, 3650))
GOOD = certificate("authority", "root")
# Each lasts longer than the good one, so that it is looked at first.
TWINS = {
    "PATH_LENGTH": certificate("authority", "root", days=(-2, 720), length=0),
    "ISSUER_USAGE": certificate("authority", "root", SERVERS, days=(-2, 720)),
    "NAME_CONSTRAINTS": certificate("authority", "root", NAMES, days=(-2, 720)),
    "CRITICAL_EXTENSION": certificate("authority", "root", UNKNOWN, days=(-2, 720)),
}
BELOW = certificate("below", "authority")
SIGNER = certificate("signer", "below", SIGNS, ca=False)


def built(*between: x509.Certificate, moments: tuple[int, ...] = ()) -> paths.Path:
    return paths.build(SIGNER, between, [ROOT], paths.check_document_path, moments=moments)


@pytest.mark.parametrize("twin", TWINS)
def test_a_certificate_for_something_else_hides_no_path(twin: str) -> None:
    """Anybody may put another certificate of the same authority beside a signature; alone it says what is wrong."""
    assert built(TWINS[twin], BELOW, GOOD) == (SIGNER, BELOW, GOOD, ROOT)
    with pytest.raises(ChainError) as refused:
        built(TWINS[twin], BELOW)
    assert refused.value.reason == twin


def test_what_is_open_is_told_before_what_is_wrong() -> None:
    """Where no path passes, a certificate that somebody added turns no open question into a reproach."""
    with pytest.raises(ChainError) as refused:
        built(*TWINS.values(), BELOW)
    assert refused.value.unknown


def test_of_several_paths_the_one_that_was_valid_then_is_taken() -> None:
    """An authority's earlier certificate has ended, its next one began after the signer's was issued."""
    ended, renewed = (certificate("authority", "root", days=days) for days in ((-5, 2), (3, 900)))
    for order in ((ended, renewed), (renewed, ended)):
        assert built(*order, BELOW, moments=(NOW_US + DAY_US,)) == (SIGNER, BELOW, ended, ROOT)
        assert built(*order, BELOW, moments=(NOW_US + 5 * DAY_US,)) == (SIGNER, BELOW, renewed, ROOT)


def revoking(gone: x509.Certificate, by: str, issuer: x509.Certificate) -> bytes:
    entry = x509.RevokedCertificateBuilder().serial_number(gone.serial_number).revocation_date(NOW - timedelta(days=1))
    entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.superseded), critical=False)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(NOW)
    builder = builder.next_update(NOW + timedelta(days=9)).add_revoked_certificate(entry.build())
    return builder.sign(key(by), HASH).public_bytes(Encoding.DER)


def test_an_authority_that_lies_beside_its_root_is_none() -> None:
    """A directory that holds a whole chain asks the root's lists of the authority, and its limits, as without it. Who
    trusts an authority without its root has it for a root.
    """
    assert paths.build(SIGNER, [BELOW], [GOOD, ROOT], paths.check_document_path) == (SIGNER, BELOW, GOOD, ROOT)
    assert paths.build(SIGNER, [BELOW, ROOT], [GOOD], paths.check_document_path) == (SIGNER, BELOW, GOOD)
    with pytest.raises(ChainError, match="some names"):
        paths.build(SIGNER, [BELOW], [TWINS["NAME_CONSTRAINTS"], ROOT], paths.check_document_path)
    files = {
        "chain.pem": pki.certificate_pem(setting().ca.certificate) + pki.certificate_pem(setting().root.certificate)
    }
    entry = CertificateStanding(setting().ca.certificate.serial_number, Standing.REVOKED, NOW_US - DAY_US)
    assert judged(sealed(), Trusted.of_files(files), NOW_US).outcome is Outcome.VALID
    files["root.crl"] = crl(setting().root, [entry], NOW_US)
    assert judged(sealed(), Trusted.of_files(files), NOW_US).outcome is Outcome.INVALID


def test_a_superseded_certificate_of_an_authority_hides_no_path() -> None:
    """The authority's earlier certificate lasts longer and is revoked; a signature with both beside it has a path over
    the other.
    """
    old = certificate("authority", "root", days=(-2, 900))
    data = ValidationData(crls=(revoking(old, "root", ROOT),))
    for between in ((old, GOOD, BELOW), (GOOD, old, BELOW)):
        found = Findings(NOW_US, NOW_US)
        path = signer_steps.path_of(found, SIGNER, between, [ROOT], trust_any_signer=False, data=data)
        assert path == (SIGNER, BELOW, GOOD, ROOT)
    found = Findings(NOW_US, NOW_US)
    alone = signer_steps.path_of(found, SIGNER, (old, BELOW), [ROOT], trust_any_signer=False, data=data)
    assert alone == (SIGNER, BELOW, old, ROOT)


def test_the_search_is_bounded() -> None:
    """Any number of certificates that certify each other ends it soon, and without a path nothing is trusted."""
    ring = [certificate("authority", "below", days=(-2, 400 + each)) for each in range(40)]
    around = [certificate("below", "authority", days=(-2, 400 + each)) for each in range(40)]
    with pytest.raises(ChainError, match="no trusted root"):
        built(*ring, *around)


def test_a_search_that_ends_early_accuses_nobody() -> None:
    """One path that is wrong, and more certificates than are looked at: there may be a path that passes."""
    wrong = certificate("authority", "root", days=(-2, 2000), length=0)
    ring = [certificate("authority", "below", days=(-2, 400 + each)) for each in range(70)]
    with pytest.raises(ChainError) as refused:
        built(wrong, BELOW)
    assert (refused.value.reason, refused.value.unknown) == ("PATH_LENGTH", False)
    with pytest.raises(ChainError) as refused:
        built(wrong, BELOW, *ring)
    assert (refused.value.reason, refused.value.unknown) == ("TOO_MANY_CERTIFICATES", True)


def test_a_signature_with_a_twin_beside_it_is_valid() -> None:
    """The whole way through a CMS signature: its certificates are not signed, so anybody adds one."""
    signer = chain.der_of(SIGNER)
    held = [signer, *map(chain.der_of, (*TWINS.values(), BELOW, GOOD))]
    signed = foreign_cms.by_hand(
        foreign_cms.usual_attributes(signer=signer),
        signer=signer,
        certificates=held,
        sign=lambda text: key("signer").sign(text, ec.ECDSA(HASH)),
    )
    assert foreign_cms.judged(signed, roots=[ROOT]).reason("chain") == ("valid", "TRUSTED")


@pytest.mark.parametrize("name", ["a-cross.pem", "z-cross.pem"])
def test_the_name_of_a_file_decides_nothing(name: str) -> None:
    """A cross-certificate of the SM2 seal CA, by a root that is not trusted, leaves the path to the trusted one."""
    made = sm_setting()
    other = sm2_pki.make_root(sm_keys.pair(sm.PrivateKey.generate()), "别的根", NOW_US)
    subjects = (sm2_pki.subject_of(each.certificate) for each in (made.ca, other))
    body = sm2_pki._body(*subjects, made.ca.spki, other.spki, NOW_US, 3000, sm2_pki._authority(0))
    held = {"root.pem": made.root.certificate, "seal-ca.pem": made.ca.certificate, "maker.pem": made.maker.certificate}
    held[name] = sm2_pki._signed(body, other.sign)
    files = {
        file: x509.load_der_x509_certificate(each).public_bytes(Encoding.PEM) for file, each in sorted(held.items())
    }
    assert judged(ofd.packed(ofd.signed()), Trusted.of_files(files), NOW_US).outcome is Outcome.VALID
