"""Opens what proves signatures in the long term."""

from dataclasses import dataclass

import httpx
from cryptography import x509

from services.esign.revocation.service import RevocationService
from services.esign.signing.domain.long_term import Level
from services.esign.signing.responders import HttpResponders, LongTerm, OwnResponder
from services.esign.timestamps.sources import TimestampSource
from services.esign.wiring.opened import Opened
from services.esign.wiring.timestamps import level_of, outside_roots
from shuniu.api.esign.v1 import timestamp_pb2
from shuniu.kit.process.config import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Proofs of when a document was signed, and for how long. None: no timestamps, no validation data."""

    stamps: TimestampSource | None
    long_term: LongTerm | None


def open_proof(
    opened: Opened, stamps: TimestampSource | None, revocation: RevocationService, http: httpx.AsyncClient
) -> Proof:
    """Documents are raised to B-LT and B-LTA where the settings say so. Other authorities are asked over HTTP where
    their certificates say so. Raises ConfigError.
    """
    return Proof(stamps=stamps, long_term=_long_term(opened, stamps, revocation, http))


def _long_term(
    opened: Opened, stamps: TimestampSource | None, revocation: RevocationService, http: httpx.AsyncClient
) -> LongTerm | None:
    settings, secrets = opened.settings, opened.secrets
    level = level_of(settings)
    if level not in {Level.LT, Level.LTA} or level is None:
        return None
    if stamps is None:
        raise ConfigError(f"[esign] level: {level} needs timestamps")

    async def ask(question: bytes) -> bytes:
        return (await revocation.AnswerOcsp(timestamp_pb2.AnswerOcspRequest(der=question), None)).der

    pem = outside_roots(settings) + secrets.ca_roots + (secrets.sm.root_pem if secrets.sm is not None else b"")
    others = x509.load_pem_x509_certificates(pem) if pem else []
    responders = (OwnResponder(ask), HttpResponders(http))
    return LongTerm(responders, stamps, (secrets.seal_ca.root, *others), opened.base.clock, level)
