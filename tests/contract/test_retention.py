"""Every table says how long its rows stay."""

import re
from pathlib import Path

import pytest
from sqlalchemy import MetaData

from services.catalogue import store as catalogue
from services.esign import store as esign
from services.exchange import store as exchange
from services.identity import store as identity
from services.identity.vault import store as vault
from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store.tables import kit_tables

ROOT = Path(__file__).parents[2]
SERVICES = {
    "services/catalogue": catalogue.METADATA,
    "services/esign": esign.METADATA,
    "services/exchange": exchange.METADATA,
    "services/identity": identity.METADATA,
    "services/identity/vault": vault.METADATA,
}


def told(page: Path) -> set[str]:
    section = page.read_text("utf-8").partition("## Retention\n")[2].partition("\n## ")[0]
    return {name for line in section.splitlines() if line.startswith("|") for name in re.findall(r"`(\w+)`", line)}


def of_every_service() -> set[str]:
    found = MetaData()
    kit_tables(found)
    replica_tables(found)
    return set(found.tables)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_tells_how_long_its_rows_stay(service: str) -> None:
    """The section Retention of its README names each of its own tables."""
    assert SERVICES[service].tables.keys() - of_every_service() - told(ROOT / service / "README.md") == set()


def test_the_architecture_tells_it_of_the_tables_that_all_have() -> None:
    """The section Retention names each of the kit's."""
    assert of_every_service() - told(ROOT / "ARCHITECTURE.md") == set()
