"""What esign keeps around seals: pictures, every change of state, the slots handed out, certificates used once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    case,
    insert,
    select,
    update,
)

from services.esign.domain.seals import SealKind
from services.esign.domain.ses import Picture
from shuniu.kit.sql import binding_of, secret_values

TABLES = MetaData()

# One row a seal with a picture; `source` says whether the hub drew it (DRAWN) or its owner sent it (UPLOADED).
seal_picture = Table(
    "seal_picture",
    TABLES,
    Column("seal_id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("width_mm", Integer, nullable=False),
    Column("height_mm", Integer, nullable=False),
)

# Every change of every seal. `ledger_index` is -1 until the change is logged.
seal_change = Table(
    "seal_change",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("seal_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ledger_index", BigInteger, nullable=False),
    Index("seal_change_seal", "seal_id", "id"),
    Index("seal_change_unlogged", "ledger_index"),
)

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

DRAWN, UPLOADED = "DRAWN", "UPLOADED"
UNLOGGED = -1
_SLOT = "slot"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a seal: the new state, when (µs), by whom and why; where it stands in the ledger, -1 before."""

    id: str
    seal_id: str
    state: str
    at_us: int
    actor: str
    reason: str
    ledger_index: int = UNLOGGED


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A seal's picture and whether it was drawn here or uploaded."""

    source: str
    picture: Picture = field(repr=False)


def picture_context(seal_id: str) -> bytes:
    """Binds the picture of a person's seal to its row."""
    return secret_values.context("seal_picture", seal_id, "data")


def keep_picture(conn: Connection, seal_id: str, kept: KeptPicture, kind: SealKind) -> None:
    """Keeps the first picture of a seal; another one takes a new version of the seal. A person's shows their name, and
    lies encrypted.
    """
    data = kept.picture.data
    if kind is SealKind.PERSON:
        data = secret_values.close(conn, data, picture_context(seal_id))
    row = {
        "seal_id": seal_id,
        "source": kept.source,
        "kind": kept.picture.kind,
        "data": data,
        "width_mm": kept.picture.width_mm,
        "height_mm": kept.picture.height_mm,
    }
    binding_of(conn).dialect.insert_ignore(conn, seal_picture, [row])


def picture_of(conn: Connection, seal_id: str) -> KeptPicture | None:
    row = conn.execute(select(seal_picture).where(seal_picture.c.seal_id == seal_id)).first()
    if row is None:
        return None
    data = secret_values.reveal(conn, bytes(row.data), picture_context(seal_id))
    return KeptPicture(row.source, Picture(row.kind, data, row.width_mm, row.height_mm))


def keep_change(conn: Connection, change: Change) -> None:
    conn.execute(
        insert(seal_change),
        {
            "id": change.id,
            "seal_id": change.seal_id,
            "state": change.state,
            "at_us": change.at_us,
            "actor": change.actor,
            "reason": change.reason,
            "ledger_index": change.ledger_index,
        },
    )


def changes_of(conn: Connection, seal_id: str) -> Sequence[Change]:
    """Oldest first."""
    rows = conn.execute(select(seal_change).where(seal_change.c.seal_id == seal_id).order_by(seal_change.c.id))
    return [Change(*row) for row in rows]


def unlogged(conn: Connection, limit: int) -> Sequence[Change]:
    """Changes that the ledger does not hold yet, oldest first."""
    wanted = select(seal_change).where(seal_change.c.ledger_index == UNLOGGED).order_by(seal_change.c.id).limit(limit)
    return [Change(*row) for row in conn.execute(wanted)]


def logged(conn: Connection, change_id: str, index: int) -> None:
    conn.execute(
        update(seal_change)
        .where(seal_change.c.id == change_id, seal_change.c.ledger_index == UNLOGGED)
        .values(ledger_index=index)
    )


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


def once_since(conn: Connection, serial: str) -> int | None:
    """When the certificate of that serial number (hex) was made for one signature, µs; None: it was not."""
    found = conn.execute(select(once_certificate.c.made_us).where(once_certificate.c.serial == serial)).scalar()
    return None if found is None else int(found)
