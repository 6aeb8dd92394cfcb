"""Every table of identity; each stands in the store of its subject.

Secrets stand as SHA-256 or HMAC, keys encrypted; no name, login name or number stands in clear.
"""

from sqlalchemy import MetaData

from services.identity.keys import store as key_store
from services.identity.openid import store as openid_store
from services.identity.operators import store as operator_store
from services.identity.persons import store as person_store
from services.identity.platforms import store as platform_store
from services.identity.sessions.store import credentials as credential_store
from services.identity.sessions.store import families as family_store
from services.identity.sessions.store import sessions as session_store
from services.identity.sessions.store import tries as try_store
from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store.tables import kit_tables

METADATA = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)
for _tables in (
    platform_store.TABLES,
    operator_store.TABLES,
    key_store.TABLES,
    person_store.TABLES,
    credential_store.TABLES,
    try_store.TABLES,
    session_store.TABLES,
    family_store.TABLES,
    openid_store.TABLES,
):
    for _table in _tables.sorted_tables:
        _table.to_metadata(METADATA)
