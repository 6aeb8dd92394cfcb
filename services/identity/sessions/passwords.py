"""Password hashing in a bounded pool of threads, so that token traffic never waits for it, in turns between senders.

argon2id, 19 MiB, two passes, one lane (OWASP password storage; about 20 ms, and argon2 releases the GIL).
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.identity import metrics
from services.identity.sessions.domain.sign_in import normalised
from shuniu.kit.process.places import Places
from shuniu.kit.rpc.network import sender

T = TypeVar("T")
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_WAIT_SECONDS: Final = 8.0
"""Longest wait for a turn; web gives up soon after."""


class PoolFullError(Exception):
    """More checks wait than may; try later."""


class Passwords:
    """Hashes and checks. An unknown person costs the same time as a wrong password."""

    def __init__(self, threads: int, queue: int) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        # One sender fills a quarter of the queue at most, and senders take turns.
        self._turns = Places(
            threads,
            PoolFullError,
            share=threads,
            waiting_of_one=max(1, queue // 4),
            waiting=queue,
            seconds=_WAIT_SECONDS,
        )
        # What is checked when there is nobody: made with the same parameters.
        self._nobody = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """The PHC string of a password. Raises PoolFullError."""
        return await self._run(lambda: self._hasher.hash(normalised(password)))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Tells whether `password` belongs to the kept hash; None stands for nobody. Raises PoolFullError."""
        return await self._run(lambda: self._verify(kept or self._nobody, password)) and kept is not None

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, normalised(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        try:
            async with self._turns.hold(sender()):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            metrics.PASSWORD_CHECK.observe(time.perf_counter() - began)
