"""Wiring of identity: settings → store → keys → servicers → run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.identity import events
from services.identity.bus import admin as bus_admin
from services.identity.bus.places import Accounts, BusPlaces
from services.identity.config import IdentitySettings, KeyFiles, edge_roots
from services.identity.housekeeping import Housekeeping
from services.identity.keys.provider import ProviderKeys
from services.identity.keys.secrets import Secrets
from services.identity.openid.profiles import Profiles
from services.identity.openid.service.grants import Grants
from services.identity.openid.service.openid import OpenIdService
from services.identity.openid.tokens import Tokens
from services.identity.persons.sealing import Sealer
from services.identity.persons.service.persons import PersonService
from services.identity.persons.service.reveals import RevealService
from services.identity.platforms import store as platform_rows
from services.identity.platforms.service.carrier import CarrierService
from services.identity.platforms.service.enrolment import EnrolmentService
from services.identity.platforms.service.platforms import PlatformAdminService, PlatformService
from services.identity.platforms.service.registry_feed import RegistryFeedService
from services.identity.requests.private import PrivateRequests
from services.identity.sessions.passwords import Passwords
from services.identity.sessions.service import SignInService
from services.identity.signing.service import SigningService
from services.identity.store import METADATA
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.operations import Operations
from shuniu.kit.process.config import ConfigError, HubSettings, load, secret
from shuniu.kit.process.run import Process
from shuniu.kit.rpc.server import servicer


@asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    hub = load(HubSettings, path, "hub")
    settings = load(IdentitySettings, path, "identity")
    files = KeyFiles(hub.data_dir)
    keys = Secrets.load(files)
    # Read, never made: fresh keys would cut everybody off the bus.
    secret(files.bus)
    bus_keys = bus_admin.load_keys(files.bus)
    trust_pem = _text(edge_roots(hub, settings))
    async with (
        # Identity follows its own feed like everybody else: one way to know who may work.
        open_foundation("identity", hub, settings, METADATA, package="services.identity") as base,
        open_messaging(base, area=events.AREA) as messaging,
    ):
        private = PrivateRequests(base, keys.keyring, keys.request_digest)
        provider = ProviderKeys(base.store, keys.keyring, settings, base.clock)
        await provider.load()
        accounts = Accounts(platform_rows.bus_accounts, platform_rows.bus_account)
        places = BusPlaces(base.store, accounts, bus_keys, settings.bus_url, base.clock)
        feed = RegistryFeedService(base)
        passwords = Passwords(settings.password_threads, settings.password_queue)
        vault, exchange = base.channel("vault"), base.channel("exchange")
        tokens = Tokens(provider, hub.issuer, settings.access_token_seconds)
        grants = Grants(base, settings, keys, tokens, feed)
        sealer = Sealer(base, vault)
        housekeeping = Housekeeping(base, feed)
        await housekeeping.tidy()

        def not_ready() -> list[str]:
            return [] if base.store.writable else ["store is not writable"]

        operations = Operations(base, not_ready, facts=messaging.facts, replay=messaging.replay)
        edge = [
            servicer(PlatformService(base, keys, feed)),
            servicer(PlatformAdminService(base, private, feed, places, provider)),
            servicer(EnrolmentService(base, settings, keys, bus_keys, private, feed, places, trust_pem)),
            servicer(RevealService(base, settings, keys, private, sealer, exchange)),
            servicer(SigningService(base, private, tokens)),
        ]
        peer = [
            servicer(feed),
            servicer(SignInService(base, settings, keys, private, feed, passwords, vault, exchange)),
            servicer(OpenIdService(base, settings, private, provider, tokens, grants, Profiles(base, vault))),
            servicer(PersonService(base, sealer)),
            servicer(CarrierService(base, bus_keys)),
            servicer(operations),
        ]
        places.admin.start()
        try:
            yield Process(
                listeners=base.listeners(edge=edge, peer=peer),
                tasks=[
                    base.registry.replica.follow,
                    operations.watch,
                    places.run,
                    provider.run,
                    housekeeping.run,
                    *messaging.tasks,
                ],
                not_ready=not_ready,
                ops_host=settings.ops_host,
                ops_port=settings.ops_port,
                on_drain=[feed.drain],
            )
        finally:
            await places.admin.close()
            await vault.close()
            await exchange.close()
            passwords.close()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
