"""Changes to the tables that every service has, numbered by their order. `shuniu migrate` runs those that a store lacks
after the service's own revisions; the number of the last one stands in `meta`.
"""

from collections.abc import Callable
from typing import Final

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Connection, insert, select, update

from shuniu.kit.store.tables import KIT, meta
from shuniu.kit.store.types import SchemaTooNewError, SchemaTooOldError

_NAME: Final = "kit_steps"


def _outbox_looks(operations: Operations) -> None:
    """Deliveries say when upkeep looks at them next; those that are there are due at once."""
    operations.add_column("outbox_delivery", Column("look_us", BigInteger, nullable=False, server_default="0"))
    operations.create_index("outbox_delivery_look", "outbox_delivery", ["look_us"])
    operations.drop_index("outbox_event_time", "outbox_event")


# Never reordered, only added to.
STEPS: Final[tuple[Callable[[Operations], None], ...]] = (_outbox_looks,)


def create(conn: Connection) -> None:
    """Makes the tables as they are now."""
    KIT.create_all(conn)
    conn.execute(insert(meta), [{"name": "epoch", "value": 1}, {"name": _NAME, "value": len(STEPS)}])


def upgrade(conn: Connection) -> None:
    """Runs the steps that are missing. Raises SchemaTooNewError for a store with steps this program does not know."""
    done = _done(conn)
    if done == len(STEPS):
        return
    if done > len(STEPS):
        raise SchemaTooNewError(f"the shared tables are at step {done}; install the version that made it")
    operations = Operations(MigrationContext.configure(conn))
    for step in STEPS[done:]:
        step(operations)
    if conn.execute(update(meta).where(meta.c.name == _NAME).values(value=len(STEPS))).rowcount == 0:
        conn.execute(insert(meta).values(name=_NAME, value=len(STEPS)))


def check(conn: Connection, service: str) -> None:
    """Raises SchemaTooOldError or SchemaTooNewError unless the tables are as this program needs them."""
    done = _done(conn)
    if done < len(STEPS):
        raise SchemaTooOldError(f"{service}: shared tables at step {done}, {len(STEPS)} needed; run `shuniu migrate`")
    if done > len(STEPS):
        raise SchemaTooNewError(f"the shared tables are at step {done}; install the version that made it")


def _done(conn: Connection) -> int:
    """Number of the last step; 0 for a store from before there were any."""
    return int(conn.execute(select(meta.c.value).where(meta.c.name == _NAME)).scalar() or 0)
