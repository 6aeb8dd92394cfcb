"""Periodic work of the catalogue: refreshes gauges."""

import asyncio
from dataclasses import dataclass

from services.catalogue import metrics
from services.catalogue.items import store
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.store import Store

REFRESH_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Runs beside the servicers on each replica; everything in it may run twice."""

    store: Store

    async def watch(self) -> None:
        """Task: refreshes the gauges of items and feed."""
        while True:
            found = await self.store.read(store.counts)
            for state in ("", "PUBLISHED", "SUSPENDED", "WITHDRAWN"):
                metrics.ITEMS.labels(state or "NEVER").set(found.get(state, 0))
            metrics.FEED_VERSION.set(await self.store.read(store.feed_version))
            await asyncio.sleep(REFRESH_SECONDS)


def open_upkeep(base: Foundation) -> Part:
    keeping = Upkeep(base.store)
    return Part(tasks=[keeping.watch])
