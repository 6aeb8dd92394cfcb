"""The process that forks workers hangs, or dies: who notices it, and what it costs those who wait."""

import asyncio
import contextlib
import operator
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.esign import metrics
from services.esign.verification.workers import verifier as verifier_module
from services.esign.verification.workers.nursery import Nursery
from services.esign.verification.workers.verifier import Verifier
from shuniu.kit.errors import HubError
from shuniu.kit.testing import eventually


def restarts(cause: str) -> float:
    return float(metrics.NURSERY_RESTARTS.labels(cause)._value.get())


@contextlib.contextmanager
def stopped(verifier: Verifier) -> Iterator[int]:
    """The nursery hangs and no worker is left. Its process id."""
    nursery = verifier._nursery.pid
    os.kill(nursery, signal.SIGSTOP)
    for worker in verifier._idle:
        if worker.pid:
            os.kill(worker.pid, signal.SIGKILL)
    verifier._end_idle(verifier._idle)
    try:
        yield nursery
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(nursery, signal.SIGCONT)


@contextlib.asynccontextmanager
async def started(workers: int = 1) -> AsyncIterator[Verifier]:
    with Verifier(10.0, workers=workers) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        # All that were asked for are there.
        await eventually(lambda: not verifier._births)
        yield verifier


async def test_a_nursery_that_hangs_is_replaced(monkeypatch) -> None:
    """Stopped, it forks nobody: another one does, in less time than a caller has."""
    monkeypatch.setattr(verifier_module, "_START_SECONDS", 1.0)
    async with started() as verifier:
        with stopped(verifier) as first:
            before = restarts("hangs")
            assert await verifier.run(operator.add, 1, 2) == 3
            assert verifier._nursery.pid != first
            assert restarts("hangs") == before + 1
    assert not Path(f"/proc/{first}").exists()


async def test_it_is_replaced_though_every_caller_leaves(monkeypatch) -> None:
    """Callers have less patience than the service, and none of them sees that it hangs; nor does anybody call at the
    end: its age is that of the oldest worker it owes, and no later order makes that one younger.
    """
    monkeypatch.setattr(verifier_module, "_START_SECONDS", 1.0)
    async with started(2) as verifier:
        with stopped(verifier) as first:
            oldest = asyncio.get_running_loop().time()
            while verifier._nursery.pid == first and asyncio.get_running_loop().time() < oldest + 5:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await verifier.run(operator.add, 1, 2)
            assert verifier._nursery.pid != first
        assert await verifier.run(operator.add, 1, 2) == 3


async def test_callers_that_come_and_leave_ask_for_no_more_workers(monkeypatch) -> None:
    """Three hundred of them while it hangs: the orders that it owes are as many as documents are read at a time, and
    no order is waited for.
    """
    orders = 0
    forked = Nursery.fork

    def counted(nursery: Nursery) -> object:
        nonlocal orders
        orders += 1
        assert not nursery._control.getblocking()
        return forked(nursery)

    monkeypatch.setattr(Nursery, "fork", counted)
    async with started(2) as verifier:
        with stopped(verifier):
            orders = 0
            for _ in range(100):
                leaving = [asyncio.create_task(verifier.run(operator.add, 1, n)) for n in range(3)]
                await eventually(lambda: len(verifier._busy) == 2)
                for each in leaving:
                    each.cancel()
                await asyncio.gather(*leaving, return_exceptions=True)
                await eventually(lambda: not verifier._running)
            assert len(verifier._births) <= orders <= 3
        assert await verifier.run(operator.add, 1, 2) == 3
        assert not verifier._busy


async def test_a_nursery_that_takes_no_orders_blocks_nobody(monkeypatch) -> None:
    """Its socket is full: an error at once, never a wait in the event loop; it hangs, so it is replaced."""
    monkeypatch.setattr(verifier_module, "_START_SECONDS", 1.0)
    async with started(2) as verifier:
        with stopped(verifier):
            reading = asyncio.create_task(verifier.run(operator.add, 1, 2))
            await eventually(lambda: len(verifier._births) == 1)
            held = []
            with pytest.raises(BlockingIOError):
                while True:
                    held.append(verifier._nursery.fork())
            assert await reading == 3
            for each in held:
                each.close()


async def test_a_nursery_that_starts_slowly_gets_twice_the_time(monkeypatch) -> None:
    """On a machine where imports take longer than the first one is given, documents are read in the end."""
    monkeypatch.setattr(verifier_module, "_START_SECONDS", 0.05)
    with Verifier(10.0, workers=1) as verifier:
        await eventually(lambda: any(worker.pid for worker in verifier._idle), within=30)
        assert await verifier.run(operator.add, 1, 2) == 3


async def test_a_nursery_that_was_closed_stays_closed() -> None:
    """Whoever asks after the end of the service gets no worker, and no process is started that nobody would end."""
    with Verifier(10.0, workers=1) as verifier:
        assert await verifier.run(operator.add, 1, 2) == 3
    nursery, ended = verifier._nursery, verifier._nursery.pid
    with pytest.raises(OSError, match="shutdown"):
        nursery.fork()
    nursery.renew(ended)
    nursery.close()
    await eventually(lambda: not verifier._idle)
    with pytest.raises(HubError, match="VERIFY_AWAY"):
        await verifier.run(operator.add, 1, 2)
    assert nursery.pid == ended
    assert not Path(f"/proc/{ended}").exists()
