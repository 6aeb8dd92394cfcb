"""VaultService: identity numbers, stored encrypted and sealed to one receiver. There is no listing and no scan."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from services.identity.requests.private import PrivateRequests
from services.identity.vault import metrics
from services.identity.vault.disclosures import Disclosure, Disclosures
from services.identity.vault.domain import receivers, records
from services.identity.vault.domain.receivers import CANDIDATE_FIELDS
from services.identity.vault.domain.records import Record
from services.identity.vault.person_records import PersonRecords
from services.identity.vault.refusals import receiver_key_invalid
from services.identity.vault.store import Kept
from shuniu.api.common.v1 import envelope_pb2
from shuniu.api.identity.v1 import vault_pb2 as pb
from shuniu.api.identity.v1 import vault_pb2_grpc
from shuniu.china_time import civil_date
from shuniu.kit import errors
from shuniu.kit.crypto import sealing
from shuniu.kit.foundation import BareFoundation
from shuniu.kit.process.ids import new_person_id
from shuniu.rules import RuleError

_AUTHORITY = "authority"


class VaultService(vault_pb2_grpc.VaultServiceServicer):
    """Stores persons, and seals fields of them; identity alone may call."""

    def __init__(
        self, base: BareFoundation, private: PrivateRequests, *, persons: PersonRecords, disclosures: Disclosures
    ) -> None:
        self._base = base
        self._private = private
        self._persons = persons
        self._disclosures = disclosures

    async def PutPerson(self, request: pb.PutPersonRequest, context: Any) -> pb.PutPersonResponse:
        with _rules():
            record = self._checked(request.record)
        keys, fresh_id = self._persons.keys(record), new_person_id()
        response = await self._private.mutate(
            request,
            pb.PutPersonResponse,
            lambda conn: self._put(conn, record, keys, fresh_id, confirmed=request.confirm),
            target="person",
        )
        if response.person_id == fresh_id:
            metrics.PERSONS.inc()
        return response

    def _put(
        self, conn: Connection, record: Record, keys: list[bytes], fresh_id: str, *, confirmed: bool
    ) -> pb.PutPersonResponse:
        found: Kept | None
        if confirmed:
            found, known = self._persons.put(conn, record, keys, fresh_id, self._base.clock.now_us())
        else:
            found = self._persons.find(conn, keys)
            known = found is not None
        return pb.PutPersonResponse(
            person_id=found.person_id if found else "",
            known=known,
            display_name=records.display_name(record.full_name),
        )

    async def SealFields(self, request: pb.SealFieldsRequest, context: Any) -> pb.SealFieldsResponse:
        with _rules():
            receivers.check(request.receiver, request.purpose)
            receivers.check_fields(request.fields)
            jwk = _receiver_key(request.receiver_jwk)
        given = Disclosure(request.receiver, request.purpose, request.fields)
        kept = await self._disclosures.of_person(request.person_id, given)
        sealed = _sealed(jwk, self._persons.cipher.opened(kept), given)
        return pb.SealFieldsResponse(sealed=sealed)

    async def SealCandidate(self, request: pb.SealCandidateRequest, context: Any) -> pb.SealCandidateResponse:
        with _rules():
            record = self._checked(request.record)
            receivers.check(request.receiver, _AUTHORITY)
            jwk = _receiver_key(request.receiver_jwk)
        given = Disclosure(request.receiver, _AUTHORITY, CANDIDATE_FIELDS)
        await self._disclosures.of_candidate(given)
        return pb.SealCandidateResponse(sealed=_sealed(jwk, record, given))

    def _checked(self, record: pb.VaultRecord) -> Record:
        today = civil_date(self._base.clock.now_us())
        return records.checked(record.document_type, record.document_number, record.full_name, today)


@contextlib.contextmanager
def _rules() -> Iterator[None]:
    """Turns violated rules into HubError."""
    try:
        yield
    except RuleError as error:
        raise errors.invalid(error.violations) from None


def _receiver_key(text: str) -> dict[str, Any]:
    try:
        jwk = json.loads(text)
        sealing.receiver_key(jwk)
    except (ValueError, TypeError, AttributeError, RecursionError, sealing.SealingError):
        raise receiver_key_invalid() from None
    return dict(jwk)


def _sealed(jwk: dict[str, Any], record: Record, given: Disclosure) -> envelope_pb2.SealedData:
    jwe = sealing.seal(jwk, records.selected(record, given.fields))
    metrics.SEALED.labels(given.purpose).inc()
    return envelope_pb2.SealedData(jwe=jwe, receiver=given.receiver, kid=jwk["kid"])
