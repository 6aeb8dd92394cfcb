"""What the command line calls of the vault while it is down: its keys, its schema, its audit trail."""

import secrets
from pathlib import Path

from services.identity.vault.config import VaultFiles, VaultSettings
from services.identity.vault.store import METADATA
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.keyring import add_key
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings, load, write_secret
from shuniu.kit.service_settings import database_url
from shuniu.kit.store import Store, audit, migrations
from shuniu.kit.store.audit import AuditReport

PACKAGE = "services.identity.vault"


def initialise(config: Path) -> None:
    """Makes what is absent of keys/vault/, keys/vault-index.key and keys/vault-requests.key; what is there stays."""
    hub = load(HubSettings, config, "hub")
    files = VaultFiles(hub.data_dir)
    if not files.keyring.exists():
        add_key(files.keyring, profile.of(hub.profile).storage_key)
    for path in (files.index, files.requests):
        if not path.exists():
            write_secret(path, secrets.token_bytes(32))


def rotate_storage_key(config: Path) -> int:
    """Makes the next encryption key of the vault; new values use it from the next start on, old keys stay."""
    hub = load(HubSettings, config, "hub")
    return add_key(VaultFiles(hub.data_dir).keyring, profile.of(hub.profile).storage_key)


async def migrate(config: Path) -> str:
    """Brings the vault's store to the newest revision and returns it."""
    return await migrations.migrate(_url(config), PACKAGE, SystemClock())


async def verify_audit(config: Path) -> AuditReport:
    """Checks the vault's audit chains, while it is down."""
    store = await Store.open(_url(config), METADATA, clock=SystemClock(), writer="commands")
    try:
        return await store.read(audit.verify)
    finally:
        await store.close()


def _url(config: Path) -> str:
    return database_url(load(HubSettings, config, "hub"), load(VaultSettings, config, "vault"), "vault")
