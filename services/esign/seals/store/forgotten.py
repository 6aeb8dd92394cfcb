"""Seals that the ledger knows and a restored register has no certificates of: the hub's lists cannot name them."""

from collections.abc import Iterable, Mapping

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, func, select

from services.esign.seals.store.seals import raise_version
from shuniu.kit.store import binding_of

TABLES = MetaData()

# One row a seal and family of which the register lacks a certificate. `seal_id` is empty where an entry could not be
# read: it may be about any seal. `ca` is the number of the family's newest seal CA at that time.
forgotten_seal = Table(
    "forgotten_seal",
    TABLES,
    Column("seal_id", Text, primary_key=True),
    Column("family", Text, primary_key=True),
    Column("ca", BigInteger, nullable=False),
)
ANY_SEAL = ""


def forget(conn: Connection, seal_id: str, families: Iterable[str], newest: Mapping[str, int]) -> None:
    """Remembers for good that the register lacks certificates of a seal. `newest`: number of each family's newest seal
    CA; a CA that follows it certified none of them.
    """
    rows = [{"seal_id": seal_id, "family": each, "ca": newest[each]} for each in families if each in newest]
    if rows:
        binding_of(conn).dialect.insert_ignore(conn, forgotten_seal, rows)
        raise_version(conn)


def incomplete(conn: Connection) -> dict[str, int]:
    """The newest seal CA of each family whose list may lack a revoked certificate; its lists and all before it may."""
    rows = conn.execute(
        select(forgotten_seal.c.family, func.max(forgotten_seal.c.ca)).group_by(forgotten_seal.c.family)
    )
    return {family: int(ca) for family, ca in rows}


def may_be_revoked(conn: Connection, family: str, ca: int) -> bool:
    """Tells whether the ledger holds what could not be read, and so may revoke any certificate of that CA."""
    unread = select(forgotten_seal.c.ca).where(
        forgotten_seal.c.seal_id == ANY_SEAL, forgotten_seal.c.family == family, forgotten_seal.c.ca >= ca
    )
    return conn.execute(unread).first() is not None


def count(conn: Connection) -> int:
    """Counts the forgotten seals."""
    return int(conn.execute(select(func.count(forgotten_seal.c.seal_id.distinct()))).scalar() or 0)
