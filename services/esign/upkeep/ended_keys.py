"""Erases the keys of seals that ended."""

import asyncio
from dataclasses import dataclass

from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.upkeep.store import ended_keys
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log

_LOOK_SECONDS = 15.0
_log = log.get("ended_keys")


@dataclass(slots=True)
class EndedKeys:
    base: Foundation
    guard: ClockGuard

    async def watch(self) -> None:
        """Task: erases wrapped keys a day after their seal's end; erases nothing once the clock has jumped."""
        while True:
            try:
                if not self.guard.stepped():
                    await self.base.write(ended_keys.erase, self.base.clock.now_us())
            except HubError as error:
                _log.warning("erasing_waits", cause=str(error))
            await asyncio.sleep(_LOOK_SECONDS)
