"""Periodic work of the vault: deletes old counts."""

import asyncio
from typing import Final

from sqlalchemy import Connection

from services.identity.vault import store
from shuniu.china_time import DAY_US
from shuniu.kit.foundation import BareFoundation

_EVERY_SECONDS: Final = 600.0
_KEPT_DAYS: Final = 180


class Upkeep:
    """Deletes by age; two replicas that do it at once do it once."""

    def __init__(self, base: BareFoundation) -> None:
        self._base = base

    async def run(self) -> None:
        while True:
            await self._base.write(self._round)
            await asyncio.sleep(_EVERY_SECONDS)

    def _round(self, conn: Connection) -> None:
        now = self._base.clock.now_us()
        store.forget_use(conn, now // DAY_US - _KEPT_DAYS)
