"""Work that callers share: fewer rounds, and nobody pays for another."""

import asyncio
import contextlib
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from shuniu.kit.process.batching import Batcher, Crowd

_caller: ContextVar[str] = ContextVar("caller", default="nobody")


class Rounds:
    """Doubles numbers; refuses a batch with a negative one. Each round waits until it is let go."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.callers: list[str] = []
        self.go = asyncio.Event()

    async def double(self, wanted: Sequence[int]) -> list[int]:
        self.seen.append(list(wanted))
        self.callers.append(_caller.get())
        await self.go.wait()
        if any(number < 0 for number in wanted):
            raise ValueError(wanted)
        return [2 * number for number in wanted]


async def test_callers_that_come_meanwhile_share_the_next_round() -> None:
    """While one round is under way the others gather; each gets its own answer."""
    rounds = Rounds()
    together = Batcher(rounds.double, most=3)
    waiting = [asyncio.create_task(together.do(number)) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rounds.go.set()
    assert await asyncio.gather(*waiting) == [0, 2, 4, 6, 8]
    assert rounds.seen == [[0, 1, 2], [3, 4]]


async def test_nobody_fails_by_anothers_fault() -> None:
    """A batch that raises is tried one by one: only whoever is at fault hears of it."""
    rounds = Rounds()
    rounds.go.set()
    together = Batcher(rounds.double)
    found = await asyncio.gather(*(together.do(number) for number in (1, -1, 3)), return_exceptions=True)
    assert (found[0], found[2]) == (2, 6)
    assert isinstance(found[1], ValueError)


async def test_a_caller_that_gives_up_takes_nobody_along() -> None:
    """Cancelled while others wait for the same round: they are answered; cancelled before it began: not worked for."""
    rounds = Rounds()
    together = Batcher(rounds.double, most=2)
    first, second, third = (asyncio.create_task(together.do(number)) for number in (1, 2, 3))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    third.cancel()
    rounds.go.set()
    assert await second == 4
    with pytest.raises(asyncio.CancelledError):
        await third
    assert await together.do(5) == 10
    assert rounds.seen == [[1, 2], [5]]


async def test_no_caller_lends_its_identity_to_the_others() -> None:
    """Work runs outside of every caller's context: what is done for one is never on record as another's."""
    rounds = Rounds()
    rounds.go.set()
    _caller.set("somebody")
    assert await Batcher(rounds.double).do(1) == 2
    assert rounds.callers == ["nobody"]


async def test_in_a_crowd_half_of_it_gathers_first() -> None:
    """A round begins as soon as half of those on their way are there, and not before."""
    rounds, crowd = Rounds(), Crowd()
    rounds.go.set()
    together = Batcher(rounds.double, crowd=crowd, patience_s=60)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(crowd)
        early = [asyncio.create_task(together.do(number)) for number in range(9)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert rounds.seen == []
        assert await together.do(9) == 18
        assert await asyncio.gather(*early) == [2 * number for number in range(9)]
    assert rounds.seen == [list(range(10))]
    assert crowd.size == 0


async def test_whoever_waits_for_a_crowd_waits_no_longer_than_is_said() -> None:
    """Others who never come hold nobody up; where few are under way, nobody waits at all."""
    rounds, crowd = Rounds(), Crowd()
    rounds.go.set()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(crowd)
        assert await Batcher(rounds.double, crowd=crowd, patience_s=0.001).do(1) == 2
    with crowd, crowd:
        assert await asyncio.wait_for(Batcher(rounds.double, crowd=crowd, patience_s=60).do(2), 10) == 4
