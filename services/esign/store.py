"""What esign keeps: seals, certificates, and the newest ledger head it knows of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

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
    func,
    insert,
    select,
    text,
    update,
)

from services.esign import (
    digest_store,
    evidence_store,
    flow_journal_store,
    flow_store,
    licence_store,
    ofd_store,
    seal_store,
    ses_store,
)
from services.esign.domain.certificates import CertificateState
from services.esign.domain.seals import Revocation, RevocationReason, Seal, SealKind, SealState
from services.esign.partial_indexes import ACTIVE, KEY_LEFT, LASTING, OUT, REVOCATION_WAITS, UNDER_WAY, partial
from shuniu.kit import paging
from shuniu.kit.feed import replica_tables
from shuniu.kit.sql import binding_of, kit_tables, secret_values

P256, SM2 = "P256", "SM2"
METADATA = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)
for _tables in (
    ses_store.TABLES,
    ofd_store.TABLES,
    evidence_store.TABLES,
    digest_store.TABLES,
    seal_store.TABLES,
    flow_store.TABLES,
    flow_journal_store.TABLES,
    licence_store.TABLES,
):
    for _table in _tables.sorted_tables:
        _table.to_metadata(METADATA)

seal = Table(
    "seal",
    METADATA,
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
    METADATA,
    Column("serial", Text, primary_key=True),
    Column("seal_id", Text, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    # Which authority issued it: P256 or SM2.
    Column("family", Text, nullable=False, server_default=P256),
    Index("seal_certificate_seal", "seal_id"),
)

# SLOT: number and signing time handed out. SEALED: bytes made. ISSUED: logged, released. `salt` opens the commitment.
certificate = Table(
    "certificate",
    METADATA,
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

# The newest head the store knows of: a ledger that is shorter was rolled back. One row.
ledger_head = Table(
    "ledger_head",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("checkpoint", Text, nullable=False),
)

SLOT, SEALED, ISSUED = "SLOT", "SEALED", "ISSUED"
_HEAD = "head"


@dataclass(frozen=True, slots=True)
class SealRow:
    """A seal with what signs: certificate (DER) and wrapped key, both empty before approval. A person's certificate
    bears their name, and lies encrypted.
    """

    seal: Seal
    certificate: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)


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
    )
    certificate = bytes(row.certificate or b"")
    if found.kind is SealKind.PERSON:
        certificate = secret_values.reveal(conn, certificate, certificate_context(found.id))
    return SealRow(found, certificate, bytes(row.wrapped_key or b""))


def put_seal(conn: Connection, found: Seal, now_us: int) -> None:
    conn.execute(
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


def seal_by_id(conn: Connection, seal_id: str) -> SealRow | None:
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
    """A seal certificate's serial number (hex), its seal's state since `since_us`, its revocation if there is one."""

    serial: str
    state: SealState
    since_us: int
    revocation: Revocation | None
    seal_id: str = ""


_STANDING = select(
    seal_certificate.c.serial,
    seal.c.state,
    seal_certificate.c.since_us,
    seal.c.revocation_reason,
    seal.c.revoked_us,
    seal.c.invalid_us,
    seal_certificate.c.seal_id,
).join(seal, seal.c.id == seal_certificate.c.seal_id)


def _standing(row: Row[Any, Any, Any, Any, Any, Any, Any]) -> StandingRow:
    revocation = None
    if row.invalid_us is not None:
        revocation = Revocation(RevocationReason(row.revocation_reason), row.revoked_us, row.invalid_us)
    return StandingRow(row.serial, SealState(row.state), row.since_us, revocation, row.seal_id)


def standing_of(conn: Connection, serial: str) -> StandingRow | None:
    row = conn.execute(_STANDING.where(seal_certificate.c.serial == serial)).first()
    return None if row is None else _standing(row)


def revoked_certificates(conn: Connection, family: str = P256) -> list[StandingRow]:
    """Certificates of seals that are suspended, revoked or replaced, by serial number."""
    # From their seals on, and sorted here: else SQLite goes through all certificates there are.
    out = select(seal.alias().c.id).where(text(OUT))
    rows = conn.execute(_STANDING.where(seal_certificate.c.seal_id.in_(out), seal_certificate.c.family == family))
    return sorted(map(_standing, rows), key=lambda row: row.serial)


def certified(conn: Connection, serial: int, seal_id: str, now_us: int, family: str = P256) -> None:
    """A certificate was issued for a seal."""
    values = {"serial": f"{serial:x}", "seal_id": seal_id, "since_us": now_us, "family": family}
    binding_of(conn).dialect.insert_ignore(conn, seal_certificate, [values])


def standing_changed(conn: Connection, seal_id: str, now_us: int) -> None:
    conn.execute(update(seal_certificate).where(seal_certificate.c.seal_id == seal_id).values(since_us=now_us))


def made(conn: Connection, found: SealRow) -> None:
    certificate = found.certificate
    if found.seal.kind is SealKind.PERSON:
        certificate = secret_values.close(conn, certificate, certificate_context(found.seal.id))
    conn.execute(
        update(seal)
        .where(seal.c.id == found.seal.id)
        .values(
            state=found.seal.state.value,
            certificate=certificate,
            wrapped_key=found.wrapped_key,
            not_before_us=found.seal.not_before_us,
            not_after_us=found.seal.not_after_us,
        )
    )


def set_seal_state(conn: Connection, seal_id: str, state: SealState, reason: str) -> None:
    conn.execute(update(seal).where(seal.c.id == seal_id).values(state=state.value, reason=reason))


def set_reviewer(conn: Connection, seal_id: str, reviewer: str) -> None:
    conn.execute(update(seal).where(seal.c.id == seal_id).values(reviewer=reviewer))


def set_maker(conn: Connection, seal_id: str, maker: str) -> None:
    conn.execute(update(seal).where(seal.c.id == seal_id).values(maker=maker))


def set_revocation(conn: Connection, seal_id: str, revocation: Revocation) -> None:
    conn.execute(
        update(seal)
        .where(seal.c.id == seal_id)
        .values(
            revocation_reason=revocation.reason.value, revoked_us=revocation.at_us, invalid_us=revocation.invalid_us
        )
    )


def ended_by(conn: Connection, now_us: int) -> list[SealRow]:
    """Seals whose certificates have ended and that do not say so yet."""
    rows = conn.execute(select(seal).where(text(LASTING), seal.c.not_after_us < now_us))
    return [_seal(conn, row) for row in rows]


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


def certificate_of_case(conn: Connection, case_code: str) -> CertificateRow | None:
    row = conn.execute(select(certificate).where(certificate.c.case_code == case_code)).first()
    return None if row is None else read_certificate(row)


def certificate_by_number(conn: Connection, number: str) -> CertificateRow | None:
    row = conn.execute(select(certificate).where(certificate.c.number == number)).first()
    return None if row is None else read_certificate(row)


def keep_bytes(conn: Connection, number: str, pdf: bytes, sha256: str, qr: str) -> bool:
    """Keeps the sealed bytes of a slot once; False when another attempt was first."""
    changed = conn.execute(
        update(certificate)
        .where(certificate.c.number == number, certificate.c.stage == SLOT)
        .values(pdf=pdf, sha256=sha256, qr=qr, stage=SEALED)
    )
    return changed.rowcount == 1


def replace_bytes(conn: Connection, number: str, old_sha256: str, pdf: bytes, sha256: str) -> bool:
    """Other bytes for a document that is sealed and not yet logged; False when it is not the one meant any more."""
    changed = conn.execute(
        update(certificate)
        .where(certificate.c.number == number, certificate.c.stage == SEALED, certificate.c.sha256 == old_sha256)
        .values(pdf=pdf, sha256=sha256)
    )
    return changed.rowcount == 1


def release(conn: Connection, number: str, ledger_index: int, receipt: str) -> bool:
    """SEALED → ISSUED with its receipt, once."""
    changed = conn.execute(
        update(certificate)
        .where(certificate.c.number == number, certificate.c.stage == SEALED)
        .values(ledger_index=ledger_index, receipt=receipt, stage=ISSUED)
    )
    return changed.rowcount == 1


def revoke(conn: Connection, number: str, reason: str, now_us: int) -> None:
    """The document is revoked from now on, and the ledger is to say so."""
    conn.execute(
        update(certificate)
        .where(certificate.c.number == number)
        .values(state=CertificateState.REVOKED.value, reason=reason, revoked_us=now_us)
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


def remember_head(conn: Connection, size: int, checkpoint: str) -> None:
    """Keeps the newest head; an older one changes nothing."""
    changed = conn.execute(
        update(ledger_head)
        .where(ledger_head.c.name == _HEAD, ledger_head.c.size < size)
        .values(size=size, checkpoint=checkpoint)
    )
    if changed.rowcount == 0 and conn.execute(select(func.count()).select_from(ledger_head)).scalar() == 0:
        conn.execute(insert(ledger_head), {"name": _HEAD, "size": size, "checkpoint": checkpoint})


def remembered_head(conn: Connection) -> str:
    return str(conn.execute(select(ledger_head.c.checkpoint)).scalar() or "")


def unfinished(conn: Connection) -> Sequence[str]:
    """Numbers of documents that were sealed but not logged when the process died."""
    rows = conn.execute(select(certificate.c.number).where(certificate.c.stage == SEALED, text(UNDER_WAY)))
    return [row.number for row in rows]


def issued_count(conn: Connection) -> int:
    """All but those under way: both are counted in an index, without the documents."""
    every = select(func.count()).select_from(certificate)
    return conn.execute(every).scalar_one() - conn.execute(every.where(text(UNDER_WAY))).scalar_one()
