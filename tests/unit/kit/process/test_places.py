"""Turns of uploads between networks."""

import asyncio
import contextlib

import pytest

from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.process.places import Places


def places_of(most: int, seconds: float = 20.0) -> Places:
    return Places(
        most, lambda: errors.exhausted("BUSY", "x", "x"), share=most // 3, waiting_of_one=4, waiting=24, seconds=seconds
    )


class Upload:
    """One that keeps its place until it is told to leave."""

    def __init__(self, places: Places, network: str) -> None:
        self._leave = asyncio.Event()
        self.holds = False
        self.task = asyncio.create_task(self._run(places, network))

    async def _run(self, places: Places, network: str) -> None:
        async with places.hold(network):
            self.holds = True
            await self._leave.wait()
        self.holds = False

    async def leave(self) -> None:
        self._leave.set()
        await self.task


async def settled(*uploads: Upload) -> list[bool]:
    for _ in range(10):
        await asyncio.sleep(0)
    return [each.holds for each in uploads]


async def end(*uploads: Upload) -> None:
    for each in uploads:
        each.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, HubError):
            await each.task


async def test_a_network_that_sends_many_leaves_places_to_others() -> None:
    """A third of the places is the most of one network; others get theirs at once."""
    places = places_of(6)
    flood = [Upload(places, "a") for _ in range(6)]
    assert (await settled(*flood)).count(True) == 2
    honest = [Upload(places, "b"), Upload(places, "c")]
    assert await settled(*honest) == [True, True]
    await flood[0].leave()
    assert (await settled(*flood)).count(True) == 2
    await end(*flood, *honest)


async def test_too_many_of_one_network_are_refused() -> None:
    """Two hold places, four wait, the next is told to come back; another network still waits or gets its place."""
    places = places_of(6)
    flood = [Upload(places, "a") for _ in range(6)]
    await settled(*flood)
    with pytest.raises(HubError, match="BUSY"):
        async with places.hold("a"):
            pass
    async with places.hold("b"):
        pass
    await end(*flood)


async def test_turns_go_round_the_networks() -> None:
    """With all places taken the next goes to whoever waits, one network after the other, however many one has waiting."""
    places = places_of(3)
    held = [Upload(places, name) for name in "xyz"]
    await settled(*held)
    waiting = [Upload(places, name) for name in ("a", "a", "b")]
    assert await settled(*waiting) == [False, False, False]
    await held[0].leave()
    assert await settled(*waiting) == [True, False, False]
    await held[1].leave()
    assert await settled(*waiting) == [True, False, True]
    await end(*held, *waiting)


async def test_whoever_leaves_while_waiting_takes_nothing() -> None:
    """Neither a place nor a turn is lost, even when the turn came in the moment of leaving."""
    places = places_of(3)
    held = [Upload(places, name) for name in "xyz"]
    await settled(*held)
    gone, next_one = Upload(places, "a"), Upload(places, "b")
    await settled(gone, next_one)
    held[0]._leave.set()
    await asyncio.sleep(0)
    gone.task.cancel()
    assert await settled(next_one) == [True]
    await end(*held, gone, next_one)
    flood = [Upload(places, name) for name in "abc"]
    assert await settled(*flood) == [True, True, True]
    await end(*flood)


async def test_waiting_has_an_end() -> None:
    """Whoever waited too long is told to come back, and is forgotten."""
    places = places_of(3, seconds=0.01)
    held = [Upload(places, name) for name in "xyz"]
    await settled(*held)
    with pytest.raises(HubError, match="BUSY"):
        async with places.hold("a"):
            pass
    await held[0].leave()
    async with places.hold("a"):
        pass
    await end(*held)
