"""Moments that strangers state: whatever enters here every door can write, in JSON, XML and protobuf alike.

A moment is a number of µs since 1970 in UTC, from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z: the range of RFC 3339
and of google.protobuf.Timestamp. A text with a zone can name a moment beyond it, as the first hour of year 1 in China.
"""

from datetime import UTC, datetime, timedelta, tzinfo

from shuniu.china_time import DAY_US as _DAY_US

DAY_US = _DAY_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_US = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // _MICROSECOND


def us(moment: datetime) -> int:
    """A moment with its zone, µs. Raises ValueError for one that not every door can write."""
    return checked((moment - _EPOCH) // _MICROSECOND)


def checked(at_us: int) -> int:
    """Raises ValueError for a moment that not every door can write."""
    if not FIRST_US <= at_us <= LAST_US:
        raise ValueError("outside the years 1 to 9999")
    return at_us


def read(text: str, shape: str, zone: tzinfo = UTC) -> int:
    """The moment of a text in a shape of `strptime` that has no zone, µs. Raises ValueError."""
    return us(datetime.strptime(text, shape).replace(tzinfo=zone))


def whole_second(at_us: int) -> datetime:
    """The second in which a moment (µs) lies, in UTC: what ASN.1 and PDF write."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC)


def written(at_us: int) -> str:
    """RFC 3339, whole seconds, in UTC. Raises ValueError as `checked`."""
    moment = _EPOCH + timedelta(seconds=checked(at_us) // 1_000_000)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
