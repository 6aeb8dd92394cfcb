"""Pushes changes of enrolled platforms to the bus: the row is committed first, then pushed, then retried."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from services.identity.bus.admin import BusAdmin
from services.identity.bus.domain import BusAccountError, BusKeys, OrganisationAccount
from shuniu.kit import errors
from shuniu.kit.events.bus import BusError
from shuniu.kit.process import log
from shuniu.kit.process.clock import Clock
from shuniu.kit.store import Store

_log = log.get("bus_places")

OPEN_SECONDS = 8.0
"""Longest wait of an enrolment for its place; its caller retries with the same request_id."""
PUSH_SECONDS = 0.8
"""Longest wait of a suspension for the bus before the retry takes over: it promises a second."""
RETRY_SECONDS = 0.2
_LAST = 2**62
"""A version that no registry reaches."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Units that read accounts from the registry: all organisations with a place on the bus, one of them, and its
    version with the codes of those that changed after another version. Changes announce `topic`.
    """

    all: Callable[[Connection], list[OrganisationAccount]]
    of: Callable[[Connection, str], OrganisationAccount | None]
    changed: Callable[[Connection, int], tuple[int, list[str]]]
    topic: str


class BusPlaces:
    """Pushes changes of single accounts. `BusAdmin` pushes all of them on every new connection."""

    def __init__(
        self, store: Store, accounts: Accounts, keys: BusKeys, url: str, clock: Clock, *, replicas: int = 1
    ) -> None:
        self._store = store
        self._accounts = accounts
        self.admin = BusAdmin(keys, url, clock, self._load, replicas)
        self._late: set[str] = set()
        self._wake = asyncio.Event()
        # Of the registry, up to which changes were pushed or are late; None: before the first connection.
        self._version: int | None = None
        # A change is pushed though the caller who made it has left.
        store.listen(accounts.topic, self._wake.set)

    async def _load(self) -> list[OrganisationAccount]:
        self._version, _ = await self._store.read(self._accounts.changed, _LAST)
        return await self._store.read(self._accounts.all)

    async def open(self, code: str) -> None:
        """Returns once deliveries reach the platform's INBOX. Raises UNAVAILABLE BUS_AWAY."""
        account = await self._store.read(self._accounts.of, code)
        if account is None:
            return
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self.admin.enrol(account)
        except (BusError, BusAccountError, TimeoutError) as error:
            _log.warning("place_delayed", platform=code, cause=type(error).__name__)
            self._retry(code)
            raise errors.unavailable(
                "BUS_AWAY",
                "The platform is enrolled but the event bus does not answer; repeat with the same request_id.",
                "平台已登记，但事件总线暂不可用，请使用相同的 request_id 重试。",
            ) from None

    async def push(self, code: str) -> None:
        """Pushes a change of the row now; retries it while the bus is unavailable."""
        try:
            async with asyncio.timeout(PUSH_SECONDS):
                await self._push(code)
        except (BusError, TimeoutError):
            self._retry(code)

    async def _push(self, code: str) -> None:
        account = await self._store.read(self._accounts.of, code)
        if account is not None:
            await self.admin.apply(account)

    def _retry(self, code: str) -> None:
        self._late.add(code)
        self._wake.set()

    async def run(self) -> None:
        """Task: pushes changes that nobody pushed, and retries pushes that failed."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._look()
            for code in sorted(self._late):
                try:
                    async with asyncio.timeout(OPEN_SECONDS):
                        await self._push(code)
                    self._late.discard(code)
                except (BusError, TimeoutError, errors.HubError):
                    continue
            if self._late:
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def _look(self) -> None:
        """Finds what changed since the last look, or since `BusAdmin` pushed everything on its connection."""
        if self._version is None:
            return
        try:
            self._version, changed = await self._store.read(self._accounts.changed, self._version)
        except errors.HubError:
            self._wake.set()
            await asyncio.sleep(RETRY_SECONDS)
            return
        self._late.update(changed)
