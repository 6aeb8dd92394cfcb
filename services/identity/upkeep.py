"""Periodic work of identity: ends expired sessions, publishes their ends, deletes old rows."""

import asyncio
from typing import Final

from sqlalchemy import Connection

from services.identity.openid import store as openid_store
from services.identity.persons import store as person_store
from services.identity.platforms import store as platform_store
from services.identity.sessions import ending
from services.identity.sessions.domain.token_families import EndReason
from services.identity.sessions.store import families, sessions, tries
from shuniu.china_time import DAY_US
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.store import lease

_EVERY_SECONDS: Final = 5.0
_LEASE: Final = "housekeeping"
_LEASE_US: Final = 30 * 1_000_000
_KEPT_US: Final = DAY_US
# Longer than the life of an access token.
_FEED_KEPT_US: Final = 20 * 60 * 1_000_000
# An operator can still be told that a token was used.
_TOKENS_KEPT_US: Final = 30 * DAY_US
# The Personal Information Protection Law, article 56, asks for three years of records.
_REVEALS_KEPT_US: Final = 3 * 366 * DAY_US


class Upkeep:
    """One replica at a time does it."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def run(self) -> None:
        while True:
            await self.tidy()
            await asyncio.sleep(_EVERY_SECONDS)

    async def begin(self) -> None:
        """Ends what is over before the first request: a restore brings ended sessions back."""
        while await self._base.write(self._end_restored):
            continue
        await self.tidy()

    async def tidy(self) -> None:
        """Does what is due, in batches that do not hold up others, until nothing is left."""
        while await self._base.write(self._round):
            continue

    def _end_restored(self, conn: Connection) -> int:
        # Without the lease, which another process may hold: nobody serves before all of them are ended.
        over = sessions.from_before_a_restore(conn)
        for session in over:
            ending.end(self._base, conn, session, EndReason.EXPIRED)
        return len(over)

    def _round(self, conn: Connection) -> int:
        """One batch of everything; returns how many rows it found."""
        if not self._leads(conn):
            return 0
        now = self._base.clock.now_us()
        over = sessions.expired(conn, now)
        for session in over:
            ending.end(self._base, conn, session, EndReason.EXPIRED)
        gone = (
            openid_store.forget(conn, now - _KEPT_US),
            platform_store.forget_ended(conn, now - _FEED_KEPT_US),
            platform_store.forget_tokens(conn, now - _TOKENS_KEPT_US),
            person_store.forget_reveals(conn, now - _REVEALS_KEPT_US),
            families.forget(conn, now - _KEPT_US),
            sessions.forget(conn, now - _KEPT_US),
            tries.forget(conn, now - _KEPT_US),
        )
        return len(over) + sum(gone)

    def _leads(self, conn: Connection) -> bool:
        return lease.acquire(conn, _LEASE, self._base.writer, _LEASE_US)


async def open_upkeep(base: Foundation) -> Part:
    """Ends what expired before anything is served."""
    keeping = Upkeep(base)
    await keeping.begin()
    return Part(tasks=[keeping.run])
