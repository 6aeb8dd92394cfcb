"""Opens esign's keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.esign.config import EsignSettings
from services.esign.keys.secrets import Secrets, say_where_keys_lie
from shuniu.kit.parts import Part
from shuniu.kit.process.config import HubSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPart(Part):
    secrets: Secrets = field(repr=False)


def open_keys(hub: HubSettings, settings: EsignSettings) -> KeysPart:
    """Raises ConfigError naming the file that is absent, readable by others or no key."""
    secrets = Secrets.load(hub, settings)
    where = say_where_keys_lie(hub, settings)

    async def facts() -> Mapping[str, str]:
        return {"keys": where}

    async def close() -> None:
        secrets.close()

    return KeysPart(secrets=secrets, facts=facts, close=close)
