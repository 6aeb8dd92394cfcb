"""The audit trail: one hash chain for each writer, so that replicas never wait for each other's last record.

Every record carries the hash of the one before and the id of the algorithm that made its own, so a change, a deletion
and a swap all show. A chain alone says nothing about its end: `heads` are logged elsewhere, then handed to `verify`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from shuniu.kit.crypto.sm import sm3
from shuniu.kit.crypto.usage import Purpose, count
from shuniu.kit.store.tables import audit, audit_head
from shuniu.kit.store.types import binding_of, writer_of

# Hash algorithms by the id stored in each row: FIPS 180-4 SHA-256; GB/T 32905 SM3 for the sm profile.
_ALGORITHMS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "sha-256": lambda data: hashlib.sha256(data).digest(),
    "sm3": sm3,
}
ALGORITHM: Final = "sha-256"

_HASHED: Final = (
    *("writer", "seq", "algorithm", "epoch", "prev_hash", "time_us", "actor", "actor_kind"),
    *("action", "object", "outcome", "request_id", "details"),
)
_NO_HASH: Final = b""
_BATCH: Final = 2000

# Put together once: that costs more than to run them.
_HEAD: Final = select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.writer == bindparam("of"))
_APPEND: Final = insert(audit)
_ADVANCE: Final = (
    update(audit_head)
    .where(audit_head.c.writer == bindparam("of"))
    .values(seq=bindparam("to"), hash=bindparam("digest"))
)


class Outcome(StrEnum):
    OK = "OK"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One audited action: who did what to what. `details` holds codes and ids only, never personal data.

    actor: id of the platform, person or officer; actor_kind: its caller kind; action: a name of docs/audit-events.md;
    object: "<type>/<id>".
    """

    actor: str
    actor_kind: str
    action: str
    object: str
    outcome: Outcome = Outcome.OK
    request_id: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a chain. Rows up to `base_seq` are archived; the chain goes on from `base_hash`."""

    writer: str
    seq: int
    hash: bytes
    base_seq: int = 0
    base_hash: bytes = _NO_HASH


class Fault(StrEnum):
    """Fault at a place in a chain."""

    CHANGED = "CHANGED"
    MISSING = "MISSING"
    UNLINKED = "UNLINKED"
    UNKNOWN_ALGORITHM = "UNKNOWN_ALGORITHM"


@dataclass(frozen=True, slots=True)
class Finding:
    writer: str
    seq: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class AuditReport:
    """`records` read in `chains`; sound when there are no findings."""

    chains: int
    records: int
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        return not self.findings


def append(conn: Connection, record: AuditRecord, *, algorithm: str = ALGORITHM) -> Head:
    """Add a record to the chain of the connection's writer, in the caller's unit of work; returns the new head."""
    return append_all(conn, [record], algorithm=algorithm)


def append_all(conn: Connection, records: Sequence[AuditRecord], *, algorithm: str = ALGORITHM) -> Head:
    """`append` for several records (at least one), in their order."""
    writer, binding = writer_of(conn), binding_of(conn)
    head = conn.execute(_HEAD, {"of": writer}).first()
    seq, prev_hash = (head.seq, bytes(head.hash)) if head else (0, _NO_HASH)
    now_us = binding.clock.now_us()
    rows = []
    for record in records:
        seq += 1
        row = {
            "writer": writer,
            "seq": seq,
            "algorithm": algorithm,
            "epoch": binding.epoch,
            "prev_hash": prev_hash,
            "time_us": now_us,
            "actor": record.actor,
            "actor_kind": record.actor_kind,
            "action": record.action,
            "object": record.object,
            "outcome": record.outcome.value,
            "request_id": record.request_id,
            "details": json.dumps(dict(record.details), sort_keys=True, ensure_ascii=False, separators=(",", ":")),
        }
        prev_hash = _ALGORITHMS[algorithm](_canonical(row))
        count(Purpose.AUDIT, algorithm)
        rows.append({**row, "hash": prev_hash})
    conn.execute(_APPEND, rows)
    if head:
        conn.execute(_ADVANCE, {"of": writer, "to": seq, "digest": prev_hash})
    else:
        conn.execute(
            insert(audit_head), {"writer": writer, "seq": seq, "hash": prev_hash, "base_seq": 0, "base_hash": _NO_HASH}
        )
    return Head(writer, seq, prev_hash)


def heads(conn: Connection) -> list[Head]:
    """The end of every chain: what is to be logged where nobody can rewrite it."""
    rows = conn.execute(select(audit_head).order_by(audit_head.c.writer))
    return [Head(row.writer, row.seq, bytes(row.hash), row.base_seq, bytes(row.base_hash)) for row in rows]


def verify(conn: Connection, known: Iterable[Head] = ()) -> AuditReport:
    """Read every chain from its base to its head and check each link.

    `known` are heads logged earlier: each must still be in its chain, else it is MISSING or CHANGED.
    """
    findings: list[Finding] = []
    records = 0
    ends = {head.writer: head for head in heads(conn)}
    writers = sorted({*ends, *conn.execute(select(audit.c.writer).distinct()).scalars()})
    for writer in writers:
        read, found = _verify_chain(conn, writer, ends.get(writer))
        records += read
        findings += found
    for head in known:
        findings += _check_known(conn, head, ends.get(head.writer))
    return AuditReport(len(writers), records, tuple(findings))


def _verify_chain(conn: Connection, writer: str, head: Head | None) -> tuple[int, list[Finding]]:
    findings: list[Finding] = []
    seq, expected = (head.base_seq, head.base_hash) if head else (0, _NO_HASH)
    read = 0
    while batch := _batch(conn, writer, seq):
        for row in batch:
            if row["seq"] != seq + 1:
                findings.append(Finding(writer, seq + 1, Fault.MISSING))
            elif row["prev_hash"] != expected:
                findings.append(Finding(writer, row["seq"], Fault.UNLINKED))
            fault = _fault_of(row)
            if fault:
                findings.append(Finding(writer, row["seq"], fault))
            seq, expected = row["seq"], row["hash"]
            read += 1
    if head is None:
        findings.append(Finding(writer, seq, Fault.UNLINKED))
    elif seq < head.seq:
        findings.append(Finding(writer, seq + 1, Fault.MISSING))
    elif seq > head.seq or expected != head.hash:
        findings.append(Finding(writer, seq, Fault.UNLINKED))
    return read, findings


def _batch(conn: Connection, writer: str, after: int) -> list[dict[str, Any]]:
    rows = select(audit).where(audit.c.writer == writer, audit.c.seq > after).order_by(audit.c.seq).limit(_BATCH)
    return [{str(name): value for name, value in row.items()} for row in conn.execute(rows).mappings()]


def _fault_of(row: Mapping[str, Any]) -> Fault | None:
    digest = _ALGORITHMS.get(row["algorithm"])
    if digest is None:
        return Fault.UNKNOWN_ALGORITHM
    return None if digest(_canonical(row)) == row["hash"] else Fault.CHANGED


def _check_known(conn: Connection, known: Head, end: Head | None) -> list[Finding]:
    if end is not None and known.seq <= end.base_seq:
        same = known.seq < end.base_seq or known.hash == end.base_hash
        return [] if same else [Finding(known.writer, known.seq, Fault.CHANGED)]
    found = conn.execute(select(audit.c.hash).where(audit.c.writer == known.writer, audit.c.seq == known.seq)).scalar()
    if found is None:
        return [Finding(known.writer, known.seq, Fault.MISSING)]
    return [] if bytes(found) == known.hash else [Finding(known.writer, known.seq, Fault.CHANGED)]


def _canonical(row: Mapping[str, Any]) -> bytes:
    """The bytes a record's hash covers: each field with its length before it, so that no two records share them."""
    parts = []
    for name in _HASHED:
        value = row[name]
        data = value if isinstance(value, bytes) else str(value).encode()
        parts.append(len(data).to_bytes(4, "big") + data)
    return b"".join(parts)
