"""Stores licences: who holds which, its place in a status list, what was changed and is in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from services.esign.ledger.domain.ledger import UNLOGGED
from services.esign.licences.domain.status_list import Status, given_in
from services.esign.licences.domain.types import LicenceState
from shuniu.kit.store import FORGOTTEN_MOST, binding_of, counters
from shuniu.kit.store.partial import partial

TABLES = MetaData()

UNDER_WAY: Final = "stage <> 'ISSUED'"

# SLOT: number, time and place handed out. SIGNED: made. ISSUED: logged. `sealed` is the SD-JWT with its disclosures,
# encrypted; `salt` opens the commitment. `receipt` is empty before ISSUED.
licence = Table(
    "licence",
    TABLES,
    Column("number", Text, primary_key=True),
    Column("case_code", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("division", Text, nullable=False),
    Column("seal_id", Text, nullable=False),
    # RFC 7638 thumbprint of the holder's key.
    Column("key", Text, nullable=False),
    Column("issued_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("list", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("stage", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("ledger_index", BigInteger, nullable=False),
    Column("receipt", Text, nullable=False),
    Index("licence_case", "case_code", "type"),
    Index("licence_sha256", "sha256"),
    Index("licence_by_list", "list", "state"),
    partial("licence_under_way", "stage", "seal_id", where=UNDER_WAY),
)
# One licence in force for a case and type; the next generation only after it was revoked or ended.
licence_generation = Table(
    "licence_generation",
    TABLES,
    Column("case_code", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("generation", Integer, primary_key=True),
)
# Each place in a list is given once. `version` of a list rises with each change of what it says.
licence_place = Table(
    "licence_place",
    TABLES,
    Column("list", BigInteger, primary_key=True),
    Column("place", BigInteger, primary_key=True),
)
licence_list = Table(
    "licence_list",
    TABLES,
    Column("list", BigInteger, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
# Changes of state, told to the ledger: `ledger_index` is UNLOGGED before.
licence_change = Table(
    "licence_change",
    TABLES,
    Column("number", Text, primary_key=True),
    Column("change", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("ledger_index", BigInteger, nullable=False),
    Index("licence_change_ledger", "ledger_index"),
)
# Digests of nonces that were used, until they would be refused for their age anyway. `use` says by which question.
licence_nonce = Table(
    "licence_nonce",
    TABLES,
    Column("digest", Text, primary_key=True),
    Column("use", Text, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index("licence_nonce_expires", "expires_us"),
)

SLOT, SIGNED, ISSUED = "SLOT", "SIGNED", "ISSUED"
_ISSUED_COUNT: Final = "issued:licence"
# Nonces that are forgotten with each one that is spent.
_NONCES_AT_ONCE = 100
PLACES_GIVEN: Final = "licence:places"
"""The counter of places in status lists."""
_STATUS: Mapping[str, Status] = {
    LicenceState.VALID.value: Status.VALID,
    LicenceState.SUSPENDED.value: Status.SUSPENDED,
    LicenceState.REVOKED.value: Status.INVALID,
}


@dataclass(frozen=True, slots=True)
class LicenceRow:
    """A licence on its way (stage) and in its life (state)."""

    number: str
    case_code: str
    type: str
    issuer: str
    holder: str
    division: str
    seal_id: str
    key: str
    issued_us: int
    expires_us: int
    list: int
    place: int
    salt: bytes
    stage: str
    state: LicenceState
    sha256: str
    sealed: bytes
    ledger_index: int
    receipt: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change of a licence's state that the ledger does not know yet."""

    number: str
    change: int
    state: LicenceState
    changed_us: int


def _licence(row: Row[Any]) -> LicenceRow:
    fields = {
        **row._asdict(),
        "state": LicenceState(row.state),
        "salt": bytes(row.salt),
        "sealed": bytes(row.sealed or b""),
    }
    return LicenceRow(**fields)


def find_by_number(conn: Connection, number: str) -> LicenceRow | None:
    row = conn.execute(select(licence).where(licence.c.number == number)).first()
    return None if row is None else _licence(row)


def by_number(conn: Connection, number: str) -> LicenceRow:
    """The licence of that number, which is there."""
    return _licence(conn.execute(select(licence).where(licence.c.number == number)).one())


def find_by_digests(conn: Connection, digests: Sequence[str]) -> LicenceRow | None:
    """The licence whose token has one of these SHA-256 (hex)."""
    row = conn.execute(select(licence).where(licence.c.sha256.in_(digests))).first()
    return None if row is None else _licence(row)


def find_of_case(conn: Connection, case_code: str, type_: str, now_us: int) -> LicenceRow | None:
    """The licence of a case that is neither revoked nor past its end."""
    row = conn.execute(
        select(licence).where(
            licence.c.case_code == case_code,
            licence.c.type == type_,
            licence.c.state != LicenceState.REVOKED.value,
            licence.c.expires_us > now_us,
        )
    ).first()
    return None if row is None else _licence(row)


def take_generation(conn: Connection, case_code: str, type_: str) -> bool:
    """Tells whether the case's next licence of that type is the caller's to make; False when another was first."""
    mine = (licence_generation.c.case_code == case_code) & (licence_generation.c.type == type_)
    before = conn.execute(select(func.count()).select_from(licence_generation).where(mine)).scalar_one()
    row = {"case_code": case_code, "type": type_, "generation": before + 1}
    return binding_of(conn).dialect.insert_ignore(conn, licence_generation, [row]) == 1


def take_place(conn: Connection, list_: int, place: int) -> bool:
    """Takes a place in a list, once; False when it is taken."""
    dialect = binding_of(conn).dialect
    dialect.insert_ignore(conn, licence_list, [{"list": list_, "version": 0}])
    return dialect.insert_ignore(conn, licence_place, [{"list": list_, "place": place}]) == 1


def numbers(prefix: str) -> str:
    """The counter of licence numbers with that prefix."""
    return f"licence:{prefix}"


def next_value(conn: Connection, name: str) -> int:
    return int(binding_of(conn).dialect.next_value(conn, name))


def pass_over(conn: Connection, prefix: str) -> None:
    """Leaves out numbers and places that a store may have given out and forgotten; `statuses` knows the lists by it."""
    for name in (numbers(prefix), PLACES_GIVEN):
        binding_of(conn).dialect.next_value(conn, name, FORGOTTEN_MOST)


def put(conn: Connection, row: LicenceRow) -> None:
    fields = {name: getattr(row, name) for name in LicenceRow.__slots__}
    conn.execute(insert(licence), {**fields, "state": row.state.value, "sealed": row.sealed or None})


def rebind(conn: Connection, number: str, key: str) -> None:
    """Another key for a licence of which nothing was made yet."""
    conn.execute(update(licence).where(licence.c.number == number, licence.c.stage == SLOT).values(key=key))


def keep_signed(conn: Connection, number: str, sha256: str, sealed: bytes) -> bool:
    """SLOT → SIGNED, once; False when another attempt was first."""
    changed = conn.execute(
        update(licence)
        .where(licence.c.number == number, licence.c.stage == SLOT)
        .values(sha256=sha256, sealed=sealed, stage=SIGNED)
    )
    return changed.rowcount == 1


def release(conn: Connection, number: str, ledger_index: int, receipt: str) -> bool:
    """SIGNED → ISSUED with its receipt, once."""
    changed = conn.execute(
        update(licence)
        .where(licence.c.number == number, licence.c.stage == SIGNED)
        .values(ledger_index=ledger_index, receipt=receipt, stage=ISSUED)
    )
    if changed.rowcount:
        counters.add(conn, _ISSUED_COUNT)
    return changed.rowcount == 1


def change_state(conn: Connection, row: LicenceRow, state: LicenceState, reason: str, now_us: int) -> bool:
    """Changes the state, in the register and in the version of its list; False when somebody else was first."""
    changed = conn.execute(
        update(licence)
        .where(licence.c.number == row.number, licence.c.state == row.state.value)
        .values(state=state.value)
    )
    if changed.rowcount != 1:
        return False
    conn.execute(update(licence_list).where(licence_list.c.list == row.list).values(version=licence_list.c.version + 1))
    before = conn.execute(
        select(func.count()).select_from(licence_change).where(licence_change.c.number == row.number)
    ).scalar_one()
    conn.execute(
        insert(licence_change),
        {
            "number": row.number,
            "change": before + 1,
            "state": state.value,
            "reason": reason,
            "changed_us": now_us,
            "ledger_index": UNLOGGED,
        },
    )
    return True


def find_change(conn: Connection, number: str, state: LicenceState, changed_us: int) -> ChangeRow | None:
    """The change of a licence to that state at that time, if it had one."""
    wanted = select(licence_change).where(
        licence_change.c.number == number,
        licence_change.c.state == state.value,
        licence_change.c.changed_us == changed_us,
    )
    row = conn.execute(wanted).first()
    return None if row is None else ChangeRow(row.number, row.change, LicenceState(row.state), row.changed_us)


def unlogged(conn: Connection, limit: int) -> list[ChangeRow]:
    """At most `limit` changes that the ledger does not know yet, the oldest first."""
    waiting = select(licence_change).where(licence_change.c.ledger_index == UNLOGGED)
    rows = conn.execute(waiting.order_by(licence_change.c.changed_us).limit(limit))
    return [ChangeRow(row.number, row.change, LicenceState(row.state), row.changed_us) for row in rows]


def logged(conn: Connection, change: ChangeRow, ledger_index: int) -> None:
    conn.execute(
        update(licence_change)
        .where(licence_change.c.number == change.number, licence_change.c.change == change.change)
        .values(ledger_index=ledger_index)
    )


def unfinished(conn: Connection) -> list[str]:
    """Licences that were made but not logged when the process died."""
    wanted = select(licence.c.number).where(licence.c.stage == SIGNED, text(UNDER_WAY))
    return [row.number for row in conn.execute(wanted)]


def find_list_version(conn: Connection, list_: int) -> int | None:
    """Finds how often the list changed; None: there is no such list."""
    found = conn.execute(select(licence_list.c.version).where(licence_list.c.list == list_)).scalar()
    return None if found is None else int(found)


def statuses(conn: Connection, list_: int) -> tuple[int, dict[int, Status], Status]:
    """The list's version, the status of places, and that of all other places.

    Where the register has fewer places of the list than were given, a restore made it forget licences and what was said
    of them. The other places are SUSPENDED then: nobody may rely on them, and nobody said that they are revoked.
    """
    wanted, rest = select(licence.c.place, licence.c.state).where(licence.c.list == list_), Status.SUSPENDED
    held = select(func.count()).select_from(licence_place).where(licence_place.c.list == list_)
    if conn.execute(held).scalar_one() >= given_in(list_, counters.value(conn, PLACES_GIVEN)):
        wanted, rest = wanted.where(licence.c.state != LicenceState.VALID.value), Status.VALID
    found = {row.place: _STATUS[row.state] for row in conn.execute(wanted)}
    return find_list_version(conn, list_) or 0, found, rest


def spend_nonce(conn: Connection, digest: str, use: str, expires_us: int, now_us: int) -> bool:
    """Tells whether the nonce is fresh, or was spent by this very question; forgets some of those past their time."""
    over = select(licence_nonce.c.digest).where(licence_nonce.c.expires_us < now_us).limit(_NONCES_AT_ONCE)
    conn.execute(delete(licence_nonce).where(licence_nonce.c.digest.in_(over)))
    row = {"digest": digest, "use": use, "expires_us": expires_us}
    if binding_of(conn).dialect.insert_ignore(conn, licence_nonce, [row]) == 1:
        return True
    return bool(conn.execute(select(licence_nonce.c.use).where(licence_nonce.c.digest == digest)).scalar() == use)


def count(conn: Connection) -> int:
    """The number of licences that were issued."""
    return counters.value(conn, _ISSUED_COUNT)
