"""Maps a domain's refusals to the kit's errors; each subject says which of its faults are faults of state."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.rules import RuleError, Violation


@dataclass(frozen=True, slots=True)
class Refusals:
    """Refusals of one subject.

    `by_state` holds faults of state, not of content, by the exception that carries them (RuleError: by any): reason →
    (code, reason on the wire). `fields` maps the domain's names of fields to the contract's, where they differ.
    """

    by_state: Mapping[type[RuleError], Mapping[str, tuple[Code, str]]]
    fields: Mapping[str, str] = field(default_factory=dict)

    def error(self, error: RuleError, **metadata: str) -> HubError:
        """The caller's error. A fault of state is reported alone, with its cause and the metadata."""
        for fault in error.violations:
            known = self._of_state(type(error), fault)
            if known is not None:
                code, reason = known
                return HubError(
                    code, reason, _sentence(fault.en), fault.zh, metadata={"cause": fault.reason, **metadata}
                )
        return errors.invalid(
            Violation(self._field(fault.field), fault.reason, _sentence(fault.en), fault.zh)
            for fault in error.violations
        )

    def _of_state(self, kind: type[RuleError], fault: Violation) -> tuple[Code, str] | None:
        return self.by_state.get(kind, {}).get(fault.reason) or self.by_state.get(RuleError, {}).get(fault.reason)

    def _field(self, name: str) -> str:
        head, dot, rest = name.partition(".")
        return f"{self.fields.get(head, head)}{dot}{rest}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
