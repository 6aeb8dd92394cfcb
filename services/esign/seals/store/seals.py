"""Seals, and their certificates by serial number."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Insert,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    Update,
    insert,
    or_,
    select,
    text,
    update,
)

from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.issued import Issued
from services.esign.seals.domain.life import Revocation, RevocationReason, Seal, SealState
from shuniu.kit.rpc import paging
from shuniu.kit.store import binding_of, secret_values
from shuniu.kit.store.partial import partial

TABLES = MetaData()

# Seals that are active, one for each holder; that can still expire; that are on the revocation lists; that ended
# with a key left.
ACTIVE: Final = "state = 'ACTIVE'"
LASTING: Final = "state IN ('ISSUED', 'ACTIVE', 'SUSPENDED')"
OUT: Final = "(state IN ('SUSPENDED', 'REVOKED', 'REPLACED') OR held_us IS NOT NULL)"
KEY_LEFT: Final = "state IN ('REVOKED', 'EXPIRED', 'REPLACED', 'REJECTED') AND length(wrapped_key) > 0"

P256, SM2 = FAMILIES = "P256", "SM2"

seal = Table(
    "seal",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("applied_us", BigInteger, nullable=False),
    # Set when the seal is made: certificate (DER), wrapped key (PKCS#8 under the KEK), validity.
    Column("certificate", LargeBinary),
    Column("wrapped_key", LargeBinary),
    Column("not_before_us", BigInteger, nullable=False),
    Column("not_after_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default=SealKind.ORGANISATION.value),
    # Who may have one active seal (`Seal.holder`); `person` is the hub's id of a person's seal.
    Column("holder", Text, nullable=False, server_default=""),
    Column("person", Text, nullable=False, server_default=""),
    # The seal whose place it takes, and how many came before it.
    Column("replaces", Text, nullable=False, server_default=""),
    Column("version", BigInteger, nullable=False, server_default="1"),
    # Who applied, reviewed and made it: platform codes and names of operators.
    Column("applicant", Text, nullable=False, server_default=""),
    Column("reviewer", Text, nullable=False, server_default=""),
    Column("maker", Text, nullable=False, server_default=""),
    # CRLReason, when it was revoked or replaced, and from when on its signatures are not to be trusted (µs).
    Column("revocation_reason", BigInteger),
    Column("revoked_us", BigInteger),
    Column("invalid_us", BigInteger),
    # Since when it is suspended, also where the suspension lasted to its end (µs).
    Column("held_us", BigInteger),
    Index("seal_owner", "owner", "id"),
    Index("seal_holder", "holder", "id"),
    partial("seal_lasting", "not_after_us", where=LASTING),
    partial("seal_out", "id", where=OUT),
    partial("seal_key_left", "id", where=KEY_LEFT),
    partial("seal_one_active", "holder", where=ACTIVE, unique=True),
)

# Seal certificates by serial number (hex); `since_us` is when the seal's state last changed.
seal_certificate = Table(
    "seal_certificate",
    TABLES,
    Column("serial", Text, primary_key=True),
    Column("seal_id", Text, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    # Which authority issued it: P256 or SM2.
    Column("family", Text, nullable=False, server_default=P256),
    # As `Issued` has them.
    Column("issuer", Text, nullable=False, server_default=""),
    Column("ends_us", BigInteger, nullable=False, server_default="0"),
    Index("seal_certificate_seal", "seal_id"),
)

# One row. Every write of the two tables above raises it in the same transaction: what was made of them holds as long.
seal_version = Table(
    "seal_version", TABLES, Column("name", Text, primary_key=True), Column("version", BigInteger, nullable=False)
)
_SEALS = "seals"


@dataclass(frozen=True, slots=True)
class SealRow:
    """A seal with what signs: certificate (DER) and wrapped key, both empty before approval. A person's certificate
    bears their name, and lies encrypted.
    """

    seal: Seal
    certificate: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)


def certificate_context(seal_id: str) -> bytes:
    """Binds a person's certificate to its row."""
    return secret_values.context("seal", seal_id, "certificate")


def _seal(conn: Connection, row: Row[Any]) -> SealRow:
    revocation = None
    if row.invalid_us is not None:
        revocation = Revocation(RevocationReason(row.revocation_reason), row.revoked_us, row.invalid_us)
    found = Seal(
        row.id,
        row.owner,
        row.name,
        SealState(row.state),
        row.not_before_us,
        row.not_after_us,
        SealKind(row.kind),
        row.person,
        row.replaces,
        row.version,
        row.applicant,
        row.reviewer,
        revocation,
        row.held_us,
    )
    certificate = bytes(row.certificate or b"")
    if found.kind is SealKind.PERSON:
        certificate = secret_values.reveal(conn, certificate, certificate_context(found.id))
    return SealRow(found, certificate, bytes(row.wrapped_key or b""))


def put_seal(conn: Connection, found: Seal, now_us: int) -> None:
    _write(
        conn,
        insert(seal),
        {
            "id": found.id,
            "owner": found.owner,
            "name": found.name,
            "state": found.state.value,
            "applied_us": now_us,
            "not_before_us": 0,
            "not_after_us": 0,
            "reason": "",
            "kind": found.kind.value,
            "holder": found.holder,
            "person": found.person,
            "replaces": found.replaces,
            "version": found.version,
            "applicant": found.applicant,
        },
    )


def find_seal_by_id(conn: Connection, seal_id: str) -> SealRow | None:
    """The seal, as this unit's snapshot has it."""
    row = conn.execute(select(seal).where(seal.c.id == seal_id)).first()
    return None if row is None else _seal(conn, row)


def seals_of_holder(conn: Connection, holder: str) -> list[SealRow]:
    rows = conn.execute(select(seal).where(seal.c.holder == holder).order_by(seal.c.id))
    return [_seal(conn, row) for row in rows]


def seals_of(conn: Connection, owner: str) -> list[SealRow]:
    """Seals of the organisation itself, oldest first; not those that persons applied for through it."""
    return seals_of_holder(conn, f"platform/{owner}")


def list_seals(conn: Connection, owner: str, after: paging.Position, limit: int) -> list[SealRow]:
    """Seals of one organisation, or of all and of persons when `owner` is empty, by id."""
    wanted = select(seal) if not owner else select(seal).where(seal.c.holder == f"platform/{owner}")
    return [_seal(conn, row) for row in conn.execute(paging.keyset(wanted, [seal.c.id], after, limit))]


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A seal certificate's serial number (hex), its seal's state since `since_us`, its revocation if there is one, and
    since when it is suspended, also after a suspension that nobody lifted (`held_us`). µs.
    """

    serial: str
    state: SealState
    since_us: int
    revocation: Revocation | None
    seal_id: str = ""
    held_us: int | None = None
    # The key that issued it, as `Issued` has it.
    issuer: str = ""


_STANDING = select(
    seal_certificate.c.serial,
    seal.c.state,
    seal_certificate.c.since_us,
    seal.c.revocation_reason,
    seal.c.revoked_us,
    seal.c.invalid_us,
    seal_certificate.c.seal_id,
    seal.c.held_us,
    seal_certificate.c.issuer,
).join(seal, seal.c.id == seal_certificate.c.seal_id)


def _standing(row: Row[Any, Any, Any, Any, Any, Any, Any, Any, Any]) -> StandingRow:
    revocation = None
    if row.invalid_us is not None:
        revocation = Revocation(RevocationReason(row.revocation_reason), row.revoked_us, row.invalid_us)
    return StandingRow(row.serial, SealState(row.state), row.since_us, revocation, row.seal_id, row.held_us, row.issuer)


def find_standing(conn: Connection, serial: str) -> StandingRow | None:
    row = conn.execute(_STANDING.where(seal_certificate.c.serial == serial)).first()
    return None if row is None else _standing(row)


def revoked_certificates(conn: Connection, family: str = P256, lasting_us: int = 0) -> list[StandingRow]:
    """Certificates of seals that are suspended, revoked or replaced, or that expired suspended, by serial number. Only
    those that last until `lasting_us` (µs), and of stolen keys all: what a thief signed stays INVALID.
    """
    # From their seals on, and sorted here: else SQLite goes through all certificates there are.
    out = select(seal.alias().c.id).where(text(OUT))
    lasts = or_(
        seal_certificate.c.ends_us == 0,
        seal_certificate.c.ends_us >= lasting_us,
        seal.c.revocation_reason == RevocationReason.KEY_COMPROMISE.value,
    )
    rows = conn.execute(
        _STANDING.where(seal_certificate.c.seal_id.in_(out), seal_certificate.c.family == family, lasts)
    )
    return sorted(map(_standing, rows), key=lambda row: row.serial)


def version(conn: Connection) -> int:
    """Number of writes to seals and their certificates: the same number, the same lists."""
    return int(conn.execute(select(seal_version.c.version).where(seal_version.c.name == _SEALS)).scalar() or 0)


def raise_version(conn: Connection) -> None:
    """For what is not a seal and changes what lists say too."""
    raised = update(seal_version).where(seal_version.c.name == _SEALS).values(version=seal_version.c.version + 1)
    if conn.execute(raised).rowcount == 0:
        conn.execute(insert(seal_version), {"name": _SEALS, "version": 1})


def _write(conn: Connection, statement: Insert | Update, values: Mapping[str, Any] | None = None) -> None:
    """The one way to change a seal or its certificates."""
    conn.execute(statement, values)
    raise_version(conn)


def certified(conn: Connection, certificate: Issued, seal_id: str, now_us: int, family: str = P256) -> None:
    """A certificate was issued for a seal."""
    values = {
        "serial": f"{certificate.serial:x}",
        "seal_id": seal_id,
        "since_us": now_us,
        "family": family,
        "issuer": certificate.issuer,
        "ends_us": certificate.ends_us,
    }
    binding_of(conn).dialect.insert_ignore(conn, seal_certificate, [values])
    raise_version(conn)


def standing_changed(conn: Connection, seal_id: str, now_us: int) -> None:
    _write(conn, update(seal_certificate).where(seal_certificate.c.seal_id == seal_id).values(since_us=now_us))


def made(conn: Connection, found: SealRow) -> None:
    certificate = found.certificate
    if found.seal.kind is SealKind.PERSON:
        certificate = secret_values.close(conn, certificate, certificate_context(found.seal.id))
    _write(
        conn,
        update(seal)
        .where(seal.c.id == found.seal.id)
        .values(
            state=found.seal.state.value,
            certificate=certificate,
            wrapped_key=found.wrapped_key,
            not_before_us=found.seal.not_before_us,
            not_after_us=found.seal.not_after_us,
        ),
    )


def set_seal_state(conn: Connection, changed: Seal, reason: str) -> None:
    values = {"state": changed.state.value, "held_us": changed.held_us, "reason": reason}
    _write(conn, update(seal).where(seal.c.id == changed.id).values(values))


def set_reviewer(conn: Connection, seal_id: str, reviewer: str) -> None:
    _write(conn, update(seal).where(seal.c.id == seal_id).values(reviewer=reviewer))


def set_maker(conn: Connection, seal_id: str, maker: str) -> None:
    _write(conn, update(seal).where(seal.c.id == seal_id).values(maker=maker))


def set_revocation(conn: Connection, seal_id: str, revocation: Revocation) -> None:
    _write(
        conn,
        update(seal)
        .where(seal.c.id == seal_id)
        .values(
            revocation_reason=revocation.reason.value, revoked_us=revocation.at_us, invalid_us=revocation.invalid_us
        ),
    )


def ended_by(conn: Connection, now_us: int) -> list[SealRow]:
    """Seals whose certificates have ended and that do not say so yet."""
    rows = conn.execute(select(seal).where(text(LASTING), seal.c.not_after_us < now_us))
    return [_seal(conn, row) for row in rows]
