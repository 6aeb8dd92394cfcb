"""Shared resources as the directory stores them. Lists are JSON text, instants µs UTC."""

import json
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, Row, Table, Text, or_, select, update

from services.exchange.directory import domain as resources
from services.exchange.directory.domain import Field, Resource, ShareClass
from shuniu.kit.rpc.paging import Position, keyset
from shuniu.kit.store import LostRaceError, binding_of

TABLES: Final = MetaData()

resource = Table(
    "resource",
    TABLES,
    Column("code", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("share_class", Text, nullable=False),
    Column("secrecy", Text, nullable=False),
    Column("authority", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("editor", Text, nullable=False),
    Column("reviewer", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("daily_calls", BigInteger, nullable=False),
)


def insert_resource(conn: Connection, made: Resource, now_us: int) -> bool:
    """Stores a new resource; False when the code is taken."""
    rows = [{"code": made.code, **_resource_values(made, now_us)}]
    return binding_of(conn).dialect.insert_ignore(conn, resource, rows) == 1


def update_resource(conn: Connection, before: Resource, after: Resource, now_us: int) -> None:
    changed = conn.execute(
        update(resource)
        .where(resource.c.code == before.code, resource.c.version == before.version)
        .values(_resource_values(after, now_us))
    )
    if changed.rowcount != 1:
        raise LostRaceError(before.code)


def _resource_values(made: Resource, now_us: int) -> dict[str, Any]:
    return {
        "provider": made.provider,
        "title": made.title,
        "fields": json.dumps([[each.name, each.title, each.sensitivity] for each in made.fields], ensure_ascii=False),
        "share_class": made.share.value,
        "secrecy": made.secrecy,
        "authority": int(made.authority),
        "state": made.state.value,
        "editor": made.editor,
        "reviewer": made.reviewer,
        "version": made.version,
        "changed_us": now_us,
        "daily_calls": made.daily_calls,
    }


def _resource(row: Row[Any]) -> Resource:
    return Resource(
        code=row.code,
        title=row.title,
        provider=row.provider,
        fields=tuple(Field(*each) for each in json.loads(row.fields)),
        share=ShareClass(row.share_class),
        secrecy=row.secrecy,
        authority=bool(row.authority),
        editor=row.editor,
        state=resources.ResourceState(row.state),
        reviewer=row.reviewer,
        version=row.version,
        daily_calls=row.daily_calls,
    )


def find_resource(conn: Connection, code: str) -> Resource | None:
    row = conn.execute(select(resource).where(resource.c.code == code)).first()
    return None if row is None else _resource(row)


def resources_seen_by(conn: Connection, platform: str, after: Position, limit: int) -> list[Resource]:
    """Published resources and the platform's own, by code."""
    statement = select(resource).where(
        or_(resource.c.state == resources.ResourceState.PUBLISHED.value, resource.c.provider == platform)
    )
    return [_resource(row) for row in conn.execute(keyset(statement, [resource.c.code], after, limit))]
