"""What the command line can do without a service."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from examples.witness.notes import Cosigner
from services.esign import commands
from services.esign.certification.domain import pki
from services.esign.config import EsignSettings
from services.esign.domain.errors import EsignError
from services.esign.domain.verdict import Outcome
from services.esign.keys import secrets as keys
from services.esign.ledger.domain import ledger, note
from services.esign.ledger.store.files import LedgerStore
from shuniu.kit.process.config import HubSettings, load
from tests.support.esign import NOW_US, SEAL_ID, sealed, setting

LATER_US = NOW_US + 60_000_000
LOG = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.generate())


@pytest.fixture
def place(tmp_path):
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    (tmp_path / "trust" / "log.vkey").write_text(LOG.verifier.vkey + "\n")
    (tmp_path / "a.pdf").write_bytes(sealed())
    store = LedgerStore.open(tmp_path / "log", LOG)
    entry = ledger.encode(ledger.sealed_entry(sealed(), SEAL_ID, setting().certificate, bytes(32), NOW_US))
    receipt = store.append_with_receipts([b"".join([entry])])[0]
    store.append([ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, i)) for i in range(300)])
    store.close()
    return tmp_path, receipt


def test_a_document_is_judged_with_the_receipt_beside_it(place):
    """FILE.pdf.tlog-proof is found by its name; without it the ledger is not_checked."""
    folder, receipt = place
    without = commands.verify_file(folder / "a.pdf", folder / "trust", now_us=LATER_US)
    assert without.outcome is Outcome.VALID
    (folder / "a.pdf.tlog-proof").write_text(receipt.text)
    verdict = commands.verify_file(folder / "a.pdf", folder / "trust", now_us=LATER_US)
    assert verdict.outcome is Outcome.VALID
    assert next(s for s in verdict.steps if s.step == "ledger").reason == "LOGGED"
    assert commands.verify_file(folder / "a.pdf", now_us=LATER_US).outcome is Outcome.INDETERMINATE


def test_a_file_that_is_no_pdf_is_unreadable(place):
    """The caller can tell a bad document from no document."""
    folder, _ = place
    verdict = commands.verify_file(folder / "trust" / "root.pem", folder / "trust", now_us=LATER_US)
    assert not verdict.readable
    with pytest.raises(OSError, match="absent"):
        commands.verify_file(folder / "absent.pdf", None)


def test_a_bad_trust_file_is_named(place):
    """Trust is not guessed: the file at fault stops the verification."""
    folder, _ = place
    (folder / "trust" / "bad.vkey").write_text("nonsense")
    with pytest.raises(commands.TrustError, match=r"bad\.vkey"):
        commands.load_trust(folder / "trust")
    with pytest.raises(commands.TrustError):
        commands.load_trust(folder / "absent")


def test_a_sound_ledger_is_reported_sound(place):
    """All entries are counted and the root is rebuilt; an earlier checkpoint is continued."""
    folder, receipt = place
    earlier = ledger.open_checkpoint(receipt.checkpoint, [LOG.verifier])
    report = commands.ledger_verify(folder / "log", [LOG.verifier], earlier=earlier)
    assert report.sound, report.problems
    assert report.entries_by_type == {"document.sealed": 1, "evidence": 300}
    wrong = ledger.Checkpoint(earlier.origin, earlier.size, bytes(32))
    assert not commands.ledger_verify(folder / "log", [LOG.verifier], earlier=wrong).sound


@pytest.mark.parametrize(
    "victim", ["checkpoint", "tile/entries/000", "tile/0/000", "tile/0/001.p/45", "tile/1/000.p/1"]
)
def test_any_changed_file_of_the_ledger_is_reported(place, victim):
    """Entries, tiles and checkpoint are each checked against the others."""
    folder, _ = place
    path = folder / "log" / victim
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    assert not commands.ledger_verify(folder / "log", [LOG.verifier]).sound
    path.unlink()
    assert not commands.ledger_verify(folder / "log", [LOG.verifier]).sound


def test_a_policy_beside_the_keys_is_demanded(place):
    """With `policy` in the trust directory too few cosignatures leave the ledger unknown; enough make it valid."""
    folder, receipt = place
    who = Cosigner("w.example", Ed25519PrivateKey.generate())
    (folder / "trust" / "w.vkey").write_text(who.vkey + "\n")
    proof = folder / "a.pdf.tlog-proof"

    def step():
        verdict = commands.verify_file(folder / "a.pdf", folder / "trust", now_us=LATER_US)
        return verdict.outcome, next(s for s in verdict.steps if s.step == "ledger")

    proof.write_text(receipt.text)
    assert "0 of 1 known witnesses" in step()[1].en
    (folder / "trust" / "policy").write_text(f"witness w {who.vkey}\nquorum w\n")
    assert (step()[0], step()[1].reason) == (Outcome.INDETERMINATE, "COSIGNATURES_PENDING")
    body = receipt.checkpoint[: receipt.checkpoint.rfind("\n\n") + 1]
    proof.write_text(receipt.text + who.line(body, 1_780_000_000))
    assert step()[0] is Outcome.VALID
    proof.write_text(receipt.text + who.line(body.replace("/ledger", "/other"), 1_780_000_000))
    assert step()[0] is Outcome.INVALID
    (folder / "trust" / "policy").write_text("quorum w\n")
    with pytest.raises(commands.TrustError, match="policy"):
        commands.load_trust(folder / "trust")


def test_drill_the_ledger_s_key_is_rotated(tmp_path):
    """The new key signs on; receipts and heads of both verify; a log closed under the old key opens under the new."""
    config = tmp_path / "hub.toml"
    config.write_text(
        '[hub]\ncode = "150000"\nname = "hub"\ntrust_domain = "hub.example"\nissuer = "https://hub.example"\n'
        f'data_dir = "{tmp_path}"\nrun_dir = "{tmp_path}"\n'
    )
    for folder in ("keys", "pki", "ledger"):
        (tmp_path / folder).mkdir()
    commands.initialise(config)
    hub = load(HubSettings, config, "hub")
    receipts = []
    for number in range(3):
        secrets = keys.Secrets.load(hub, EsignSettings())
        assert len(secrets.ledger_keys) == number + 1
        store = LedgerStore.open(tmp_path / "ledger", secrets.ledger, retired=secrets.ledger_retired)
        receipts += store.append_with_receipts([ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, number))])
        store.close()
        for receipt in receipts:
            ledger.check_receipt(receipt, secrets.ledger_keys)
        with pytest.raises(EsignError):
            ledger.check_receipt(receipts[0], [note.parse_vkey(commands.rotate_ledger_key(config))])
        assert commands.hub_ledger_verify(config).sound
    assert len(commands.trust_files(config)["ledger.vkey"].split()) == 4
