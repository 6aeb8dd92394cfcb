"""One sequencer for one log: batches what a process appends, and lets others follow the heads it signs."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import ParamSpec, TypeVar

from services.esign.domain.errors import EsignError
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import Entry, Receipt
from services.esign.ledger.store.files import LedgerStore
from shuniu.kit.crypto.device import KeyAwayError
from shuniu.kit.crypto.usage import Purpose, count

# What is repeated after a kill or by an impatient caller is among the last entries: some minutes of a busy log.
_RECENT = 65_536
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Waiting:
    entry: bytes
    answer: "asyncio.Future[Receipt]"


class Sequencer:
    """Batches appends of one process: `window_s` after the first waiting entry they go to disk together.

    An entry says what happened and when. The same bytes again are the same fact, told again by somebody who did not
    hear the answer: it is answered with the first one's receipt.
    """

    def __init__(self, store: LedgerStore, *, window_s: float = 0.05) -> None:
        self._store = store
        self._window_s = window_s
        self._waiting: list[_Waiting] = []
        self._under_way: dict[bytes, asyncio.Future[Receipt]] = {}
        first = max(0, store.size - _RECENT)
        self._recent = {entry: first + at for at, entry in enumerate(store.entries(first))}
        self._wake = asyncio.Event()
        self._grown = asyncio.Event()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._closing = False
        self._loop = asyncio.create_task(self._run(), name="ledger sequencer")

    @property
    def checkpoint_text(self) -> str:
        """The newest signed checkpoint."""
        return self._store.checkpoint_text

    async def append(self, entry: Entry) -> Receipt:
        """The receipt, once the entry is durable under a signed checkpoint.

        Raises EsignError LEDGER_AWAY when the batch could not be written (the entry is not in the log) or the ledger
        is closing.
        """
        if self._closing or self._loop.done():
            raise _away()
        data = ledger.encode(entry)
        index = self._recent.get(data)
        if index is not None:
            return await self.receipt(index)
        answer = self._under_way.get(data)
        if answer is None:
            answer = self._under_way[data] = asyncio.get_running_loop().create_future()
            self._waiting.append(_Waiting(data, answer))
            for name in entry.digests:
                count(Purpose.LEDGER_ENTRY, name)
            self._wake.set()
        # A caller that gives up must not take its entry out of a batch that others wait for.
        return await asyncio.shield(answer)

    @property
    def size(self) -> int:
        """Entries under the newest checkpoint."""
        return self._store.size

    async def find(self, entries: Collection[bytes], since: int) -> dict[bytes, int]:
        """Finds which of these entries are in the log from an index on, and where. Raises OSError."""
        return await self._in_turn(self._find, entries, since)

    def _find(self, entries: Collection[bytes], since: int) -> dict[bytes, int]:
        return {entry: since + at for at, entry in enumerate(self._store.entries(since)) if entry in entries}

    async def entries(self, since: int, limit: int) -> list[bytes]:
        """At most that many entries from an index on. Raises OSError, EsignError."""
        return await self._in_turn(lambda: list(islice(self._store.entries(since), limit)))

    async def receipts(self, indexes: Sequence[int]) -> list[Receipt]:
        """`receipt` of each. Raises ValueError when one is not in the log."""
        return await self._in_turn(lambda: [self._store.receipt(index) for index in indexes])

    async def receipt(self, index: int) -> Receipt:
        """A receipt of an earlier entry under the newest checkpoint. Raises ValueError when there is none."""
        return await self._in_turn(self._store.receipt, index)

    @property
    def witnessed_text(self) -> str:
        """The newest checkpoint that enough witnesses cosigned; empty when there is none."""
        return self._store.witnessed

    @property
    def stuck(self) -> bool:
        """Tells whether nothing can be appended until the process starts again."""
        return self._store.broken or self._loop.done()

    async def find_witnessed_receipt(self, index: int) -> Receipt | None:
        """A receipt under the newest witnessed checkpoint; None while that does not reach the entry. It does not wait
        for the disk where there are no witnesses.
        """
        if not self._store.witnessed:
            return None
        return await self._in_turn(self._store.find_witnessed_receipt, index)

    async def grown(self, seen: str) -> str:
        """The newest checkpoint, once its text is not (a beginning of) `seen`."""
        while seen and self._store.checkpoint_text.startswith(seen):
            await self._grown.wait()
        return self._store.checkpoint_text

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Proof that the tree at `new` continues that at `old`. Raises ValueError out of range."""
        return await self._in_turn(self._store.consistency, old, new)

    async def publish(self, note: str) -> None:
        """Shows a checkpoint with its cosignatures while it is the newest. Raises OSError."""
        await self._in_turn(self._store.publish, note)

    async def keep_witnessed(self, note: str) -> None:
        """Keeps a checkpoint as the newest that enough witnesses cosigned. Raises OSError."""
        await self._in_turn(self._store.keep_witnessed, note)

    async def _in_turn(self, work: Callable[Asked, Answer], *arguments: Asked.args, **_: Asked.kwargs) -> Answer:
        """The store is not thread-safe: whatever touches it goes through the thread that writes."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, work, *arguments)

    async def read(self, path: str) -> bytes:
        """A tile or bundle. Raises NoteMalformedError, FileNotFoundError."""
        return await self._in_turn(self._store.read, path)

    async def close(self) -> None:
        """Writes what waits, compacts and closes the store."""
        self._closing = True
        self._wake.set()
        await self._loop
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.close)
        self._writer.shutdown()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not (self._closing and not self._waiting):
            await self._wake.wait()
            if not self._closing:
                await asyncio.sleep(self._window_s)
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            if not batch:
                continue
            try:
                receipts = await loop.run_in_executor(
                    self._writer, self._store.append_with_receipts, [w.entry for w in batch]
                )
            except (OSError, EsignError, KeyAwayError) as cause:
                for waiting in batch:
                    del self._under_way[waiting.entry]
                    _fail(waiting.answer, cause)
                continue
            self._remember(batch, receipts)
            grown, self._grown = self._grown, asyncio.Event()
            grown.set()
            for waiting, receipt in zip(batch, receipts, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(receipt)

    def _remember(self, batch: Sequence[_Waiting], receipts: Sequence[Receipt]) -> None:
        for waiting, receipt in zip(batch, receipts, strict=True):
            del self._under_way[waiting.entry]
            self._recent[waiting.entry] = receipt.index
        for entry in list(islice(self._recent, max(0, len(self._recent) - _RECENT))):
            del self._recent[entry]


def _fail(answer: "asyncio.Future[Receipt]", cause: Exception) -> None:
    if not answer.done():
        error = _away()
        error.__cause__ = cause
        answer.set_exception(error)


def _away() -> EsignError:
    return EsignError("LEDGER_AWAY", "the ledger cannot be written now; try again", "存证日志暂不可写，请稍后再试")
