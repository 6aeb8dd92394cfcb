"""Turns of password checks."""

import asyncio
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest

from services.identity.sessions.passwords import Passwords, PoolFullError
from shuniu.kit.rpc import network


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    opened = Passwords(threads=1, queue=16)
    yield opened
    opened.close()


def check(passwords: Passwords, address: str, ended: list[str]) -> asyncio.Task[Any]:
    async def run() -> bool:
        network.set_current(address)
        try:
            return await passwords.matches(None, "guess")
        finally:
            ended.append(address)

    return asyncio.get_running_loop().create_task(run(), context=copy_context())


async def test_one_sender_cannot_spend_everybodys_password_hashing(passwords: Passwords) -> None:
    """A flood of one network is refused beyond its quarter of the queue; others wait for one check of it, not for all."""
    ended: list[str] = []
    flood = [check(passwords, "192.0.2.1", ended) for _ in range(20)]
    honest = check(passwords, "192.0.2.2", ended)
    found = await asyncio.gather(*flood, return_exceptions=True)
    assert await honest is False
    assert sum(isinstance(each, PoolFullError) for each in found) == 15
    # Refusals come at once; of the rest the honest one is served second or third.
    assert ended[15:].index("192.0.2.2") <= 2
