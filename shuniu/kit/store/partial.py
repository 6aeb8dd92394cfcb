"""Indexes of the few rows of a table that something waits for.

SQLite has no statistics here and takes an index of all states for selective: then one question walks through nearly the
whole table. What is queried by state therefore has an index of only those rows. A query repeats the index's condition
word for word (`text(CONDITION)`), because SQLite concludes nothing from others.
"""

from sqlalchemy import Index, text


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index, on every database, of the rows for which `where` holds."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
