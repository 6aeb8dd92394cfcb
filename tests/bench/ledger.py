"""`ledger.*`: durable appends, the wait of one entry, proofs, and what they cost as the log grows.

`ledger.append` is against the journal's own share: the same bytes written and synced without any tree. Growth goes to ten
million entries, which take some 2 GB of disk for a while.
"""

import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.esign.ledger.domain import ledger, note
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store.files import LedgerStore

ROUNDS = 5
# What comes together in a window of 100 ms at a hundred thousand a second.
BATCH = 10_000
BATCHES = 5
PROOFS = 5_000
WAITERS_PER_S = 1_000
WAIT_S = 10
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)

SIGNER = note.NoteSigner.prepare("bench.example/ledger", Ed25519PrivateKey.generate())


def entries(count: int) -> list[bytes]:
    """As exchange and seals make them: a digest, a time, a type."""
    chance = random.Random(count)
    return [
        ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, number, document_sha256=chance.randbytes(32).hex()))
        for number in range(count)
    ]


def append_per_second(store: LedgerStore, batches: Sequence[Sequence[bytes]]) -> float:
    began = time.perf_counter()
    for batch in batches:
        store.append(batch)
    return sum(map(len, batches)) / (time.perf_counter() - began)


def journal_per_second(path: Path, batches: Sequence[Sequence[bytes]]) -> float:
    handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    began = time.perf_counter()
    for batch in batches:
        os.write(handle, b"".join(batch))
        os.fdatasync(handle)
    rate = sum(map(len, batches)) / (time.perf_counter() - began)
    os.close(handle)
    return rate


def paths_per_second(store: LedgerStore, indexes: Sequence[int]) -> float:
    """Inclusion proofs of scattered entries."""
    began = time.perf_counter()
    for index in indexes:
        store.inclusion(index)
    return len(indexes) / (time.perf_counter() - began)


def receipts_per_second(store: LedgerStore, indexes: Sequence[int]) -> float:
    """Receipts of scattered entries, as text."""
    began = time.perf_counter()
    for index in indexes:
        _ = store.receipt(index).text
    return len(indexes) / (time.perf_counter() - began)


async def inclusion_seconds(directory: Path) -> list[float]:
    """What each of a thousand callers a second waits for its receipt."""
    log = Sequencer(LedgerStore.open(directory, SIGNER))
    # No two alike: what is told again is answered from the first one's receipt.
    made = [ledger.decode(entry) for entry in entries(WAIT_S * WAITERS_PER_S)]
    waits: list[float] = []

    async def caller(entry: ledger.Entry) -> None:
        began = time.perf_counter()
        await log.append(entry)
        waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(WAIT_S * WAITERS_PER_S):
            late = began + number / WAITERS_PER_S - time.perf_counter()
            if late > 0.001:
                await asyncio.sleep(late)
            group.create_task(caller(made[number]))
    await log.close()
    return waits


def growth(directory: Path, size: int) -> list[dict[str, Any]]:
    """A log of `size`: bytes an entry, proofs, and opening it again."""
    store = LedgerStore.open(directory, SIGNER)
    batch = entries(10_000)
    began = time.perf_counter()
    while store.size < size:
        store.append(batch)
    rate = size / (time.perf_counter() - began)
    store.close()
    began = time.perf_counter()
    store = LedgerStore.open(directory, SIGNER)
    opening = time.perf_counter() - began
    chance = random.Random(size)
    indexes = [chance.randrange(size) for _ in range(PROOFS)]
    cold, warm = paths_per_second(store, indexes), paths_per_second(store, indexes)
    store.close()
    kept = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    return [
        {"name": f"ledger.append at {size:,}", "value": rate, "unit": "entries/s"},
        {"name": f"ledger.proof at {size:,}", "value": warm, "unit": "proofs/s"},
        {"name": f"ledger.proof at {size:,}, just opened", "value": cold, "unit": "proofs/s"},
        {"name": f"ledger.open at {size:,}", "value": opening * 1000, "unit": "ms"},
        {"name": f"ledger.size at {size:,}", "value": kept / size, "unit": "B/entry"},
    ]


async def run() -> list[dict[str, Any]]:
    """Medians of five interleaved rounds."""
    # In the working directory: a temporary directory may be memory, where nothing is durable.
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as temporary:
        place = Path(temporary)
        batches = [entries(BATCH) for _ in range(BATCHES)]
        store = LedgerStore.open(place / "append", SIGNER)
        appended: list[float] = []
        written: list[float] = []
        proved: list[float] = []
        received: list[float] = []
        chance = random.Random(1)
        for number in range(ROUNDS):
            appended.append(append_per_second(store, batches))
            written.append(journal_per_second(place / f"journal{number}", batches))
            indexes = [chance.randrange(store.size) for _ in range(PROOFS)]
            proved.append(paths_per_second(store, indexes))
            received.append(receipts_per_second(store, indexes))
        store.close()
        waits = sorted(await inclusion_seconds(place / "waits"))
        rows: list[dict[str, Any]] = [
            {
                "name": "ledger.append",
                "value": statistics.median(appended),
                "unit": "entries/s",
                "against": statistics.median(written),
                "ratio": statistics.median(a / b for a, b in zip(appended, written, strict=True)),
            },
            {"name": "ledger.proof", "value": statistics.median(proved), "unit": "proofs/s"},
            {"name": "ledger.receipt", "value": statistics.median(received), "unit": "receipts/s"},
            {"name": "ledger.inclusion p50", "value": waits[len(waits) // 2] * 1000, "unit": "ms at 1,000/s"},
            {"name": "ledger.inclusion p99", "value": waits[len(waits) * 99 // 100] * 1000, "unit": "ms at 1,000/s"},
        ]
        for size in SIZES:
            rows += growth(place / f"size{size}", size)
        return rows
