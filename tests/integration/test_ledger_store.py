"""The ledger on disk: durable batches, crashes, damage."""

import asyncio
import errno
import os
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.esign.domain.errors import EsignError, LedgerDamagedError
from services.esign.ledger.domain import ledger, note, tiles
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import files as ledger_store
from services.esign.ledger.store.files import LedgerStore
from tests.support.consistency import check_consistency

SIGNER = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.generate())


def entries(first, count):
    return [ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, i + 1)) for i in range(first, first + count)]


def check(receipts):
    for receipt in receipts:
        ledger.check_receipt(ledger.parse_receipt(receipt.text), [SIGNER.verifier])


def test_the_log_survives_closing_and_crashing(tmp_path):
    """Whatever was answered is there after a clean end and after a crash, and the tree goes on from it."""
    size = 0
    for count, end in ((1, "abandon"), (254, "close"), (1, "abandon"), (1, "close"), (600, "abandon"), (3, "abandon")):
        store = LedgerStore.open(tmp_path / "log", SIGNER)
        assert store.size == size
        check(store.append_with_receipts(entries(size, count)))
        size += count
        getattr(store, end)()
    store = LedgerStore.open(tmp_path / "log", SIGNER)
    assert store.checkpoint.root == ledger.root_of(entries(0, size))
    for index in (0, 255, 256, size - 1):
        check([store.receipt(index)])
    check_consistency(256, ledger.root_of(entries(0, 256)), size, store.checkpoint.root, store.consistency(256))
    store.close()


def test_tiles_on_disk_are_enough_to_rebuild_the_root(tmp_path):
    """What the log serves publicly satisfies somebody who trusts nothing else of it."""
    store = LedgerStore.open(tmp_path, SIGNER)
    store.append(entries(0, 515))
    shown = ledger.open_checkpoint((tmp_path / "checkpoint").read_text(), [SIGNER.verifier])
    found = tiles.unbundle(store.read("tile/entries/000")) + tiles.unbundle(store.read("tile/entries/001"))
    found += tiles.unbundle(store.read("tile/entries/002.p/3"))
    assert ledger.root_of(found) == shown.root
    assert store.read("tile/0/000.p/5") == store.read("tile/0/000")[:160]
    assert store.read("tile/1/000.p/2") == b"".join(ledger.root_of(found[i : i + 256]) for i in (0, 256))
    store.close()


@pytest.mark.parametrize("cut", [1, 10, 60, 200])
def test_a_torn_record_is_dropped(tmp_path, cut):
    """A record that a crash cut short was never answered for: the log continues without it."""
    store = LedgerStore.open(tmp_path, SIGNER)
    store.append(entries(0, 5))
    head, shown = store.checkpoint, (tmp_path / "checkpoint").read_bytes()
    store.append(entries(5, 1))
    store.abandon()
    (tmp_path / "checkpoint").write_bytes(shown)
    journal = tmp_path / ".journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    store = LedgerStore.open(tmp_path, SIGNER, remembered=head)
    assert store.checkpoint == head
    check(store.append_with_receipts(entries(5, 300)))
    store.close()


def test_a_log_rolled_back_is_not_opened(tmp_path):
    """Restored from an old copy, the log says so instead of signing a second history."""
    store = LedgerStore.open(tmp_path / "log", SIGNER)
    store.append(entries(0, 10))
    store.close()
    shutil.copytree(tmp_path / "log", tmp_path / "old")
    store = LedgerStore.open(tmp_path / "log", SIGNER)
    store.append(entries(10, 10))
    head = store.checkpoint
    store.close()
    with pytest.raises(LedgerDamagedError) as caught:
        LedgerStore.open(tmp_path / "old", SIGNER, remembered=head)
    assert caught.value.reason == "LEDGER_ROLLED_BACK"
    store = LedgerStore.open(tmp_path / "old", SIGNER)
    store.append(entries(90, 10))
    store.close()
    with pytest.raises(LedgerDamagedError) as caught:
        LedgerStore.open(tmp_path / "old", SIGNER, remembered=head)
    assert caught.value.reason == "LEDGER_FORKED"


@pytest.mark.parametrize("victim", ["checkpoint", "tile/0/000.p/7", "tile/entries/000.p/7"])
@pytest.mark.parametrize("how", ["flip", "remove"])
def test_damage_is_found_before_anything_is_signed(tmp_path, victim, how):
    """A changed or missing file keeps the log closed."""
    store = LedgerStore.open(tmp_path, SIGNER)
    store.append(entries(0, 7))
    store.close()
    path = tmp_path / victim
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink() if how == "remove" else path.write_bytes(data)
    with pytest.raises(LedgerDamagedError):
        LedgerStore.open(tmp_path, SIGNER)


def test_two_processes_cannot_append(tmp_path):
    """The second opener is refused."""
    store = LedgerStore.open(tmp_path, SIGNER)
    with pytest.raises(LedgerDamagedError) as caught:
        LedgerStore.open(tmp_path, SIGNER)
    assert caught.value.reason == "LEDGER_IN_USE"
    store.close()


def test_a_full_disk_refuses_the_batch_and_keeps_the_log(tmp_path, monkeypatch):
    """ENOSPC in the journal: nothing appended, nothing lost, and the next batch goes through."""
    store = LedgerStore.open(tmp_path, SIGNER)
    store.append(entries(0, 3))
    real = os.pwrite

    def full(handle, data, offset):
        real(handle, data[:7], offset)
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(ledger_store.os, "pwrite", full)
    with pytest.raises(OSError, match="disk full"):
        store.append(entries(3, 3))
    monkeypatch.undo()
    assert store.size == 3
    check(store.append_with_receipts(entries(3, 300)))
    store.abandon()
    assert LedgerStore.open(tmp_path, SIGNER).size == 303


def test_a_failed_sync_closes_the_log_until_it_is_read_again(tmp_path, monkeypatch):
    """After a failed fsync nobody knows what the disk holds: appending stops, reopening settles it."""
    store = LedgerStore.open(tmp_path, SIGNER)
    store.append(entries(0, 3))

    def failing(handle):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(ledger_store.os, "fdatasync", failing)
    for _ in range(2):
        with pytest.raises(LedgerDamagedError) as caught:
            store.append(entries(3, 1))
        assert caught.value.reason == "LEDGER_REOPEN"
        monkeypatch.undo()
    store.abandon()
    assert LedgerStore.open(tmp_path, SIGNER).size in {3, 4}


def test_tiles_that_could_not_be_shown_are_served_and_written_later(tmp_path, monkeypatch):
    """Durable in the journal is durable: a failed tile write costs nobody an answer."""
    store = LedgerStore.open(tmp_path, SIGNER)

    def full(self, path, data):
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(LedgerStore, "_replace", full)
    check(store.append_with_receipts(entries(0, 2)))
    assert tiles.unbundle(store.read("tile/entries/000.p/2")) == entries(0, 2)
    monkeypatch.undo()
    store.append(entries(2, 1))
    assert (tmp_path / "tile/entries/000.p/2").exists()
    store.close()


async def test_the_sequencer_answers_everybody_with_a_proof(tmp_path):
    """Concurrent appends share batches; each gets a receipt of its own entry."""
    sequencer = Sequencer(LedgerStore.open(tmp_path, SIGNER), window_s=0.01)
    wanted = [ledger.Entry(ledger.EntryType.EVIDENCE, i + 1) for i in range(500)]
    receipts = await asyncio.gather(*(sequencer.append(entry) for entry in wanted))
    for entry, receipt in zip(wanted, receipts, strict=True):
        assert ledger.check_receipt(receipt, [SIGNER.verifier])[0] == entry
    assert {receipt.index for receipt in receipts} == set(range(500))
    last = asyncio.create_task(sequencer.append(ledger.Entry(ledger.EntryType.EVIDENCE, 501)))
    await asyncio.sleep(0)
    await sequencer.close()
    assert (await last).index == 500
    with pytest.raises(EsignError) as caught:
        await sequencer.append(wanted[0])
    assert caught.value.reason == "LEDGER_AWAY"
