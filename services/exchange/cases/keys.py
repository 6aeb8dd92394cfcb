"""Keys of stored forms and answers."""

from pathlib import Path

from services.exchange.cases import store
from shuniu.kit.crypto.keyring import Keyring, add_key
from shuniu.kit.process.run import StartRefusedError
from shuniu.kit.store import Store


async def keyring_of(directory: Path, kept: Store, key_bytes: int) -> Keyring:
    """The keys of stored forms and answers. The first one is made at the first start and never again.

    Raises StartRefusedError when cases are there and their keys are not: a fresh key would not open them.
    """
    if _holds_no_key(directory):
        if await kept.read(store.any_case):
            raise StartRefusedError(f"{directory}: the keys of the stored cases are gone; restore them from the backup")
        add_key(directory, key_bytes)
    return Keyring.load(directory)


def _holds_no_key(directory: Path) -> bool:
    return not any(directory.glob("*.key"))
