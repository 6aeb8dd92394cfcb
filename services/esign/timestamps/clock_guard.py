"""Checks whether the machine's clock may be believed: it stands between a wrong clock and a signed wrong time."""

import asyncio
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from shuniu.kit.process import log
from shuniu.kit.process.clock import Clock

MOST_WRONG_US = 1_000_000
"""The accuracy that timestamps state, µs: a clock further off stamps nothing."""
ASK_SECONDS = 60.0
# A quartz clock drifts at most 100 parts in a million: 0.36 s in that time.
HOLDOVER_US = 3600 * 1_000_000
_SECONDS_1900_TO_1970 = 2_208_988_800
_NTP_PORT = 123
_log = log.get("clock")


class ClockReference(Protocol):
    """A source of time outside this machine."""

    async def offset_us(self) -> int:
        """The time by which the machine's clock is behind the source, µs. Raises OSError when the source cannot be
        asked.
        """
        ...


def running_us() -> int:
    """Time since the machine's start, µs: it runs on while the machine sleeps, and nobody can set it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


@dataclass(slots=True)
class ClockGuard:
    """Compares the clock with the time that has passed since it was last known to be right.

    Without a reference that is the start of the process: a clock that is stepped afterwards is refused until it is set
    right again or the process starts anew. With a reference it is the last minute in which the two agreed; a reference
    that has been unavailable for an hour leaves the clock in doubt. A clock that is behind what was sealed already is
    wrong in any case: `behind` is set by who hands out signing times.
    """

    clock: Clock
    reference: ClockReference | None = None
    passed_us: Callable[[], int] = running_us
    behind: bool = False
    _anchor_us: int = field(init=False)
    _confirmed_us: int | None = field(init=False, default=None)
    _stepped: bool = field(init=False, default=False)
    _disagrees: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._anchor_us = self.clock.now_us() - self.passed_us()

    def stepped(self) -> bool:
        """Tells whether the clock was changed by more than a second since it was last known to be right, or is off the
        reference by more than that.
        """
        return self._wrong(self.clock.now_us(), self.passed_us()) or self._disagrees

    def wrong(self) -> bool:
        """Tells whether the clock is known to be wrong: nothing is sealed by it."""
        return self.stepped() or self.behind

    def stops_sealing(self, *, stamps_here: bool) -> bool:
        """Tells whether nothing is sealed now: by a wrong clock never, by one in doubt where the hub stamps itself."""
        return self.now_us() is None if stamps_here else self.wrong()

    def now_us(self) -> int | None:
        """The time, µs; None while the clock is in doubt."""
        now, passed = self.clock.now_us(), self.passed_us()
        if self._wrong(now, passed) or self._disagrees or self.behind:
            return None
        if self.reference is not None and (self._confirmed_us is None or passed - self._confirmed_us > HOLDOVER_US):
            return None
        return now

    def _wrong(self, now: int, passed: int) -> bool:
        wrong = abs(now - passed - self._anchor_us) > MOST_WRONG_US
        if wrong is not self._stepped:
            self._stepped = wrong
            _log.error("clock_stepped", off_ms=(now - passed - self._anchor_us) // 1000, doubt=wrong)
        return wrong

    async def compare(self) -> None:
        """Asks the reference once."""
        if self.reference is None:
            return
        try:
            offset = await self.reference.offset_us()
        except OSError as error:
            _log.warning("clock_reference_away", kind=type(error).__name__)
            return
        self._disagrees = abs(offset) > MOST_WRONG_US
        if self._disagrees:
            _log.error("clock_wrong", offset_ms=offset // 1000)
            self._confirmed_us = None
            return
        # Slow corrections of the clock are lawful: what counts is the last moment of agreement.
        self._confirmed_us = self.passed_us()
        self._anchor_us = self.clock.now_us() - self._confirmed_us

    async def watch(self) -> None:
        """Task: asks the reference each minute."""
        while self.reference is not None:
            await self.compare()
            await asyncio.sleep(ASK_SECONDS)
        await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class NtpReference:
    """An NTP server (RFC 5905), asked as a simple client does. It can make the authority refuse, not stamp wrongly."""

    host: str
    port: int = _NTP_PORT
    seconds: float = 3.0

    @classmethod
    def of(cls, address: str) -> "NtpReference":
        """From `host` or `host:port`."""
        host, colon, port = address.rpartition(":")
        return cls(host, int(port)) if colon and port.isdecimal() else cls(address)

    async def offset_us(self) -> int:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()
        # The transmit time is a cookie that the answer must repeat: nobody off the path can answer in its place.
        sent_us = time.time_ns() // 1000
        cookie = _ntp(sent_us)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Answer(answered), remote_addr=(self.host, self.port)
        )
        try:
            transport.sendto(b"\x23" + bytes(39) + cookie)
            async with asyncio.timeout(self.seconds):
                answer = await answered
        finally:
            transport.close()
        received_us = time.time_ns() // 1000
        # Server mode, known leap state, a stratum that is synchronised.
        if len(answer) < 48 or answer[0] & 7 != 4 or answer[0] >> 6 == 3 or not 1 <= answer[1] <= 15:
            raise OSError("the NTP server is not synchronised")
        if answer[24:32] != cookie:
            raise OSError("the NTP answer is to another question")
        came_us, left_us = _us(answer[32:40]), _us(answer[40:48])
        return ((came_us - sent_us) + (left_us - received_us)) // 2


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, answered: asyncio.Future[bytes]) -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)


def _ntp(us: int) -> bytes:
    seconds, rest = divmod(us, 1_000_000)
    return struct.pack(">II", (seconds + _SECONDS_1900_TO_1970) & 0xFFFFFFFF, (rest << 32) // 1_000_000)


def _us(stamp: bytes) -> int:
    seconds, fraction = struct.unpack(">II", stamp)
    # After 2036 the count starts anew (era 1): read it as the time nearest to now.
    us = (seconds - _SECONDS_1900_TO_1970) * 1_000_000 + (fraction * 1_000_000 >> 32)
    era = 2**32 * 1_000_000
    return int(us + round((time.time_ns() // 1000 - us) / era) * era)
