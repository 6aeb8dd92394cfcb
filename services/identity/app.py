"""Wiring of identity: settings → store → keys → servicers → run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.identity import bus_admin, events
from services.identity.bus_places import BusPlaces
from services.identity.config import IdentitySettings, KeyFiles, edge_roots
from services.identity.keys import Secrets
from services.identity.private_requests import PrivateRequests
from services.identity.provider_keys import ProviderKeys
from services.identity.service.enrolment import EnrolmentService
from services.identity.service.platforms import PlatformAdminService, PlatformService
from services.identity.service.registry_feed import RegistryFeed
from services.identity.store import METADATA
from shuniu.api.common.v1 import registry_pb2, registry_pb2_grpc
from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc
from shuniu.kit.config import ConfigError, HubSettings, load
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.operations import Operations
from shuniu.kit.run import Process
from shuniu.kit.server import Servicer

_PLATFORM = platform_pb2.DESCRIPTOR.services_by_name


@asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    hub = load(HubSettings, path, "hub")
    settings = load(IdentitySettings, path, "identity")
    files = KeyFiles(hub.data_dir)
    keys = Secrets.load(files)
    bus_keys = bus_admin.load_keys(files.bus)
    trust_pem = _text(edge_roots(hub, settings))
    async with (
        # Identity follows its own feed like everybody else: one way to know who may work.
        open_foundation("identity", hub, settings, METADATA, package="services.identity") as base,
        open_messaging(base, area=events.AREA) as messaging,
    ):
        assert base.registry is not None
        private = PrivateRequests(base, keys.keyring, keys.request_digest)
        provider = ProviderKeys(base.store, keys.keyring, settings, base.clock)
        await provider.load()
        places = BusPlaces(base.store, bus_keys, settings.bus_url, base.clock)
        feed = RegistryFeed(base)

        def not_ready() -> list[str]:
            return [] if base.store.writable else ["store is not writable"]

        operations = Operations(base, not_ready, facts=messaging.facts, replay=messaging.replay)
        edge = [
            Servicer(
                platform_pb2_grpc.add_PlatformServiceServicer_to_server,
                PlatformService(base, keys, feed),
                _PLATFORM["PlatformService"],
            ),
            Servicer(
                platform_pb2_grpc.add_PlatformAdminServiceServicer_to_server,
                PlatformAdminService(base, private, feed, places, provider),
                _PLATFORM["PlatformAdminService"],
            ),
            Servicer(
                platform_pb2_grpc.add_EnrolmentServiceServicer_to_server,
                EnrolmentService(base, settings, keys, bus_keys, private, feed, places, trust_pem),
                _PLATFORM["EnrolmentService"],
            ),
        ]
        peer = [
            Servicer(
                registry_pb2_grpc.add_RegistryFeedServiceServicer_to_server,
                feed,
                registry_pb2.DESCRIPTOR.services_by_name["RegistryFeedService"],
            ),
            operations.servicer(),
        ]
        places.admin.start()
        try:
            yield Process(
                listeners=base.listeners(edge=edge, peer=peer),
                tasks=[base.registry.replica.follow, operations.watch, places.run, provider.run, *messaging.tasks],
                not_ready=not_ready,
                ops_host=settings.ops_host,
                ops_port=settings.ops_port,
                on_drain=[feed.drain],
            )
        finally:
            await places.admin.close()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
