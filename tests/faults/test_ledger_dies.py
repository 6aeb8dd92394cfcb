"""The ledger's store under a dying process, a failing disk and a power cut, at every single system call."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from services.esign.ledger.domain import ledger
from services.esign.ledger.store.files import LedgerStore
from tests.support.witnesses import LOG, entries

PROGRAM = "tests.faults.ledger_crash"
WRITER = "tests.faults.ledger_forever"


@pytest.fixture
def memory_folder():
    """Hundreds of logs: in memory where there is some, since what is synced is simulated anyway."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="sn", dir=place) as directory:
        yield Path(directory)


@pytest.mark.parametrize("fault", ["die", "power", "error", "broken"])
@pytest.mark.timeout(180)
async def test_the_log_continues_after_a_fault_at_any_call(memory_folder, fault):
    """Every head that was answered for is there, the log goes on, and an audit of its files finds nothing."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PROGRAM, fault, memory_folder, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await program.communicate()
    found = json.loads(told)
    assert found["problems"] == []
    assert found["calls"] > 150


def test_killed_again_and_again_the_log_keeps_what_it_answered(tmp_path):
    """kill -9 of a process that appends without pause: the next one opens the log and finds every answered head."""
    heads: list[str] = []
    for _ in range(4):
        command = [sys.executable, "-m", WRITER, tmp_path / "log", LOG.key.private_bytes_raw().hex()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            heads += [process.stdout.readline().strip() for _ in range(40)]
            os.kill(process.pid, signal.SIGKILL)
            heads += [line.strip() for line in process.stdout if line.endswith("\n")]
    store = LedgerStore.open(tmp_path / "log", LOG)
    for head in heads:
        size, root = head.split()
        assert store._root(int(size)).hex() == root
    for receipt in store.append_with_receipts(entries(10**6, 3)):
        ledger.check_receipt(receipt, [LOG.verifier])
    store.close()


@pytest.mark.strace
def test_the_journal_is_synced_before_the_answer(tmp_path):
    """Seen at the system calls: between writing a record and answering for it, the journal is synced to the disk."""
    if shutil.which("strace") is None:
        pytest.skip("no strace; `make test-deps` installs it")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-e", "trace=pwrite64,write,fsync,fdatasync", "-o", trace, sys.executable]
    command += ["-m", WRITER, tmp_path / "log", LOG.key.private_bytes_raw().hex(), "20"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    answered, synced = 0, True
    for line in trace.read_text().splitlines():
        if ".journal>" in line and "pwrite64" in line:
            synced = False
        elif ".journal>" in line and re.search(r"f(data)?sync\(", line):
            synced = True
        elif re.search(r'write\(1<[^>]*>, "\d+ [0-9a-f]+', line):
            assert synced, f"answered before the sync: {line}"
            answered += 1
    assert answered == 20
