"""Esign's migrations make the tables that its code expects, on every database."""

from services.esign.store import METADATA
from shuniu.kit.testing.schema import assert_schema_matches


async def test_migrations_make_the_schema(store_url):
    """A migrated store is what the code was written for."""
    await assert_schema_matches("services.esign", METADATA, store_url)
