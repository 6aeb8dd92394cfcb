"""The verdict, however it was asked for: the object that docs/verdict.schema.json of the hub describes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA = "urn:shuniu:verdict:1"
"""Name and version of the object's form."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`value` is the object itself. Decide by `outcome`; what this class does not name is in `value`."""

    value: Mapping[str, Any]

    @property
    def outcome(self) -> str:
        """VALID, INVALID or INDETERMINATE. Anything unknown is INDETERMINATE."""
        return str(self.value["verdict"])

    @property
    def is_valid(self) -> bool:
        return self.outcome == "VALID"

    @property
    def signatures(self) -> Sequence[Mapping[str, Any]]:
        """One finding for each signature, in the order in which they were made."""
        return tuple(self.value["signatures"])

    def step(self, name: str) -> Mapping[str, Any]:
        """What was found of one step. Raises KeyError for a step that was not made."""
        for step in self.value["steps"]:
            if step["step"] == name:
                found: Mapping[str, Any] = step
                return found
        raise KeyError(name)

    def said(self, language: str = "zh") -> tuple[str, ...]:
        """For people: what holds, the cause where there is one, what to do. `language`: zh or en."""
        summary = self.value["summary"]
        return tuple(summary[part][language] for part in ("verdict", "cause", "advice") if summary[part] is not None)

    def as_json(self) -> dict[str, Any]:
        return dict(self.value)
