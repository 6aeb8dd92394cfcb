"""Evaluation: five levels, never by default."""

from __future__ import annotations

import pytest

from services.exchange.evaluations.domain import Channel, Level, evaluation_faults


def _reasons(level: int, channel: str, comment: str) -> list[str]:
    return [each.reason for each in evaluation_faults(level, channel, comment)]


@pytest.mark.parametrize("level", list(Level))
def test_each_level_is_taken_through_each_channel(level: Level) -> None:
    """Whatever the standard names may be said, with a comment of several lines."""
    for channel in Channel:
        assert _reasons(level, channel, "很快\r\n\t谢谢") == []


def test_silence_is_no_praise() -> None:
    """An unset level is refused, not read as satisfied."""
    assert _reasons(0, "app", "") == ["LEVEL_MISSING"]


def test_every_fault_is_told_at_once() -> None:
    """All faults come in one answer, each once."""
    assert _reasons(6, "fax", "长" * 501) == ["LEVEL_RANGE", "CHANNEL_UNKNOWN", "TEXT_TOO_LONG"]
    assert _reasons(-1, "app", "\x00") == ["LEVEL_RANGE", "TEXT_CONTROL"]
