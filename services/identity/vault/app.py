"""Wiring of the vault: settings → store → keys → servicer → run. It follows nothing and publishes nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.identity.requests.private import PrivateRequests
from services.identity.vault import person_index, store
from services.identity.vault.config import VaultFiles, VaultSettings
from services.identity.vault.housekeeping import Housekeeping
from services.identity.vault.person_index import PersonIndex
from services.identity.vault.service import VaultService
from services.identity.vault.store import METADATA
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.foundation import open_bare
from shuniu.kit.operations import Operations
from shuniu.kit.process.config import HubSettings, load, secret
from shuniu.kit.process.run import Process
from shuniu.kit.rpc.server import servicer


@asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    hub = load(HubSettings, path, "hub")
    settings = load(VaultSettings, path, "vault")
    files = VaultFiles(hub.data_dir)
    keyring = Keyring.load(files.keyring)
    index_secret, mac = secret(files.index), profile.of(hub.profile).index_mac
    request_key = secret(files.requests)
    async with open_bare("vault", hub, settings, METADATA, package="services.identity.vault") as base:
        older = person_index.made_with(await base.store.read(store.index_sizes)) - {mac}
        index = PersonIndex(index_secret, mac, tuple(sorted(older)))

        def not_ready() -> list[str]:
            return [] if base.store.writable else ["store is not writable"]

        operations = Operations(base, not_ready)
        private = PrivateRequests(base, keyring, request_key)
        peer = [
            servicer(VaultService(base, settings, keyring, index, private)),
            servicer(operations),
        ]
        yield Process(
            listeners=base.listeners(edge=[], peer=peer),
            tasks=[operations.watch, Housekeeping(base).run],
            not_ready=not_ready,
            ops_host=settings.ops_host,
            ops_port=settings.ops_port,
        )
