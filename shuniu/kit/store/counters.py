"""Counts of what a service did, kept where it is done: a count of rows costs more with each of them."""

from sqlalchemy import Connection, select

from shuniu.kit.store.tables import counter
from shuniu.kit.store.types import binding_of


def add(conn: Connection, name: str, number: int = 1) -> None:
    """Counts so many more, in the unit that makes it true."""
    binding_of(conn).dialect.next_value(conn, name, number)


def value(conn: Connection, name: str) -> int:
    """The count; 0 before the first."""
    return int(conn.execute(select(counter.c.value).where(counter.c.name == name)).scalar() or 0)
