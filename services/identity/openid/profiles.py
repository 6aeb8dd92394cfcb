"""A person's name and date of birth for userinfo: sealed by the vault to a key that lives as long as this process.

Identity stores neither; each first look of a client in a session is on the list that the person can read.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
from sqlalchemy import Connection

from services.identity import metrics
from services.identity.persons import store as person_store
from services.identity.persons.store import Reveal
from services.identity.sessions.store import sessions
from shuniu.api.identity.v1 import vault_pb2, vault_pb2_grpc
from shuniu.kit.crypto import sealing
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc.client import ask_again

PURPOSE: Final = "userinfo"
_FIELDS: Final = ("full_name", "birth_date")


@dataclass(frozen=True, slots=True, repr=False)
class Profile:
    """`birth_date` is ISO 8601, empty when the document does not tell it."""

    full_name: str
    birth_date: str


class Profiles:
    """Gets what a client with scope `profile` may know from the vault."""

    def __init__(self, base: Foundation, vault: grpc.aio.Channel) -> None:
        self._base = base
        self._vault = vault_pb2_grpc.VaultServiceStub(vault)
        self._key = sealing.new_key("identity-profile")
        self._jwk = json.dumps(self._key.as_dict(private=False))

    async def of(self, person_id: str, client: str, session_id: str, may: Callable[[Connection], object]) -> Profile:
        """`may` is asked before the profile is released, when the vault has answered; what it raises is raised.

        Raises HubError VAULT_QUOTA, or UNAVAILABLE while the vault is down.
        """
        wanted = vault_pb2.SealFieldsRequest(
            person_id=person_id, fields=_FIELDS, receiver_jwk=self._jwk, receiver=client, purpose=PURPOSE
        )
        answer: vault_pb2.SealFieldsResponse = await ask_again(self._vault.SealFields, wanted)
        await self._base.write(self._recorded, person_id, client, session_id, may)
        opened: dict[str, Any] = sealing.unseal(self._key, answer.sealed.jwe)
        return Profile(str(opened["full_name"]), str(opened["birth_date"]))

    def _recorded(
        self, conn: Connection, person_id: str, client: str, session_id: str, may: Callable[[Connection], object]
    ) -> None:
        """One record for a session and client, however often it asks."""
        may(conn)
        now = self._base.clock.now_us()
        if sessions.first_profile(conn, session_id, client, now):
            given = Reveal(new_ulid(self._base.clock), person_id, client, "", _FIELDS, PURPOSE, now)
            person_store.add_reveal(conn, given)
            metrics.REVEALS.labels(PURPOSE).inc()
