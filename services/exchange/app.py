"""Wiring of the exchange service: settings → store → domain → servicers → run."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from services.exchange import store
from services.exchange.cases.items import Items
from services.exchange.cases.keys import keyring_of
from services.exchange.cases.service.cases import CaseService
from services.exchange.cases.service.casework import Casework
from services.exchange.cases.service.handling import CaseHandlingService
from services.exchange.cases.service.registry import CaseRegistryService
from services.exchange.config import ExchangeSettings, keyring_dir, page_key_file
from services.exchange.evidence.log import EvidenceBook, EvidenceLog
from services.exchange.evidence.service import EvidenceService
from services.exchange.grants.service import ResourceService
from services.exchange.housekeeping import Housekeeping
from services.exchange.inbox.links import InboxLinks
from services.exchange.inbox.reader import Interrupted
from services.exchange.inbox.service import InboxService
from services.exchange.people.resolving import People
from services.exchange.queries.asking import Asking
from services.exchange.queries.digests import Digests
from services.exchange.queries.service.authority import AuthorityService
from services.exchange.queries.service.providers import ProviderService
from services.exchange.queries.service.queries import QueryService
from services.exchange.queries.streams import ProviderStreams
from services.exchange.service.calendar_file import calendar_of
from services.exchange.service.pages import Pages
from shuniu.api.esign.v1 import evidence_pb2_grpc as esign_evidence
from shuniu.kit.crypto import profile
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.operations import Operations
from shuniu.kit.process.config import ConfigError, HubSettings, load
from shuniu.kit.process.run import Process
from shuniu.kit.rpc.server import servicer


@contextlib.asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(ExchangeSettings, path, "exchange")
    if settings.answers_kept_hours < 24:
        raise ConfigError(f"{path}: [exchange] answers_kept_hours: at least 24")
    async with (
        open_foundation("exchange", hub, settings, store.METADATA, package="services.exchange") as base,
        open_messaging(base, area="exchange") as messaging,
        contextlib.AsyncExitStack() as stack,
    ):
        identity, catalogue, esign = base.channel("identity"), base.channel("catalogue"), base.channel("esign")
        for channel in (identity, catalogue, esign):
            stack.push_async_callback(channel.close)
        items = Items(catalogue, base.store)
        await items.replica.load()
        pages = Pages.load(page_key_file(hub, settings))
        keyring = await keyring_of(keyring_dir(hub, settings), base.store, profile.of(hub.profile).storage_key)
        calendar = calendar_of(settings.calendar_file)
        book = EvidenceBook(base)
        proving = EvidenceLog(base, esign_evidence.EvidenceServiceStub(esign), book)
        work = Casework(base, items.book, keyring, calendar, book)
        people = People(identity, base.store, base.clock)
        streams = ProviderStreams(settings.provider_wait_seconds)
        asking = Asking(streams, base.clock, settings.provider_seconds, Digests(profile.of(hub.profile).evidence_hash))
        links = InboxLinks(identity, settings.bus_url, base.clock, settings.inbox_idle_seconds)
        stack.push_async_callback(links.close)
        polls = Interrupted()
        keeping = Housekeeping(base.store, base.clock, int(settings.answers_kept_hours * 3600) * 1_000_000)

        def not_ready() -> list[str]:
            return [] if base.store.writable else ["the store cannot write"]

        async def facts() -> Mapping[str, str]:
            return {**await messaging.facts(), **await proving.facts(), "items_known": str(len(items.book))}

        operations = Operations(base, not_ready, facts=facts, replay=messaging.replay)
        yield Process(
            listeners=base.listeners(
                edge=[
                    servicer(CaseService(work, people, pages)),
                    servicer(CaseHandlingService(work, pages)),
                    servicer(ResourceService(base, pages, calendar)),
                    servicer(QueryService(base, people, asking, keyring, book)),
                    servicer(ProviderService(base, streams)),
                    servicer(EvidenceService(base, pages, proving.esign)),
                    servicer(InboxService(base, links, pages, polls)),
                ],
                peer=[
                    servicer(CaseRegistryService(work)),
                    servicer(AuthorityService(base, asking, book)),
                    servicer(operations),
                ],
            ),
            tasks=[
                base.registry.replica.follow,
                items.replica.follow,
                operations.watch,
                keeping.watch,
                keeping.tidy,
                proving.follow,
                links.sweep,
                *messaging.tasks,
            ],
            not_ready=not_ready,
            ops_host=settings.ops_host,
            ops_port=settings.ops_port,
            on_drain=[streams.drain, polls.all],
        )
