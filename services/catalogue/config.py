"""Settings of the catalogue service: section `[catalogue]`."""

from dataclasses import dataclass
from pathlib import Path

from shuniu.kit.process.config import HubSettings
from shuniu.kit.service_settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class CatalogueSettings(ServiceSettings):
    page_key_file: Path = Path()
    """Key that signs page tokens, the same on each replica; empty means <data_dir>/keys/catalogue-page.key, made at the
    first start."""


def page_key_file(hub: HubSettings, settings: CatalogueSettings) -> Path:
    return settings.page_key_file if settings.page_key_file.name else hub.data_dir / "keys" / "catalogue-page.key"
