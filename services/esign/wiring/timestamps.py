"""Opens timestamps: the hub's own authority, what stamps seals, and the guard of the clock."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from services.esign import metrics
from services.esign.signing.proof import stamps_of
from services.esign.timestamps.clock_guard import ClockGuard, NtpReference
from services.esign.timestamps.service import TimestampService
from services.esign.timestamps.sources import Authority, OwnTimestamps, TimestampSource
from services.esign.wiring.opened import Opened
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer

# An outside authority that takes longer is unavailable: the document waits, the caller does not, s.
_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampsPart(Part):
    """`stamps` None: seals carry no timestamp. `http`: reaches outside authorities."""

    guard: ClockGuard
    stamps: TimestampSource | None
    http: httpx.AsyncClient


def open_timestamps(opened: Opened) -> TimestampsPart:
    """Raises ConfigError."""
    reference = opened.settings.clock_reference
    guard = ClockGuard(opened.base.clock, NtpReference.of(reference) if reference else None)
    authority = None if opened.secrets.tsa is None else Authority(opened.secrets.tsa, guard)
    http = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)
    stamps = stamps_of(opened.base, opened.settings, opened.secrets.digest, authority, http)

    async def facts() -> Mapping[str, str]:
        return {"clock": "in doubt" if guard.now_us() is None else "right"}

    def not_ready() -> list[str]:
        is_stuck = guard.stops_sealing(stamps_here=isinstance(stamps, OwnTimestamps))
        return ["the clock is in doubt: nothing is sealed or released"] if is_stuck else []

    metrics.CLOCK_DOUBTED.set_function(lambda: float(guard.now_us() is None))
    return TimestampsPart(
        guard=guard,
        stamps=stamps,
        http=http,
        edge=[servicer(TimestampService(authority))],
        tasks=[guard.watch],
        facts=facts,
        not_ready=not_ready,
        close=http.aclose,
    )
