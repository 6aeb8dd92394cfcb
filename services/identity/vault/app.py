"""The vault as a process of one part. It follows nothing and publishes nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.identity.requests.private import PrivateRequests
from services.identity.vault import person_index, store
from services.identity.vault.config import VaultFiles, VaultSettings
from services.identity.vault.disclosures import Disclosures
from services.identity.vault.person_index import PersonIndex
from services.identity.vault.person_records import PersonRecords
from services.identity.vault.record_cipher import RecordCipher
from services.identity.vault.service import VaultService
from services.identity.vault.store import METADATA
from services.identity.vault.upkeep import Upkeep
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.foundation import open_bare
from shuniu.kit.parts import Part, Parts
from shuniu.kit.process.config import HubSettings, load, secret
from shuniu.kit.process.run import Process
from shuniu.kit.rpc.server import servicer


@asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(VaultSettings, path, "vault")
    files = VaultFiles(hub.data_dir)
    keyring = Keyring.load(files.keyring)
    index_secret, mac = secret(files.index), profile.of(hub.profile).index_mac
    request_key = secret(files.requests)
    async with (
        open_bare("vault", hub, settings, METADATA, package="services.identity.vault") as base,
        Parts(base) as parts,
    ):
        older = person_index.made_with(await base.store.read(store.index_sizes)) - {mac}
        index = PersonIndex(index_secret, mac, tuple(sorted(older)))
        private = PrivateRequests(base, keyring, request_key)
        service = VaultService(
            base,
            private,
            persons=PersonRecords(index, RecordCipher(keyring)),
            disclosures=Disclosures(base, settings),
        )
        parts.add(Part(peer=[servicer(service)], tasks=[Upkeep(base).run]))
        yield parts.process()
