"""Operators, one row each. Lists are JSON arrays, instants µs UTC."""

import json
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, select

from services.identity.operators.domain import Operator
from shuniu.kit.store.types import binding_of

TABLES: Final = MetaData()

operator = Table(
    "operator",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("scopes", Text, nullable=False, server_default=""),
    Column("certificate_sha256", Text, nullable=False, server_default=""),
    Column("not_after_us", BigInteger, nullable=False, server_default="0"),
    Column("created_us", BigInteger, nullable=False, server_default="0"),
)


def find_operator(conn: Connection, name: str) -> Operator | None:
    row = conn.execute(select(operator).where(operator.c.name == name)).first()
    if row is None:
        return None
    return Operator(row.name, tuple(json.loads(row.scopes)), row.certificate_sha256, row.not_after_us)


def put_operator(conn: Connection, made: Operator, now_us: int) -> None:
    """Stores an operator; a name stored again loses its former certificate."""
    row = {
        "name": made.name,
        "scopes": json.dumps(made.scopes),
        "certificate_sha256": made.certificate_sha256,
        "not_after_us": made.not_after_us,
        "created_us": now_us,
    }
    binding_of(conn).dialect.upsert(conn, operator, [row], ["name"], None)
