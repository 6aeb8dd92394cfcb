"""Opens what proves signatures in the long term."""

import httpx
from cryptography import x509

from services.esign.config import EsignSettings
from services.esign.keys.secrets import Secrets
from services.esign.revocation.service import RevocationService
from services.esign.signing.domain.long_term import Level
from services.esign.signing.responders import HttpResponders, LongTerm, OwnResponder
from services.esign.timestamps.sources import TimestampSource
from services.esign.wiring.timestamps import level_of, outside_roots
from shuniu.api.esign.v1 import timestamp_pb2
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.config import ConfigError


def open_long_term(
    base: Foundation,
    settings: EsignSettings,
    secrets: Secrets,
    *,
    stamps: TimestampSource | None,
    revocation: RevocationService,
    http: httpx.AsyncClient,
) -> LongTerm | None:
    """Opens what raises documents to B-LT and B-LTA; None when they stay below. Other authorities are asked over HTTP
    where their certificates say so. Raises ConfigError.
    """
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
    return LongTerm(responders, stamps, (secrets.seal_ca.root, *others), base.clock, level)
