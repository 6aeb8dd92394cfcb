"""Cosignatures and the policies that demand them."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from examples.witness.notes import Cosigner
from services.esign.domain.errors import EsignError, NoteMalformedError, NoteUntrustedError
from services.esign.ledger.domain import ledger, note, tiles, tree, witness

LOG = note.NoteSigner.prepare("log.example", Ed25519PrivateKey.generate())
COSIGNERS = [Cosigner(f"w{i}.example", Ed25519PrivateKey.generate()) for i in range(3)]
KEYS = [witness.parse_vkey(one.vkey) for one in COSIGNERS]
ENTRY = ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, 1, document_sha256="ab" * 32))


def receipt(*cosigners: Cosigner, time_s: int = 1_780_000_000) -> ledger.Receipt:
    edge = tiles.Edge()
    edge.append([tree.leaf_hash(ENTRY)], lambda name, data: None)
    text = ledger.sign_checkpoint(ledger.Checkpoint("log.example", 1, edge.root()), LOG)
    body = text[: text.rfind("\n\n") + 1]
    return ledger.Receipt(ENTRY, 0, (), text + "".join(one.line(body, time_s) for one in cosigners))


def test_the_specification_s_cosigner_key_is_told_from_a_log_s():
    """A log's key cannot cosign and a witness's key cannot sign for a log."""
    assert [key.vkey for key in KEYS] == [one.vkey for one in COSIGNERS]
    assert witness.is_witness(COSIGNERS[0].vkey)
    assert not witness.is_witness(LOG.verifier.vkey)
    with pytest.raises(NoteMalformedError):
        witness.parse_vkey(LOG.verifier.vkey)
    with pytest.raises(NoteMalformedError):
        note.parse_vkey(COSIGNERS[0].vkey)


@pytest.mark.parametrize(("least", "signed", "enough"), [(2, 2, True), (2, 1, False), (0, 0, True), (3, 2, False)])
def test_k_of_n_is_demanded(least, signed, enough):
    """A receipt passes with k cosignatures and is pending with fewer."""
    policy = witness.Policy.k_of_n(KEYS, least)
    if enough:
        assert ledger.check_receipt(receipt(*COSIGNERS[:signed]), [LOG.verifier], policy=policy)[1].size == 1
    else:
        with pytest.raises(NoteUntrustedError) as caught:
            ledger.check_receipt(receipt(*COSIGNERS[:signed]), [LOG.verifier], policy=policy)
        assert caught.value.reason == "COSIGNATURES_PENDING"


def test_one_witness_counts_once_and_strangers_not_at_all():
    """Repeating a cosignature, or adding an unknown one, makes no quorum."""
    policy = witness.Policy.k_of_n(KEYS[:2], 2)
    for cosigners in ((COSIGNERS[0], COSIGNERS[0]), (COSIGNERS[0], COSIGNERS[2])):
        with pytest.raises(NoteUntrustedError, match="COSIGNATURES_PENDING"):
            ledger.check_receipt(receipt(*cosigners), [LOG.verifier], policy=policy)


def test_a_wrong_or_undated_cosignature_is_refused():
    """A known witness's line that does not verify, or states no time, is no cosignature."""
    good = receipt(COSIGNERS[0])
    other = receipt(COSIGNERS[0], time_s=0)
    swapped = ledger.Receipt(ENTRY, 0, (), good.checkpoint.replace("\n1\n", "\n2\n"))
    for bad in (other, swapped):
        with pytest.raises(NoteUntrustedError):
            witness.Policy.k_of_n(KEYS, 1).check(bad.checkpoint)


def test_a_new_cosignature_takes_the_place_of_the_old():
    """A witness asked again does not appear twice."""
    old, new = receipt(COSIGNERS[0]).checkpoint, receipt(COSIGNERS[0], time_s=1_790_000_000).checkpoint
    found = witness.cosignatures(new, KEYS)
    assert witness.with_cosignatures(old, found) == new
    assert found[0].time_s == 1_790_000_000


def test_a_policy_file_says_what_its_writer_meant():
    """The two-level example of the specification: two of X and one of Y."""
    x1, x2, y1 = (one.vkey for one in COSIGNERS)
    text = f"# comment\nlog {LOG.verifier.vkey}\nwitness X1 {x1} https://x1.example\nwitness X2 {x2}\nwitness Y1 {y1}\n"
    policy = witness.parse_policy(f"{text}group X 2 X1 X2\ngroup Y any Y1\ngroup all all X Y\nquorum all\n")
    assert policy.logs == (LOG.verifier,)
    assert policy.quorum.met_by(KEYS)
    assert not policy.quorum.met_by(KEYS[:2])
    assert not policy.quorum.met_by(KEYS[1:])
    assert not witness.parse_policy(f"{text}quorum none\n").demanding
    assert witness.parse_policy(witness.Policy.k_of_n(KEYS, 2).text).quorum.met_by(KEYS[1:])


@pytest.mark.parametrize(
    "lines",
    ["", "quorum X1", "witness none {0}\nquorum none", "witness A {0}\nwitness B {0}\nquorum A",
     "witness A {0}\ngroup G 2 A\nquorum G", "witness A {0}\ngroup G all A A\nquorum G",
     "witness A {0}\ngroup G 0 A\nquorum G", "witness A {0}\ngroup G all A\ngroup H all A\nquorum H",
     "witness A {0}\nquorum A\nquorum A", "quorum none\nnonsense", "log {0}\nquorum none"],
)  # fmt: skip
def test_a_doubtful_policy_is_no_policy(lines):
    """Unknown names, double members, impossible thresholds: refused, never read generously."""
    with pytest.raises(NoteMalformedError):
        witness.parse_policy(lines.replace("{0}", COSIGNERS[0].vkey))


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_a_typed_error(text):
    """Parsing never fails otherwise than by its own error."""
    try:
        witness.parse_policy(text)
        witness.parse_vkey(text)
    except EsignError:
        pass
