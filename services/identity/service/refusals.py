"""Maps domains' refusals to the kit's errors; each subject lists its own exceptions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.rules import RuleError, Violation

Refusals = Mapping[type[Exception], Callable[[Any], HubError]]


def of_rules(error: RuleError, fields: Mapping[str, str] | None = None) -> list[Violation]:
    """A rule's violations in the kit's words; `fields` renames the rule's own field names to the contract's."""
    names = fields or {}
    return [Violation(names.get(each.field, each.field), each.reason, each.en, each.zh) for each in error.violations]


def answering(*refusals: Refusals) -> Callable[[], AbstractContextManager[None]]:
    """A context manager that turns violated rules and these exceptions into HubError."""
    answers: dict[type[Exception], Callable[[Any], HubError]] = {
        RuleError: lambda error: errors.invalid(of_rules(error))
    }
    for each in refusals:
        answers |= each

    @contextmanager
    def answered() -> Iterator[None]:
        try:
            yield
        except tuple(answers) as error:
            kind = next(each for each in type(error).__mro__ if each in answers)
            raise answers[kind](error) from None

    return answered
