"""A program that lets the ledger's store die at every system call in turn, and opens it again each time.

    python tests/faults/ledger_crash.py FAULT DIRECTORY

FAULT: `die` ends the process before the call, or half-way through a write; `power` also takes back whatever was not
synced by then; `error` lets the call fail once and goes on; `broken` lets it and all later ones fail. Prints one JSON
line: how many calls there were, and what went wrong.
"""

import base64
import contextlib
import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.esign.commands import ledger_verify
from services.esign.domain.errors import LedgerDamagedError
from services.esign.ledger.domain import ledger, note
from services.esign.ledger.store.files import LedgerStore

SIGNER = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.generate())
CALLS = ("open", "pwrite", "fdatasync", "fsync", "ftruncate", "mkdir", "replace", "unlink", "rmdir")
# Tile borders, single entries, a compaction between, and a second opening.
BATCHES: tuple[tuple[int, ...], ...] = ((254, 3, 1), (1,))
COSIGNED = "— w.example " + base64.b64encode(bytes(76)).decode() + "\n"
DIED = 7
_entry_number = 0


def entries(count: int) -> list[bytes]:
    global _entry_number  # noqa: PLW0603 — no two entries may be alike, whoever makes them
    _entry_number += count
    numbers = range(_entry_number - count, _entry_number)
    return [ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, number + 1)) for number in numbers]


class Disk:
    """Counts system calls and makes the n-th one fail."""

    def __init__(self, fault: str, at: int) -> None:
        self.fault, self.at, self.count = fault, at, 0
        self.real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in CALLS}
        # Length that is safe, of each file written and not synced since; None: not even its name is.
        self.unsafe: dict[str, int | None] = {}
        for name in CALLS:
            setattr(os, name, self._counting(name))

        def write_bytes(path: Path, data: bytes) -> int:
            return self._write_bytes(path, data)

        Path.write_bytes = write_bytes  # type: ignore[assignment,method-assign]

    def _counting(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.step(name, arguments)
            before = self._before(name, arguments)
            answer = self.real[name](*arguments, **named)
            self._after(name, arguments, before)
            return answer

        return call

    def step(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.count += 1
        if self.count < self.at or (self.count > self.at and self.fault != "broken"):
            return
        if self.fault in {"error", "broken"}:
            raise OSError(errno.EIO, "input/output error")
        if self.fault == "die" and name == "pwrite":
            handle, data, offset = arguments
            self.real["pwrite"](handle, data[: len(data) // 2], offset)
        if self.fault == "power":
            self.lose_power()
        os._exit(DIED)

    def _write_bytes(self, path: Path, data: bytes) -> int:
        self.step("create")
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            self.step("write")
            file.write(data[len(data) // 2 :])
        self.unsafe[str(path)] = 0
        return len(data)

    def _before(self, name: str, arguments: tuple[Any, ...]) -> bool:
        return name == "open" and Path(arguments[0]).exists()

    def _after(self, name: str, arguments: tuple[Any, ...], existed: bool) -> None:
        if name == "open" and not existed and arguments[1] & os.O_CREAT:
            self.unsafe[str(arguments[0])] = None
        elif name == "replace":
            if self.unsafe.pop(str(arguments[0]), None) is not None:
                self.unsafe[str(arguments[1])] = 0
            else:
                self.unsafe.pop(str(arguments[1]), None)
        elif name == "pwrite":
            path = self._path(arguments[0])
            if self.unsafe.get(path, 0) is not None:
                self.unsafe.setdefault(path, arguments[2])
        elif name in {"fsync", "fdatasync"}:
            self._synced(self._path(arguments[0]))

    def _synced(self, path: str) -> None:
        if Path(path).is_dir():
            for child, length in list(self.unsafe.items()):
                if length is None and str(Path(child).parent) == path:
                    self.unsafe[child] = 0
        elif self.unsafe.get(path, 0) is not None:
            self.unsafe.pop(path, None)

    def _path(self, handle: int) -> str:
        return str(Path(f"/proc/self/fd/{handle}").readlink())

    def lose_power(self) -> None:
        for path, length in self.unsafe.items():
            if length is None:
                Path(path).unlink(missing_ok=True)
            elif Path(path).exists():
                os.truncate(path, length)


def live(directory: Path, tell: Callable[[bytes], None]) -> None:
    """What a process does with a ledger. Tells each head that was answered for."""
    for batches in BATCHES:
        store = LedgerStore.open(directory, SIGNER)
        for number, size in enumerate(batches):
            try:
                store.append(entries(size))
            except LedgerDamagedError:
                store.abandon()
                store = LedgerStore.open(directory, SIGNER)
                continue
            except OSError:
                continue
            tell(store.checkpoint_text.encode() + b"\0")
            if number == 1:
                with contextlib.suppress(OSError):
                    store.compact()
                with contextlib.suppress(OSError):
                    store.publish(store.checkpoint_text + COSIGNED)
        store.close()


def child(fault: str, at: int, directory: Path, pipe: int) -> None:
    write = os.write
    disk = Disk(fault, at)
    status = 0
    try:
        live(directory, lambda text: void(write(pipe, text)))
    except (OSError, LedgerDamagedError):
        status = 0 if fault in {"error", "broken"} and disk.count >= at else 1
    except BaseException:
        status = 1
    os._exit(status if disk.count >= at else 2)


def void(_: object) -> None:
    """Takes an answer that nobody needs."""


def judge(directory: Path, heads: list[str]) -> str:
    """Empty when the log has every head that was answered, goes on, and satisfies an auditor."""
    remembered = ledger.open_checkpoint(heads[-1], [SIGNER.verifier]) if heads else None
    try:
        store = LedgerStore.open(directory, SIGNER, remembered=remembered)
    except LedgerDamagedError as error:
        return f"refused: {error.reason}: {error.en}"
    for text in heads:
        head = ledger.open_checkpoint(text, [SIGNER.verifier])
        if store._root(head.size) != head.root:
            return f"the head of size {head.size} was answered and is gone"
    for receipt in store.append_with_receipts(entries(2)):
        ledger.check_receipt(receipt, [SIGNER.verifier])
    store.close()
    return "; ".join(ledger_verify(directory, [SIGNER.verifier], earlier=remembered).problems)


def main() -> int:
    fault, directory = sys.argv[1], Path(sys.argv[2])
    problems: list[str] = []
    at = 0
    while True:
        at += 1
        read, write = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(read)
            child(fault, at, directory / "log", write)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            heads = pipe.read().decode().split("\0")[:-1]
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if status == 2:
            break
        if status not in {0, DIED}:
            problems.append(f"call {at}: ended with {status}")
        problem = judge(directory / "log", heads)
        if problem:
            problems.append(f"call {at}: {problem}")
        shutil.rmtree(directory / "log")
    print(json.dumps({"calls": at - 1, "problems": problems}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
