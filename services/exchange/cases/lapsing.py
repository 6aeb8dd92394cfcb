"""Ends special procedures whose days are over, in the place of agencies that do not."""

import asyncio
from dataclasses import dataclass
from typing import Final

from services.exchange import metrics
from services.exchange.cases import store
from services.exchange.cases.casework import Casework
from shuniu.kit.errors import HubError
from shuniu.kit.process import log
from shuniu.kit.rpc.paging import Position

_log = log.get("lapsing")
SECONDS: Final = 60.0
BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Lapsing:
    """Runs on each replica; a case that two of them find is moved once."""

    work: Casework

    async def follow(self) -> None:
        """Task: looks each minute."""
        while True:
            await self.sweep()
            await asyncio.sleep(SECONDS)

    async def sweep(self) -> None:
        """Ends what is over by now, a batch of case codes at a time, each case in a unit of its own: one that cannot be
        moved stays and stops no other. Raises HubError where the store takes nothing.
        """
        base, after = self.work.base, Position()
        now_us = base.clock.now_us()
        while found := await base.store.read(store.specials_over, now_us, after, BATCH):
            for _, code in found:
                await self._end(code)
            after = found[-1]

    async def _end(self, code: str) -> None:
        try:
            ended = await self.work.base.write(self.work.end_special, code)
        except HubError as error:
            if error.reason.startswith("STORE_"):
                raise
            _log.error("special_not_ended", case=code, reason=error.reason)
        except Exception as error:  # noqa: BLE001 — a history that cannot be read stops no other case
            _log.error("special_not_ended", case=code, **log.failure(error))
        else:
            metrics.SPECIALS_LAPSED.inc(ended)
