"""Esign's migrations make the tables that its code expects, on every database."""

import pytest
from sqlalchemy import text

from services.esign import store as esign
from services.esign.store import METADATA
from shuniu.kit.sql import Store
from shuniu.kit.testing.schema import assert_schema_matches


async def test_migrations_make_the_schema(store_url):
    """A migrated store is what the code was written for."""
    await assert_schema_matches("services.esign", METADATA, store_url)


@pytest.mark.parametrize("stage", [esign.SEALED, esign.ISSUED])
async def test_documents_are_found_and_counted_by_their_stage(store_url, clock, stage):
    """Without reading all documents that were ever issued: what is on its way, and how many there are."""
    opened = Store.unchecked(store_url, METADATA, clock=clock)
    await opened.create_schema()
    try:
        plan = await opened.read(_plan, stage)
    finally:
        await opened.close()
    assert "certificate_stage" in plan


def _plan(conn, stage):
    wanted = "SELECT count(*) FROM certificate WHERE stage = :stage"
    if conn.dialect.name == "sqlite":
        return " ".join(row[3] for row in conn.execute(text(f"EXPLAIN QUERY PLAN {wanted}"), {"stage": stage}))
    conn.execute(text("SET LOCAL enable_seqscan = off"))
    return " ".join(row[0] for row in conn.execute(text(f"EXPLAIN {wanted.replace(':stage', repr(stage))}")))
