"""Retention of the tables that every service has; every process runs it, and two that do it at once do it once.

Outbox: the relay (`events/outbox_upkeep.py`). Audit and counters are kept.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from shuniu.china_time import DAY_US
from shuniu.kit.errors import HubError
from shuniu.kit.events import dead_letters, inbox
from shuniu.kit.process import log
from shuniu.kit.process.clock import Clock
from shuniu.kit.rpc import requests
from shuniu.kit.store import Store
from shuniu.kit.store.sweeping import until_dry

_log = log.get("upkeep")
_EVERY_SECONDS: Final = 60.0
# A stream keeps an event for 30 days, after a sender that kept it for as long.
_RECEIVED_US: Final = 90 * DAY_US
_REPLAYED_US: Final = 30 * DAY_US
_DEAD_US: Final = 365 * DAY_US


async def tidy(store: Store, now_us: int, answers_kept_us: int) -> None:
    """Deletes answers to requests, receptions of events and dead letters whose time is over. Raises HubError."""
    await until_dry(store, requests.prune, now_us, answers_kept_us)
    await until_dry(store, inbox.prune, now_us - _RECEIVED_US)
    await until_dry(store, dead_letters.prune, now_us - _REPLAYED_US, now_us - _DEAD_US)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Runs `tidy` once a minute."""

    store: Store
    clock: Clock
    answers_kept_us: int

    async def run(self) -> None:
        """Task: until cancelled; waits while the store is unavailable."""
        while True:
            try:
                await tidy(self.store, self.clock.now_us(), self.answers_kept_us)
            except HubError as error:
                _log.warning("upkeep_delayed", cause=error.reason)
            await asyncio.sleep(_EVERY_SECONDS)
