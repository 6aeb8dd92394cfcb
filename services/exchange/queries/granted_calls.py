"""Calls under a grant: decided, charged, asked, decided again, stored with their evidence. A failed one is refunded.

A call is leased to the replica that works on it, for as long as that can take. A retry at another replica waits for the
answer, or takes the call over when the lease ended without one.
"""

import time
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct
from sqlalchemy import Connection

from services.exchange.cases import store as case_store
from services.exchange.cases.store import CaseRow
from services.exchange.directory import domain as resources
from services.exchange.directory import receiving
from services.exchange.directory import store as directory_store
from services.exchange.directory.domain import Resource
from services.exchange.evidence.domain import Kind
from services.exchange.evidence.log import EvidenceBook
from services.exchange.grants import domain as grants
from services.exchange.grants import store as grant_store
from services.exchange.grants.domain import Contract, Grant, Use
from services.exchange.grants.refusals import refusal
from services.exchange.people.resolving import SEAL_SECONDS, People
from services.exchange.queries import store
from services.exchange.queries.asking import Asking
from services.exchange.queries.digests import CallDigests
from services.exchange.queries.domain import answers
from services.exchange.queries.refusals import (
    answer_forgotten,
    case_over,
    grant_required,
    not_handling,
    overtaken,
    quota_spent,
)
from services.exchange.queries.replies import Reply, answer_invalid
from services.exchange.queries.store import CallRow, CallState
from services.exchange.service.moments import instant
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.china_time import civil_date
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc import requests
from shuniu.kit.rpc.requests import RequestKey
from shuniu.kit.store import LostRaceError
from shuniu.rules import RuleError

_SWEPT: Final = 500
_BEGIN_SECONDS: Final = 2.0
"""Part of a lease for the commit before the question, in seconds."""
_END_SECONDS: Final = 1.0
"""Part of a lease that is left when nothing is asked any more, in seconds."""
_ANSWERED: Final = frozenset({"OK", "MATCH", "MISMATCH", "NOT_FOUND"})


@dataclass(frozen=True, slots=True)
class Permitted:
    """Permission for a call as things are now: under a grant, for a case, of a resource; the contract is cut to the
    wanted fields.
    """

    grant: Grant
    case: CaseRow
    resource: Resource
    contract: Contract


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that may be sent: its row and what it may do. `until`: instant (time.monotonic) after which this replica
    asks nothing, before its lease ends.
    """

    row: CallRow
    permitted: Permitted
    until: float


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
        self, conn: Connection, request: pb.QueryRequest, asked: RequestKey, platform: str, left: float | None
    ) -> Begun | pb.QueryResponse | None:
        """Decides, then spends one call and leases it to this replica for as long as it can take. Returns the stored
        answer when this request was answered before, if it may be handed out still; None while another replica works on
        the request. `left`: what remains of the caller's deadline, in seconds.

        Raises HubError.
        """
        known = store.find_call(conn, asked.caller_key, asked.request_id)
        if known is not None and known.digest != asked.digest:
            raise requests.reused(asked.request_id)
        permitted = self._decide(conn, request.grant_id, request.case_code, platform, frozenset(request.fields))
        if known is not None and known.state is CallState.DONE:
            return self._stored_answer(known)
        # Before the lease begins, so that its holder stops before it ends.
        started = time.monotonic()
        db_now_us = store.time_us(conn)
        if known is not None:
            if known.held_by_another(self._base.writer, db_now_us):
                return None
            # An earlier try ended without an answer, perhaps with its process; this one is charged anew.
            _refund(conn, known)
        most = SEAL_SECONDS + self._asking.seconds
        seconds = _BEGIN_SECONDS + (most if left is None else max(0.0, min(left, most)))
        contract, now_us = permitted.contract, self._base.clock.now_us()
        row = CallRow(
            call_id=self._asking.new_call(),
            kind="query",
            caller_key=asked.caller_key,
            request_id=asked.request_id,
            digest=asked.digest,
            resource=contract.resource,
            consumer=contract.consumer,
            provider=contract.provider,
            grant_id=permitted.grant.id,
            case_code=permitted.case.case_code,
            fields=tuple(sorted(contract.fields)),
            purpose=contract.purpose,
            charged_day=_spend(conn, permitted, now_us),
            begun_us=now_us,
            holder=self._base.writer,
            lease_us=db_now_us + int((seconds + _END_SECONDS) * 1e6),
            fence=1 if known is None else known.fence + 1,
            version=0 if known is None else known.version + 1,
        )
        if known is None:
            store.insert_call(conn, row)
        elif not store.update_call(conn, known, row):
            raise LostRaceError(row.request_id)
        return Begun(row, permitted, started + seconds)

    def is_held_by_another(self, conn: Connection, asked: RequestKey) -> bool:
        """Tells whether another replica works on the request now."""
        return store.is_held(conn, asked.caller_key, asked.request_id, self._base.writer)

    def _decide(
        self, conn: Connection, grant_id: str, case_code: str, platform: str, fields: frozenset[str]
    ) -> Permitted:
        """Decides by grant, case and registry as they are now. Raises HubError."""
        grant = _grant(conn, grant_id, platform)
        case = _open_case(conn, case_code, platform)
        contract = _cut(grant.contract, fields)
        resource = directory_store.find_resource(conn, contract.resource)
        if resource is None or resource.state is not resources.ResourceState.PUBLISHED:
            raise grant_required("RESOURCE_STATE")
        reason = receiving.refusal(self._base, resource, platform)
        if reason:
            raise grant_required(reason)
        try:
            grants.permit(
                grant, Use(platform, resource.code, contract.purpose, case.base_code, self._base.clock.now_us())
            )
        except RuleError as error:
            raise refusal(error) from None
        return Permitted(grant, case, resource, contract)

    def _stored_answer(self, known: CallRow) -> pb.QueryResponse:
        if known.answer is None:
            raise answer_forgotten(known.request_id)
        return pb.QueryResponse.FromString(self._keyring.decrypt(known.answer, _context(known.call_id)))

    async def ask(self, begun: Begun, deadline: float) -> tuple[Reply, dict[str, Any]]:
        """The reply, and what of it may leave. `deadline`: the caller's (time.monotonic). Raises HubError."""
        row, permitted = begun.row, begun.permitted
        sealed = await self._people.seal_for_register(permitted.case.person_id, row.provider, row.case_code)
        reply = await self._asking.ask(
            row.call_id,
            permitted.resource,
            sealed.sealed,
            fields=permitted.contract.fields,
            purpose=row.purpose,
            left=min(deadline, begun.until) - time.monotonic(),
        )
        if reply.result not in _ANSWERED or not reply.answer.answer_json:
            raise answer_invalid("NO_FIELDS", reply.result)
        try:
            found = answers.read_answer(reply.answer.answer_json)
            (leaving,) = grants.mask_answer(permitted.contract, [found])
            answers.check_leaving(leaving)
        except RuleError as error:
            raise answer_invalid(error.reason, reply.result) from None
        return reply, leaving

    def failed(self, conn: Connection, row: CallRow, reason: str) -> None:
        """Refunds the call and stores the reason in its row."""
        if store.update_call(conn, row, row.failed(reason)):
            _refund(conn, row)

    def left(self, conn: Connection, row: CallRow) -> None:
        """Ends the lease of a call whose caller left: a retry need not wait, wherever it comes."""
        store.update_call(conn, row, replace(row, lease_us=0))

    def done(
        self, conn: Connection, row: CallRow, reply: Reply, leaving: dict[str, Any]
    ) -> pb.QueryResponse | HubError:
        """Decides again, then stores evidence, audit record and the answer for retries in one transaction.

        Returns the refusal when what allowed the call was withdrawn meanwhile: the evidence stays, the answer does not.
        Raises QUERY_OVERTAKEN.
        """
        digests = reply.of_fields
        answered = row.answered(reply, digests)
        result: pb.QueryResponse | HubError
        try:
            self._decide(conn, row.grant_id, row.case_code, row.consumer, frozenset(row.fields))
        except HubError as refused:
            result = refused
            kept = answered.failed(refused.reason)
            _refund(conn, row)
        else:
            result = _response(answered, leaving, digests)
            sealed = self._keyring.encrypt(result.SerializeToString(), _context(row.call_id))
            kept = replace(answered, answer=sealed)
        if not store.update_call(conn, row, kept):
            raise overtaken()
        self._evidence.keep(
            conn,
            kept.call_id,
            Kind.QUERY,
            kept.answered_us,
            (kept.consumer, kept.provider),
            store.call_facts(kept),
            case_code=kept.case_code,
        )
        self._base.audit(
            conn, "Query", f"case/{row.case_code}", grant=row.grant_id, call=row.call_id, result=kept.result
        )
        return result


def close_abandoned(conn: Connection, before_us: int) -> int:
    """Ends and refunds calls that began before an instant and whose process died or whose caller left; some at a time.
    Returns how many.
    """
    rows = store.open_calls(conn, before_us, _SWEPT)
    for row in rows:
        if store.update_call(conn, row, row.failed("CUT_OFF")):
            _refund(conn, row)
    return len(rows)


def _refund(conn: Connection, row: CallRow) -> None:
    if row.charged_day:
        grant_store.refund(conn, row.charged_day, row.consumer, row.resource)


def _spend(conn: Connection, permitted: Permitted, now_us: int) -> str:
    """Spends one call of today's; returns the day. Raises GRANT_QUOTA."""
    contract = permitted.contract
    day = f"{civil_date(now_us):%Y%m%d}"
    quota = min(contract.daily_quota, permitted.resource.most_calls)
    if not grant_store.spend(conn, day, contract.consumer, contract.resource, quota):
        raise quota_spent()
    return day


def _response(row: CallRow, leaving: dict[str, Any], digests: CallDigests) -> pb.QueryResponse:
    answer = Struct()
    answer.update(leaving)
    return pb.QueryResponse(
        answer=answer,
        evidence=pb.CallEvidence(
            call_id=row.call_id,
            asked_at=instant(row.asked_us),
            answered_at=instant(row.answered_us),
            **asdict(digests),
        ),
    )


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
