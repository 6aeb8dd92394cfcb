"""Calls that carry a document: how much of a process's memory the documents take, in all and of one sender."""

import asyncio
import contextlib
from asyncio import Timeout
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import grpc

from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.process import metrics
from shuniu.kit.process.fair_queue import FairQueue, Room
from shuniu.kit.process.tally import Tally
from shuniu.kit.rpc.network import sender
from shuniu.kit.rpc.options import MAX_MESSAGE


@dataclass(eq=False, slots=True)
class _Document:
    """A document that several calls hold together; the first of them is counted for it."""

    digest: str
    content: bytes = field(repr=False)
    holders: list["Upload"]


@dataclass(eq=False, slots=True)
class _Wanted:
    """A call that waits for room. None of its request is read yet."""

    sender: str
    need: int
    turn: asyncio.Future[None]
    size: int = 0


@dataclass(eq=False, slots=True)
class Upload:
    """One call's part of the room: `size` bytes."""

    room: "UploadRoom"
    sender: str
    copies: int
    size: int
    document: _Document | None = None

    async def receive(self, context: Any, parse: Callable[[bytes], Any]) -> Any:
        """The call's request, of which nothing was read before. Counts its real size from then on. Raises HubError
        UPLOAD_SLOW when it does not come and others wait for its room.
        """
        try:
            async with self.room.arriving():
                content = await context.read()
        except TimeoutError:
            raise slow() from None
        if content is grpc.aio.EOF:
            content = b""
        self.room.resize(self, self.copies * len(content))
        return parse(content)


class UploadRoom:
    """Room for the documents of a process's calls: `most` bytes, of which one sender gets half, or a single call. A
    document is counted with the largest size allowed before its first byte is read, then with its own size until the
    call is answered. At most `calls` are handled, a quarter of them for one sender, whatever their size. `waiting` wait
    for room, in turns between senders; when more wait, the newest of the sender with the most gets `busy`. While any
    wait, a document that is not there after `patience` seconds gives its room back.
    """

    def __init__(
        self, most: int, busy: Callable[[], HubError], *, calls: int = 512, waiting: int = 64, patience: float = 5.0
    ) -> None:
        self._most = most
        self._calls = calls
        self._handled = Tally()
        self._busy = busy
        self._bytes = Tally()
        self._waiting: FairQueue[_Wanted] = FairQueue()
        self._seats = Room(waiting, 1)
        self._documents: dict[str, _Document] = {}
        self._patience = patience
        # Since when (the loop's time, s) documents are on their way.
        self._arriving: dict[Timeout, float] = {}

    @contextlib.asynccontextmanager
    async def hold(self, copies: int = 1) -> AsyncIterator[Upload]:
        """Room for the current call, which has so many `copies` of its document until its answer. Raises HubError."""
        upload = Upload(self, sender(), copies, copies * MAX_MESSAGE)
        await self._turn(upload)
        token = _current.set(upload)
        try:
            yield upload
        finally:
            _current.reset(token)
            self._leave(upload)

    @contextlib.asynccontextmanager
    async def arriving(self) -> AsyncIterator[None]:
        """Around the reading of a document. Raises TimeoutError when it has kept others waiting for too long."""
        async with asyncio.timeout(None) as limit:
            self._arriving[limit] = asyncio.get_running_loop().time()
            self._hurry()
            try:
                yield
            finally:
                del self._arriving[limit]

    def _hurry(self) -> None:
        """Bounds what is on its way while anybody waits. gRPC tells of a document when it is whole, so a slow one and
        one that never comes look the same: whoever has room to himself may take his time.
        """
        for limit, began in self._arriving.items() if self._waiting else ():
            if limit.when() is None and not limit.expired():
                limit.reschedule(began + self._patience)

    def resize(self, upload: Upload, size: int) -> None:
        self._bytes.add(upload.sender, size - upload.size)
        upload.size = size
        self._admit()

    def share(self, upload: Upload, digest: str, document: bytes) -> bytes:
        """See the function `share`."""
        known = self._documents.get(digest)
        if known is None:
            known = self._documents[digest] = _Document(digest, document, [])
        else:
            self.resize(upload, max(0, upload.size - len(document)))
        known.holders.append(upload)
        upload.document = known
        return known.content

    async def _turn(self, upload: Upload) -> None:
        wanted = _Wanted(upload.sender, upload.size, asyncio.get_running_loop().create_future())
        self._waiting.add(wanted)
        self._admit()
        while (refused := self._seats.overfull(self._waiting)) is not None:
            self._waiting.remove(refused)
            if not refused.turn.done():
                refused.turn.set_exception(self._busy())
        try:
            await wanted.turn
        except BaseException:
            self._waiting.remove(wanted)
            if wanted.turn.done() and not wanted.turn.cancelled() and wanted.turn.exception() is None:
                # It came in the moment in which the caller left.
                self._leave(upload)
            else:
                self._admit()
            raise

    def _admit(self) -> None:
        # Whoever needs much waits for it in his turn; those after him do not take it away from him.
        while (wanted := self._waiting.first(self._may)) is not None and self._bytes.total + wanted.need <= self._most:
            self._waiting.next(self._may)
            if not wanted.turn.done():
                self._handled.add(wanted.sender, 1)
                self._bytes.add(wanted.sender, wanted.need)
                wanted.turn.set_result(None)
        self._hurry()
        metrics.UPLOADS_WAITING.set(len(self._waiting))
        metrics.UPLOAD_BYTES.set(self._bytes.total)

    def _may(self, wanted: _Wanted) -> bool:
        sender = wanted.sender
        if self._handled.total >= self._calls or self._handled.of(sender) >= max(1, self._calls // 4):
            return False
        return sender not in self._bytes or self._bytes.of(sender) + wanted.need <= self._most // 2

    def _leave(self, upload: Upload) -> None:
        document, upload.document = upload.document, None
        if document is not None:
            was_first = document.holders[0] is upload
            document.holders.remove(upload)
            if not document.holders:
                del self._documents[document.digest]
            elif was_first:
                heir = document.holders[0]
                self.resize(heir, heir.size + len(document.content))
        self._handled.add(upload.sender, -1)
        self.resize(upload, 0)


def busy() -> HubError:
    """Refuses a document for which there is no room: its sender has too many here, or all senders together."""
    return errors.exhausted(
        "VERIFY_BUSY",
        "Many documents wait to be verified; send this one again in a minute, and several one after another.",
        "当前待核验的文件较多，请一分钟后重新提交该文件；有多份文件时请逐份提交。",
    )


def slow() -> HubError:
    """Refuses a document that did not arrive while others waited for its room."""
    return errors.exhausted(
        "UPLOAD_SLOW",
        "The file did not arrive in time and others are waiting; send it again in a minute, over a faster line if any.",
        "文件未能及时传完，且有其他文件在等待；请一分钟后重新提交，网络较慢时请换用较快的网络。",
    )


_current: ContextVar[Upload | None] = ContextVar("shuniu_upload", default=None)


def share(digest: str, document: bytes) -> bytes:
    """The current call's document, as another call holds it that has the same one: the caller lets its own copy go."""
    upload = _current.get()
    return document if upload is None else upload.room.share(upload, digest, document)


@dataclass(frozen=True, slots=True)
class Carries:
    """Receives the request of a call that carries a document; `copies` of it lie in memory until the answer."""

    room: UploadRoom
    copies: int = 1
