"""`esign.lookup_hash`: what finding a document by its hash costs in registers of three sizes, each against the first:
nearly the same. `esign.lookup_saves`: the same for a file with 64 saves, which asks for each of them.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from services.esign import store
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import lookup
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.store import Store
from tests.bench import esign

SIZES = {"": 1_200, "_10x": 12_000, "_100x": 120_000}
ROUNDS = 5
ASKED = 200
SAVES = 64
_FIXED: dict[str, Any] = {
    **dict.fromkeys(("template", "issuer", "source_platform", "holder", "division", "seal_id", "qr"), "x"),
    "state": "VALID",
    "stage": document_rows.ISSUED,
    "reason": "",
    "receipt": "",
    "signed_us": 1,
    "ledger_index": 1,
    "salt": b"s",
    "pdf": b"x" * 1000,
}


def _fill(conn: Connection, first: int, last: int) -> None:
    numbers = range(first, last)
    rows = [{**_FIXED, "number": f"N{n:09}", "case_code": f"C{n:09}", "sha256": _digest(n)} for n in numbers]
    conn.execute(insert(document_rows.certificate), rows)


def _digest(number: int) -> str:
    # Spread as digests are.
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" * 4


def _microseconds(conn: Connection, questions: Sequence[Sequence[str]]) -> float:
    """Of this thread's time, a question."""
    began = time.thread_time()
    for digests in questions:
        lookup.find_certificate_by_digests(conn, digests)
    return (time.thread_time() - began) / len(questions) * 1e6


async def _register(path: Path, size: int) -> Store:
    made = Store.unchecked(f"sqlite:///{path}", store.METADATA, clock=SystemClock())
    await made.create_schema()
    for first in range(0, size, 10_000):
        await made.write(_fill, first, min(first + 10_000, size))
    return made


async def run() -> list[dict[str, Any]]:
    """Five interleaved rounds of each, median; half of the hashes are in the register."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        registers = {name: await _register(Path(directory) / f"{size}.db", size) for name, size in SIZES.items()}
        for _ in range(ROUNDS):
            for name, register in registers.items():
                numbers = range(0, 2 * SIZES[name], 2 * SIZES[name] // ASKED)
                saves = [[_digest(number + n) for n in range(SIZES[name], SIZES[name] + SAVES)] for number in numbers]
                single = await register.read(_microseconds, [[_digest(number)] for number in numbers])
                found.setdefault(f"esign.lookup_hash{name}", []).append(single)
                found.setdefault(f"esign.lookup_saves{name}", []).append(await register.read(_microseconds, saves))
        for register in registers.values():
            await register.close()
    values = {name: statistics.median(each) for name, each in found.items()}
    return [
        esign.row(name, value, "µs", None if name == (first := _first(name)) else values[first])
        for name, value in sorted(values.items())
    ]


def _first(name: str) -> str:
    """The figure of the smallest register."""
    return name.removesuffix("_100x").removesuffix("_10x")
