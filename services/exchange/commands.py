"""Commands on the exchange's files while the exchange does not run."""

from pathlib import Path

from services.exchange.config import ExchangeSettings, keyring_dir
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.keyring import add_key
from shuniu.kit.process.config import HubSettings, load


def rotate_keys(path: Path) -> int:
    """Makes the next key of stored forms and answers; new values use it from the next start on. Returns its number.

    `path` is the hub's settings file.
    """
    hub = load(HubSettings, path, "hub")
    return add_key(keyring_dir(hub, load(ExchangeSettings, path, "exchange")), profile.of(hub.profile).storage_key)
