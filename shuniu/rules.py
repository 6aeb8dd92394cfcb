"""Refusals of rules: every violation at once, each with a reason for programs and a text for
people. Pure: domains may import this module and nothing else of the hub.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule. ``field`` is a name of the rule's own, or the path of a proto field. ``reason`` is UPPER_SNAKE
    and stable. ``en`` and ``zh`` say what to do and never quote the value.
    """

    field: str
    reason: str
    en: str
    zh: str


class RuleError(Exception):
    """A refusal that carries all of its violations; the first one gives the overall ``reason``.

    The text of the exception holds reasons only, so that a log of it cannot leak personal data.
    """

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        if not self.violations:
            raise ValueError("a refusal without a violation says nothing")
        super().__init__(", ".join(f"{each.field}: {each.reason}" for each in self.violations))

    @property
    def reason(self) -> str:
        return self.violations[0].reason

    @property
    def en(self) -> str:
        return self.violations[0].en

    @property
    def zh(self) -> str:
        return self.violations[0].zh
