"""The reason that somebody gives for an act: journals, holders and operators read it."""

from shuniu.kit import errors
from shuniu.rules import Violation

MOST_REASON = 500
"""Characters."""


def stated_reason(text: str) -> str:
    """Raises INVALID_ARGUMENT REASON_REQUIRED."""
    if found := reason_violations(text):
        raise errors.invalid(found)
    return text


def reason_violations(text: str) -> list[Violation]:
    if text.strip() and len(text) <= MOST_REASON:
        return []
    return [Violation("reason", "REASON_REQUIRED", "Say why, up to 500 characters.", "请填写原因（500 字以内）。")]
