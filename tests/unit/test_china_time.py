"""Civil days of China."""

from datetime import UTC, date, datetime

from shuniu.china_time import civil_date, end_of_day_us


def test_days_are_beijing_days() -> None:
    """16:00 UTC is the next day in Beijing, and a day ends at midnight there."""
    instant = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
    assert date(2026, 3, 10) == civil_date(int(instant.timestamp()) * 1_000_000)
    assert end_of_day_us(date(2026, 3, 9)) == int(instant.timestamp()) * 1_000_000
