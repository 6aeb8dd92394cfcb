"""Leases: what only one replica may do at a time, with a fence that tells an old holder from the new one."""

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from shuniu.kit.store.tables import lease
from shuniu.kit.store.types import LostRaceError, binding_of


def acquire(conn: Connection, name: str, holder: str, ttl_us: int) -> bool:
    """Take or renew a lease for `ttl_us` from now; False while somebody else holds it.

    Time is the database's, so replicas with clocks that differ agree on when it ends. A lease of another epoch, from
    before a restore, is free.
    """
    binding = binding_of(conn)
    epoch, now_us = binding.epoch, binding.dialect.time_us(conn)
    row = conn.execute(select(lease).where(lease.c.name == name)).first()
    taken = {"holder": holder, "expires_us": now_us + ttl_us, "epoch": epoch}
    if row is None:
        try:
            conn.execute(insert(lease), {"name": name, "fence": 1, **taken})
        except IntegrityError as overtaken:
            raise LostRaceError(name) from overtaken
        return True
    mine = row.holder == holder and row.epoch == epoch
    if not mine and row.expires_us > now_us and row.epoch == epoch:
        return False
    changed = conn.execute(
        update(lease)
        .where(lease.c.name == name, lease.c.fence == row.fence, lease.c.expires_us == row.expires_us)
        .values(fence=row.fence if mine else row.fence + 1, **taken)
    )
    return changed.rowcount == 1


def held(conn: Connection, name: str, holder: str) -> bool:
    """Tells whether `holder` holds the lease, and keeps it from changing hands until the unit ends: what is written in
    this unit is written by the holder.
    """
    binding = binding_of(conn)
    row = conn.execute(select(lease).where(lease.c.name == name).with_for_update()).first()
    if row is None or row.holder != holder or row.epoch != binding.epoch:
        return False
    return bool(row.expires_us > binding.dialect.time_us(conn))


def release(conn: Connection, name: str, holder: str) -> bool:
    """Gives a lease back; False when `holder` does not hold it."""
    given = conn.execute(
        update(lease).where(lease.c.name == name, lease.c.holder == holder).values(holder="", expires_us=0)
    )
    return given.rowcount == 1


def fence(conn: Connection, name: str) -> int:
    """Grows each time a lease changes hands; 0 before the first. Work stamped with a smaller fence is late."""
    return int(conn.execute(select(lease.c.fence).where(lease.c.name == name)).scalar() or 0)
