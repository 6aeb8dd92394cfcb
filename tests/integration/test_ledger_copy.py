"""Copies of a ledger, also while it grows."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.esign.domain.errors import LedgerDamagedError
from services.esign.ledger.domain import ledger, note
from services.esign.ledger.store.copying import copy_ledger
from services.esign.ledger.store.files import LedgerStore

KEY = bytes(range(32))
SIGNER = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.from_private_bytes(KEY))
KEYS = (SIGNER.verifier,)


def entries(first: int, count: int) -> list[bytes]:
    return [ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, i + 1)) for i in range(first, first + count)]


def opened(directory: Path) -> ledger.Checkpoint:
    """The copy by the ledger's own code, with receipts from all over it."""
    store = LedgerStore.open(directory, SIGNER)
    try:
        for index in {0, store.size // 2, store.size - 1} if store.size else ():
            ledger.check_receipt(store.receipt(index), KEYS)
        return store.checkpoint
    finally:
        store.close()


def test_every_copy_of_a_ledger_that_grows_opens_under_its_head(tmp_path: Path) -> None:
    """Tiles fill, replace their parts and are removed while the copy is made: none is missed."""
    live = tmp_path / "live"
    line = [sys.executable, "-m", "tests.faults.ledger_forever", str(live), KEY.hex()]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        try:
            size = 0
            for number in range(25):
                # Some tiles further than the last copy.
                until = size + 600
                while size < until:
                    size = int(writer.stdout.readline().split()[0])
                copied = copy_ledger(live, tmp_path / str(number), KEYS)
                assert copied is not None
                assert copied.size >= size
                assert opened(tmp_path / str(number)) == copied
                shutil.rmtree(tmp_path / str(number))
        finally:
            writer.kill()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600])
def test_a_copy_has_the_files_of_the_log(tmp_path: Path, size: int) -> None:
    """Byte by byte what the log itself shows, without lock and journal."""
    store = LedgerStore.open(tmp_path / "log", SIGNER)
    if size:
        store.append(entries(0, size))
    store.close()
    head = copy_ledger(tmp_path / "log", tmp_path / "copy", KEYS)
    assert head is not None
    assert head.size == size
    shown = {
        path.relative_to(tmp_path / "log"): path.read_bytes()
        for path in (tmp_path / "log").rglob("[!.]*")
        if path.is_file()
    }
    made = {
        path.relative_to(tmp_path / "copy"): path.read_bytes()
        for path in (tmp_path / "copy").rglob("*")
        if path.is_file()
    }
    assert made == shown


def test_what_only_the_journal_holds_is_copied_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that were answered for on a disk without room for their tiles."""
    store = LedgerStore.open(tmp_path / "log", SIGNER)
    store.append(entries(0, 300))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_replace", full)
    store.append(entries(300, 250))
    store.append(entries(550, 1))
    newest = store.checkpoint
    assert "\n300\n" in (tmp_path / "log" / "checkpoint").read_text()
    assert copy_ledger(tmp_path / "log", tmp_path / "copy", KEYS, remembered=newest) == newest
    store.abandon()
    assert opened(tmp_path / "copy") == newest


def test_a_copy_that_would_not_open_is_none(tmp_path: Path) -> None:
    """Shorter than the database remembers, another log than it remembers, or damaged: said at once, not at a restore."""
    store = LedgerStore.open(tmp_path / "log", SIGNER)
    store.append(entries(0, 300))
    head = store.checkpoint
    store.close()
    ahead = ledger.Checkpoint(head.origin, 301, head.root)
    other = ledger.Checkpoint(head.origin, 200, head.root)
    bundle = tmp_path / "log" / "tile" / "entries" / "000"
    for number, (remembered, reason) in enumerate([(ahead, "LEDGER_ROLLED_BACK"), (other, "LEDGER_FORKED")]):
        with pytest.raises(LedgerDamagedError) as refused:
            copy_ledger(tmp_path / "log", tmp_path / f"copy{number}", KEYS, remembered=remembered)
        assert refused.value.reason == reason
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[:-1] + b"?")
    with pytest.raises(LedgerDamagedError, match="LEDGER_FORKED"):
        copy_ledger(tmp_path / "log", tmp_path / "changed", KEYS)
    bundle.unlink()
    with pytest.raises(LedgerDamagedError, match="LEDGER_DAMAGED"):
        copy_ledger(tmp_path / "log", tmp_path / "missing", KEYS)
