"""Proof of when a document was signed: chosen by the settings, from the hub's own authority or an outside one."""

from dataclasses import dataclass

import httpx
from cryptography import x509

from services.esign.certification.domain import pem
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.digests import Digest
from services.esign.signing.domain.long_term import Level
from services.esign.signing.responders import LongTerm
from services.esign.timestamps.sources import Authority, HttpTimestamps, OwnTimestamps, TimestampSource
from shuniu.kit.crypto import pem_files
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.config import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Proofs of when a document was signed, and for how long. None: no timestamps, no validation data."""

    stamps: TimestampSource | None
    long_term: LongTerm | None


def stamps_of(
    base: Foundation, settings: EsignSettings, digest: Digest, authority: Authority | None, http: httpx.AsyncClient
) -> TimestampSource | None:
    """Chooses what stamps seals; None when they carry no timestamp. An outside authority is asked to stamp with the
    digest of the hub's profile. Raises ConfigError.
    """
    level = level_of(settings)
    if settings.timestamp is False or level is Level.B:
        return None
    if settings.timestamp_url:
        roots = pem.certificates(outside_roots(settings)) or pem_files.certificates(KeyFiles(base.hub.data_dir).root)
        return HttpTimestamps(settings.timestamp_url, http, tuple(roots), base.clock, digest)
    if authority is None and settings.timestamp is None and level is None:
        return None
    if authority is None:
        raise ConfigError("[esign] timestamp: the hub has no timestamp authority; run `shuniu init`")
    return OwnTimestamps(authority)


def lasting_level(settings: EsignSettings, stamps: TimestampSource | None) -> Level | None:
    """B-LT or B-LTA where documents are raised to that; None where they stay below. Raises ConfigError: it needs
    timestamps.
    """
    level = level_of(settings)
    if level not in {Level.LT, Level.LTA}:
        return None
    if stamps is None:
        raise ConfigError(f"[esign] level: {level} needs timestamps")
    return level


def roots_of_others(settings: EsignSettings, own: bytes) -> tuple[x509.Certificate, ...]:
    """Roots that validation data of others lead to: of the outside authority, and the hub's own ones beside the root of
    its seals (PEM). Raises ConfigError.
    """
    return pem.certificates(pem.joined(outside_roots(settings), own))


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
