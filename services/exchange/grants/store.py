"""Grants, what a day has spent, and what providers stopped. Lists are JSON text, instants µs UTC."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    MetaData,
    Row,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from services.exchange.grants import domain as grants
from services.exchange.grants.domain import Contract, Grant
from shuniu.kit.rpc.paging import Position, keyset
from shuniu.kit.store import LostRaceError, binding_of

TABLES: Final = MetaData()

# A grant is a contract; what a day has spent is in share_use.
resource_grant = Table(
    "resource_grant",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("resource", Text, nullable=False),
    Column("consumer", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("item_code", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("daily_quota", BigInteger, nullable=False),
    Column("begins_us", BigInteger, nullable=False),
    Column("ends_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("deadline_us", BigInteger),
    Column("version", BigInteger, nullable=False),
    Index("resource_grant_consumer", "consumer", "id"),
    Index("resource_grant_provider", "provider", "id"),
    Index("resource_grant_of", "consumer", "resource", "state"),
    Index("resource_grant_state", "state", "ends_us"),
)

# Calls of one consumer on one resource, over all its grants, on one civil day (Asia/Shanghai, YYYYMMDD).
share_use = Table(
    "share_use",
    TABLES,
    Column("day", Text, primary_key=True),
    Column("consumer", Text, primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False),
)

# Consumers of whom the provider revoked a grant on a resource: nothing on it passes by itself again.
share_stop = Table(
    "share_stop",
    TABLES,
    Column("consumer", Text, primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("stopped_us", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant and when its present state has to change by (µs; None without deadline)."""

    grant: Grant
    deadline_us: int | None = None


def insert_grant(conn: Connection, row: GrantRow) -> None:
    conn.execute(insert(resource_grant), {"id": row.grant.id, **_grant_values(row)})


def update_grant(conn: Connection, before: Grant, row: GrantRow) -> None:
    changed = conn.execute(
        update(resource_grant)
        .where(resource_grant.c.id == before.id, resource_grant.c.version == before.version)
        .values(_grant_values(row))
    )
    if changed.rowcount != 1:
        raise LostRaceError(before.id)


def _grant_values(row: GrantRow) -> dict[str, Any]:
    grant, contract = row.grant, row.grant.contract
    return {
        "resource": contract.resource,
        "consumer": contract.consumer,
        "provider": contract.provider,
        "item_code": contract.item,
        "purpose": contract.purpose,
        "fields": json.dumps(sorted(contract.fields)),
        "daily_quota": contract.daily_quota,
        "begins_us": contract.begins_us,
        "ends_us": contract.ends_us,
        "state": grant.state.value,
        "reason": grant.note,
        "deadline_us": row.deadline_us,
        "version": grant.version,
    }


def _grant(row: Row[Any]) -> GrantRow:
    contract = Contract(
        consumer=row.consumer,
        provider=row.provider,
        resource=row.resource,
        purpose=row.purpose,
        item=row.item_code,
        fields=frozenset(json.loads(row.fields)),
        daily_quota=row.daily_quota,
        begins_us=row.begins_us,
        ends_us=row.ends_us,
    )
    grant = Grant(row.id, contract, grants.GrantState(row.state), version=row.version, note=row.reason)
    return GrantRow(grant, row.deadline_us)


def find_grant(conn: Connection, grant_id: str) -> GrantRow | None:
    row = conn.execute(select(resource_grant).where(resource_grant.c.id == grant_id)).first()
    return None if row is None else _grant(row)


def grants_of(conn: Connection, platform: str | None, after: Position, limit: int) -> list[GrantRow]:
    """Grants that a platform holds or gives, by id; all of them for None."""
    statement = select(resource_grant)
    if platform is not None:
        parties = or_(resource_grant.c.consumer == platform, resource_grant.c.provider == platform)
        statement = statement.where(parties)
    return [_grant(row) for row in conn.execute(keyset(statement, [resource_grant.c.id], after, limit))]


def grants_past_term(conn: Connection, now_us: int) -> list[GrantRow]:
    """Grants that can expire (`EXPIRING`) and whose term has ended by an instant (µs)."""
    states = [state.value for state in grants.EXPIRING]
    over = select(resource_grant).where(resource_grant.c.state.in_(states), resource_grant.c.ends_us <= now_us)
    return [_grant(row) for row in conn.execute(over)]


def grant_counts(conn: Connection, now_us: int) -> tuple[Mapping[str, int], int]:
    """(grants by state, grants whose deadline has passed)."""
    by_state = conn.execute(select(resource_grant.c.state, func.count()).group_by(resource_grant.c.state))
    late = conn.execute(
        select(func.count()).select_from(resource_grant).where(resource_grant.c.deadline_us < now_us)
    ).scalar_one()
    return {row[0]: row[1] for row in by_state}, int(late)


def live_grants(conn: Connection, consumer: str, resource: str) -> list[GrantRow]:
    """Grants of a consumer on a resource that have not ended, by id."""
    statement = select(resource_grant).where(
        resource_grant.c.consumer == consumer,
        resource_grant.c.resource == resource,
        resource_grant.c.state.not_in(sorted(grants.ENDED)),
    )
    return [_grant(row) for row in conn.execute(statement.order_by(resource_grant.c.id))]


def stop(conn: Connection, consumer: str, resource: str, now_us: int) -> None:
    """Remembers that the provider revoked a grant of this consumer."""
    row = {"consumer": consumer, "resource": resource, "stopped_us": now_us}
    binding_of(conn).dialect.insert_ignore(conn, share_stop, [row])


def stopped(conn: Connection, consumer: str, resource: str) -> bool:
    """Tells whether the provider revoked a grant of this consumer on this resource."""
    found = select(share_stop.c.stopped_us).where(share_stop.c.consumer == consumer, share_stop.c.resource == resource)
    return conn.execute(found).first() is not None


def spend(conn: Connection, day: str, consumer: str, resource: str, quota: int) -> bool:
    """Spends one call of a day (YYYYMMDD); False when the quota is spent. Right also when replicas spend at once."""
    row = {"day": day, "consumer": consumer, "resource": resource}
    binding_of(conn).dialect.insert_ignore(conn, share_use, [{**row, "calls": 0}])
    changed = conn.execute(
        update(share_use).where(_use(**row), share_use.c.calls < quota).values(calls=share_use.c.calls + 1)
    )
    return changed.rowcount == 1


def refund(conn: Connection, day: str, consumer: str, resource: str) -> None:
    """Gives one call back."""
    conn.execute(
        update(share_use)
        .where(_use(day, consumer, resource), share_use.c.calls > 0)
        .values(calls=share_use.c.calls - 1)
    )


def forget_uses(conn: Connection, before: str) -> int:
    """Deletes what days before one (YYYYMMDD) spent; returns how many rows."""
    return conn.execute(delete(share_use).where(share_use.c.day < before)).rowcount


def _use(day: str, consumer: str, resource: str) -> ColumnElement[bool]:
    return and_(share_use.c.day == day, share_use.c.consumer == consumer, share_use.c.resource == resource)
