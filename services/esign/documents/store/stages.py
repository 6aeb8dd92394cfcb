"""Writes the three stages of issuing, for several documents in one unit of work: SLOT, SEALED, ISSUED."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import BindParameter, Connection, bindparam, insert, select, update

from services.esign.documents.store import ofd as ofd_store
from services.esign.documents.store import sm3 as digest_store
from services.esign.documents.store.certificates import (
    ISSUED,
    ISSUED_COUNT,
    SEALED,
    SLOT,
    CertificateRow,
    certificate,
    read_certificate,
)
from services.esign.documents.store.sm3 import Form
from services.esign.seals.store import sm2_side as ses_store
from shuniu.kit.store import FORGOTTEN_MOST, binding_of, counters

# Put together once: that costs more than to run them.
_NUMBERS: BindParameter[str] = bindparam("numbers", expanding=True)
_OF_CASES = select(certificate).where(certificate.c.case_code.in_(bindparam("codes", expanding=True)))
_KEEP = (
    update(certificate)
    .where(certificate.c.number == bindparam("of"), certificate.c.stage == SLOT)
    .values(pdf=bindparam("bytes"), sha256=bindparam("digest"), qr=bindparam("code"), stage=SEALED)
)
_DIGESTS = select(certificate.c.number, certificate.c.sha256).where(certificate.c.number.in_(_NUMBERS))
_WAITING = (
    select(certificate.c.number)
    .where(certificate.c.number.in_(_NUMBERS), certificate.c.stage == SEALED)
    .with_for_update()
)
_RELEASE = (
    update(certificate)
    .where(certificate.c.number == bindparam("of"))
    .values(ledger_index=bindparam("at"), receipt=bindparam("proof"), stage=ISSUED)
)


@dataclass(frozen=True, slots=True)
class Made:
    """The sealed bytes of a slot, the content of their QR code, and what may be empty: the seal signature beside them,
    and the document's OFD form.
    """

    number: str
    pdf: bytes = field(repr=False)
    sha256: str
    qr: str = field(repr=False)
    beside: bytes = field(repr=False)
    ofd: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Logged:
    """The place of a document in the ledger, and the SM3 (hex) of its PDF and its OFD form; empty where it has none."""

    number: str
    ledger_index: int
    receipt: str = field(repr=False)
    pdf_sm3: str
    ofd_sm3: str = ""


def of_cases(conn: Connection, case_codes: Sequence[str]) -> dict[str, CertificateRow]:
    """The documents of cases that have one, by case."""
    rows = conn.execute(_OF_CASES, {"codes": case_codes})
    return {row.case_code: read_certificate(row) for row in rows}


def next_numbers(conn: Connection, prefix: str, count: int) -> list[str]:
    """Prefix, then a serial of its own from 1, at least six digits; `count` of them."""
    last = binding_of(conn).dialect.next_value(conn, f"certificate:{prefix}", count)
    return [f"{prefix}{serial:06d}" for serial in range(last - count + 1, last + 1)]


def pass_over(conn: Connection, prefix: str) -> None:
    """Leaves out numbers that a store may have given out and forgotten."""
    binding_of(conn).dialect.next_value(conn, f"certificate:{prefix}", FORGOTTEN_MOST)


def take_slots(conn: Connection, rows: Sequence[CertificateRow]) -> None:
    conn.execute(
        insert(certificate),
        [
            {
                "number": row.number,
                "case_code": row.case_code,
                "template": row.template,
                "issuer": row.issuer,
                "source_platform": row.source_platform,
                "holder": row.holder,
                "division": row.division,
                "seal_id": row.seal_id,
                "signed_us": row.signed_us,
                "salt": row.salt,
                "stage": SLOT,
                "state": row.state.value,
                "reason": "",
                "sha256": "",
                "qr": "",
                "ledger_index": -1,
                "receipt": "",
            }
            for row in rows
        ],
    )


def keep_bytes(conn: Connection, made: Sequence[Made]) -> set[str]:
    """Keeps the sealed bytes of slots, each once; returns the numbers whose bytes are the ones given: another attempt
    may have been first.
    """
    conn.execute(
        _KEEP,
        [{"of": one.number, "bytes": one.pdf, "digest": one.sha256, "code": one.qr} for one in made],
    )
    digests = {one.number: one.sha256 for one in made}
    found = conn.execute(_DIGESTS, {"numbers": list(digests)})
    kept = {row.number for row in found if row.sha256 == digests[row.number]}
    beside = [(one.number, one.beside) for one in made if one.beside and one.number in kept]
    if beside:
        ses_store.keep_sidecars(conn, beside)
    packages = [(one.number, one.ofd, sha256(one.ofd).hexdigest()) for one in made if one.ofd and one.number in kept]
    if packages:
        ofd_store.keep_packages(conn, packages)
    return kept


def release(conn: Connection, logged: Sequence[Logged]) -> set[str]:
    """SEALED → ISSUED with their receipts and the SM3 of their forms, each once; returns the numbers that were released
    by this.
    """
    first = {row.number for row in conn.execute(_WAITING, {"numbers": [one.number for one in logged]})}
    values = [{"of": one.number, "at": one.ledger_index, "proof": one.receipt} for one in logged if one.number in first]
    if values:
        conn.execute(_RELEASE, values)
        counters.add(conn, ISSUED_COUNT, len(values))
        mine = [one for one in logged if one.number in first]
        digest_store.keep(conn, Form.PDF, [(one.number, one.pdf_sm3) for one in mine])
        packages = [(one.number, one.ofd_sm3) for one in mine if one.ofd_sm3]
        if packages:
            digest_store.keep(conn, Form.OFD, packages)
    return first
