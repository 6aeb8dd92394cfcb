"""The newest ledger head that the store knows of."""

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, func, insert, select, update

TABLES = MetaData()

# The newest head the store knows of: a ledger that is shorter was rolled back. One row.
ledger_head = Table(
    "ledger_head",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("checkpoint", Text, nullable=False),
)
_HEAD = "head"


def remember_head(conn: Connection, size: int, checkpoint: str) -> None:
    """Keeps the newest head; an older one changes nothing."""
    changed = conn.execute(
        update(ledger_head)
        .where(ledger_head.c.name == _HEAD, ledger_head.c.size < size)
        .values(size=size, checkpoint=checkpoint)
    )
    if changed.rowcount == 0 and conn.execute(select(func.count()).select_from(ledger_head)).scalar() == 0:
        conn.execute(insert(ledger_head), {"name": _HEAD, "size": size, "checkpoint": checkpoint})


def remembered_head(conn: Connection) -> str:
    return str(conn.execute(select(ledger_head.c.checkpoint)).scalar() or "")


def remembered_size(conn: Connection) -> int:
    return int(conn.execute(select(ledger_head.c.size)).scalar() or 0)
