"""Signing slots: the time and number of every signature, handed out in the write that sees its seal ACTIVE.

No slot, no signature. A slot is never earlier than one before it, whatever the machine's clock says: a clock that was
set back seals nothing until it is right again, in this process and after a restart.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from services.esign import metrics
from services.esign.certification.domain.holders import SealKind
from services.esign.domain.digests import SHA256, Digest
from services.esign.domain.errors import ClockDoubtError, SealStateError
from services.esign.keys.of_seals import check_profile
from services.esign.seals.domain import life as seals
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import slots as slot_rows
from services.esign.timestamps.clock_guard import ClockGuard
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.clock import Clock

TOLERANCE_US = 1_000_000
"""The distance that replicas' clocks may lie apart, µs: within it the later time is handed out instead."""
_log = log.get("slots")
_BEAT_SECONDS = 60.0
_WRONG_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Slot:
    """Time (µs) and number of one signature."""

    at_us: int
    number: int


@dataclass(slots=True)
class Slots:
    """Hands out slots inside a unit of work."""

    clock: Clock
    # None: a step of the clock shows only by what was handed out before.
    guard: ClockGuard | None = None
    # What seals sign with here (`check_profile`).
    digest: Digest = SHA256

    def grant(self, conn: Connection, seal_id: str, owner: str, kind: SealKind = SealKind.ORGANISATION) -> Slot:
        """A slot for that seal of that platform. Raises SealStateError, SealOfAnotherProfileError, ClockDoubtError.

        A person's seal is granted only where `kind` says that its flow has checked whose hand it is.
        """
        slot = self.moment(conn)
        found = seal_rows.find_seal_by_id(conn, seal_id)
        if found is None:
            raise SealStateError("SEAL_UNKNOWN", "there is no such seal", "没有该印章", seal=seal_id[:64])
        seals.may_sign(found.seal, owner, slot.at_us, kind)
        check_profile(found.certificate, self.digest)
        return slot

    def moment(self, conn: Connection, count: int = 1) -> Slot:
        """`count` slots at one time, the last one's number; for a key used once, or with the check of the seal in the
        same unit of work (`grant`). Raises ClockDoubtError.
        """
        try:
            return self._raise(conn, count)
        except ClockDoubtError:
            metrics.TIMESTAMPS.labels("time_not_available").inc()
            raise

    def _raise(self, conn: Connection, granted: int) -> Slot:
        if self.guard is not None and self.guard.stepped():
            raise ClockDoubtError(
                "CLOCK_STEPPED",
                "the hub's clock was changed by more than a second; nothing is sealed until it is right again",
                "枢纽时钟发生跳变，恢复正常前不能用印",
            )
        now_us = self.clock.now_us()
        found = slot_rows.raise_floor(conn, now_us, TOLERANCE_US, granted)
        if self.guard is not None:
            self.guard.behind = found is None
        if found is None:
            behind = (slot_rows.floor(conn) - now_us) // 1000
            raise ClockDoubtError(
                "CLOCK_BEHIND",
                f"the hub's clock is {behind} ms behind what was sealed already",
                f"枢纽时钟比已签章时间慢 {behind} 毫秒，不能用印",
                behind_ms=str(behind),
            )
        return Slot(*found)

    def beat_of(self, base: Foundation) -> Callable[[], Awaitable[None]]:
        """Task: each minute notes the time, so that a clock set back while the hub was off or idle shows too. While the
        clock is wrong it looks every two seconds, so that the hub is ready as soon as the clock is right again.
        """

        async def beat() -> None:
            while True:
                # A wrong clock is told to whoever asks for a slot, and by the guard.
                with contextlib.suppress(ClockDoubtError):
                    try:
                        await base.write(self._raise, 0)
                    except HubError as error:
                        _log.warning("beat_delayed", cause=error.reason)
                wrong = self.guard is not None and self.guard.wrong()
                await asyncio.sleep(_WRONG_SECONDS if wrong else _BEAT_SECONDS)

        return beat
