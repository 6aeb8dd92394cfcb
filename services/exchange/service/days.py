"""Civil days as messages have them (google.type.Date)."""

from datetime import date

from google.type import date_pb2


def day_of(found: date_pb2.Date) -> date | None:
    """The civil day; None where month or day are left open or there is no such day."""
    try:
        return date(found.year, found.month, found.day)
    except ValueError:
        return None
