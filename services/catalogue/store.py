"""Every table of the catalogue; each stands in the store of its subject."""

from sqlalchemy import MetaData

from services.catalogue.items import store as item_rows
from services.catalogue.search import store as search_rows
from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store import kit_tables

METADATA = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)
for _tables in (item_rows.TABLES, search_rows.TABLES):
    for _table in _tables.sorted_tables:
        _table.to_metadata(METADATA)
