"""Numbers in settings have bounds that hold their defaults, and what lies outside ends the start by name."""

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from gateway.envoy.settings import EdgeSettings
from gateway.web.config import WebSettings
from services.catalogue.config import CatalogueSettings
from services.esign.config import EsignSettings
from services.exchange.config import ExchangeSettings
from services.identity.config import IdentitySettings
from services.identity.vault.config import VaultSettings
from shuniu.kit.process.config import ConfigError, Within, load

SECTIONS = {
    "edge": EdgeSettings,
    "web": WebSettings,
    "catalogue": CatalogueSettings,
    "esign": EsignSettings,
    "exchange": ExchangeSettings,
    "identity": IdentitySettings,
    "vault": VaultSettings,
}


def bounded(kind: Any) -> dict[str, Within]:
    """Bounds of a section's numbers, and of numbers in its tables, by key."""
    return {
        key: bounds
        for key, hint in get_type_hints(kind, include_extras=True).items()
        if get_origin(hint) is Annotated
        for bounds in get_args(hint)[1:]
        if isinstance(bounds, Within)
    }


NUMBERS = [(section, key) for section, kind in SECTIONS.items() for key in bounded(kind)]


def read(tmp_path: Path, section: str, line: str) -> Any:
    file = tmp_path / "hub.toml"
    file.write_text(f"[{section}]\n{line}\n", "utf-8")
    return load(SECTIONS[section], file, section)


@pytest.mark.parametrize(("section", "key"), NUMBERS)
def test_a_number_outside_its_bounds_ends_the_start(tmp_path: Path, section: str, key: str) -> None:
    """Both ends are good, what lies beyond them is refused with section, key and bounds."""
    kind, bounds = SECTIONS[section], bounded(SECTIONS[section])[key]
    is_table = get_type_hints(kind)[key] not in {int, float}
    line = f"{key} = {{x = %s}}" if is_table else f"{key} = %s"
    for good in (bounds.least, bounds.most):
        read(tmp_path, section, line % good)
    for bad in (bounds.least - 1, bounds.most + 1):
        with pytest.raises(ConfigError, match=rf"\[{section}\] {key}.*: must be from \S+ to \S+$"):
            read(tmp_path, section, line % bad)


@pytest.mark.parametrize("section", SECTIONS)
def test_defaults_lie_within(section: str) -> None:
    """Who sets nothing is refused nothing."""
    kind = SECTIONS[section]
    bounds = bounded(kind)
    for field in fields(kind):
        if field.name in bounds and field.default is not MISSING:
            assert bounds[field.name].least <= field.default <= bounds[field.name].most, field.name


def test_web_and_esign_take_documents_of_the_same_size() -> None:
    """Neither imports the other; what one lets in, the other reads."""
    assert bounded(WebSettings)["max_document_bytes"] == bounded(EsignSettings)["document_most_bytes"]


def test_a_table_of_numbers_holds_numbers(tmp_path: Path) -> None:
    """A quota in quotation marks is found at the start, not with the first question."""
    with pytest.raises(ConfigError, match=r"\[vault\] quotas\.case: must be of type int"):
        read(tmp_path, "vault", 'quotas = {case = "many"}')
