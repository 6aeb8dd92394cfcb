"""A ledger is copied while its owner appends to it, for a backup: each copy is a whole log and opens."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.esign import commands
from services.esign.ledger.domain import note
from services.esign.ledger.store import copying
from services.esign.ledger.store.files import LedgerStore

COPIES = 12


@pytest.mark.timeout(120)
async def test_each_copy_of_a_growing_ledger_is_whole(tmp_path: Path) -> None:
    """Tiles come, are replaced and go meanwhile. Every copy has all that its checkpoint vouches for, has no journal,
    continues the copy before it, and can be opened and read to its end.
    """
    key = os.urandom(32)
    signer = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.from_private_bytes(key))
    growing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.ledger_forever", str(tmp_path / "live"), key.hex()),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert growing.stdout is not None
    try:
        before = None
        for number in range(COPIES):
            # It has grown since the last one.
            for _ in range(10):
                assert await growing.stdout.readline()
            copy = tmp_path / str(number)
            head = await asyncio.to_thread(copying.copy, tmp_path / "live", copy, [signer.verifier])
            assert head is not None
            report = await asyncio.to_thread(commands.ledger_verify, copy, [signer.verifier], earlier=before)
            assert (report.problems, report.size) == ([], head.size)
            assert not (copy / ".journal").exists()
            opened = LedgerStore.open(copy, signer, remembered=before)
            assert sum(1 for _ in opened.entries(0)) == head.size
            opened.receipt(head.size - 1)
            opened.close()
            shutil.rmtree(copy)
            before = head
    finally:
        growing.kill()
        await growing.communicate()


def test_a_ledger_that_has_nothing_yet_is_copied_as_that(tmp_path: Path) -> None:
    """No checkpoint: nothing to copy."""
    (tmp_path / "live").mkdir()
    assert copying.copy(tmp_path / "live", tmp_path / "copy", []) is None
