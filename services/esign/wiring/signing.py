"""Opens what proves signatures in the long term."""

import httpx

from services.esign.revocation.service import RevocationService
from services.esign.signing.proof import Proof, lasting_level, roots_of_others
from services.esign.signing.responders import HttpResponders, LongTerm, OwnResponder
from services.esign.timestamps.sources import TimestampSource
from services.esign.wiring.opened import Opened
from shuniu.api.esign.v1 import timestamp_pb2


def open_proof(
    opened: Opened, stamps: TimestampSource | None, revocation: RevocationService, http: httpx.AsyncClient
) -> Proof:
    """Documents are raised to B-LT and B-LTA where the settings say so. Other authorities are asked over HTTP where
    their certificates say so. Raises ConfigError.
    """
    settings, secrets = opened.settings, opened.secrets
    level = lasting_level(settings, stamps)
    if stamps is None or level is None:
        return Proof(stamps=stamps, long_term=None)

    async def ask(question: bytes) -> bytes:
        return (await revocation.AnswerOcsp(timestamp_pb2.AnswerOcspRequest(der=question), None)).der

    roots = (secrets.seal_ca.root, *roots_of_others(settings, secrets.roots_beside))
    responders = (OwnResponder(ask), HttpResponders(http))
    return Proof(stamps=stamps, long_term=LongTerm(responders, stamps, roots, opened.base.clock, level))
