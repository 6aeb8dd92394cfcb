"""Opens timestamps: the hub's own authority, what stamps seals, and the guard of the clock."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from services.esign import metrics
from services.esign.config import EsignSettings, KeyFiles
from services.esign.signing.domain.long_term import Level
from services.esign.timestamps.clock_guard import ClockGuard, NtpReference
from services.esign.timestamps.service import TimestampService
from services.esign.timestamps.sources import Authority, HttpTimestamps, OwnTimestamps, TimestampSource, read_roots
from services.esign.wiring.opened import Opened
from shuniu.kit.crypto import pem_files
from shuniu.kit.parts import Part
from shuniu.kit.process.config import ConfigError
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
    stamps = _stamps(opened, authority, http)

    async def facts() -> Mapping[str, str]:
        return {"clock": "in doubt" if guard.now_us() is None else "right"}

    def not_ready() -> list[str]:
        # Documents without timestamps need no reference; a clock that is known to be wrong seals none.
        stuck = guard.now_us() is None if isinstance(stamps, OwnTimestamps) else guard.wrong()
        return ["the clock is in doubt: nothing is sealed or released"] if stuck else []

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


def _stamps(opened: Opened, authority: Authority | None, http: httpx.AsyncClient) -> TimestampSource | None:
    """Opens what stamps seals; None when they carry no timestamp. An outside authority is asked to stamp with the
    digest of the hub's profile. Raises ConfigError.
    """
    base, settings = opened.base, opened.settings
    level = level_of(settings)
    if settings.timestamp is False or level is Level.B:
        return None
    if settings.timestamp_url:
        path = settings.timestamp_roots if settings.timestamp_roots.name else KeyFiles(base.hub.data_dir).root
        try:
            return HttpTimestamps(settings.timestamp_url, http, read_roots(path), base.clock, opened.secrets.digest)
        except (OSError, ValueError) as error:
            raise ConfigError(f"[esign] timestamp_roots: {path}: {type(error).__name__}") from None
    if authority is None and settings.timestamp is None and level is None:
        return None
    if authority is None:
        raise ConfigError("[esign] timestamp: the hub has no timestamp authority; run `shuniu init`")
    return OwnTimestamps(authority)


def level_of(settings: EsignSettings) -> Level | None:
    """The time for which documents stay verifiable; None when the settings do not say. Raises ConfigError."""
    try:
        return Level(settings.level) if settings.level else None
    except ValueError:
        raise ConfigError(f"[esign] level: one of {', '.join(Level)}, not {settings.level}") from None


def outside_roots(settings: EsignSettings) -> bytes:
    """Roots of an outside timestamp authority, PEM. Raises ConfigError."""
    path = settings.timestamp_roots
    return pem_files.certificates_pem(path, "[esign] timestamp_roots") if path.name else b""
