"""What esign keeps of the SM2 side: each seal's SM2 certificate, key and SESeal, and each document's seal signature."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, Text, select

from shuniu.kit.sql import binding_of

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
    certificate: bytes
    wrapped_key: bytes = field(repr=False)
    eseal: bytes = field(repr=False)


def sm2_seal_of(conn: Connection, seal_id: str) -> Sm2SealRow | None:
    row = conn.execute(select(sm2_seal).where(sm2_seal.c.seal_id == seal_id)).first()
    if row is None:
        return None
    return Sm2SealRow(row.seal_id, bytes(row.certificate), bytes(row.wrapped_key), bytes(row.eseal))


def keep_sm2_seal(conn: Connection, made: Sm2SealRow) -> Sm2SealRow:
    """Keeps the first that was made for a seal; returns the one kept."""
    values = {
        "seal_id": made.seal_id,
        "certificate": made.certificate,
        "wrapped_key": made.wrapped_key,
        "eseal": made.eseal,
    }
    binding_of(conn).dialect.insert_ignore(conn, sm2_seal, [values])
    kept = sm2_seal_of(conn, made.seal_id)
    assert kept is not None
    return kept


def keep_sidecars(conn: Connection, beside: Sequence[tuple[str, bytes]]) -> None:
    """Keeps the seal signatures of documents, by their numbers."""
    rows = [{"number": number, "ses": ses} for number, ses in beside]
    binding_of(conn).dialect.insert_ignore(conn, certificate_ses, rows)


def sidecar_of(conn: Connection, number: str) -> bytes:
    """The seal signature beside a document; empty when it has none."""
    return bytes(conn.execute(select(certificate_ses.c.ses).where(certificate_ses.c.number == number)).scalar() or b"")
