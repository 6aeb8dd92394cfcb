"""QueryService: calls under a grant, each within its contract and with its evidence."""

from dataclasses import dataclass, replace
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct
from sqlalchemy import Connection

from services.exchange import metrics
from services.exchange.cases import store as case_store
from services.exchange.directory import domain as resources
from services.exchange.directory import store as directory_store
from services.exchange.directory.domain import Resource
from services.exchange.evidence.domain import Kind
from services.exchange.evidence.log import EvidenceBook
from services.exchange.grants import domain as grants
from services.exchange.grants import store as grant_store
from services.exchange.grants.domain import Contract, Use
from services.exchange.grants.refusals import refusal
from services.exchange.people.resolving import People
from services.exchange.queries import domain as answers
from services.exchange.queries import store as query_store
from services.exchange.queries.asking import Asking, Reply, answer_invalid
from services.exchange.queries.service.refusals import grant_required
from services.exchange.queries.store import CallRow, CallState
from services.exchange.service.moments import instant
from shuniu import china_time
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation, content_digest, require_request_id
from shuniu.kit.process.keyed_locks import KeyedLocks
from shuniu.kit.rpc import requests
from shuniu.kit.rpc.caller import current_caller
from shuniu.rules import RuleError

_ANSWERED: Final = frozenset({"OK", "MATCH", "MISMATCH", "NOT_FOUND"})


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that may be sent: its row, the contract cut to the wanted fields, the resource, the person."""

    row: CallRow
    contract: Contract
    resource: Resource
    person_id: str


class QueryService(query_pb2_grpc.QueryServiceServicer):
    """Questions of handling agencies about the applicants of their cases."""

    def __init__(
        self, base: Foundation, people: People, asking: Asking, keyring: Keyring, evidence: EvidenceBook
    ) -> None:
        self._base = base
        self._people = people
        self._asking = asking
        self._keyring = keyring
        self._evidence = evidence
        # A retry waits for its first try.
        self._retries: KeyedLocks[tuple[str, str]] = KeyedLocks()

    async def Query(self, request: pb.QueryRequest, context: Any) -> pb.QueryResponse:
        request_id = require_request_id(request)
        caller = current_caller().key
        digest = content_digest(request)
        async with self._retries.of((caller, request_id)):
            begun = await self._base.write(self._begin, request, request_id, digest)
            if isinstance(begun, pb.QueryResponse):
                return begun
            try:
                reply, leaving = await self._ask(begun, context)
            except HubError as error:
                await self._base.write(self._failed, begun.row, error.reason)
                metrics.QUERIES.labels("query", error.reason).inc()
                raise
            response = await self._base.write(self._done, begun.row, reply, leaving)
            metrics.QUERIES.labels("query", "OK").inc()
            return response

    def _begin(
        self, conn: Connection, request: pb.QueryRequest, request_id: str, digest: bytes
    ) -> Begun | pb.QueryResponse:
        """Checks the contract and spends one call; returns the stored answer when this request was answered before."""
        caller = current_caller()
        known = query_store.find_call(conn, caller.key, request_id)
        if known is not None and known.digest != digest:
            raise requests.reused(request_id)
        if known is not None and known.state is CallState.DONE:
            if known.answer is None:
                raise errors.conflict(
                    requests.REQUEST_ID_REUSED,
                    "The answer to this request_id is no longer kept. Use a new request_id to ask again.",
                    "该 request_id 的答复已不再保存。如需再次查询请使用新的 request_id。",
                    request_id=request_id,
                )
            return pb.QueryResponse.FromString(self._keyring.decrypt(known.answer, _context(known.call_id)))
        found = grant_store.find_grant(conn, request.grant_id)
        if found is None or found.grant.contract.consumer != caller.platform:
            raise grant_required("GRANT_UNKNOWN")
        contract = found.grant.contract
        case = case_store.find_case(conn, request.case_code)
        if case is None or case.handler_platform != caller.platform:
            raise errors.denied(
                "NOT_HANDLING_AGENCY",
                "Only the agency that handles the case may ask about its applicant.",
                "仅办理该办件的机构可以查询申请人信息。",
            )
        if case_store.history_is_over(case):
            raise errors.precondition(
                "CASE_STATE", "The case is over; its purpose has ended.", "办件已办结，不能再查询。", state=case.state
            )
        resource = self._resource(conn, contract)
        wanted = frozenset(request.fields) or contract.fields
        if not wanted <= contract.fields:
            raise grant_required("FIELD_NOT_GRANTED", fields=" ".join(sorted(wanted - contract.fields))[:500])
        row = known or CallRow(
            call_id=self._asking.new_call(),
            kind="query",
            caller_key=caller.key,
            request_id=request_id,
            digest=digest,
            resource=contract.resource,
            consumer=contract.consumer,
            provider=contract.provider,
            grant_id=found.grant.id,
            case_code=case.case_code,
            fields=tuple(sorted(wanted)),
            purpose=contract.purpose,
        )
        # A call that was begun and never ended (this process died in between) has been charged already.
        charged = row.charged_day or self._spend(conn, found.grant, case.base_code, row)
        row = replace(row, state=CallState.OPEN, charged_day=charged, answer=None)
        if known is None:
            query_store.insert_call(conn, row)
        else:
            query_store.update_call(conn, row)
        return Begun(row, replace(contract, fields=wanted), resource, case.person_id)

    def _resource(self, conn: Connection, contract: Contract) -> Resource:
        resource = directory_store.find_resource(conn, contract.resource)
        if resource is None or resource.state is not resources.ResourceState.PUBLISHED:
            raise grant_required("RESOURCE_STATE")
        entry = self._base.registry.platform(contract.consumer)
        if entry is None or not resources.may_receive(resource.secrecy, entry.secrecy):
            raise grant_required("SECRECY_TOO_HIGH")
        return resource

    def _spend(self, conn: Connection, grant: grants.Grant, item: str, row: CallRow) -> str:
        """Spends one call of today's quota; returns the day. Raises GRANT_REQUIRED and GRANT_QUOTA."""
        now_us = self._base.clock.now_us()
        day = f"{china_time.civil_date(now_us):%Y%m%d}"
        today = replace(grant, spent_today=grant_store.calls_on(conn, grant.id, day))
        use = Use(row.consumer, row.resource, row.purpose, item, now_us)
        try:
            grants.spend(today, use)
        except RuleError as error:
            raise refusal(error) from None
        if not grant_store.spend(conn, grant.id, day, grant.contract.daily_quota):
            raise errors.exhausted("GRANT_QUOTA", "Today's calls of the grant are spent.", "今日授权调用次数已用完。")
        return day

    async def _ask(self, begun: Begun, context: Any) -> tuple[Reply, dict[str, Any]]:
        """The reply, and what of it may leave. Raises HubError."""
        row = begun.row
        sealed = await self._people.seal_for_register(begun.person_id, row.provider, row.case_code)
        reply = await self._asking.ask(
            row.call_id,
            begun.resource,
            sealed.sealed,
            fields=begun.contract.fields,
            purpose=row.purpose,
            left=context.time_remaining(),
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

    def _failed(self, conn: Connection, row: CallRow, reason: str) -> None:
        """Refunds the call and stores the reason in its row."""
        if row.charged_day:
            grant_store.refund(conn, row.grant_id, row.charged_day)
        query_store.update_call(conn, replace(row, state=CallState.FAILED, charged_day="", result=reason))

    def _done(self, conn: Connection, row: CallRow, reply: Reply, leaving: dict[str, Any]) -> pb.QueryResponse:
        """Stores evidence, audit record and the answer for retries in one transaction."""
        answer = Struct()
        answer.update(leaving)
        digests = reply.of_fields
        response = pb.QueryResponse(
            answer=answer,
            evidence=pb.CallEvidence(
                call_id=row.call_id,
                asked_at=instant(reply.asked_us),
                answered_at=instant(reply.answered_us),
                question_sha256=digests.question_sha256,
                answer_sha256=digests.answer_sha256,
                question_sm3=digests.question_sm3,
                answer_sm3=digests.answer_sm3,
            ),
        )
        kept = replace(
            row,
            state=CallState.DONE,
            question_sha256=digests.question_sha256,
            answer_sha256=digests.answer_sha256,
            question_sm3=digests.question_sm3,
            answer_sm3=digests.answer_sm3,
            asked_us=reply.asked_us,
            answered_us=reply.answered_us,
            result=reply.result,
            transaction_id=reply.transaction_id,
            answer=self._keyring.encrypt(response.SerializeToString(), _context(row.call_id)),
        )
        query_store.update_call(conn, kept)
        self._evidence.keep(
            conn,
            kept.call_id,
            Kind.QUERY,
            kept.answered_us,
            (kept.consumer, kept.provider),
            query_store.call_facts(kept),
            case_code=kept.case_code,
        )
        self._base.audit(conn, "Query", f"case/{row.case_code}", grant=row.grant_id, call=row.call_id)
        return response


def _context(call_id: str) -> bytes:
    return f"provider_call/{call_id}/answer".encode()
