"""Sealing: the vault encrypts a person's fields to a receiver's key."""

import grpc
from sqlalchemy import Connection

from services.identity import metrics
from services.identity.persons.domain import reveals
from services.identity.platforms import store as platform_store
from shuniu.api.common.v1 import envelope_pb2
from shuniu.api.identity.v1 import vault_pb2, vault_pb2_grpc
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.client import ask_again


def receiver_key(conn: Connection, platform: str) -> str:
    """Key of a platform that may receive persons' data now. Raises RevealError NO_ENCRYPTION_KEY.

    Asked before sealing, and again in the unit of work that releases what was sealed.
    """
    row = platform_store.find_platform(conn, platform)
    key = row.encryption_key if row is not None and row.working else ""
    if not key:
        raise reveals.no_key()
    return key


class Sealer:
    """Has the vault seal fields of a person to a receiver's key."""

    def __init__(self, base: Foundation, vault: grpc.aio.Channel) -> None:
        self._base = base
        self._vault = vault_pb2_grpc.VaultServiceStub(vault)

    async def to_platform(
        self, person_id: str, fields: tuple[str, ...], platform: str, purpose: str
    ) -> envelope_pb2.SealedData:
        """Raises RevealError NO_ENCRYPTION_KEY and what the vault raises."""
        key = await self._base.store.read(receiver_key, platform)
        return await self.to_key(person_id, fields, key, platform, purpose)

    async def to_key(
        self, person_id: str, fields: tuple[str, ...], jwk: str, receiver: str, purpose: str
    ) -> envelope_pb2.SealedData:
        wanted = vault_pb2.SealFieldsRequest(
            person_id=person_id, fields=fields, receiver_jwk=jwk, receiver=receiver, purpose=purpose
        )
        answer: vault_pb2.SealFieldsResponse = await ask_again(self._vault.SealFields, wanted)
        metrics.REVEALS.labels(purpose).inc()
        return answer.sealed
