"""Every table of the catalogue; each stands in the store of its subject."""

from sqlalchemy import MetaData

from services.catalogue.items import store as item_store
from services.catalogue.search import store as search_store
from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store import kit_tables

METADATA = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)
for _tables in (item_store.TABLES, search_store.TABLES):
    for _table in _tables.sorted_tables:
        _table.to_metadata(METADATA)
