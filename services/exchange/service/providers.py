"""ProviderService, the provider's end of a question, and AuthorityService, questions of the hub's own services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import Connection

from services.exchange import metrics
from services.exchange.domain import resources
from services.exchange.domain.evidence import Kind
from services.exchange.domain.resources import Resource
from services.exchange.evidence_log import EvidenceBook
from services.exchange.service.asking import Asking, Reply, answer_invalid
from services.exchange.service.digests import CallDigests
from services.exchange.service.refusals import resource_unknown
from services.exchange.service.sharing import not_owned
from services.exchange.service.streams import ProviderStreams, Stream
from services.exchange.store import calls, sharing
from services.exchange.store.calls import CallRow, CallState
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.caller import current_caller
from shuniu.kit.errors import Code, HubError
from shuniu.kit.foundation import Foundation

HELLO_SECONDS: Final = 10.0
"""How long a fresh stream may stay silent."""
MAX_RESOURCES: Final = 100
MAX_WINDOW: Final = 1000
_VERDICTS: Final = frozenset({"MATCH", "MISMATCH", "NOT_FOUND"})


class Providers(query_pb2_grpc.ProviderServiceServicer):
    """Streams that providers open outward."""

    def __init__(self, base: Foundation, streams: ProviderStreams) -> None:
        self._base = base
        self._streams = streams

    async def Serve(
        self, request_iterator: AsyncIterator[pb.ServeRequest], context: Any
    ) -> AsyncIterator[pb.ServeResponse]:
        # Cut by the server's guard when the provider is suspended: the cancellation ends it here.
        provider = current_caller().platform
        hello = await _hello(request_iterator)
        await self._base.write(self._admit, provider, frozenset(hello.resources))
        stream = self._streams.open(provider, frozenset(hello.resources), hello.window)
        reading = asyncio.create_task(_read_answers(request_iterator, stream), name=f"answers of {provider}")
        try:
            async for question in stream.questions():
                yield question
        finally:
            self._streams.close(stream)
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reading

    def _admit(self, conn: Connection, provider: str, codes: frozenset[str]) -> None:
        for code in sorted(codes):
            found = sharing.find_resource(conn, code)
            if found is None or found.provider != provider:
                raise not_owned()
        self._base.audit(conn, "Serve", f"platform/{provider}", resources=" ".join(sorted(codes))[:1000])


async def _hello(request_iterator: AsyncIterator[pb.ServeRequest]) -> pb.ServeHello:
    """The first message. Raises INVALID_ARGUMENT, DEADLINE_EXCEEDED HELLO_MISSING."""
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            first = await anext(request_iterator, None)
    except TimeoutError:
        raise HubError(
            Code.DEADLINE_EXCEEDED, "HELLO_MISSING", "Send the hello message first.", "请首先发送 hello 消息。"
        ) from None
    if first is None or first.WhichOneof("message") != "hello":
        raise errors.invalid_field("hello", "HELLO_MISSING", "Send the hello message first.", "请首先发送 hello 消息。")
    hello = first.hello
    if not 0 < len(hello.resources) <= MAX_RESOURCES:
        raise errors.invalid_field(
            "hello.resources",
            "RESOURCES_COUNT",
            f"1 to {MAX_RESOURCES} resources.",
            f"资源应为 1 至 {MAX_RESOURCES} 个。",
        )
    if not 0 < hello.window <= MAX_WINDOW:
        raise errors.invalid_field(
            "hello.window", "VALUE_RANGE", f"A window is 1 to {MAX_WINDOW}.", f"窗口应为 1 至 {MAX_WINDOW}。"
        )
    return hello


async def _read_answers(request_iterator: AsyncIterator[pb.ServeRequest], stream: Stream) -> None:
    try:
        async for message in request_iterator:
            if message.WhichOneof("message") == "answer":
                stream.answered(message.answer)
    finally:
        stream.end()


class Authority(query_pb2_grpc.AuthorityServiceServicer):
    """Real-name questions: sealed data go to the authority, a result code comes back."""

    def __init__(self, base: Foundation, asking: Asking, evidence: EvidenceBook) -> None:
        self._base = base
        self._asking = asking
        self._evidence = evidence

    async def VerifySubject(self, request: pb.VerifySubjectRequest, context: Any) -> pb.VerifySubjectResponse:
        found = await self._base.store.read(sharing.find_resource, request.resource)
        if found is None or found.state is not resources.State.PUBLISHED or not found.authority:
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
        calls.insert_call(conn, row)
        parties = (row.consumer, row.provider)
        self._evidence.keep(conn, row.call_id, Kind.AUTHORITY, row.answered_us, parties, calls.call_facts(row))
        self._base.audit(conn, "VerifySubject", f"resource/{found.code}", call=row.call_id)
