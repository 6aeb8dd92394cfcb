"""Wiring of timestamps and long-term proof."""

import httpx
from cryptography import x509

from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.digests import SHA256, Digest
from services.esign.keys.secrets import Secrets
from services.esign.revocation.service import Revocation
from services.esign.signing.domain.long_term import Level
from services.esign.signing.responders import HttpResponders, LongTerm, OwnResponder
from services.esign.timestamps.sources import Authority, HttpTimestamps, OwnTimestamps, TimestampSource, read_roots
from shuniu.api.esign.v1 import timestamp_pb2
from shuniu.kit.config import ConfigError
from shuniu.kit.foundation import Foundation


def open_timestamps(
    base: Foundation,
    settings: EsignSettings,
    authority: Authority | None,
    client: httpx.AsyncClient,
    digest: Digest = SHA256,
) -> TimestampSource | None:
    """What stamps seals; None when they carry no timestamp. An outside authority is asked to stamp with `digest`.
    Raises ConfigError.
    """
    level = _level(settings)
    if settings.timestamp is False or level is Level.B:
        return None
    if settings.timestamp_url:
        path = settings.timestamp_roots if settings.timestamp_roots.name else KeyFiles(base.hub.data_dir).root
        try:
            return HttpTimestamps(settings.timestamp_url, client, read_roots(path), base.clock, digest)
        except (OSError, ValueError) as error:
            raise ConfigError(f"[esign] timestamp_roots: {path}: {type(error).__name__}") from None
    if authority is None and settings.timestamp is None and level is None:
        return None
    if authority is None:
        raise ConfigError("[esign] timestamp: the hub has no timestamp authority; run `shuniu init`")
    return OwnTimestamps(authority)


def _level(settings: EsignSettings) -> Level | None:
    try:
        return Level(settings.level) if settings.level else None
    except ValueError:
        raise ConfigError(f"[esign] level: one of {', '.join(Level)}, not {settings.level}") from None


def open_long_term(
    base: Foundation,
    settings: EsignSettings,
    secrets: Secrets,
    stamps: TimestampSource | None,
    revocation: Revocation,
    client: httpx.AsyncClient,
) -> LongTerm | None:
    """What raises documents to B-LT and B-LTA; None when they stay below. Other authorities are asked over HTTP where
    their certificates say so. Raises ConfigError.
    """
    level = _level(settings)
    if level not in {Level.LT, Level.LTA} or level is None:
        return None
    if stamps is None:
        raise ConfigError(f"[esign] level: {level} needs timestamps")

    async def ask(question: bytes) -> bytes:
        return (await revocation.AnswerOcsp(timestamp_pb2.AnswerOcspRequest(der=question), None)).der

    pem = outside_roots(settings) + secrets.ca_roots + (secrets.sm.root_pem if secrets.sm is not None else b"")
    others = x509.load_pem_x509_certificates(pem) if pem else []
    responders = (OwnResponder(ask), HttpResponders(client))
    return LongTerm(responders, stamps, (secrets.seal_ca.root, *others), base.clock, level)


def outside_roots(settings: EsignSettings) -> bytes:
    """Roots of an outside timestamp authority, PEM. Raises ConfigError."""
    try:
        return settings.timestamp_roots.read_bytes() if settings.timestamp_roots.name else b""
    except OSError as error:
        raise ConfigError(f"[esign] timestamp_roots: {settings.timestamp_roots}: {error.strerror}") from None
