"""Registers persons: what has to be asked of others first, then one unit of work."""

from dataclasses import dataclass

import grpc
from sqlalchemy import Connection

from services.identity.persons import store as person_store
from services.identity.persons.store import Person, Proof
from services.identity.sessions.domain.registration import PROVED, Registrant
from services.identity.sessions.login_index import LoginIndex
from services.identity.sessions.passwords import Passwords
from services.identity.sessions.real_name import RealNameAuthority
from services.identity.sessions.refusals import name_taken, person_registered
from services.identity.sessions.store import credentials
from services.identity.sessions.store.credentials import Credential
from shuniu.api.identity.v1 import vault_pb2, vault_pb2_grpc
from shuniu.kit.rpc.client import ask_again
from shuniu.kit.store import Store


@dataclass(frozen=True, slots=True)
class Admission:
    """A proved person with a hashed password, ready to be stored. `index`: see `LoginIndex`."""

    index: str
    person: Person
    proof: Proof
    password_hash: str


class Registration:
    """Proves a person's name, stores the record in the vault and the credential here."""

    def __init__(
        self,
        store: Store,
        authority: RealNameAuthority,
        passwords: Passwords,
        login_index: LoginIndex,
        vault: grpc.aio.Channel,
    ) -> None:
        self._store = store
        self._authority = authority
        self._passwords = passwords
        self._login_index = login_index
        self._vault = vault_pb2_grpc.VaultServiceStub(vault)

    async def admit(self, request_id: str, login_name: str, password: str, registrant: Registrant) -> Admission:
        """Asks authority and vault. Raises LOGIN_NAME_TAKEN, what `RealNameAuthority.prove` raises, PoolFullError."""
        index = self._login_index.of(login_name)
        if await self._store.read(credentials.find_credential, index) is not None:
            raise name_taken()
        record = vault_pb2.VaultRecord(
            full_name=registrant.full_name,
            document_type=registrant.document_type,
            document_number=registrant.document_number,
        )
        proof = await self._authority.prove(record)
        put = vault_pb2.PutPersonRequest(request_id=request_id, record=record, confirm=True)
        kept: vault_pb2.PutPersonResponse = await ask_again(self._vault.PutPerson, put)
        person = Person(kept.person_id, kept.display_name, PROVED)
        return Admission(index, person, proof, await self._passwords.hash(password))

    def store(self, conn: Connection, admitted: Admission) -> None:
        """Stores person and credential. Raises LOGIN_NAME_TAKEN, PERSON_REGISTERED."""
        if credentials.find_credential(conn, admitted.index) is not None:
            raise name_taken()
        person_id = admitted.person.person_id
        if credentials.has_credential(conn, person_id):
            raise person_registered()
        person_store.put(conn, admitted.person, admitted.proof)
        credential = Credential(person_id, admitted.password_hash)
        credentials.add_credential(conn, admitted.index, credential, admitted.proof.verified_us)
