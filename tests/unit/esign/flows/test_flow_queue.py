"""What waits for the hub's own work on flows, and for identity's keys."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from joserfc.jwk import KeySet

from services.esign.flows import work as flow_work
from services.esign.flows.consents import Consents
from services.esign.flows.store import flows as flow_store
from services.esign.flows.work import Work
from shuniu.kit import errors
from shuniu.kit.testing import ManualClock, eventually


async def test_a_flow_that_waits_for_its_place_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often its time is found to have come while all places are taken, one piece of work waits for it."""
    monkeypatch.setattr(flow_work, "_LOOK_SECONDS", 0)
    looks = 0

    async def read(work: Any, *_: Any) -> Any:
        nonlocal looks
        if work is flow_store.due_work:
            looks += 1
            return ["F"]
        return None if work is flow_store.find_flow else []

    async def write(*_: Any) -> int:
        return 0

    base: Any = SimpleNamespace(clock=ManualClock(10**15), store=SimpleNamespace(read=read), write=write, writer="w")
    nobody: Any = None
    work = Work(base, nobody, nobody, nobody, lambda _: None, nobody)
    for _ in range(flow_work._PARALLEL):
        await work._limit.acquire()
    running = asyncio.create_task(work.run())
    await eventually(lambda: looks > 20)
    assert len(work._tasks) == 1
    for _ in range(flow_work._PARALLEL):
        work._limit.release()
    before = looks
    # When it is done it may be begun again.
    await eventually(lambda: looks > before + 20)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.gather(*work._tasks)
    assert "F" not in work._turns


class Away(Consents):
    """Identity answered once and does no more."""

    tries = 0

    async def _fetch(self) -> None:
        Away.tries += 1
        raise errors.unavailable("AWAY", "Away.", "不可用。")


async def test_not_everybody_waits_for_an_identity_that_is_away() -> None:
    """Keys that were published still serve for ten minutes, and one caller in two seconds asks whether there are new."""
    clock, nobody = ManualClock(10**15), None
    found = Away(nobody, "https://hub.test", clock)  # type: ignore[arg-type]
    found._keys, found._known, found._fetched_us = KeySet([]), frozenset({"k"}), clock.now_us()
    clock.advance(61)
    for _ in range(5):
        assert await found._current("k") is found._keys
        assert await found._current("unknown") is found._keys
    assert Away.tries == 1
    clock.advance(3)
    await found._current("k")
    assert Away.tries == 2
    clock.advance(600)
    for _ in range(2):
        with pytest.raises(errors.HubError):
            await found._current("k")
