"""Stores the SM2 side: each seal's SM2 certificate, key and SESeal, and each document's seal signature."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, Text, select

from services.esign.certification.domain.holders import SealKind
from shuniu.kit.store import binding_of, secret_values

TABLES = MetaData()

# One row a seal. The key is wrapped as the seal's other key is (PKCS#8 under the KEK).
sm2_seal = Table(
    "sm2_seal",
    TABLES,
    Column("seal_id", Text, primary_key=True),
    Column("certificate", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("eseal", LargeBinary, nullable=False),
)

# One row a document that was also sealed under GB/T 38540.
certificate_ses = Table(
    "certificate_ses",
    TABLES,
    Column("number", Text, primary_key=True),
    Column("ses", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Sm2SealRow:
    """The SM2 side of a seal: certificate (DER), wrapped key, SESeal (DER)."""

    seal_id: str
    certificate: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    eseal: bytes = field(repr=False)


def certificate_context(seal_id: str) -> bytes:
    """Binds a person's SM2 certificate to its row."""
    return secret_values.context("sm2_seal", seal_id, "certificate")


def eseal_context(seal_id: str) -> bytes:
    """Binds a person's SESeal to its row: it holds the certificate and the picture."""
    return secret_values.context("sm2_seal", seal_id, "eseal")


def find_sm2_seal(conn: Connection, seal_id: str) -> Sm2SealRow | None:
    row = conn.execute(select(sm2_seal).where(sm2_seal.c.seal_id == seal_id)).first()
    if row is None:
        return None
    return Sm2SealRow(
        row.seal_id,
        secret_values.reveal(conn, bytes(row.certificate), certificate_context(seal_id)),
        bytes(row.wrapped_key),
        secret_values.reveal(conn, bytes(row.eseal), eseal_context(seal_id)),
    )


def keep_sm2_seal(conn: Connection, made: Sm2SealRow, kind: SealKind) -> Sm2SealRow:
    """Keeps the first that was made for a seal; returns the one kept. What names a person lies encrypted."""
    certificate, eseal = made.certificate, made.eseal
    if kind is SealKind.PERSON:
        certificate = secret_values.close(conn, certificate, certificate_context(made.seal_id))
        eseal = secret_values.close(conn, eseal, eseal_context(made.seal_id))
    values = {
        "seal_id": made.seal_id,
        "certificate": certificate,
        "wrapped_key": made.wrapped_key,
        "eseal": eseal,
    }
    binding_of(conn).dialect.insert_ignore(conn, sm2_seal, [values])
    kept = find_sm2_seal(conn, made.seal_id)
    assert kept is not None
    return kept


def keep_sidecars(conn: Connection, beside: Sequence[tuple[str, bytes]]) -> None:
    """Keeps the seal signatures of documents, by their numbers."""
    rows = [{"number": number, "ses": ses} for number, ses in beside]
    binding_of(conn).dialect.insert_ignore(conn, certificate_ses, rows)


def sidecar_of(conn: Connection, number: str) -> bytes:
    """The seal signature beside a document; empty when it has none."""
    return bytes(conn.execute(select(certificate_ses.c.ses).where(certificate_ses.c.number == number)).scalar() or b"")
