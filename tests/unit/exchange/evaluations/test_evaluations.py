"""Evaluation: five levels, once, never by default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchange.evaluations.domain import Channel, Evaluation, EvaluationError, Level, evaluate


def _reasons(level: int | None, **options: object) -> set[str]:
    given_options = {"case_is_over": True, "existing": None, "channel": "app"} | options
    channel = str(given_options.pop("channel"))
    with pytest.raises(EvaluationError) as caught:
        evaluate("case", level, channel, 1, **given_options)  # type: ignore[arg-type]
    return {each.reason for each in caught.value.violations}


def test_a_word_is_taken_as_said() -> None:
    """The level is the person's own."""
    taken = evaluate("case", 2, "qr", 7, case_is_over=True, existing=None, comment="很快")
    assert Evaluation("case", Level.SATISFIED, Channel.QR, 7, (), "很快") == taken


@pytest.mark.parametrize("level", [None, 0])
def test_silence_is_no_praise(level: int | None) -> None:
    """An unset level is refused, not read as satisfied."""
    assert _reasons(level) == {"LEVEL_MISSING"}


def test_every_violation_is_told_at_once() -> None:
    """All faults come in one answer."""
    existing = Evaluation("case", Level.SATISFIED, Channel.APP, 1)
    found = _reasons(6, existing=existing, case_is_over=False, channel="fax", tags=("",), comment="\x00" + "长" * 501)
    assert found == {
        "ALREADY_EVALUATED",
        "CASE_NOT_OVER",
        "LEVEL_RANGE",
        "CHANNEL_UNKNOWN",
        "TAGS_FORM",
        "TEXT_TOO_LONG",
        "TEXT_CONTROL",
    }


@given(st.integers(1, 5), st.booleans())
def test_real_name_bad_reviews_are_called_back(level: int, real_name: bool) -> None:
    """Without exception, and nobody else is."""
    taken = evaluate("case", level, "pc", 1, case_is_over=True, existing=None, real_name=real_name)
    assert (real_name and level >= 4) == taken.needs_call_back
