"""What lies beside a licence: a status list and a receipt say something only when they are the right ones."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.esign.certification.domain import pki
from services.esign.certification.domain.pki import Authority
from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome, Status
from services.esign.ledger.domain.ledger import (
    Checkpoint,
    Entry,
    EntryType,
    Marks,
    Receipt,
    encode,
    root_of,
    sign_checkpoint,
)
from services.esign.licences.domain import jose, status_list
from services.esign.licences.domain import offline as licence_offline
from services.esign.licences.domain import types as licences
from services.esign.licences.domain.jose import Token
from services.esign.licences.domain.status_list import Status as Listed
from services.esign.licences.file import verify_licence
from services.esign.revocation.domain import answers as revocation
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.seals.domain.life import RevocationReason
from tests.support.esign import NOW_US, setting
from tests.support.licences import AUDIENCE, NONCE, issued, other_spelling
from tests.support.sm import sm_setting
from tests.support.witnesses import LOG

DAY = 86_400
URI = "https://hub.example/v1/licences/status-lists/1"
CLAIMS = {"status": {"status_list": {"idx": 7, "uri": URI}}}
WEEKS_US = 20 * 86_400 * 1_000_000


def listed(status: Listed, signer: Authority | None = None, uri: str = URI) -> str:
    ca = setting().ca
    signer = signer or pki.make_status_issuer(ca, "枢纽", NOW_US)
    issuer = status_list.Issuer(signer.key, [signer.der, ca.der])
    packed = status_list.pack(64, {7: status})
    return status_list.sign(issuer, uri, packed, NOW_US, ttl_s=60, lives_s=10**7)


def token_of(**members: object) -> str:
    """A list that says of place 7 that it stands, with these members beside, signed as the hub signs its own."""
    ca = setting().ca
    signer = pki.make_status_issuer(ca, "枢纽", NOW_US)
    lst = status_list.compress(status_list.pack(64, {}))
    payload = {"sub": URI, "status_list": {"bits": 2, "lst": lst}, **members}
    return jose.sign({"typ": status_list.TYP, "x5c": jose.x5c([signer.der, ca.der])}, payload, signer.key)


@cache
def licence() -> Token:
    return jose.parse(issued().token, licences.TYP)


def judged(text: str, claims: object = CLAIMS, now_us: int = NOW_US, trust: Trust | None = None) -> tuple[Status, str]:
    assert isinstance(claims, dict)
    trust = Trust((setting().root.certificate,)) if trust is None else trust
    found = licence_offline.status_step(text, replace(licence(), payload=claims), trust, now_us)
    return found.status, found.reason


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Listed.VALID, (Status.VALID, "LICENCE_STANDS")),
        (Listed.SUSPENDED, (Status.INVALID, "LICENCE_SUSPENDED")),
        (Listed.INVALID, (Status.INVALID, "LICENCE_REVOKED")),
    ],
)
def test_the_list_says(status: Listed, expected: tuple[Status, str]) -> None:
    """What the list says of the licence's place is the step."""
    assert judged(listed(status)) == expected


def test_a_list_signed_by_a_key_of_another_kind_says_nothing() -> None:
    """SM2 in x5c: unknown, whoever made it."""
    header = {"typ": status_list.TYP, "x5c": jose.x5c([sm_setting().seal.certificate])}
    assert judged(jose.sign(header, {"sub": URI}, setting().key)) == (Status.UNKNOWN, "ISSUER_NOT_TRUSTED")


def test_lists_that_say_nothing() -> None:
    """Signed by whom the seal CA gave another purpose, under another root, stale, another list: unknown, never valid."""
    here = setting()
    seal = Authority(here.key, pki.x509.load_der_x509_certificate(here.certificate))
    elsewhere = pki.make_seal_ca(pki.make_root("别处", NOW_US), "别处", NOW_US)
    good = listed(Listed.VALID)
    for text, claims, now_us, reason in (
        (listed(Listed.VALID, seal), CLAIMS, NOW_US, "STATUS_SIGNER"),
        (listed(Listed.VALID, pki.make_ocsp_responder(here.ca, "枢纽", NOW_US)), CLAIMS, NOW_US, "STATUS_SIGNER"),
        (listed(Listed.VALID, pki.make_status_issuer(elsewhere, "枢纽", NOW_US)), CLAIMS, NOW_US, "ISSUER_NOT_TRUSTED"),
        (listed(Listed.VALID, uri=URI + "2"), CLAIMS, NOW_US, "STATUS_LIST_OTHER"),
        (good, CLAIMS, NOW_US + WEEKS_US, "STATUS_SIGNER"),
        (good, {"status": {"status_list": {"idx": 64, "uri": URI}}}, NOW_US, "STATUS_INDEX"),
        (good, {"status": {"status_list": {"idx": "7", "uri": URI}}}, NOW_US, "CLAIM"),
        (good, {}, NOW_US, "STATUS_REFERENCE"),
        ("garbage", CLAIMS, NOW_US, "JWS"),
    ):
        assert judged(text, claims, now_us) == (Status.UNKNOWN, reason)


def test_a_list_of_another_hub_says_nothing() -> None:
    """A list signed for this hub's address by another hub counts for nothing, though its root is trusted too: neither
    under a root of its own, nor under this hub's root by an authority of another organisation.
    """
    here, other = setting(), pki.make_root("别的枢纽", NOW_US)
    trust = Trust((here.root.certificate, other.certificate))
    for ca in (pki.make_seal_ca(other, "别的枢纽", NOW_US), pki.make_seal_ca(here.root, "别的枢纽", NOW_US)):
        signer = pki.make_status_issuer(ca, "别的枢纽", NOW_US)
        issuer = status_list.Issuer(signer.key, [signer.der, ca.der])
        text = status_list.sign(issuer, URI, status_list.pack(64, {}), NOW_US, ttl_s=60, lives_s=10**7)
        assert judged(text, trust=trust) == (Status.UNKNOWN, "STATUS_SIGNER_OTHER")


def test_a_list_of_the_next_seal_authority_counts() -> None:
    """After the seal authority was renewed, its successor's list is of the licences of before too."""
    here = setting()
    hub = here.ca.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
    ca = pki.make_seal_ca(here.root, str(hub), NOW_US, number=1)
    signer = pki.make_status_issuer(ca, str(hub), NOW_US)
    issuer = status_list.Issuer(signer.key, [signer.der, ca.der])
    text = status_list.sign(issuer, URI, status_list.pack(64, {}), NOW_US, ttl_s=60, lives_s=10**7)
    assert judged(text) == (Status.VALID, "LICENCE_STANDS")


def test_a_name_that_an_authority_below_wrote_counts_for_nothing() -> None:
    """Another hub whose authority may have authorities below it names one of them as this hub: its list says nothing,
    for the common root did not write that name.
    """
    here, key = setting(), ec.generate_private_key(ec.SECP256R1())
    hub = str(here.ca.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)
    root = pki.make_root("国家根", NOW_US)
    wide = pki.Authority(
        root.key,
        pki._ca_builder(
            root.certificate.subject,
            root.certificate.subject,
            root.key.public_key(),
            root.key.public_key(),
            NOW_US,
            900,
            3,
        ).sign(root.key, hashes.SHA384()),
    )
    other = pki.Authority(
        key,
        pki._ca_builder(
            pki._name("CA", "别的枢纽"),
            root.certificate.subject,
            key.public_key(),
            root.key.public_key(),
            NOW_US,
            900,
            1,
        ).sign(root.key, hashes.SHA384()),
    )
    ours, theirs = pki.make_seal_ca(wide, hub, NOW_US), pki.make_seal_ca(other, hub, NOW_US)
    own = ec.generate_private_key(ec.SECP256R1())
    seal = pki.issue_seal_certificate(ours, own.public_key(), "某局", "S", NOW_US)
    header = {"typ": licences.TYP, "x5c": jose.x5c([pki.certificate_der(seal), ours.der])}
    licence = jose.parse(jose.sign(header, CLAIMS, own), licences.TYP)
    for ca, expected in ((ours, "LICENCE_STANDS"), (theirs, "STATUS_SIGNER_OTHER")):
        signer = pki.make_status_issuer(ca, hub, NOW_US)
        issuer = status_list.Issuer(signer.key, [signer.der, ca.der, other.der])
        text = status_list.sign(issuer, URI, status_list.pack(64, {}), NOW_US, ttl_s=60, lives_s=600)
        found = licence_offline.status_step(text, licence, Trust((wide.certificate,)), NOW_US)
        assert found.reason == expected


def test_a_list_is_good_for_the_time_it_says() -> None:
    """Without an end of its own a list ends with its ttl, without either after a day, and after a week whatever it says;
    one of a time to come is refused. What is stale leaves the licence's state unknown.
    """
    now = NOW_US // 1_000_000
    for members, later_s, expected in (
        ({"iat": now, "ttl": 60}, 59, (Status.VALID, "LICENCE_STANDS")),
        ({"iat": now, "ttl": 60}, 60, (Status.UNKNOWN, "STATUS_LIST_STALE")),
        ({"iat": now, "ttl": 60}, 12 * DAY, (Status.UNKNOWN, "STATUS_LIST_STALE")),
        ({"iat": now, "ttl": 60, "exp": now + 600}, 300, (Status.VALID, "LICENCE_STANDS")),
        ({"iat": now, "ttl": 60, "exp": now + 600}, 600, (Status.UNKNOWN, "STATUS_LIST_STALE")),
        ({"iat": now}, DAY - 1, (Status.VALID, "LICENCE_STANDS")),
        ({"iat": now}, DAY, (Status.UNKNOWN, "STATUS_LIST_STALE")),
        ({"iat": now, "ttl": 30 * DAY}, 7 * DAY - 1, (Status.VALID, "LICENCE_STANDS")),
        ({"iat": now, "ttl": 30 * DAY}, 7 * DAY, (Status.UNKNOWN, "STATUS_LIST_STALE")),
        ({"iat": now, "ttl": 60, "exp": now + 900 * DAY}, 7 * DAY, (Status.UNKNOWN, "STATUS_LIST_STALE")),
        ({"iat": now + 60, "ttl": 600}, 0, (Status.VALID, "LICENCE_STANDS")),
        ({"iat": now + 61, "ttl": 600}, 0, (Status.UNKNOWN, "STATUS_LIST_EARLY")),
        ({"iat": now + 10 * DAY, "exp": now + 20 * DAY}, 0, (Status.UNKNOWN, "STATUS_LIST_EARLY")),
    ):
        assert judged(token_of(**members), now_us=NOW_US + later_s * 1_000_000) == expected


def test_a_list_by_a_revoked_signer_says_nothing() -> None:
    """Lists at hand are asked of who signed the status list, and of the authority above."""
    here = setting()
    good = listed(Listed.VALID)
    signer = pki.x509.load_der_x509_certificate(jose.certificates(jose.parse(good, status_list.TYP))[0])
    for authority, certificate in ((here.ca, signer), (here.root, here.ca.certificate)):
        gone = CertificateStanding(
            certificate.serial_number, Standing.REVOKED, NOW_US - 1, RevocationReason.KEY_COMPROMISE, NOW_US - 1
        )
        trust = Trust((here.root.certificate,), crls=(revocation.crl(authority, [gone], NOW_US),))
        assert judged(good, trust=trust) == (Status.UNKNOWN, "STATUS_SIGNER")


def receipt(token: str, kind: EntryType = EntryType.LICENCE_ISSUED) -> str:
    entry = encode(Entry(kind, NOW_US, **Marks().document(token.encode())))
    checkpoint = sign_checkpoint(Checkpoint(LOG.verifier.name, 1, root_of([entry])), LOG)
    return Receipt(entry, 0, (), checkpoint).text


def test_the_receipt_is_this_licences() -> None:
    """A receipt proves the licence it was given for; another's, one of another kind or of another log proves nothing."""
    token, trust = issued().token, Trust(log_keys=(LOG.verifier,))
    for text, known, expected in (
        (receipt(token), trust, (Status.VALID, "LOGGED")),
        (receipt(other_spelling(token)), trust, (Status.VALID, "LOGGED")),
        (receipt(issued().token), trust, (Status.INVALID, "LOGGED_OTHER")),
        (receipt(token, EntryType.DOCUMENT_SEALED), trust, (Status.INVALID, "LOGGED_OTHER")),
        (receipt(token), Trust(), (Status.UNKNOWN, None)),
        ("garbage", trust, (Status.INVALID, "RECEIPT")),
    ):
        found, logged_us = licence_offline.ledger_step(text, token, known)
        assert (logged_us == NOW_US) == (found.status is Status.VALID)
        assert found.status is expected[0]
        assert expected[1] in {None, found.reason}


def test_what_lies_in_the_trust_directory_and_beside_the_file_is_asked(tmp_path: Path) -> None:
    """`shuniu verify FILE.sdjwt`: the lists of the trust directory and the status list beside the file count."""
    here, trust, path = setting(), tmp_path / "trust", tmp_path / "a.sdjwt"
    trust.mkdir()
    (trust / "root.pem").write_bytes(pki.certificate_pem(here.root.certificate))
    path.write_text(issued().present("18"))

    def verdict() -> tuple[Outcome, set[str]]:
        found = verify_licence(path, trust, audience=AUDIENCE, nonce=NONCE, now_us=NOW_US).verdict
        return found.outcome, {step.reason for step in found.steps if step.status in {Status.INVALID, Status.UNKNOWN}}

    assert verdict() == (Outcome.VALID, set())
    beside = path.with_name("a.sdjwt.statuslist")
    beside.write_text(listed(Listed.SUSPENDED))
    assert verdict() == (Outcome.INVALID, {"LICENCE_SUSPENDED"})
    beside.write_text(token_of(iat=NOW_US // 1_000_000 - 61, ttl=60))
    assert verdict() == (Outcome.INDETERMINATE, {"STATUS_LIST_STALE"})
    beside.unlink()
    serial = pki.x509.load_der_x509_certificate(here.certificate).serial_number
    gone = CertificateStanding(serial, Standing.REVOKED, NOW_US - 1, RevocationReason.KEY_COMPROMISE, NOW_US - 1)
    (trust / "a.crl").write_bytes(revocation.crl(here.ca, [gone], NOW_US))
    assert verdict() == (Outcome.INVALID, {"CERTIFICATE_REVOKED"})
