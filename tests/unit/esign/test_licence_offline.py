"""What lies beside a licence: a status list and a receipt say something only when they are the right ones."""

import pytest

from services.esign.domain import jose, licence_offline, pki, status_list
from services.esign.domain.ledger import Checkpoint, Entry, EntryType, Marks, Receipt, encode, root_of, sign_checkpoint
from services.esign.domain.pki import Authority
from services.esign.domain.status_list import Status as Listed
from services.esign.domain.verdict import Status
from services.esign.domain.verify import Trust
from tests.support.esign import NOW_US, setting
from tests.support.licences import issued
from tests.support.sm import sm_setting
from tests.support.witnesses import LOG

URI = "https://hub.example/v1/licences/status-lists/1"
CLAIMS = {"status": {"status_list": {"idx": 7, "uri": URI}}}
WEEKS_US = 20 * 86_400 * 1_000_000


def listed(status: Listed, signer: Authority | None = None, uri: str = URI) -> str:
    ca = setting().ca
    signer = signer or pki.make_status_issuer(ca, "枢纽", NOW_US)
    issuer = status_list.Issuer(signer.key, [signer.der, ca.der])
    packed = status_list.pack(64, {7: status})
    return status_list.sign(issuer, uri, packed, NOW_US, ttl_s=60, lives_s=10**7)


def judged(text: str, claims: object = CLAIMS, now_us: int = NOW_US) -> tuple[Status, str]:
    assert isinstance(claims, dict)
    found = licence_offline.status_step(text, claims, [setting().root.certificate], now_us)
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
    """SM2 in x5c: unknown."""
    header = {"typ": status_list.TYP, "x5c": jose.x5c([sm_setting().seal.certificate])}
    assert judged(jose.sign(header, {"sub": URI}, setting().key)) == (Status.UNKNOWN, "STATUS_SIGNER")


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


def receipt(token: str, kind: EntryType = EntryType.LICENCE_ISSUED) -> str:
    entry = encode(Entry(kind, NOW_US, **Marks().document(token.encode())))
    checkpoint = sign_checkpoint(Checkpoint(LOG.verifier.name, 1, root_of([entry])), LOG)
    return Receipt(entry, 0, (), checkpoint).text


def test_the_receipt_is_this_licences() -> None:
    """A receipt proves the licence it was given for; another's, one of another kind or of another log proves nothing."""
    token, trust = issued().token, Trust(log_keys=(LOG.verifier,))
    for text, known, expected in (
        (receipt(token), trust, (Status.VALID, "LOGGED")),
        (receipt(issued().token), trust, (Status.INVALID, "LOGGED_OTHER")),
        (receipt(token, EntryType.DOCUMENT_SEALED), trust, (Status.INVALID, "LOGGED_OTHER")),
        (receipt(token), Trust(), (Status.UNKNOWN, None)),
        ("garbage", trust, (Status.INVALID, "RECEIPT")),
    ):
        found = licence_offline.ledger_step(text, token, known)
        assert found.status is expected[0]
        assert expected[1] in {None, found.reason}
