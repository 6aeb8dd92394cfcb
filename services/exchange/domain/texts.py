"""Free text that the exchange stores: bounded, visible, without identity numbers."""

from __future__ import annotations

from collections.abc import Iterable

from services.exchange.domain.identity_numbers import holds_identity_number
from shuniu.reading import is_readable, unreadable
from shuniu.rules import RuleError, Violation


class ContentError(RuleError):
    """The content of a request is refused."""


def refuse(violations: Iterable[Violation]) -> None:
    """Raises ContentError when there is a violation."""
    found = list(violations)
    if found:
        raise ContentError(found)


def text_faults(field: str, text: str, longest: int, *, reason: str = "IDENTITY_NUMBER_IN_TEXT") -> Iterable[Violation]:
    """Faults of free text: too long (characters), not readable as it is stored, an identity number (told as
    ``reason``).
    """
    if len(text) > longest:
        yield Violation(field, "TEXT_TOO_LONG", f"at most {longest} characters", f"不得超过 {longest} 个字符")
        return
    if not is_readable(text):
        yield unreadable(field)
    if holds_identity_number(text):
        yield Violation(
            field,
            reason,
            "leave the identity number out: the hub gives it to the agency under seal",
            "请勿填写证件号码，枢纽会以加密方式向办理机关提供",
        )
