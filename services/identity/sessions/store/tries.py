"""Tries by meter (`domain/tries.py`): taken in the unit of work before a try, given back when it was none.

Keys are keyed hashes, instants µs UTC. The count changes in one guarded statement, so replicas share it.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Table, Text, bindparam, delete, select, update

from services.identity.sessions.domain.tries import Meter, TriesSpentError
from shuniu.kit.store.types import LostRaceError, binding_of

TABLES: Final = MetaData()

# Named after the first meter, that of wrong passwords: `login_index` is a meter's key, `failures` its count.
tries = Table(
    "sign_in_failure",
    TABLES,
    Column("login_index", Text, primary_key=True),
    Column("window_us", BigInteger, nullable=False, server_default="0"),
    Column("failures", BigInteger, nullable=False, server_default="0"),
    Index("sign_in_failure_window", "window_us"),
)

_BATCH: Final = 500
_METER: Final = tries.c.login_index == bindparam("of")
# Begun while the clock was ahead, which has been set right: it would shut the name for as long as the clock was wrong.
# Another replica's clock may be a little ahead.
_AHEAD: Final = tries.c.window_us > bindparam("ahead")
_GROW: Final = (
    update(tries)
    .where(_METER, tries.c.window_us > bindparam("over"), ~_AHEAD, tries.c.failures < bindparam("most"))
    .values(failures=tries.c.failures + 1)
)
_RENEW: Final = (
    update(tries)
    .where(_METER, (tries.c.window_us <= bindparam("over")) | _AHEAD)
    .values(failures=1, window_us=bindparam("now"))
)
_FIND: Final = select(tries.c.failures).where(_METER)
_GIVE_BACK: Final = update(tries).where(_METER, tries.c.failures > 0).values(failures=tries.c.failures - 1)
_CLEAR: Final = delete(tries).where(_METER)
_FORGET: Final = delete(tries).where(
    tries.c.login_index.in_(select(tries.c.login_index).where(tries.c.window_us < bindparam("before")).limit(_BATCH))
)


def take(conn: Connection, meters: Sequence[Meter], now_us: int) -> None:
    """Counts a try with every meter. Raises TriesSpentError, and then the unit counts none."""
    for meter in meters:
        _take(conn, meter, now_us)


def _take(conn: Connection, meter: Meter, now_us: int) -> None:
    window_us = meter.limit.window_us
    of = {"of": meter.key, "over": now_us - window_us, "ahead": now_us + window_us}
    if conn.execute(_GROW, {**of, "most": meter.limit.most}).rowcount:
        return
    if conn.execute(_RENEW, {**of, "now": now_us}).rowcount:
        return
    used = conn.execute(_FIND, {"of": meter.key}).scalar()
    if used is not None and used >= meter.limit.most:
        raise TriesSpentError
    first = {"login_index": meter.key, "window_us": now_us, "failures": 1}
    if used is not None or not binding_of(conn).dialect.insert_ignore(conn, tries, [first]):
        raise LostRaceError(meter.key)


def give_back(conn: Connection, meters: Sequence[Meter]) -> None:
    """Uncounts a try that had no result."""
    for meter in meters:
        conn.execute(_GIVE_BACK, {"of": meter.key})


def clear(conn: Connection, meters: Sequence[Meter]) -> None:
    for meter in meters:
        conn.execute(_CLEAR, {"of": meter.key})


def forget(conn: Connection, before_us: int) -> int:
    """Deletes counts whose window began before an instant (µs); a batch of them. Returns how many."""
    return conn.execute(_FORGET, {"before": before_us}).rowcount
