"""Work that is retried: how often, how long after, and what ends it."""

import asyncio

import pytest

from shuniu.kit.process import retrying
from shuniu.kit.process.retrying import until_done


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; none takes any time."""
    found: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        found.append(seconds)
        await real(0)

    monkeypatch.setattr("asyncio.sleep", sleep)
    return found


class Work:
    """Fails so many times, then answers."""

    def __init__(self, failures: int, error: type[Exception] = OSError) -> None:
        self.left = failures
        self.error = error

    async def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise self.error(str(self.left))
        return "done"


async def test_pauses_double_up_to_the_longest(pauses: list[float]) -> None:
    """1, 2, 4 … s, never more than the longest; each failure is told."""
    told: list[Exception] = []
    assert await until_done(Work(7), after=(OSError,), tell=told.append) == "done"
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert [str(error) for error in told] == ["6", "5", "4", "3", "2", "1", "0"]
    assert await until_done(Work(3), after=(OSError,), tell=told.append, longest_s=1.5) == "done"
    assert pauses[7:] == [1, 1.5, 1.5]


async def test_success_needs_no_pause(pauses: list[float]) -> None:
    """The usual case: nothing is told, nothing waits; and the next call begins with the shortest pause again."""
    assert await until_done(Work(0), after=(OSError,), tell=print) == "done"
    assert pauses == []


async def test_any_other_failure_ends_it(pauses: list[float]) -> None:
    """A bug is not retried here."""
    with pytest.raises(ZeroDivisionError):
        await until_done(Work(1, ZeroDivisionError), after=(OSError,), tell=print)
    assert pauses == []


async def test_it_can_be_cancelled_between_two_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that drains does not wait for the pause."""
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 60.0)
    told = asyncio.Event()
    running = asyncio.create_task(until_done(Work(9), after=(OSError,), tell=lambda _error: told.set()))
    await told.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
