"""Bytes that are no signature, seal, receipt or licence give a verdict: no public judge raises anything."""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from hashlib import sha256
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from services.esign.certification.domain.trust import Trust
from services.esign.domain import der
from services.esign.domain.verdict import Outcome
from services.esign.evidence import check as evidence
from services.esign.ledger.domain import ledger, note, tiles, tree
from services.esign.licences.domain import check as licences
from services.esign.licences.domain import offline as licence_offline
from services.esign.licences.domain.key_binding import Expected
from services.esign.ses.domain import check as ses_check
from services.esign.timestamps.domain.reader import TimestampInvalidError, check_token
from services.esign.verification import offline
from services.esign.verification.domain import validation_report
from services.esign.verification.offline import Trusted
from services.esign.verification.service.views import verdict_view
from shuniu.kit.crypto import sm as provider
from tests.support import foreign_cms, gapped, longterm, mutated, ofd, sm
from tests.support.esign import NOW_US, SEAL_ID, setting
from tests.support.licences import AUDIENCE, NONCE, issued

needs_sm2 = pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")
LOG = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.generate())
TRUST = Trust((setting().root.certificate,), (LOG.verifier,))
LATER_US = NOW_US + 1_000_000
FREELY = settings(max_examples=150, deadline=None, derandomize=True)
AT_RANDOM = st.randoms(use_true_random=True)

DOCUMENT, PLACE = gapped.in_one_piece()
CONTENT = bytes(DOCUMENT.data)
VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"
STAMP = longterm.token(sha256(b"x").digest(), NOW_US)


def in_pdf() -> bytes:
    """A CMS with a timestamp and lists of revoked certificates, as a PDF holds it."""
    stamp = foreign_cms.attribute(der.oid("1.2.840.113549.1.9.16.2.14"), STAMP)
    told = foreign_cms.usual_attributes(CONTENT)
    return foreign_cms.by_hand(told, unsigned=[stamp], lists=[longterm.crl()])


def entry_of(data: bytes) -> bytes:
    return ledger.encode(ledger.sealed_entry(data, SEAL_ID, foreign_cms.certificate("p256"), bytes(32), NOW_US))


def receipt_of(entry: bytes) -> str:
    """Of a log that the verifier trusts, and that signed whatever it was given."""
    edge = tiles.Edge()
    edge.append([tree.leaf_hash(entry)], lambda _name, _data: None)
    head = ledger.sign_checkpoint(ledger.Checkpoint(LOG.verifier.name, 1, edge.root()), LOG)
    return ledger.Receipt(entry, 0, (), head).text


# Each judge takes what was changed. Nothing may be raised but what its contract names.


def told(data: bytes, **asked: Any) -> Outcome:
    """The verdict, and all that is written of it."""
    trusted = Trusted(TRUST, tuple(root.parsed for root in sm.trust().roots) if provider.available() else ())
    verdict = offline.judged(data, trusted, LATER_US, **asked)
    json.dumps(verdict.as_json())
    verdict_view(verdict, {})
    validation_report.of(verdict, bytes(32), 1)
    return verdict.outcome


def as_pdf(contents: bytes) -> None:
    told(gapped.with_value(CONTENT, PLACE, contents))


@cache
def files(value: Callable[[bytes, str], bytes]) -> ofd.Files:
    return ofd.signed(value=value)


def as_ofd(value: bytes, of: Callable[[bytes, str], bytes]) -> None:
    told(ofd.packed({**files(of), VALUE: value}))


def as_seal(data: bytes) -> None:
    ses_check.inspect(data, sm.trust(), NOW_US, ses_check.Covered(bytes(32), "/x"))


def beside_pdf(data: bytes) -> None:
    told(gapped.with_value(CONTENT, PLACE, in_pdf()), ses=data)


def as_token(data: bytes) -> None:
    with suppress(TimestampInvalidError):
        check_token(data, (b"x",), [setting().root.certificate], NOW_US)


SIGNATURES: dict[str, tuple[Callable[[], bytes], Callable[[bytes], None]]] = {
    "pdf": (in_pdf, as_pdf),
    "token": (lambda: STAMP, as_token),
    "pdf-seal": (lambda: files(ofd.v4)[VALUE], as_pdf),
    "ofd-seal": (lambda: files(ofd.v4)[VALUE], partial(as_ofd, of=ofd.v4)),
    "ofd-old-seal": (lambda: files(ofd.v1)[VALUE], partial(as_ofd, of=ofd.v1)),
    "ofd-cms": (lambda: files(ofd.gm_cms)[VALUE], partial(as_ofd, of=ofd.gm_cms)),
    "seal": (lambda: files(ofd.v4)[VALUE], as_seal),
    "beside": (lambda: files(ofd.v4)[VALUE], beside_pdf),
}
EVERY = [pytest.param(name, marks=() if name in {"pdf", "token"} else needs_sm2) for name in SIGNATURES]


@pytest.mark.parametrize("name", EVERY)
def test_a_signature_with_an_element_emptied_gets_a_verdict(name: str) -> None:
    """Whichever element of a CMS, a token or a seal signature is empty, each judge answers."""
    whole, judge = SIGNATURES[name]
    for changed in mutated.each_emptied(whole()):
        judge(changed)


@pytest.mark.parametrize("name", EVERY)
@FREELY
@given(random=AT_RANDOM)
def test_a_signature_changed_anywhere_gets_a_verdict(name: str, random: Random) -> None:
    """Whatever was written into a CMS, a token or a seal signature, each judge answers."""
    whole, judge = SIGNATURES[name]
    judge(mutated.der_at_random(whole(), random))


PDF = gapped.with_value(CONTENT, PLACE, in_pdf())


def of_pdf(text: str) -> None:
    assert told(PDF, receipt=text) is not Outcome.VALID or text == receipt_of(entry_of(PDF))


def of_evidence(text: str) -> None:
    file = {"v": 1, "record": "{}", "salt": "00" * 16, "algorithm": "sha-256", "receipt": text}
    evidence.check(json.dumps(file), TRUST)


def of_licence(text: str) -> None:
    licence_offline.ledger_step(text, "x", TRUST)


RECEIPTS = {"pdf": of_pdf, "evidence": of_evidence, "licence": of_licence}


@pytest.mark.parametrize("judge", RECEIPTS.values(), ids=RECEIPTS)
@pytest.mark.parametrize(
    "entry",
    [b"[" * 30_000, b'{"v":' * 6_000, b"\xff", b"1" * 5_000, b'{"v":1,"time_us":"1","type":"evidence"}', b'{"v":1}'],
    ids=["brackets", "objects", "no-text", "number", "text-for-number", "nothing"],
)
def test_a_receipt_whose_entry_is_none_gets_a_verdict(judge: Callable[[str], None], entry: bytes) -> None:
    """What stands in a receipt for an entry is refused as that, however deep it is nested, though the log signed it."""
    judge(receipt_of(entry))
    judge("\n".join([*receipt_of(entry).split("\n")[:3], "", "x", "1", "AA=", "", "\u2014 x AAAAAAAA", ""]))


@pytest.mark.parametrize("judge", RECEIPTS.values(), ids=RECEIPTS)
def test_a_receipt_with_a_letter_that_is_none_of_its_own_gets_a_verdict(judge: Callable[[str], None]) -> None:
    """One letter beyond ASCII, or half of a pair, in any line: the receipt is unreadable, and nothing more."""
    lines = receipt_of(entry_of(PDF)).split("\n")
    for n, line in enumerate(lines):
        for letter in ("，", "\ufffd", "\udcff"):
            judge("\n".join([*lines[:n], line[:-3] + letter + line[-2:], *lines[n + 1 :]]))


@pytest.mark.parametrize("judge", RECEIPTS.values(), ids=RECEIPTS)
@FREELY
@given(random=AT_RANDOM)
def test_a_receipt_changed_anywhere_gets_a_verdict(judge: Callable[[str], None], random: Random) -> None:
    """Whatever was written into a receipt, each judge answers."""
    judge(mutated.text_at_random(receipt_of(entry_of(PDF)), random))


@cache
def presented() -> str:
    return issued().present("full_name")


@FREELY
@given(random=AT_RANDOM)
def test_a_licence_changed_anywhere_gets_a_verdict(random: Random) -> None:
    """Whatever was written into a licence, the judge answers."""
    expected = Expected(AUDIENCE, NONCE, 300, NOW_US)
    roots = [setting().root.certificate]
    text = mutated.text_at_random(presented(), random)
    licences.judge(text, roots, expected, NOW_US, licences.NotRegistered.OFFLINE)
