"""Commands that make the vault's keys while the vault is down."""

import secrets
from pathlib import Path

from services.identity.vault.config import VaultFiles
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.keyring import add_key
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.durable import write_secret


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
