"""Evaluation (好差评, GB/T 39734 and 39735): five levels, one per case, never forced and never defaulted."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from shuniu.rules import RuleError, Violation

MAX_COMMENT = 500
MAX_TAGS = 10


class Level(IntEnum):
    """评价等级. There is no zero and no default: who says nothing has not evaluated."""

    VERY_SATISFIED = 1
    SATISFIED = 2
    BASICALLY_SATISFIED = 3
    DISSATISFIED = 4
    VERY_DISSATISFIED = 5

    @property
    def is_bad(self) -> bool:
        return self >= Level.DISSATISFIED


class Channel(StrEnum):
    """评价渠道."""

    PC = "pc"
    APP = "app"
    MINI_PROGRAM = "mini-program"
    QR = "qr"
    HALL_DEVICE = "hall-device"
    SMS = "sms"
    PHONE = "phone"


class EvaluationError(RuleError):
    """The evaluation is refused."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One person's word on one case. ``at_us`` is µs UTC. Without ``real_name`` the agency never learns who wrote
    it.
    """

    case_id: str
    level: Level
    channel: Channel
    at_us: int
    tags: tuple[str, ...] = ()
    comment: str = ""
    real_name: bool = False

    @property
    def needs_call_back(self) -> bool:
        """Real-name bad reviews are called back without exception (GB/T 39735)."""
        return self.real_name and self.level.is_bad


def evaluate(
    case_id: str,
    level: int | None,
    channel: str,
    at_us: int,
    *,
    case_is_over: bool,
    existing: Evaluation | None,
    tags: tuple[str, ...] = (),
    comment: str = "",
    real_name: bool = False,
) -> Evaluation:
    """Take a person's evaluation, or raise EvaluationError with every violation.

    ``level`` None or 0 (the wire's unset) is refused as LEVEL_MISSING, not read as satisfied.
    """
    violations = []
    if existing is not None:
        violations.append(
            _fault("case_id", "ALREADY_EVALUATED", "this case has been evaluated", "该办件已评价，不能重复评价")
        )
    if not case_is_over:
        violations.append(_fault("case_id", "CASE_NOT_OVER", "evaluate after the case is over", "办件办结后方可评价"))
    if not level:
        violations.append(_fault("level", "LEVEL_MISSING", "choose one of the five levels", "请选择评价等级"))
    elif level not in set(Level):
        violations.append(_fault("level", "LEVEL_RANGE", "levels are 1 to 5", "评价等级应为 1 至 5"))
    if channel not in set(Channel):
        violations.append(_fault("channel", "CHANNEL_UNKNOWN", "name the channel", "评价渠道不正确"))
    violations += _texts(tags, comment)
    if violations or not level:
        raise EvaluationError(violations)
    return Evaluation(case_id, Level(level), Channel(channel), at_us, tags, comment, real_name)


def _texts(tags: tuple[str, ...], comment: str) -> list[Violation]:
    found = []
    if len(tags) > MAX_TAGS or any(not tag.strip() or len(tag) > 50 for tag in tags):
        found.append(
            _fault(
                "tags",
                "TAGS_FORM",
                f"at most {MAX_TAGS} tags of 50 characters",
                f"标签最多 {MAX_TAGS} 个，每个不超过 50 字",
            )
        )
    if len(comment) > MAX_COMMENT:
        found.append(
            _fault(
                "comment", "TEXT_TOO_LONG", f"at most {MAX_COMMENT} characters", f"评价内容不得超过 {MAX_COMMENT} 字"
            )
        )
    if any(unicodedata.category(mark) in {"Cc", "Cs"} and mark != "\n" for mark in comment):
        found.append(_fault("comment", "TEXT_CONTROL", "remove invisible characters", "请去掉不可见字符"))
    return found


def _fault(field: str, reason: str, en: str, zh: str) -> Violation:
    return Violation(field, reason, en, zh)
