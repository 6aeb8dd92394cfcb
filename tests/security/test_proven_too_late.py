"""A proof that a signature was there says nothing of a moment at which its certificate was no longer good."""

from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.esign.certification.domain import pki
from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.trust import Trust
from services.esign.domain.cms.signed_data import CmsTemplate, P256Key
from services.esign.domain.verdict import Outcome
from services.esign.ledger.domain import ledger, note, tiles, tree
from services.esign.revocation.domain.answers import CertificateStanding, Standing, crl
from services.esign.signing.domain import pades
from services.esign.signing.domain.pades import LastSignature
from tests.support import gapped
from tests.support.esign import NOW_US, SEAL_ID, setting, small_pdf
from tests.support.gapped import STATED
from tests.support.longterm import HOUR_US, YEAR_US, token
from tests.support.timestamps import authority
from tests.support.verdicts import judged

LOG = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.generate())
LOGGED = Trust((setting().root.certificate,), (LOG.verifier,))
MINUTE_US, DAY_US = HOUR_US // 60, 24 * HOUR_US


def receipt(pdf, certificate, time_us):
    """Of a log that the verifier trusts."""
    entry = ledger.encode(ledger.sealed_entry(pdf, SEAL_ID, certificate, bytes(32), time_us))
    edge = tiles.Edge()
    edge.append([tree.leaf_hash(entry)], lambda _name, _data: None)
    head = ledger.sign_checkpoint(ledger.Checkpoint(LOG.verifier.name, 1, edge.root()), LOG)
    return ledger.Receipt(entry, 0, (), head).text


@pytest.mark.parametrize(
    ("stated", "later", "expected"),
    [
        (STATED, MINUTE_US, Outcome.VALID),
        (b"", MINUTE_US, Outcome.VALID),
        (STATED, 55 * MINUTE_US, Outcome.INDETERMINATE),
        (b"", 55 * MINUTE_US, Outcome.INDETERMINATE),
        (b"", 3 * YEAR_US, Outcome.INDETERMINATE),
    ],
)
def test_what_was_logged_after_its_certificate_had_ended_is_not_proven(stated, later, expected):
    """A certificate of ten minutes: whoever kept the key may have signed at any time before the entry."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = pki.issue_once_certificate(setting().ca, key.public_key(), SealKind.ORGANISATION, "某单位", "S1", NOW_US)
    certificate = pki.certificate_der(made)
    cms = CmsTemplate.prepare(P256Key(key), certificate, [pki.certificate_der(setting().ca.certificate)])
    document, place = gapped.in_one_piece(more=stated)
    content = bytes(document.data)
    pdf = gapped.with_value(content, place, cms.sign(sha256(content).digest()))
    asked = {"trust": LOGGED, "now_us": NOW_US + later + YEAR_US}
    assert judged(pdf, receipt=receipt(pdf, certificate, NOW_US + later), **asked).outcome is expected
    assert judged(pdf, **asked).outcome is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("held", "lists", "expected"),
    [
        (2 * DAY_US, "hold", Outcome.INVALID),
        (2 * DAY_US, "hold free", Outcome.INDETERMINATE),
        (2 * DAY_US, "free", Outcome.VALID),
        (6 * DAY_US, "later free", Outcome.VALID),
    ],
)
def test_what_was_signed_on_hold_does_not_become_good_by_its_end(held, lists, expected):
    """Who signed while the seal was suspended nobody knows; what was signed before stays good."""
    number = x509.load_der_x509_certificate(setting().certificate).serial_number
    at_us = NOW_US + 5 * DAY_US
    one = LastSignature.of(pades.sign(small_pdf(), setting().seal, at_us, token=authority().max_size()))
    pdf = one.stamped(token(sha256(one.value).digest(), at_us))
    on_hold = [CertificateStanding(number, Standing.HELD, NOW_US + held)]
    made = {
        "hold": lambda: crl(setting().ca, on_hold, at_us + HOUR_US),
        "later": lambda: crl(setting().ca, on_hold, at_us + 30 * HOUR_US),
        "free": lambda: crl(setting().ca, [], at_us + 2 * DAY_US),
    }
    trust = Trust((setting().root.certificate,), crls=tuple(made[each]() for each in lists.split()))
    assert judged(pdf, trust=trust, now_us=at_us + 2 * DAY_US + HOUR_US).outcome is expected
