"""Every table of the exchange; each stands in the store of its subject."""

from sqlalchemy import MetaData

from services.exchange.cases import store as case_rows
from services.exchange.directory import store as directory_rows
from services.exchange.evaluations import store as evaluation_rows
from services.exchange.evidence import store as evidence_rows
from services.exchange.grants import store as grant_rows
from services.exchange.people import store as person_rows
from services.exchange.queries import store as query_rows
from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store import kit_tables

METADATA = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)
for _tables in (
    case_rows.TABLES,
    evaluation_rows.TABLES,
    person_rows.TABLES,
    directory_rows.TABLES,
    grant_rows.TABLES,
    query_rows.TABLES,
    evidence_rows.TABLES,
):
    for _table in _tables.sorted_tables:
        _table.to_metadata(METADATA)
