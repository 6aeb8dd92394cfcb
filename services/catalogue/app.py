"""The catalogue as a list of parts, each opened by its subject's `part`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.catalogue.config import CatalogueSettings, page_key_file
from services.catalogue.publishing.part import open_publishing
from services.catalogue.search.part import open_search
from services.catalogue.store import METADATA
from services.catalogue.sync.part import open_sync
from services.catalogue.upkeep import open_upkeep
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.parts import Parts
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import Process


@asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(CatalogueSettings, path, "catalogue")
    async with (
        open_foundation("catalogue", hub, settings, METADATA, package="services.catalogue") as base,
        open_messaging(base) as messaging,
        Parts(base) as parts,
    ):
        parts.add(messaging.part)
        parts.add(open_sync(base))
        parts.add(open_search(base, page_key_file(hub, settings)))
        parts.add(open_publishing(base))
        parts.add(open_upkeep(base))
        yield parts.process(replay=messaging.replay)
