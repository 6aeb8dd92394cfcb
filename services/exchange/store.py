"""Every table of the exchange; each stands in the store of its subject."""

from sqlalchemy import MetaData

from services.exchange.cases import store as case_store
from services.exchange.directory import store as directory_store
from services.exchange.evaluations import store as evaluation_store
from services.exchange.evidence import store as evidence_store
from services.exchange.grants import store as grant_store
from services.exchange.people import store as person_store
from services.exchange.queries import store as query_store
from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store import kit_tables

METADATA = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)
for _tables in (
    case_store.TABLES,
    evaluation_store.TABLES,
    person_store.TABLES,
    directory_store.TABLES,
    grant_store.TABLES,
    query_store.TABLES,
    evidence_store.TABLES,
):
    for _table in _tables.sorted_tables:
        _table.to_metadata(METADATA)
