"""Opens the keys that sign tokens, and their turnover."""

from dataclasses import dataclass, field

from services.identity.config import IdentitySettings
from services.identity.keys.provider import ProviderKeys
from services.identity.keys.secrets import Secrets
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPart(Part):
    provider: ProviderKeys = field(repr=False)


async def open_provider(base: Foundation, settings: IdentitySettings, keys: Secrets) -> ProviderPart:
    provider = ProviderKeys(base.store, keys.keyring, settings, base.clock)
    await provider.load()
    return ProviderPart(provider=provider, tasks=[provider.run])
