"""Who signed and when, in signatures of other makers: certificates, issuers and times are judged no stricter than the standards."""

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.esign.certification.domain import pki
from services.esign.domain import der
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms import signature_value, signed_cms
from services.esign.domain.cms import signed_data as cms
from services.esign.verification.domain.stamped_time import Witnesses, judge_time
from tests.support.esign import NOW_US, setting
from tests.support.foreign_cms import (
    attribute,
    by_hand,
    certificate,
    issued,
    judged,
    key,
    usage,
    usual_attributes,
)
from tests.support.timestamps import authority


def stamped_with(*others: bytes, signature: bytes | None = None) -> signed_cms.SignedCms:
    """A signature with a timestamp of its value, among other unsigned attributes."""
    made: list[bytes] = []

    def sign(message: bytes) -> bytes:
        made.append(key("p256").sign(message, ec.ECDSA(hashes.SHA256())))
        return made[-1]

    by_hand(usual_attributes(), sign=sign)
    token = authority().token(sha256(signature or made[0]).digest())
    stamp = attribute(cms.OID_SIGNATURE_TIMESTAMP, token)
    return cms_reader.read(by_hand(usual_attributes(), sign=lambda _: made[0], unsigned=[stamp, *others]))


def test_the_signature_timestamp_counts_among_other_unsigned_attributes():
    """Revocation values, archive timestamps and unknown ones beside it are passed over; a wrong one stays wrong."""
    path = (x509.load_der_x509_certificate(certificate("p256")), setting().ca.certificate, setting().root.certificate)
    roots, others = (setting().root.certificate,), Witnesses(NOW_US, NOW_US)
    archive, own = attribute(der.oid("0.4.0.1733.2.4"), b"\x30\x00"), attribute(der.oid("1.2.3.4"), b"\x05\x00")
    for beside in ((), (archive,), (own,), (archive, own)):
        assert judge_time(stamped_with(*beside), path, roots, others).step.reason == "TIME_STAMPED"
    wrong = judge_time(stamped_with(signature=b"of another"), path, roots, others).step
    assert (wrong.status.value, wrong.reason) == ("invalid", "TIMESTAMP_OF_ANOTHER")
    without = cms_reader.read(by_hand(usual_attributes(), unsigned=[archive]))
    assert judge_time(without, path, roots, others).step.reason == "STILL_VALID"
    unknown = cms_reader.read(by_hand(usual_attributes(), unsigned=[own]))
    assert judge_time(unknown, path, roots, others).step.reason == "TIMESTAMP_NOT_JUDGED"


def test_a_name_that_nobody_vouches_for_is_told_as_a_claim():
    """证书自称 until a trusted root stands above it; with any signer taken, a claim too."""
    signed = by_hand(usual_attributes())
    certified = judged(signed).steps["signer"]
    assert (certified.status.value, certified.zh) == ("valid", "签章单位：外地单位")
    claimed = judged(signed, roots=()).steps["signer"]
    assert (claimed.status.value, claimed.reason) == ("unknown", "SIGNER_CLAIMED")
    assert claimed.zh == "证书自称：外地单位"
    assert claimed.en == "the certificate claims: 外地单位"
    unjudged = judged(signed, trust_any_signer=True).steps["signer"]
    assert (unjudged.status.value, unjudged.zh) == ("not_checked", "证书自称：外地单位")
    assert not re.search("签章单位|signed by", claimed.text + unjudged.text)


EMAIL, CLIENT = ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CLIENT_AUTH
ADOBE, OWN_USE = x509.ObjectIdentifier("1.2.840.113583.1.1.5"), x509.ObjectIdentifier("1.3.6.1.4.1.99999.2")
SIGNS, COMMITS = (usage(digital_signature=True), True), (usage(content_commitment=True), True)


@pytest.mark.parametrize(
    ("extensions", "status", "reason"),
    [
        ([], "valid", "SIGNER"),
        ([SIGNS], "valid", "SIGNER"),
        ([COMMITS], "valid", "SIGNER"),
        ([COMMITS, (x509.ExtendedKeyUsage([CLIENT]), False)], "valid", "SIGNER"),
        ([SIGNS, (x509.ExtendedKeyUsage([ADOBE]), True)], "valid", "SIGNER"),
        ([SIGNS, (x509.ExtendedKeyUsage([CLIENT, EMAIL]), False)], "valid", "SIGNER"),
        ([SIGNS, (x509.BasicConstraints(ca=False, path_length=None), True)], "valid", "SIGNER"),
        ([SIGNS, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), b"\x30\x00"), True)], "valid", "SIGNER"),
        ([SIGNS, (x509.ExtendedKeyUsage([CLIENT]), False)], "unknown", "SIGNER_KEY_USAGE"),
        ([SIGNS, (x509.ExtendedKeyUsage([OWN_USE]), False)], "unknown", "SIGNER_KEY_USAGE"),
        ([(usage(key_encipherment=True), True)], "unknown", "SIGNER_KEY_USAGE"),
        ([SIGNS, (x509.BasicConstraints(ca=True, path_length=None), True)], "unknown", "SIGNER_IS_CA"),
        ([SIGNS, (x509.UnrecognizedExtension(OWN_USE, b"\x05\x00"), True)], "unknown", "CRITICAL_EXTENSION"),
    ],
    ids=range(13),
)  # fmt: skip
def test_certificates_of_others_are_judged_no_stricter_than_rfc_5280(extensions, status, reason):
    """What is merely unusual is unknown, with its sentence; nothing of it makes a document invalid."""
    own = issued(key("p256").public_key(), *extensions)
    found = judged(by_hand(usual_attributes(signer=own), signer=own))
    assert (found.reason("integrity"), found.reason("signer")) == (("valid", "INTACT"), (status, reason))


def test_a_certificate_that_is_trusted_itself_vouches_for_its_holder():
    """A self-signed one that somebody chose to trust; an unknown one is a claim."""
    own = setting().root.certificate
    stranger = issued(key("p256").public_key(), SIGNS)
    signed = by_hand(usual_attributes(signer=stranger), signer=stranger, certificates=[stranger])
    trusted = judged(signed, roots=[x509.load_der_x509_certificate(stranger)])
    assert (trusted.reason("chain"), trusted.reason("signer")) == (("valid", "TRUSTED_ITSELF"), ("valid", "SIGNER"))
    assert judged(signed, roots=[own]).reason("chain") == ("unknown", "ISSUER_NOT_TRUSTED")


def test_one_issuer_with_several_certificates_is_followed_to_the_trusted_root():
    """Authorities certified anew or by each other leave several ways; one of them is enough."""
    other = pki.make_root("别处", NOW_US)
    ca = setting().ca
    crossed = issued(
        ca.key.public_key(),
        (x509.BasicConstraints(ca=True, path_length=0), True),
        ca=other,
        name=ca.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value,
    )
    signed = by_hand(usual_attributes(), certificates=[certificate("p256"), crossed, ca.der])
    assert judged(signed).reason("chain") == ("valid", "TRUSTED")


def test_a_weak_timestamp_is_worth_no_more_than_none(monkeypatch):
    """It is not relied on, and the verdict on the time is that of a signature without one."""
    weak = signature_value.Hash("SHA-256", sha256, hashes.SHA256(), weak=True)
    path = (x509.load_der_x509_certificate(certificate("p256")), setting().ca.certificate, setting().root.certificate)
    stamped, roots = stamped_with(), (setting().root.certificate,)
    monkeypatch.setitem(signature_value.HASHES, cms.OID_SHA256, weak)
    now = judge_time(stamped, path, roots, Witnesses(NOW_US, NOW_US)).step
    assert (now.status.value, now.reason) == ("valid", "STILL_VALID")
    assert "不予采信" in now.zh
    years = 3 * 366 * 86_400 * 1_000_000
    behind = judge_time(stamped, path, roots, Witnesses(NOW_US, NOW_US - 7_200_000_000)).step
    assert (behind.status.value, behind.reason) == ("unknown", "TIME_IN_FUTURE")
    later = judge_time(stamped, path, roots, Witnesses(NOW_US, NOW_US + years)).step
    assert (later.status.value, later.reason) == ("unknown", "TIME_NOT_PROVEN")


def test_a_clock_a_little_behind_the_issuers_is_no_contradiction():
    """A certificate is used at once; five minutes before its begin are forgiven, an hour is not."""
    loaded = x509.load_der_x509_certificate(certificate("p256"))
    path, unstamped = (loaded,), cms_reader.read(by_hand(usual_attributes()))
    begin = int(loaded.not_valid_before_utc.timestamp()) * 1_000_000
    for early_us, reason in ((200_000_000, "STILL_VALID"), (3_600_000_000, "OUTSIDE_VALIDITY")):
        found = judge_time(unstamped, path, (), Witnesses(begin - early_us, NOW_US))
        assert found.step.reason == reason


def test_a_stated_time_outside_the_certificate_is_wrong_only_when_others_saw_it():
    """The signer's word alone may come from a wrong clock; the ledger, or a proof from before the certificate, decides."""
    loaded = x509.load_der_x509_certificate(certificate("p256"))
    path, unstamped = (loaded,), cms_reader.read(by_hand(usual_attributes()))
    early = int(loaded.not_valid_before_utc.timestamp()) * 1_000_000 - 3_600_000_000
    for others, status in (
        (Witnesses(early, NOW_US), "unknown"),
        (Witnesses(early, NOW_US, proven_us=NOW_US), "unknown"),
        (Witnesses(early, NOW_US, proven_us=early), "invalid"),
        (Witnesses(early, NOW_US, logged_us=early), "invalid"),
    ):
        step = judge_time(unstamped, path, (), others).step
        assert (step.reason, step.status.value) == ("OUTSIDE_VALIDITY", status)


def test_an_endless_circle_of_issuers_ends():
    """Authorities of one name that all certify each other are looked at a few times only, and nobody vouches."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "环")])
    begin = datetime.fromtimestamp(NOW_US / 1e6, UTC) - timedelta(days=1)

    def made(serial: int) -> bytes:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(secret.public_key())
        builder = builder.serial_number(serial).not_valid_before(begin).not_valid_after(begin + timedelta(days=9))
        return builder.sign(secret, hashes.SHA256()).public_bytes(Encoding.DER)

    circle = [made(serial) for serial in range(1, 60)]

    def sign(text: bytes) -> bytes:
        return secret.sign(text, ec.ECDSA(hashes.SHA256()))

    signed = by_hand(usual_attributes(signer=circle[0]), signer=circle[0], sign=sign, certificates=circle)
    found = judged(signed)
    assert (found.reason("integrity"), found.reason("chain")) == (
        ("valid", "INTACT"),
        ("unknown", "ISSUER_NOT_TRUSTED"),
    )
