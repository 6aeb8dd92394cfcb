"""AuthorityService: real-name questions of the hub's own services."""

from typing import Any, Final

from sqlalchemy import Connection

from services.exchange import metrics
from services.exchange.directory import domain as resources
from services.exchange.directory import store as directory_store
from services.exchange.directory.domain import Resource
from services.exchange.directory.refusals import resource_unknown
from services.exchange.evidence.domain import Kind
from services.exchange.evidence.log import EvidenceBook
from services.exchange.queries import store as query_store
from services.exchange.queries.asking import Asking, Reply, answer_invalid
from services.exchange.queries.digests import CallDigests
from services.exchange.queries.store import CallRow, CallState
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.caller import current_caller

_VERDICTS: Final = frozenset({"MATCH", "MISMATCH", "NOT_FOUND"})


class AuthorityService(query_pb2_grpc.AuthorityServiceServicer):
    """Real-name questions: sealed data go to the authority, a result code comes back."""

    def __init__(self, base: Foundation, asking: Asking, evidence: EvidenceBook) -> None:
        self._base = base
        self._asking = asking
        self._evidence = evidence

    async def VerifySubject(self, request: pb.VerifySubjectRequest, context: Any) -> pb.VerifySubjectResponse:
        found = await self._base.store.read(directory_store.find_resource, request.resource)
        if found is None or found.state is not resources.ResourceState.PUBLISHED or not found.authority:
            raise resource_unknown()
        if not request.subject.jwe:
            raise errors.invalid_field(
                "subject", "SUBJECT_MISSING", "Give the sealed subject.", "请提供加密的主体数据。"
            )
        try:
            reply = await self._asking.ask(
                call_id=self._asking.new_call(),
                resource=found,
                subject=request.subject,
                fields=(),
                purpose="authority",
                left=context.time_remaining(),
            )
        except HubError as error:
            metrics.QUERIES.labels("authority", error.reason).inc()
            raise
        digests = reply.of_message
        await self._base.write(self._keep, found, reply, digests)
        if reply.result not in _VERDICTS:
            metrics.QUERIES.labels("authority", "PROVIDER_ANSWER_INVALID").inc()
            raise answer_invalid("RESULT_UNKNOWN", reply.result)
        metrics.QUERIES.labels("authority", "OK").inc()
        return pb.VerifySubjectResponse(
            result=reply.result,
            transaction_id=reply.transaction_id,
            evidence_sha256=digests.answer_sha256,
            evidence_sm3=digests.answer_sm3,
        )

    def _keep(self, conn: Connection, found: Resource, reply: Reply, digests: CallDigests) -> None:
        consumer = f"service:{current_caller().platform}"
        row = CallRow(
            call_id=reply.call_id,
            kind="authority",
            caller_key=consumer,
            request_id=reply.call_id,
            digest=b"",
            resource=found.code,
            consumer=consumer,
            provider=found.provider,
            purpose="authority",
            state=CallState.DONE,
            question_sha256=digests.question_sha256,
            answer_sha256=digests.answer_sha256,
            question_sm3=digests.question_sm3,
            answer_sm3=digests.answer_sm3,
            asked_us=reply.asked_us,
            answered_us=reply.answered_us,
            result=reply.result,
            transaction_id=reply.transaction_id,
        )
        query_store.insert_call(conn, row)
        parties = (row.consumer, row.provider)
        self._evidence.keep(conn, row.call_id, Kind.AUTHORITY, row.answered_us, parties, query_store.call_facts(row))
        self._base.audit(conn, "VerifySubject", f"resource/{found.code}", call=row.call_id)
