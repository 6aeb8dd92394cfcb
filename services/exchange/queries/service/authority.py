"""AuthorityService: real-name questions of the hub's own services."""

from typing import Any, Final

from services.exchange import metrics
from services.exchange.queries.authority_calls import AuthorityCalls
from services.exchange.queries.replies import answer_invalid
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.rpc.caller import current_caller

_VERDICTS: Final = frozenset({"MATCH", "MISMATCH", "NOT_FOUND"})


class AuthorityService(query_pb2_grpc.AuthorityServiceServicer):
    """Real-name questions: sealed data go to the authority, a result code comes back."""

    def __init__(self, calls: AuthorityCalls) -> None:
        self._calls = calls

    async def VerifySubject(self, request: pb.VerifySubjectRequest, context: Any) -> pb.VerifySubjectResponse:
        if not request.subject.jwe:
            raise errors.invalid_field(
                "subject", "SUBJECT_MISSING", "Give the sealed subject.", "请提供加密的主体数据。"
            )
        service = current_caller().platform
        reply, digests = await self._calls.ask(request.resource, request.subject, service, context.time_remaining())
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
