"""Evaluations of cases, one row each. Instants are µs UTC."""

from typing import Final

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, insert

from services.exchange.evaluations.domain import Evaluation

TABLES: Final = MetaData()

# One person's word on one case.
evaluation = Table(
    "evaluation",
    TABLES,
    Column("case_code", Text, primary_key=True),
    Column("level", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)


def insert_evaluation(conn: Connection, given: Evaluation) -> None:
    conn.execute(
        insert(evaluation),
        {
            "case_code": given.case_id,
            "level": int(given.level),
            "channel": given.channel.value,
            "comment": given.comment,
            "at_us": given.at_us,
        },
    )
