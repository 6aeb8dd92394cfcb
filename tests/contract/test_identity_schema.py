"""Identity's and the vault's migrations make the tables that their code expects, on every database."""

from services.identity.store import METADATA
from services.identity.vault.store import METADATA as VAULT
from shuniu.kit.testing.schema import assert_schema_matches


async def test_migrations_make_identitys_schema(store_url):
    """A migrated store is what the code was written for."""
    await assert_schema_matches("services.identity", METADATA, store_url)


async def test_migrations_make_the_vaults_schema(store_url):
    """A migrated store is what the code was written for."""
    await assert_schema_matches("services.identity.vault", VAULT, store_url)
