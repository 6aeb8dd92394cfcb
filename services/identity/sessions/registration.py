"""Registers persons: what has to be asked of others first, then one unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from sqlalchemy import Connection

from services.identity.persons import store as person_store
from services.identity.persons.store import Person, Proof
from services.identity.sessions.domain.registration import PROVED, Registrant
from services.identity.sessions.domain.tries import Meter
from services.identity.sessions.login_index import LoginIndex
from services.identity.sessions.meters import Meters
from services.identity.sessions.passwords import Passwords, PoolFullError
from services.identity.sessions.real_name import RealNameAuthority
from services.identity.sessions.refusals import name_taken, real_name_refused
from services.identity.sessions.store import credentials, tries
from services.identity.sessions.store.credentials import Credential
from shuniu.api.identity.v1 import vault_pb2, vault_pb2_grpc
from shuniu.kit.errors import Code, HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc.client import ask_again
from shuniu.kit.rpc.network import sender


@dataclass(frozen=True, slots=True)
class Admission:
    """A proved person with a hashed password, ready to be stored; `index`: see `LoginIndex`, `meters`: its tries."""

    index: str
    person: Person
    proof: Proof
    password_hash: str
    meters: Sequence[Meter]


# Codes of tries to which the authority gave no answer.
_UNANSWERED: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED})


class Registration:
    """Proves a person's name, stores the record in the vault and the credential here."""

    def __init__(
        self,
        base: Foundation,
        authority: RealNameAuthority,
        passwords: Passwords,
        login_index: LoginIndex,
        meters: Meters,
        vault: grpc.aio.Channel,
    ) -> None:
        self._base = base
        self._authority = authority
        self._passwords = passwords
        self._login_index = login_index
        self._meters = meters
        self._vault = vault_pb2_grpc.VaultServiceStub(vault)

    async def admit(self, request_id: str, login_name: str, password: str, registrant: Registrant) -> Admission:
        """Counts the try, then asks authority and vault, which takes the same steps whatever the authority says.

        Raises SIGN_IN_LIMIT, LOGIN_NAME_TAKEN, REAL_NAME_MISMATCH, and what `RealNameAuthority.prove` raises.
        """
        index = self._login_index.of(login_name)
        meters = self._meters.of_registration(registrant, sender())
        await self._base.write(tries.take, meters, self._base.clock.now_us())
        try:
            return await self._admit(request_id, index, password, registrant, meters)
        except (HubError, PoolFullError) as error:
            if isinstance(error, PoolFullError) or error.code in _UNANSWERED:
                await self._base.write(tries.give_back, meters)
            raise

    async def _admit(
        self, request_id: str, index: str, password: str, registrant: Registrant, meters: Sequence[Meter]
    ) -> Admission:
        if await self._base.store.read(credentials.find_credential, index) is not None:
            raise name_taken()
        hashed = await self._passwords.hash(password)
        record = vault_pb2.VaultRecord(
            full_name=registrant.full_name,
            document_type=registrant.document_type,
            document_number=registrant.document_number,
        )
        proof = await self._authority.prove(record)
        put = vault_pb2.PutPersonRequest(
            # A record that is only looked up gets an id of its own: the request's stays free for the proven one.
            request_id=request_id if proof else new_ulid(self._base.clock),
            record=record,
            confirm=proof is not None,
        )
        kept: vault_pb2.PutPersonResponse = await ask_again(self._vault.PutPerson, put)
        if proof is None:
            raise real_name_refused()
        return Admission(index, Person(kept.person_id, kept.display_name, PROVED), proof, hashed, meters)

    def store(self, conn: Connection, admitted: Admission) -> None:
        """Stores person and credential, and gives the try back. Raises LOGIN_NAME_TAKEN, REAL_NAME_MISMATCH."""
        if credentials.find_credential(conn, admitted.index) is not None:
            raise name_taken()
        person_id = admitted.person.person_id
        if credentials.has_credential(conn, person_id):
            raise real_name_refused()
        person_store.put(conn, admitted.person, admitted.proof)
        credential = Credential(person_id, admitted.password_hash)
        credentials.add_credential(conn, admitted.index, credential, admitted.proof.verified_us)
        tries.give_back(conn, admitted.meters)
