"""Seals persons' data for other services of the hub; each person can read on record who was given what."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services.identity.persons import store
from services.identity.persons.domain import reveals
from services.identity.persons.refusals import person_unknown
from services.identity.persons.store import Reveal
from services.identity.persons.vault_client import Sealer, receiver_key
from shuniu.api.common.v1 import envelope_pb2
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid


@dataclass(frozen=True, slots=True)
class Wanted:
    """Data that a service wants of a person: for a platform, or under its own key (`receiver_jwk`)."""

    person_id: str
    fields: tuple[str, ...]
    purpose: str
    case_code: str = ""
    platform: str = ""
    receiver_jwk: str = ""


class ServiceReveals:
    """Reveals to services. `service` is the one that asks."""

    def __init__(self, base: Foundation, sealer: Sealer) -> None:
        self._base = base
        self._sealer = sealer

    async def seal(self, wanted: Sequence[Wanted], service: str) -> list[envelope_pb2.SealedData]:
        """Seals each; returns them only after all of them are on record. Raises RuleError, RevealError, HubError."""
        sealed = await asyncio.gather(*(self._seal_one(each, service) for each in wanted))
        await self._base.write(self._record, wanted, service)
        return sealed

    async def _seal_one(self, wanted: Wanted, service: str) -> envelope_pb2.SealedData:
        fields = reveals.checked_fields(wanted.fields)
        reveals.check_service(service, wanted.purpose)
        if await self._base.store.read(store.find_person, wanted.person_id) is None:
            raise person_unknown()
        if wanted.platform:
            return await self._sealer.to_platform(wanted.person_id, fields, wanted.platform, wanted.purpose)
        if wanted.receiver_jwk:
            return await self._sealer.to_key(wanted.person_id, fields, wanted.receiver_jwk, service, wanted.purpose)
        raise reveals.no_key()

    def _record(self, conn: Connection, wanted: Sequence[Wanted], service: str) -> None:
        now = self._base.clock.now_us()
        for each in wanted:
            if each.platform:
                receiver_key(conn, each.platform)
            fields, receiver = reveals.checked_fields(each.fields), each.platform or service
            id_ = new_ulid(self._base.clock)
            store.add_reveal(conn, Reveal(id_, each.person_id, receiver, each.case_code, fields, each.purpose, now))
        self._base.audit_all(
            conn,
            [
                self._base.audit_record("SealPerson", f"person/{each.person_id}", receiver=each.platform or service)
                for each in wanted
            ],
        )
