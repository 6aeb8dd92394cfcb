"""Documents, from the slot to the release, and their withdrawal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    select,
    text,
    update,
)

from services.esign.pages.domain.certificates import CertificateState
from shuniu.kit.rpc import paging
from shuniu.kit.store import counters
from shuniu.kit.store.partial import partial

TABLES = MetaData()

UNDER_WAY: Final = "stage <> 'ISSUED'"
REVOCATION_WAITS: Final = "revoked_us > 0 AND revocation_index < 0"

# SLOT: number and signing time handed out. SEALED: bytes made. ISSUED: logged, released. `salt` opens the commitment.
certificate = Table(
    "certificate",
    TABLES,
    Column("number", Text, primary_key=True),
    Column("case_code", Text, nullable=False, unique=True),
    Column("template", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("source_platform", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("division", Text, nullable=False),
    Column("seal_id", Text, nullable=False),
    Column("signed_us", BigInteger, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("stage", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("qr", Text, nullable=False),
    Column("pdf", LargeBinary),
    Column("ledger_index", BigInteger, nullable=False),
    Column("receipt", Text, nullable=False),
    # When it was revoked, and where the ledger says so: -1 until it does.
    Column("revoked_us", BigInteger, nullable=False, server_default="0"),
    Column("revocation_index", BigInteger, nullable=False, server_default="-1"),
    Index("certificate_sha256", "sha256"),
    partial("certificate_under_way", "stage", "seal_id", where=UNDER_WAY),
    Index("certificate_seal", "seal_id", "number"),
    partial("certificate_revoked_unlogged", "revoked_us", where=REVOCATION_WAITS),
)

SLOT, SEALED, ISSUED = "SLOT", "SEALED", "ISSUED"
ISSUED_COUNT: Final = "issued:certificate"


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A document on its way (stage) and in its life (state)."""

    number: str
    case_code: str
    template: str
    issuer: str
    source_platform: str
    holder: str
    division: str
    seal_id: str
    signed_us: int
    salt: bytes
    stage: str
    state: CertificateState
    sha256: str
    qr: str
    pdf: bytes
    ledger_index: int
    receipt: str


def sealed_since(
    conn: Connection, seal_id: str, since_us: int, after: paging.Position, limit: int
) -> list[CertificateRow]:
    """Documents that a seal sealed from then on, by number."""
    wanted = select(certificate).where(certificate.c.seal_id == seal_id, certificate.c.signed_us >= since_us)
    return [read_certificate(row) for row in conn.execute(paging.keyset(wanted, [certificate.c.number], after, limit))]


def read_certificate(row: Row[Any]) -> CertificateRow:
    return CertificateRow(
        row.number,
        row.case_code,
        row.template,
        row.issuer,
        row.source_platform,
        row.holder,
        row.division,
        row.seal_id,
        row.signed_us,
        bytes(row.salt),
        row.stage,
        CertificateState(row.state),
        row.sha256,
        row.qr,
        bytes(row.pdf or b""),
        row.ledger_index,
        row.receipt,
    )


def find_certificate_of_case(conn: Connection, case_code: str) -> CertificateRow | None:
    row = conn.execute(select(certificate).where(certificate.c.case_code == case_code)).first()
    return None if row is None else read_certificate(row)


def find_certificate_by_number(conn: Connection, number: str) -> CertificateRow | None:
    row = conn.execute(select(certificate).where(certificate.c.number == number)).first()
    return None if row is None else read_certificate(row)


def certificate_by_number(conn: Connection, number: str) -> CertificateRow:
    """One that is there."""
    return read_certificate(conn.execute(select(certificate).where(certificate.c.number == number)).one())


def replace_bytes(conn: Connection, number: str, old_sha256: str, pdf: bytes, sha256: str) -> bool:
    """Other bytes for a document that is sealed and not yet logged; False when it is not the one meant any more."""
    changed = conn.execute(
        update(certificate)
        .where(certificate.c.number == number, certificate.c.stage == SEALED, certificate.c.sha256 == old_sha256)
        .values(pdf=pdf, sha256=sha256)
    )
    return changed.rowcount == 1


def revoke(conn: Connection, number: str, reason: str, now_us: int) -> None:
    """The document is revoked from now on, and the ledger is to say so."""
    conn.execute(
        update(certificate)
        .where(certificate.c.number == number)
        .values(state=CertificateState.REVOKED.value, reason=reason, revoked_us=now_us)
    )


def state_of(conn: Connection, number: str) -> CertificateState:
    """The state of a document that is there."""
    return CertificateState(
        conn.execute(select(certificate.c.state).where(certificate.c.number == number)).scalar_one()
    )


@dataclass(frozen=True, slots=True)
class RevokedRow:
    """A revoked document that the ledger does not call so yet."""

    number: str
    revoked_us: int
    pdf: bytes = field(repr=False)


def revocations_unlogged(conn: Connection, limit: int) -> Sequence[RevokedRow]:
    """Revocations that the ledger does not hold yet, oldest first."""
    wanted = select(certificate.c.number, certificate.c.revoked_us, certificate.c.pdf).where(text(REVOCATION_WAITS))
    rows = conn.execute(wanted.order_by(certificate.c.revoked_us).limit(limit))
    return [RevokedRow(row.number, row.revoked_us, bytes(row.pdf)) for row in rows]


def revocation_logged(conn: Connection, number: str, index: int) -> None:
    conn.execute(
        update(certificate)
        .where(certificate.c.number == number, certificate.c.revocation_index < 0)
        .values(revocation_index=index)
    )


def unfinished(conn: Connection) -> Sequence[str]:
    """Numbers of documents that were sealed but not logged when the process died."""
    rows = conn.execute(select(certificate.c.number).where(certificate.c.stage == SEALED, text(UNDER_WAY)))
    return [row.number for row in rows]


def issued_count(conn: Connection) -> int:
    return counters.value(conn, ISSUED_COUNT)
