"""Reads a provider's answer strictly before any of it is handed on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.exchange.domain.identity_numbers import holds_identity_number
from shuniu.rules import RuleError, Violation

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 12
# Beyond it a JSON number is not the same number for every reader (RFC 8259, section 6).
_EXACT: Final = 2**53


class AnswerError(RuleError):
    """The answer is not one that may be handed on."""


def read_answer(data: bytes) -> dict[str, Any]:
    """The fields of an answer. Raises AnswerError."""
    if len(data) > MAX_BYTES:
        raise _error("ANSWER_TOO_LARGE")
    try:
        found = json.loads(data, object_pairs_hook=_without_doubles, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _error("ANSWER_NOT_JSON") from None
    if not isinstance(found, dict):
        raise _error("ANSWER_NOT_OBJECT")
    _check(found, 1)
    return found


def check_leaving(fields: Mapping[str, object]) -> None:
    """The last look at what leaves. Raises AnswerError for an identity number in clear: those travel sealed only."""
    if any(holds_identity_number(text) for text in _texts(fields)):
        raise _error("IDENTITY_NUMBER_IN_ANSWER")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(text)


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _error("ANSWER_TOO_DEEP")
    if isinstance(value, dict):
        for name, inner in value.items():
            _check(name, depth)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)
    elif isinstance(value, str):
        # A lone surrogate is no text: it has no UTF-8 form.
        if any("\ud800" <= mark <= "\udfff" for mark in value):
            raise _error("ANSWER_NOT_JSON")
    elif isinstance(value, int | float) and (not math.isfinite(value) or abs(value) > _EXACT):
        raise _error("NUMBER_NOT_EXACT")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)


def _error(reason: str) -> AnswerError:
    return AnswerError(
        [Violation("answer", reason, "the provider's answer cannot be handed on", "数据提供方返回的内容不可转交")]
    )
