"""Civil time of China. Pure: domains may import this."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

# Asia/Shanghai has had no summer time since 1991.
CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
DAY_US: Final = 86_400 * 1_000_000
"""A day, µs."""


def civil_date(instant_us: int) -> date:
    """The day in Asia/Shanghai of an instant in µs UTC."""
    return datetime.fromtimestamp(instant_us / 1_000_000, UTC).astimezone(CHINA).date()


def end_of_day_us(day: date) -> int:
    """The instant, µs UTC, at which a civil day in Asia/Shanghai is over."""
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), CHINA)
    return int(midnight.timestamp()) * 1_000_000
