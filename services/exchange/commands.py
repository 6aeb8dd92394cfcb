"""What the command line may call of the exchange while it does not run."""

from pathlib import Path

from services.exchange.config import ExchangeSettings, keyring_dir
from services.exchange.store import METADATA
from shuniu.api.common.v1 import operations_pb2
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.keyring import add_key
from shuniu.kit.operations import audit_check
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.service_settings import database_url
from shuniu.kit.store import Store, migrations

PACKAGE = "services.exchange"


async def migrate(path: Path) -> str:
    """Brings the store to this version's schema; returns its revision. `path` is the hub's settings file."""
    return await migrations.migrate(_url(path), PACKAGE, SystemClock())


async def verify_audit(path: Path) -> operations_pb2.VerifyAuditResponse:
    """Recomputes the audit chains."""
    store = await Store.open(_url(path), METADATA, clock=SystemClock())
    try:
        return await store.read(audit_check)
    finally:
        await store.close()


async def raise_epoch(path: Path) -> int:
    """Begins a new epoch, as a restore must; returns it."""
    store = await Store.open(_url(path), METADATA, clock=SystemClock())
    try:
        return await store.raise_epoch()
    finally:
        await store.close()


def rotate_keys(path: Path) -> int:
    """Makes the next key of stored forms and answers; new values use it from the next start on. Returns its number."""
    hub = load(HubSettings, path, "hub")
    return add_key(keyring_dir(hub, load(ExchangeSettings, path, "exchange")), profile.of(hub.profile).storage_key)


def _url(path: Path) -> str:
    return database_url(load(HubSettings, path, "hub"), load(ExchangeSettings, path, "exchange"), "exchange")
