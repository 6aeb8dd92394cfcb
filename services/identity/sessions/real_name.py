"""Proves real names: the authority gets sealed data and answers with a code, never with data."""

from typing import Final

import grpc

from services.identity import metrics
from services.identity.config import IdentitySettings
from services.identity.persons.store import Proof
from services.identity.platforms import store as platform_store
from services.identity.sessions.refusals import authority_away, too_often
from shuniu.api.exchange.v1 import query_pb2, query_pb2_grpc
from shuniu.api.identity.v1 import vault_pb2, vault_pb2_grpc
from shuniu.kit.errors import Code, HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.places import Places
from shuniu.kit.rpc.client import ask, ask_again
from shuniu.kit.rpc.network import sender

_SECONDS: Final = 15.0
_MOST: Final = 16
"""Questions to the authority under way at once."""
_AWAY: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.NOT_FOUND, Code.PERMISSION_DENIED})


class RealNameAuthority:
    """The platform of the settings, asked through the vault (which seals) and exchange (which carries)."""

    def __init__(
        self, base: Foundation, settings: IdentitySettings, vault: grpc.aio.Channel, exchange: grpc.aio.Channel
    ) -> None:
        self._base = base
        self._platform = settings.authority_platform
        self._resource = settings.authority_resource
        self._vault = vault_pb2_grpc.VaultServiceStub(vault)
        self._exchange = query_pb2_grpc.AuthorityServiceStub(exchange)
        # One sender has half of the questions under way, however many he asks.
        self._turns = Places(_MOST, too_often, share=_MOST // 2, waiting_of_one=32, waiting=128, seconds=8.0)

    async def prove(self, record: vault_pb2.VaultRecord) -> Proof | None:
        """The authority's proof that name and number belong together; None when they do not. Raises AUTHORITY_AWAY."""
        row = await self._base.store.read(platform_store.find_platform, self._platform)
        key = row.encryption_key if row is not None and row.working else ""
        if not key:
            raise authority_away()
        seal = vault_pb2.SealCandidateRequest(record=record, receiver_jwk=key, receiver=self._platform)
        candidate: vault_pb2.SealCandidateResponse = await ask_again(self._vault.SealCandidate, seal)
        question = query_pb2.VerifySubjectRequest(resource=self._resource, subject=candidate.sealed)
        try:
            async with self._turns.hold(sender()):
                answer: query_pb2.VerifySubjectResponse = await ask(
                    self._exchange.VerifySubject, question, timeout=_SECONDS
                )
        except HubError as error:
            if error.code in _AWAY:
                metrics.REGISTRATIONS.labels("authority_away").inc()
                raise authority_away() from None
            raise
        if answer.result != "MATCH":
            metrics.REGISTRATIONS.labels("mismatch").inc()
            return None
        return Proof(answer.transaction_id, answer.evidence_sha256, self._base.clock.now_us(), answer.evidence_sm3)
