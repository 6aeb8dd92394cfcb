"""Every table of identity; each stands in the store of its subject.

Secrets stand as SHA-256 or HMAC, keys encrypted; no name, login name or number stands in clear.
"""

from sqlalchemy import MetaData

from services.identity.keys import store as key_rows
from services.identity.openid import store as openid_rows
from services.identity.operators import store as operator_rows
from services.identity.persons import store as person_rows
from services.identity.platforms import store as platform_rows
from services.identity.sessions.store import credentials as credential_rows
from services.identity.sessions.store import families as family_rows
from services.identity.sessions.store import sessions as session_rows
from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store.tables import kit_tables

METADATA = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)
for _tables in (
    platform_rows.TABLES,
    operator_rows.TABLES,
    key_rows.TABLES,
    person_rows.TABLES,
    credential_rows.TABLES,
    session_rows.TABLES,
    family_rows.TABLES,
    openid_rows.TABLES,
):
    for _table in _tables.sorted_tables:
        _table.to_metadata(METADATA)
