"""Periodic work of the exchange: refreshes gauges, expires grants, ends abandoned calls, deletes what is old."""

import asyncio
from dataclasses import dataclass

from services.exchange import metrics
from services.exchange.cases import store
from services.exchange.cases.domain import life
from services.exchange.config import ExchangeSettings
from services.exchange.grants import domain as grants
from services.exchange.grants import store as grant_store
from services.exchange.grants.expiry import expire_grants
from services.exchange.queries import store as query_store
from services.exchange.queries.granted_calls import close_abandoned
from shuniu.china_time import DAY_US, civil_date
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.process.clock import Clock
from shuniu.kit.store import Store
from shuniu.kit.store.sweeping import until_dry

REFRESH_SECONDS = 5.0
TIDY_SECONDS = 60.0
# Beside the time of the provider: sealing, and writing on a busy machine.
_SLACK_SECONDS = 60.0
_LAPSED_US = 60_000_000
"""Time for which a stream's row stays after its lease: its replica may only be slow."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Runs beside the servicers on each replica; everything in it may run twice."""

    store: Store
    clock: Clock
    kept_us: int
    abandoned_us: int
    """Time after which a call that has not ended will not."""

    async def watch(self) -> None:
        """Task: refreshes the business gauges."""
        while True:
            states, overdue = await self.store.read(store.case_counts, self.clock.now_us())
            for state in life.CaseState:
                metrics.CASES.labels(state.value).set(states.get(state.value, 0))
            metrics.CASES_OVERDUE.set(overdue)
            by_state, late = await self.store.read(grant_store.grant_counts, self.clock.now_us())
            for standing in grants.GrantState:
                metrics.GRANTS.labels(standing.value).set(by_state.get(standing.value, 0))
            metrics.GRANTS_OVERDUE.set(late)
            await asyncio.sleep(REFRESH_SECONDS)

    async def tidy(self) -> None:
        """Task: expires grants whose term is over, refunds calls that were cut off, deletes old answers, counts
        and streams of replicas that died.
        """
        while True:
            now_us = self.clock.now_us()
            await self.store.write(expire_grants, now_us)
            while swept := await self.store.write(close_abandoned, now_us - self.abandoned_us):
                metrics.QUERIES.labels("query", "CUT_OFF").inc(swept)
            await self.store.write(grant_store.forget_uses, f"{civil_date(now_us - DAY_US):%Y%m%d}")
            await until_dry(self.store, query_store.forget_answers, now_us - self.kept_us)
            await self.store.write(query_store.forget_streams, _LAPSED_US)
            await asyncio.sleep(TIDY_SECONDS)


def open_upkeep(base: Foundation, settings: ExchangeSettings) -> Part:
    keeping = Upkeep(
        base.store,
        base.clock,
        settings.answers_kept_us,
        int((settings.provider_seconds + _SLACK_SECONDS) * 1_000_000),
    )
    return Part(tasks=[keeping.watch, keeping.tidy])
