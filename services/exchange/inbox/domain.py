"""Rules for polls and receipts of clients of the HTTP carrier. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shuniu.rules import Violation

MOST_EVENTS: Final = 500
MOST_RECEIPTS: Final = 500
MOST_WAIT: Final = 25
USUAL_EVENTS: Final = 100
"""Events of one answer when the client names no number."""
_ULID: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A client's receipt: the event's id and the SHA-256 (hex) of what it stored."""

    event_id: str
    sha256: str


def poll_faults(max_events: int, wait_seconds: int) -> Iterable[Violation]:
    """Faults of what a poll asks for: events, and seconds to wait for the first."""
    if not 0 <= max_events <= MOST_EVENTS:
        yield Violation("max_events", "VALUE_RANGE", f"Use 0 to {MOST_EVENTS}.", f"请使用 0 至 {MOST_EVENTS}。")
    if not 0 <= wait_seconds <= MOST_WAIT:
        yield Violation("wait_seconds", "VALUE_RANGE", f"Use 0 to {MOST_WAIT}.", f"请使用 0 至 {MOST_WAIT}。")


def mismatches(unknown: Sequence[int], other: Sequence[int]) -> Iterable[Violation]:
    """Faults of receipts, by place: of events that were not sent to the client, and with another digest than sent."""
    for index in unknown:
        yield Violation(
            f"receipts[{index}].event_id",
            "EVENT_UNKNOWN",
            "Your platform was sent no such event; leave this receipt out.",
            "贵平台未收到过该事件，请去掉此回执。",
        )
    for index in other:
        yield Violation(
            f"receipts[{index}].sha256",
            "DIGEST_OTHER",
            "The event was sent with another digest; read it again and store it as it came.",
            "与所发送事件的摘要不一致，请重新读取并按原样保存该事件。",
        )


def receipt_faults(receipts: Sequence[Receipt]) -> Iterable[Violation]:
    """Faults of receipts; of their number alone when there are none or too many."""
    if not 0 < len(receipts) <= MOST_RECEIPTS:
        yield Violation(
            "receipts", "RECEIPTS_COUNT", f"Give 1 to {MOST_RECEIPTS}.", f"请提供 1 至 {MOST_RECEIPTS} 份回执。"
        )
        return
    for index, receipt in enumerate(receipts):
        if not _ULID.fullmatch(receipt.event_id):
            yield Violation(
                f"receipts[{index}].event_id", "EVENT_ID_FORM", "Repeat the event's id.", "请填写事件编号。"
            )
        if not _SHA256.fullmatch(receipt.sha256):
            yield Violation(
                f"receipts[{index}].sha256",
                "DIGEST_FORM",
                "64 small hexadecimal digits, of the stored payload.",
                "应为所存内容的 64 位小写十六进制 SHA-256。",
            )
