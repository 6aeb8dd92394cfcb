"""The exchange as a list of parts, each opened by its subject's `part`."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from services.exchange import store
from services.exchange.cases.keys import keyring_of
from services.exchange.cases.part import open_cases
from services.exchange.config import ExchangeSettings, keyring_dir, page_key_file
from services.exchange.evidence.part import open_evidence
from services.exchange.grants.part import open_grants
from services.exchange.inbox.part import open_inbox
from services.exchange.people.resolving import People
from services.exchange.queries.part import open_queries
from services.exchange.service.calendar_file import calendar_of
from services.exchange.service.neighbours import open_neighbours
from services.exchange.service.pages import Pages
from services.exchange.upkeep import open_upkeep
from shuniu.kit.crypto import profile
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.parts import Parts
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import Process


@contextlib.asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(ExchangeSettings, path, "exchange")
    async with (
        open_foundation("exchange", hub, settings, store.METADATA, package="services.exchange") as base,
        open_messaging(base) as messaging,
        Parts(base) as parts,
    ):
        pages = Pages.load(page_key_file(hub, settings))
        keyring = await keyring_of(keyring_dir(hub, settings), base.store, profile.of(hub.profile).storage_key)
        calendar = calendar_of(settings.calendar_file)
        parts.add(messaging.part)
        beside = parts.add(open_neighbours(base))
        people = People(beside.identity, base.store, base.clock)
        evidence = parts.add(open_evidence(base, beside.esign, pages)).book
        parts.add(
            await open_cases(
                base,
                beside.catalogue,
                beside.esign,
                people=people,
                pages=pages,
                keyring=keyring,
                calendar=calendar,
                evidence=evidence,
            )
        )
        parts.add(open_grants(base, pages, calendar))
        parts.add(open_queries(base, settings, people=people, keyring=keyring, evidence=evidence))
        parts.add(open_inbox(base, settings, beside, pages))
        parts.add(open_upkeep(base, settings))
        yield parts.process(replay=messaging.replay, answers_kept_us=settings.answers_kept_us)
