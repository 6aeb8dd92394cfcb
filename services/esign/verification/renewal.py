"""Renewing a document that somebody keeps: fresh validation data and a new document timestamp, over HTTP from any hub
or authority, before the certificate of its last timestamp's authority ends (PAdES B-LTA).
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx

from services.esign.certification.domain.trust import Trust
from services.esign.signing.domain.long_term import Level
from services.esign.signing.responders import HttpResponders, LongTerm
from services.esign.timestamps.sources import HttpTimestamps
from shuniu.kit.process.clock import Clock

_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Authorities:
    """Services that are asked, as URLs: a timestamp authority (RFC 3161), and an OCSP responder for certificates that
    name none (empty: nobody). `ca`: PEM to trust for TLS instead of the system's.
    """

    tsa: str
    ocsp: str = ""
    ca: Path | None = None

    @classmethod
    def of_hub(cls, url: str, ca: Path | None = None) -> "Authorities":
        """Those of a hub, by the address of its people listener."""
        return cls(f"{url.rstrip('/')}/tsa", f"{url.rstrip('/')}/ocsp", ca)


async def renewed(pdf: bytes, trust: Trust, authorities: Authorities, clock: Clock) -> bytes:
    """The renewed document. Raises TimestampAwayError when no good timestamp can be had, DocumentUnfitError."""
    roots = (*trust.roots, *trust.tsa_roots)
    context = ssl.create_default_context(cafile=authorities.ca)
    async with httpx.AsyncClient(verify=context, timeout=_SECONDS) as client:
        stamps = HttpTimestamps(authorities.tsa, client, roots, clock)
        long_term = LongTerm([HttpResponders(client, authorities.ocsp)], stamps, roots, clock, Level.LTA)
        return await long_term.raised(pdf)
