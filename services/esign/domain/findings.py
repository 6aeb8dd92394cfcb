"""The steps of a verdict while they are being found."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from services.esign.domain.verdict import Status, Step

# Steps that every signature of a document goes through.
OF_EACH = frozenset({"integrity", "signer", "chain", "time", "seal_then"})
_GRAVITY = {Status.VALID: 0, Status.NOT_CHECKED: 1, Status.UNKNOWN: 2, Status.INVALID: 3}


# The same findings again and again: documents of one issuer differ in few of their steps.
_step = lru_cache(maxsize=1024)(Step)


@dataclass(slots=True)
class Findings:
    """Steps found so far, the moment they are judged at, and the moment they speak for (µs)."""

    now_us: int
    as_of_us: int
    steps: list[Step] = field(default_factory=list)

    def add(self, step: str, status: Status, reason: str, zh: str, en: str) -> None:
        self.steps.append(_step(step, status, reason, zh, en))

    def take(self, others: Iterable[Step]) -> None:
        """A document is as good as the worst of what was found of each step."""
        for step in others:
            standing = next((s for s in self.steps if s.step == step.step), None)
            if standing is None or _GRAVITY[step.status] > _GRAVITY[standing.status]:
                self.steps = [s for s in self.steps if s is not standing] + [step]
