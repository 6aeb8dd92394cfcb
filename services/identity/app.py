"""identity as a list of parts, each opened by its subject's `part`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.identity.bus import admin as bus_admin
from services.identity.config import IdentitySettings, KeyFiles, roots_of_edge
from services.identity.keys.part import open_provider
from services.identity.keys.secrets import Secrets
from services.identity.openid.part import open_openid
from services.identity.persons.part import open_persons
from services.identity.platforms.part import open_platforms
from services.identity.requests.private import PrivateRequests
from services.identity.service.neighbours import open_neighbours
from services.identity.sessions.part import open_sessions
from services.identity.signing.part import open_signing
from services.identity.store import METADATA
from services.identity.upkeep import open_upkeep
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.parts import Parts
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import Process


@asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(IdentitySettings, path, "identity")
    files = KeyFiles(hub.data_dir)
    keys = Secrets.load(files)
    # Read, never made: fresh keys would cut everybody off the bus.
    bus_keys = bus_admin.read_keys(files.bus)
    trust_pem = roots_of_edge(hub, settings).decode("ascii", "replace")
    async with (
        # Identity follows its own feed like everybody else: one way to know who may work.
        open_foundation("identity", hub, settings, METADATA, package="services.identity") as base,
        open_messaging(base) as messaging,
        Parts(base) as parts,
    ):
        private = PrivateRequests(base, keys.keyring, keys.request_digest)
        parts.add(messaging.part)
        beside = parts.add(open_neighbours(base))
        vault, exchange = beside.vault, beside.exchange
        provider = parts.add(await open_provider(base, settings, keys)).provider
        parts.add(
            open_platforms(base, settings, keys, bus_keys, private=private, provider=provider, trust_pem=trust_pem)
        )
        parts.add(open_persons(base, settings, keys, private=private, vault=vault, exchange=exchange))
        parts.add(open_sessions(base, settings, keys, private=private, vault=vault, exchange=exchange))
        tokens = parts.add(open_openid(base, settings, keys, private=private, provider=provider, vault=vault)).tokens
        parts.add(open_signing(base, private, tokens))
        parts.add(await open_upkeep(base))
        yield parts.process(replay=messaging.replay)
