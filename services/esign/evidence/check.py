"""Judging evidence that a service of the hub logged: record, salt and receipt in one file, without any network."""

import json
from dataclasses import dataclass
from typing import Any

from services.esign.certification.domain.trust import Trust
from services.esign.domain.digests import SHA256, SM3
from services.esign.domain.errors import EsignError
from services.esign.domain.moments import written
from services.esign.domain.verdict import Outcome
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import EntryType

# Far above any record and its receipt.
MOST_BYTES = 1 << 20
# A salt that can be tried out hides nothing: such a digest could be found for another record as well.
_LEAST_SALT = 16
_HASHES = {"sha-256": SHA256, "sm3": SM3}
# Without the right key or enough cosignatures nothing is known; everything else contradicts.
_UNKNOWN = frozenset({"NOTE_UNSIGNED", "LOG_UNKNOWN", "COSIGNATURES_PENDING"})


class EvidenceUnreadableError(Exception):
    """The file is no evidence. The text says why."""


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    """`outcome` VALID: the record was logged as it is, at `index`, no later than `logged_us` (µs, the hub's clock)."""

    outcome: Outcome
    reason: str
    zh: str
    en: str
    record: dict[str, Any]
    index: int = -1
    logged_us: int = 0
    source: str = ""

    def as_json(self) -> dict[str, Any]:
        at = written(self.logged_us)
        return {
            "verdict": self.outcome.value,
            "reason": self.reason,
            "text": f"{self.zh} / {self.en}",
            "record": self.record,
            "source": self.source,
            "ledger_index": self.index if self.index >= 0 else None,
            "time": at if self.logged_us else None,
        }


def check(text: str, trust: Trust) -> EvidenceReport:
    """Tells whether the ledger that `trust` knows holds this very record. Raises EvidenceUnreadableError."""
    record_text, salt, algorithm, receipt_text = _parts(text)
    record = _record(record_text)
    if not receipt_text:
        return EvidenceReport(Outcome.INDETERMINATE, "NO_RECEIPT", "尚未存证，没有回执", "not logged yet", record)
    try:
        receipt = ledger.parse_receipt(receipt_text)
        entry, _ = ledger.check_receipt(receipt, trust.log_keys, policy=trust.policy)
    except EsignError as cause:
        outcome = Outcome.INDETERMINATE if cause.reason in _UNKNOWN else Outcome.INVALID
        return EvidenceReport(outcome, cause.reason, cause.zh, cause.en, record)
    value = _HASHES[algorithm].of(salt, record_text.encode()).hex()
    stated = entry.commitment_sm3 if algorithm == "sm3" else entry.commitment
    if entry.type is not EntryType.EVIDENCE or stated != value:
        zh, en = "回执不是这条记录的，记录可能被改动", "the receipt is of another record, or this one was changed"
        return EvidenceReport(Outcome.INVALID, "RECEIPT_OF_ANOTHER", zh, en, record)
    if record.get("kind") != entry.kind or record.get("time_us") != entry.time_us:
        zh, en = "记录的类别或时间与存证条目不符", "kind or time of the record is not that of the entry"
        return EvidenceReport(Outcome.INVALID, "ENTRY_DIFFERS", zh, en, record)
    zh, en = f"记录已存证，序号 {receipt.index}，内容未改动", f"logged at {receipt.index}, unchanged since"
    return EvidenceReport(Outcome.VALID, "LOGGED", zh, en, record, receipt.index, entry.time_us, entry.source)


def _parts(text: str) -> tuple[str, bytes, str, str]:
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("v") != 1:
            raise EvidenceUnreadableError("not an evidence file of version 1")
        record, receipt, algorithm = found["record"], found["receipt"], found["algorithm"]
        salt = bytes.fromhex(found["salt"])
    except (ValueError, TypeError, KeyError, RecursionError) as cause:
        raise EvidenceUnreadableError("not an evidence file") from cause
    if not all(isinstance(part, str) for part in (record, receipt, algorithm)) or algorithm not in _HASHES:
        raise EvidenceUnreadableError("not an evidence file")
    if len(salt) < _LEAST_SALT:
        raise EvidenceUnreadableError("the salt is too short")
    return record, salt, algorithm, receipt


def _record(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise EvidenceUnreadableError("the record is no JSON") from cause
    if not isinstance(found, dict):
        raise EvidenceUnreadableError("the record is no JSON object")
    return found
