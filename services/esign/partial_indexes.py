"""Indexes of the few rows of a table that something waits for.

SQLite has no statistics here and takes an index of all stages, or of all states, for selective: then one question walks
through nearly the whole table. What is asked for by stage or state therefore has an index of only those rows. A
question repeats its condition word for word (`text(…)`), as SQLite concludes nothing from others.
"""

from typing import Final

from sqlalchemy import Index, text

# Of documents and of licences.
UNDER_WAY: Final = "stage <> 'ISSUED'"
REVOCATION_WAITS: Final = "revoked_us > 0 AND revocation_index < 0"
# Of seals: one holder has one that is active; those whose end must be told; those on the lists of what is revoked;
# those that ended and have a key left.
ACTIVE: Final = "state = 'ACTIVE'"
LASTING: Final = "state IN ('ISSUED', 'ACTIVE', 'SUSPENDED')"
OUT: Final = "state IN ('SUSPENDED', 'REVOKED', 'REPLACED')"
KEY_LEFT: Final = "state IN ('REVOKED', 'EXPIRED', 'REPLACED', 'REJECTED') AND length(wrapped_key) > 0"
# Of steps of flows, beside flows, which have a state too.
GRANTED: Final = "flow_step.state = 'AUTHORISED'"


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index, on every database, of the rows for which `where` holds."""
    condition = text(where.removeprefix("flow_step."))
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
