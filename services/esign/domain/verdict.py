"""The verdict: one object for every way of asking. Anything unknown makes it INDETERMINATE, never VALID."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

STEPS = (
    "parse",
    "coverage",
    "changes",
    "integrity",
    "signer",
    "chain",
    "time",
    "seal_then",
    "seal_now",
    "document",
    "ledger",
    "ses",
)
# Without a clear yes to each of these nothing is VALID, whatever the rest says.
_ESSENTIAL = frozenset({"parse", "coverage", "changes", "integrity", "signer", "chain", "time"})


class Status(StrEnum):
    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    NOT_CHECKED = "not_checked"


class Outcome(StrEnum):
    VALID = "VALID"
    INVALID = "INVALID"
    INDETERMINATE = "INDETERMINATE"


@dataclass(frozen=True, slots=True)
class Step:
    """One step's finding. `reason` UPPER_SNAKE; `zh` and `en` for people."""

    step: str
    status: Status
    reason: str
    zh: str
    en: str

    @property
    def text(self) -> str:
        return f"{self.zh} / {self.en}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`as_of_us`: the time the verdict speaks for (µs). `steps` holds all twelve, in order."""

    outcome: Outcome
    as_of_us: int
    steps: tuple[Step, ...]
    # Not a PDF at all: there was nothing to judge.
    readable: bool = True

    def as_json(self) -> dict[str, Any]:
        """`{verdict, as_of, steps: [{step, status, reason, text}]}`."""
        return {
            "verdict": self.outcome.value,
            "as_of": datetime.fromtimestamp(self.as_of_us / 1e6, UTC)
            .isoformat(timespec="seconds")
            .replace("+00:00", "Z"),
            "steps": [
                {"step": s.step, "status": s.status.value, "reason": s.reason, "text": s.text} for s in self.steps
            ],
        }


def conclude(steps: Iterable[Step], as_of_us: int, *, at_best: Outcome = Outcome.VALID) -> Verdict:
    """The verdict over the steps found; a step that nobody reached is unknown. `at_best` caps it."""
    found = {step.step: step for step in steps}
    whole = tuple(found.get(name) or _unreached(name) for name in STEPS)
    statuses = {step.status for step in whole}
    clear = all(step.status is Status.VALID for step in whole if step.step in _ESSENTIAL)
    if Status.INVALID in statuses:
        outcome = Outcome.INVALID
    elif Status.UNKNOWN in statuses or not clear or at_best is not Outcome.VALID:
        outcome = Outcome.INDETERMINATE
    else:
        outcome = Outcome.VALID
    return Verdict(outcome, as_of_us, whole)


def _unreached(name: str) -> Step:
    return Step(
        name, Status.UNKNOWN, "NOT_REACHED", "前面的步骤未通过，未能核验", "not reached: an earlier step failed"
    )
