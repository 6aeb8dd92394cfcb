"""Identifiers: ULID for everything, except person ids, which tell nothing about when a person was registered."""

import base64
import secrets
import threading

from shuniu.kit.process.clock import Clock

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_LENGTH = 26

ULID_PATTERN = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"


class _Monotonic:
    """Keeps ULIDs of one process strictly increasing, also within a millisecond and when the clock steps back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, milliseconds: int) -> int:
        # One bit is left free at the top of the random part, so that counting up never spills into the time part.
        fresh = milliseconds << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS - 1)
        with self._lock:
            last_milliseconds = self._last >> _RANDOM_BITS
            self._last = fresh if milliseconds > last_milliseconds else self._last + 1
            return self._last


_monotonic = _Monotonic()


def new_ulid(clock: Clock) -> str:
    """A new ULID: 26 characters of Crockford base32, greater than every one made before in this process."""
    return _encode(_monotonic.next(clock.now_us() // 1000))


def ulid_time_us(ulid: str) -> int:
    """The instant inside a ULID, µs since 1970 with millisecond resolution. ValueError when it is not a ULID."""
    if len(ulid) != _LENGTH or ulid[0] > "7":
        raise ValueError("not a ULID")
    value = 0
    for char in ulid:
        value = value << 5 | _CROCKFORD.index(char)
    return (value >> _RANDOM_BITS) * 1000


def first_ulid_at(time_us: int) -> str:
    """The least ULID of an instant (µs since 1970, 0 or later): all made before it are less."""
    return _encode(max(0, time_us) // 1000 << _RANDOM_BITS)


def new_person_id() -> str:
    """128 random bits as 22 characters of base64url: a person id carries no time and no order."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()


def _encode(value: int) -> str:
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))
