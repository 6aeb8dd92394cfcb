"""Calls under a grant: checked and charged, asked, stored with their evidence. A failed call is refunded."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct
from sqlalchemy import Connection

from services.exchange.cases import store as case_store
from services.exchange.cases.store import CaseRow
from services.exchange.directory import domain as resources
from services.exchange.directory import store as directory_store
from services.exchange.directory.domain import Resource
from services.exchange.evidence.domain import Kind
from services.exchange.evidence.log import EvidenceBook
from services.exchange.grants import domain as grants
from services.exchange.grants import store as grant_store
from services.exchange.grants.domain import Contract, Grant, Use
from services.exchange.grants.refusals import refusal
from services.exchange.people.resolving import People
from services.exchange.queries import domain as answers
from services.exchange.queries import store
from services.exchange.queries.asking import Asking
from services.exchange.queries.refusals import (
    answer_forgotten,
    case_over,
    grant_required,
    not_handling,
    quota_spent,
)
from services.exchange.queries.replies import Reply, answer_invalid
from services.exchange.queries.store import CallRow, CallState
from services.exchange.service.moments import instant
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.china_time import civil_date
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc import requests
from shuniu.kit.rpc.requests import RequestKey
from shuniu.rules import RuleError

_ANSWERED: Final = frozenset({"OK", "MATCH", "MISMATCH", "NOT_FOUND"})


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that may be sent: its row, the contract cut to the wanted fields, the resource, the person."""

    row: CallRow
    contract: Contract
    resource: Resource
    person_id: str


class GrantedCalls:
    """Units of work of a call, and the question between them."""

    def __init__(
        self, base: Foundation, people: People, asking: Asking, keyring: Keyring, evidence: EvidenceBook
    ) -> None:
        self._base = base
        self._people = people
        self._asking = asking
        self._keyring = keyring
        self._evidence = evidence

    def begin(
        self, conn: Connection, request: pb.QueryRequest, asked: RequestKey, platform: str
    ) -> Begun | pb.QueryResponse:
        """Checks the contract and spends one call; returns the stored answer when this request was answered before.

        Raises HubError.
        """
        known = store.find_call(conn, asked.caller_key, asked.request_id)
        if known is not None and known.digest != asked.digest:
            raise requests.reused(asked.request_id)
        if known is not None and known.state is CallState.DONE:
            return self._stored_answer(known)
        grant = _grant(conn, request.grant_id, platform)
        case = _open_case(conn, request.case_code, platform)
        resource = self._resource(conn, grant.contract)
        contract = _cut(grant.contract, frozenset(request.fields))
        row = known or CallRow(
            call_id=self._asking.new_call(),
            kind="query",
            caller_key=asked.caller_key,
            request_id=asked.request_id,
            digest=asked.digest,
            resource=contract.resource,
            consumer=contract.consumer,
            provider=contract.provider,
            grant_id=grant.id,
            case_code=case.case_code,
            fields=tuple(sorted(contract.fields)),
            purpose=contract.purpose,
        )
        # A call that was begun and never ended (this process died in between) has been charged already.
        charged = row.charged_day or self._spend(conn, grant, case.base_code, row)
        row = replace(row, state=CallState.OPEN, charged_day=charged, answer=None)
        if known is None:
            store.insert_call(conn, row)
        else:
            store.update_call(conn, row)
        return Begun(row, contract, resource, case.person_id)

    def _stored_answer(self, known: CallRow) -> pb.QueryResponse:
        if known.answer is None:
            raise answer_forgotten(known.request_id)
        return pb.QueryResponse.FromString(self._keyring.decrypt(known.answer, _context(known.call_id)))

    def _resource(self, conn: Connection, contract: Contract) -> Resource:
        resource = directory_store.find_resource(conn, contract.resource)
        if resource is None or resource.state is not resources.ResourceState.PUBLISHED:
            raise grant_required("RESOURCE_STATE")
        entry = self._base.registry.platform(contract.consumer)
        if entry is None or not resources.may_receive(resource.secrecy, entry.secrecy):
            raise grant_required("SECRECY_TOO_HIGH")
        return resource

    def _spend(self, conn: Connection, grant: Grant, item: str, row: CallRow) -> str:
        """Spends one call of today's quota; returns the day. Raises GRANT_REQUIRED and GRANT_QUOTA."""
        now_us = self._base.clock.now_us()
        day = f"{civil_date(now_us):%Y%m%d}"
        today = replace(grant, spent_today=grant_store.calls_on(conn, grant.id, day))
        use = Use(row.consumer, row.resource, row.purpose, item, now_us)
        try:
            grants.spend(today, use)
        except RuleError as error:
            raise refusal(error) from None
        if not grant_store.spend(conn, grant.id, day, grant.contract.daily_quota):
            raise quota_spent()
        return day

    async def ask(self, begun: Begun, left: float | None) -> tuple[Reply, dict[str, Any]]:
        """The reply, and what of it may leave. `left`: seconds of the caller's deadline. Raises HubError."""
        row = begun.row
        sealed = await self._people.seal_for_register(begun.person_id, row.provider, row.case_code)
        reply = await self._asking.ask(
            row.call_id,
            begun.resource,
            sealed.sealed,
            fields=begun.contract.fields,
            purpose=row.purpose,
            left=left,
        )
        if reply.result not in _ANSWERED or not reply.answer.answer_json:
            raise answer_invalid("NO_FIELDS", reply.result)
        try:
            found = answers.read_answer(reply.answer.answer_json)
            (leaving,) = grants.mask_answer(begun.contract, [found])
            answers.check_leaving(leaving)
        except RuleError as error:
            raise answer_invalid(error.reason, reply.result) from None
        return reply, leaving

    def failed(self, conn: Connection, row: CallRow, reason: str) -> None:
        """Refunds the call and stores the reason in its row."""
        if row.charged_day:
            grant_store.refund(conn, row.grant_id, row.charged_day)
        store.update_call(conn, replace(row, state=CallState.FAILED, charged_day="", result=reason))

    def done(self, conn: Connection, row: CallRow, reply: Reply, leaving: dict[str, Any]) -> pb.QueryResponse:
        """Stores evidence, audit record and the answer for retries in one transaction."""
        digests = reply.of_fields
        answer = Struct()
        answer.update(leaving)
        response = pb.QueryResponse(
            answer=answer,
            evidence=pb.CallEvidence(
                call_id=row.call_id,
                asked_at=instant(reply.asked_us),
                answered_at=instant(reply.answered_us),
                **asdict(digests),
            ),
        )
        kept = replace(
            row.answered(reply, digests),
            answer=self._keyring.encrypt(response.SerializeToString(), _context(row.call_id)),
        )
        store.update_call(conn, kept)
        self._evidence.keep(
            conn,
            kept.call_id,
            Kind.QUERY,
            kept.answered_us,
            (kept.consumer, kept.provider),
            store.call_facts(kept),
            case_code=kept.case_code,
        )
        self._base.audit(conn, "Query", f"case/{row.case_code}", grant=row.grant_id, call=row.call_id)
        return response


def _grant(conn: Connection, grant_id: str, platform: str) -> Grant:
    found = grant_store.find_grant(conn, grant_id)
    if found is None or found.grant.contract.consumer != platform:
        raise grant_required("GRANT_UNKNOWN")
    return found.grant


def _open_case(conn: Connection, code: str, platform: str) -> CaseRow:
    case = case_store.find_case(conn, code)
    if case is None or case.handler_platform != platform:
        raise not_handling()
    if case_store.history_is_over(case):
        raise case_over(case.state)
    return case


def _cut(contract: Contract, wanted: frozenset[str]) -> Contract:
    """The contract with the wanted fields alone; all of them when none is named."""
    if not wanted <= contract.fields:
        raise grant_required("FIELD_NOT_GRANTED", fields=" ".join(sorted(wanted - contract.fields))[:500])
    return replace(contract, fields=wanted or contract.fields)


def _context(call_id: str) -> bytes:
    return f"provider_call/{call_id}/answer".encode()
