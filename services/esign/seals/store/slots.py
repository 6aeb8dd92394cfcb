"""The slots handed out, and certificates used once."""

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Table, Text, case, insert, select, update

from services.esign.ledger.domain.ledger import UNLOGGED

TABLES = MetaData()

# The newest time that a signature was given (µs), and how many were: no later one is earlier. One row.
slot_floor = Table(
    "slot_floor",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("granted", BigInteger, nullable=False),
)

# Certificates whose keys signed once and are gone; `serial` in hex. Only the digest: they name persons. The documents
# that they signed hold them.
once_certificate = Table(
    "once_certificate",
    TABLES,
    Column("serial", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("certificate_sha256", Text, nullable=False, server_default=""),
    Column("made_us", BigInteger, nullable=False),
    Column("ledger_index", BigInteger, nullable=False),
    Index("once_certificate_holder", "holder", "id"),
)
_SLOT = "slot"


def raise_floor(conn: Connection, now_us: int, tolerance_us: int, granted: int) -> tuple[int, int] | None:
    """(time, number of slots) after handing out `granted` slots at `now_us`, or at the floor when that is later by no
    more than the tolerance; None when the clock is further behind. One conditional write.
    """
    changed = conn.execute(
        update(slot_floor)
        .where(slot_floor.c.name == _SLOT, slot_floor.c.at_us <= now_us + tolerance_us)
        .values(
            at_us=case((slot_floor.c.at_us > now_us, slot_floor.c.at_us), else_=now_us),
            granted=slot_floor.c.granted + granted,
        )
    )
    row = conn.execute(select(slot_floor).where(slot_floor.c.name == _SLOT)).first()
    if row is None:
        conn.execute(insert(slot_floor), {"name": _SLOT, "at_us": now_us, "granted": granted})
        return now_us, granted
    return (row.at_us, row.granted) if changed.rowcount == 1 else None


def floor(conn: Connection) -> int:
    """The newest time that a signature was given, µs; 0 before the first."""
    return int(conn.execute(select(slot_floor.c.at_us).where(slot_floor.c.name == _SLOT)).scalar() or 0)


def keep_once(conn: Connection, serial: int, id_: str, holder: str, certificate_sha256: str, made_us: int) -> None:
    conn.execute(
        insert(once_certificate),
        {
            "serial": f"{serial:x}",
            "id": id_,
            "holder": holder,
            "certificate_sha256": certificate_sha256,
            "made_us": made_us,
            "ledger_index": UNLOGGED,
        },
    )


def once_logged(conn: Connection, serial: int, index: int) -> None:
    conn.execute(update(once_certificate).where(once_certificate.c.serial == f"{serial:x}").values(ledger_index=index))


def find_once_since(conn: Connection, serial: str) -> int | None:
    """Finds when the certificate of that serial number (hex) was made for one signature, µs; None: it was not."""
    found = conn.execute(select(once_certificate.c.made_us).where(once_certificate.c.serial == serial)).scalar()
    return None if found is None else int(found)
