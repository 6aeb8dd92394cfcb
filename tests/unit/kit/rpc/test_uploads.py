"""Calls that carry a document: read when there is room, counted until their answer, in turns between senders."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.rpc import network, uploads
from shuniu.kit.rpc.options import MAX_MESSAGE
from shuniu.kit.rpc.uploads import Upload, UploadRoom
from shuniu.kit.testing import eventually

SIX = 6 * MAX_MESSAGE


def busy() -> HubError:
    return errors.exhausted("BUSY", "Busy.", "忙。")


class Sent:
    """A call's context: its request is there, and is read or not."""

    def __init__(self, content: Any) -> None:
        self.content = content
        self.was_read = False

    async def read(self) -> Any:
        self.was_read = True
        return self.content


@contextlib.asynccontextmanager
async def sent(room: UploadRoom, content: Any, digest: str = "") -> AsyncIterator[tuple[Upload, bytes]]:
    async with room.hold() as upload:
        got = await upload.receive(Sent(content), bytes)
        yield upload, uploads.share(digest, got) if digest else got


class Caller:
    """A call that stays until it is let go."""

    def __init__(self, room: UploadRoom, address: str, copies: int = 1) -> None:
        self.done = asyncio.Event()
        self.is_in = False
        network.set_current(address)
        self.task = asyncio.create_task(self._call(room, copies))
        network.set_current("")

    async def _call(self, room: UploadRoom, copies: int) -> None:
        async with room.hold(copies):
            self.is_in = True
            await self.done.wait()

    async def leave(self) -> None:
        self.done.set()
        await self.task


async def all_leave(*calls: Caller) -> None:
    await asyncio.gather(*(each.leave() for each in calls))


async def test_it_is_counted_from_before_its_first_byte_until_its_answer() -> None:
    """As the largest there may be until it is read, then as what it is; nothing is left of it."""
    room = UploadRoom(SIX, busy)
    async with room.hold(2) as upload:
        assert room._bytes.total == 2 * MAX_MESSAGE
        assert await upload.receive(Sent(b"four"), bytes) == b"four"
        assert room._bytes.total == 8
    with pytest.raises(ZeroDivisionError):
        async with sent(room, b"four"):
            raise ZeroDivisionError
    assert (room._bytes.total, len(room._bytes)) == (0, 0)


async def test_what_never_arrives_gives_its_room_back_when_others_wait() -> None:
    """Two senders hold all of it and send nothing; they hear UPLOAD_SLOW, and the one who waits comes in."""
    room = UploadRoom(2 * MAX_MESSAGE, busy, patience=0.01)

    class Silent:
        async def read(self) -> Any:
            await asyncio.Event().wait()

    async def silent(address: str) -> str:
        network.set_current(address)
        async with room.hold() as upload:
            try:
                await upload.receive(Silent(), bytes)
            except HubError as error:
                return error.reason
        return ""

    held = [asyncio.create_task(silent(f"192.0.2.{each}")) for each in (1, 2)]
    await eventually(lambda: len(room._arriving) == 2)
    assert not any(limit.when() for limit in room._arriving)
    network.set_current("192.0.2.3")
    async with sent(room, b"four") as (_, got):
        assert got == b"four"
    assert await asyncio.gather(*held) == ["UPLOAD_SLOW", "UPLOAD_SLOW"]
    assert (room._bytes.total, room._arriving) == (0, {})


async def test_a_request_that_never_came_is_an_empty_one() -> None:
    """The caller ended his side without a message."""
    async with sent(UploadRoom(SIX, busy), grpc.aio.EOF) as (_, got):
        assert got == b""


async def test_nothing_is_read_before_there_is_room() -> None:
    """Six fit, three of one sender; the others wait and come when one has left, of whoever has less than his half."""
    room = UploadRoom(SIX, busy)
    flood = [Caller(room, "192.0.2.1") for _ in range(5)]
    others = [Caller(room, f"192.0.2.{n}") for n in (2, 3, 4, 5)]
    await eventually(lambda: sum(each.is_in for each in others) == 3)
    assert [each.is_in for each in flood] == [True] * 3 + [False] * 2
    assert room._bytes.total == SIX
    await others[0].leave()
    await eventually(lambda: others[3].is_in)
    assert not flood[3].is_in
    await flood[0].leave()
    await eventually(lambda: flood[3].is_in)
    await all_leave(*flood, *others)
    assert room._bytes.total == 0


async def test_calls_that_hold_nothing_are_counted_too() -> None:
    """They may share one document: of one sender no more than a quarter are handled, however little they hold."""
    room = UploadRoom(SIX, busy, calls=8)
    async with contextlib.AsyncExitStack() as opened:
        for _ in range(2):
            network.set_current("192.0.2.1")
            await opened.enter_async_context(sent(room, b"same", "digest"))
        third, other = Caller(room, "192.0.2.1"), Caller(room, "192.0.2.2")
        await eventually(lambda: other.is_in)
        assert not third.is_in
    await all_leave(third, other)
    network.set_current("")
    assert (room._bytes.total, len(room._handled)) == (0, 0)


async def test_a_sender_has_half_with_all_that_his_next_call_needs() -> None:
    """A call of three copies waits while its sender holds one: together they are more than his half."""
    room = UploadRoom(SIX, busy)
    small, large, other = Caller(room, "192.0.2.1"), Caller(room, "192.0.2.1", copies=3), Caller(room, "192.0.2.2")
    await eventually(lambda: small.is_in and other.is_in)
    assert not large.is_in
    await small.leave()
    await eventually(lambda: large.is_in)
    await all_leave(large, other)


async def test_whoever_needs_much_is_not_passed_over() -> None:
    """A call of four copies has its turn before those that came after it and would fit sooner."""
    room = UploadRoom(SIX, busy)
    first = [Caller(room, f"192.0.2.{n}") for n in range(3)]
    large = Caller(room, "192.0.2.9", copies=4)
    later = Caller(room, "192.0.2.10")
    await eventually(lambda: all(each.is_in for each in first))
    assert not large.is_in
    assert not later.is_in
    await first[0].leave()
    await eventually(lambda: large.is_in)
    await all_leave(*first, large, later)


async def test_whoever_waits_and_leaves_keeps_nothing() -> None:
    """Before his turn, and in the very moment in which it comes."""
    room = UploadRoom(MAX_MESSAGE, busy)
    holder, early, late = (Caller(room, f"192.0.2.{n}") for n in range(3))
    await eventually(lambda: holder.is_in)
    early.task.cancel()
    await asyncio.gather(early.task, return_exceptions=True)
    holder.done.set()
    await holder.task
    late.task.cancel()
    await asyncio.gather(late.task, return_exceptions=True)
    assert (room._bytes.total, len(room._waiting)) == (0, 0)


async def test_the_flood_is_refused_where_too_many_wait() -> None:
    """Of more than may wait, the newest of whoever has most of them."""
    room = UploadRoom(MAX_MESSAGE, busy, waiting=3)
    holder = Caller(room, "192.0.2.1")
    await eventually(lambda: holder.is_in)
    flood = [Caller(room, "192.0.2.2") for _ in range(5)]
    other = Caller(room, "192.0.2.3")
    for each in flood[2:]:
        with pytest.raises(HubError, match="BUSY"):
            await each.task
    assert not other.task.done()
    await all_leave(holder, *flood[:2], other)


async def test_the_same_document_is_held_once() -> None:
    """Whoever has one that another call holds gets that one's, and is counted for the rest of his request alone; when
    the first leaves, the next is counted for it.
    """
    room, document = UploadRoom(SIX, busy), bytes(1000)
    first, second, third = (sent(room, bytes(bytearray(document)), "digest") for _ in range(3))
    _, one = await first.__aenter__()
    upload, two = await second.__aenter__()
    assert one is two
    assert (room._bytes.total, upload.size) == (1000, 0)
    await first.__aexit__(None, None, None)
    assert (room._bytes.total, upload.size) == (1000, 1000)
    _, three = await third.__aenter__()
    assert three is one
    await third.__aexit__(None, None, None)
    assert room._bytes.total == 1000
    await second.__aexit__(None, None, None)
    assert (room._bytes.total, room._documents) == (0, {})
    assert uploads.share("digest", document) is document
