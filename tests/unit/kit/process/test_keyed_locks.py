"""Turns by name."""

import asyncio

import pytest

from shuniu.kit.process.keyed_locks import KeyedLocks
from shuniu.kit.testing import eventually


async def test_who_comes_after_a_failure_waits_for_those_who_waited_before():
    """At no time two of one name, whoever fails and whenever others come; nothing is left in the end."""
    turns: KeyedLocks[str] = KeyedLocks()
    inside, most, order = 0, 0, []
    gates = [asyncio.Event() for _ in range(3)]

    async def work(number: int) -> None:
        nonlocal inside, most
        async with turns.of("a"):
            inside += 1
            most = max(most, inside)
            order.append(number)
            try:
                await gates[number].wait()
                if number == 0:
                    raise ValueError
            finally:
                inside -= 1

    tasks = [asyncio.create_task(work(0)), asyncio.create_task(work(1))]
    await eventually(lambda: order == [0])
    gates[0].set()
    with pytest.raises(ValueError):
        await tasks[0]
    # The one who waited has it by now; this one comes after the failure.
    tasks.append(asyncio.create_task(work(2)))
    await eventually(lambda: order[:2] == [0, 1])
    assert "a" in turns
    gates[1].set()
    gates[2].set()
    await asyncio.gather(*tasks[1:])
    assert (order, most, "a" in turns) == ([0, 1, 2], 1, False)


async def test_names_do_not_wait_for_each_other():
    """Another name's turn is had at once."""
    turns: KeyedLocks[str] = KeyedLocks()
    async with turns.of("a"), turns.of("b"):
        assert "a" in turns
        assert "b" in turns
    assert "a" not in turns
