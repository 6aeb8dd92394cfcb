"""Evaluation (好差评, GB/T 39734 and 39735): five levels, never forced and never defaulted.

That a case is evaluated once, and only when it is over, is a rule of its moves: `cases/domain/life.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from services.exchange.domain.texts import text_faults
from shuniu.rules import Violation

MAX_COMMENT = 500


class Level(IntEnum):
    """评价等级. There is no zero and no default: a person who chose no level has not evaluated."""

    VERY_SATISFIED = 1
    SATISFIED = 2
    BASICALLY_SATISFIED = 3
    DISSATISFIED = 4
    VERY_DISSATISFIED = 5


class Channel(StrEnum):
    """评价渠道."""

    PC = "pc"
    APP = "app"
    MINI_PROGRAM = "mini-program"
    QR = "qr"
    HALL_DEVICE = "hall-device"
    SMS = "sms"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One person's evaluation of one case. ``at_us`` is µs UTC."""

    case_id: str
    level: Level
    channel: Channel
    at_us: int
    comment: str = ""


def evaluation_faults(level: int, channel: str, comment: str) -> Iterable[Violation]:
    """Faults of what a person chose and wrote. Level 0 (the wire's unset) is LEVEL_MISSING, not read as satisfied."""
    if not level:
        yield Violation("level", "LEVEL_MISSING", "choose one of the five levels", "请选择评价等级")
    elif level not in set(Level):
        yield Violation("level", "LEVEL_RANGE", "levels are 1 to 5", "评价等级应为 1 至 5")
    if channel not in set(Channel):
        yield Violation("channel", "CHANNEL_UNKNOWN", "name the channel", "评价渠道不正确")
    yield from text_faults("comment", comment, MAX_COMMENT)
