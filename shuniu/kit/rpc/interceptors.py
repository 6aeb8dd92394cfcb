"""What every RPC passes, in one order: request id → log → metrics → caller → policy → limits → deadline → errors."""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process import log, metrics
from shuniu.kit.rpc import network
from shuniu.kit.rpc.caller import ANONYMOUS, Caller, CurrentCall, set_current
from shuniu.kit.rpc.policy import Policy

REQUEST_ID_HEADER = "x-request-id"
DETAILS_HEADER = "grpc-status-details-bin"
ERROR_DOMAIN = "shuniu"

_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}
Authenticate = Callable[[Mapping[str, str], Any], Caller]
"""Reads the caller from metadata and context; raises HubError."""
Refuse = Callable[[Caller], HubError | None]
"""Says why a proved caller may not work now (suspended platform, ended session), or None."""

_log = log.get("rpc")


def nobody_refused(_caller: Caller) -> HubError | None:
    return None


# How long a caller that is stopped may take to read the message on its way before its stream is dropped, s.
_SLOW_READER_S = 0.5


@dataclass(slots=True)
class _OpenStream:
    """A stream under way: whose, whether a message is on its way to the caller, and whether it ends after that."""

    caller: Caller = ANONYMOUS
    writing: bool = False
    cut: bool = False


class Guard(grpc.aio.ServerInterceptor):
    """The one interceptor of a server: it wraps each handler once, in the order of this module's first line."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        authenticate: Authenticate,
        refuse: Refuse,
        *,
        max_in_flight: int,
        default_deadline: float,
    ) -> None:
        self._policies = policies
        self._authenticate = authenticate
        self._refuse = refuse
        self._max_in_flight = max_in_flight
        self._default_deadline = default_deadline
        self._in_flight: Counter[str] = Counter()
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._streams: dict[asyncio.Task[Any], _OpenStream] = {}

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrap(self._policies[method], handler)
            self._wrapped[method] = wrapped
        return wrapped

    def cut_refused(self) -> None:
        """Ends open streams of callers that are refused now; called when the registry changes."""
        for task, open_stream in list(self._streams.items()):
            if self._refuse(open_stream.caller) is None:
                continue
            if open_stream.writing:
                # gRPC takes no status while a message is on its way: the task ends itself after it. A reader who does
                # not read has no claim to be told why.
                open_stream.cut = True
                asyncio.get_running_loop().call_later(_SLOW_READER_S, task.cancel)
            else:
                task.cancel()

    def _wrap(self, policy: Policy, handler: Any) -> Any:
        parse = _parser(handler.request_deserializer)
        if handler.request_streaming or handler.response_streaming:
            # Written and not yielded: a task that is cut while it waits for a slow reader must hear of it here.
            async def stream(request: Any, context: Any) -> None:
                call = _Call(policy, context)
                task, mine = asyncio.current_task(), _OpenStream()
                assert task is not None
                try:
                    mine.caller = self._admit(call)
                    self._streams[task] = mine
                    inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
                    request = _Readable(request) if handler.request_streaming else _readable(request)
                    async with contextlib.aclosing(inner(request, context)) as responses:
                        async for response in responses:
                            mine.writing = True
                            await context.write(response)
                            mine.writing = False
                            if mine.cut:
                                raise asyncio.CancelledError
                    call.done(None)
                except asyncio.CancelledError:
                    refusal = self._refuse(call.caller)
                    call.done(refusal or _cancelled())
                    if refusal is None or mine.writing:
                        raise
                    task.uncancel()
                    await _abort(context, refusal, call.request_id)
                except Exception as error:  # noqa: BLE001 — the last line of defence: nothing of an unknown error leaves
                    await _abort(context, call.failed(error), call.request_id)
                finally:
                    self._streams.pop(task, None)
                    self._leave(call)

            if handler.request_streaming:
                return grpc.stream_stream_rpc_method_handler(stream, parse, handler.response_serializer)
            return grpc.unary_stream_rpc_method_handler(stream, parse, handler.response_serializer)

        async def unary(request: Any, context: Any) -> Any:
            call = _Call(policy, context)
            try:
                self._admit(call)
                remaining = context.time_remaining()
                limit = self._default_deadline if remaining is None else min(remaining, self._default_deadline)
                async with asyncio.timeout(limit):
                    response = await handler.unary_unary(_readable(request), context)
                call.done(None)
                return response
            except asyncio.CancelledError:
                call.done(_cancelled())
                raise
            except TimeoutError:
                error = HubError(
                    Code.DEADLINE_EXCEEDED,
                    "DEADLINE",
                    "The call did not end in time; retry with the same request_id.",
                    "处理超时，请使用相同的 request_id 重试。",
                )
                call.done(error)
                await _abort(context, error, call.request_id)
            except Exception as error:  # noqa: BLE001 — the last line of defence: nothing of an unknown error leaves
                await _abort(context, call.failed(error), call.request_id)
            finally:
                self._leave(call)

        return grpc.unary_unary_rpc_method_handler(unary, parse, handler.response_serializer)

    def _admit(self, call: "_Call") -> Caller:
        caller = self._authenticate(call.metadata, call.context)
        call.caller = caller
        network.set_current(call.metadata.get(network.FORWARDED_HEADER, ""))
        set_current(
            CurrentCall(
                call.policy.method,
                call.request_id,
                call.metadata.get("traceparent", ""),
                call.policy.audit,
                caller,
            )
        )
        refusal = self._refuse(caller)
        if refusal is not None:
            raise refusal
        call.policy.check(caller)
        if self._in_flight[caller.platform] >= self._max_in_flight:
            raise errors.exhausted(
                "TOO_MANY_CALLS",
                "Too many calls of this platform are being handled; slow down and retry.",
                "该平台并发请求过多，请稍后重试。",
            )
        self._in_flight[caller.platform] += 1
        call.admitted = True
        metrics.IN_FLIGHT.inc()
        return caller

    def _leave(self, call: "_Call") -> None:
        if call.admitted:
            metrics.IN_FLIGHT.dec()
            left = self._in_flight[call.caller.platform] - 1
            if left:
                self._in_flight[call.caller.platform] = left
            else:
                del self._in_flight[call.caller.platform]


_MALFORMED = object()
"""In place of a request that is no message of its type."""


def _parser(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Bytes that are no message come through as such: the refusal is ours then, not the library's in its own words."""
    if deserialize is None:
        return None

    def parse(content: bytes) -> Any:
        try:
            return deserialize(content)
        except DecodeError:
            return _MALFORMED

    return parse


def _readable(request: Any) -> Any:
    if request is _MALFORMED:
        raise HubError(
            Code.INVALID_ARGUMENT,
            "REQUEST_MALFORMED",
            "The request is not a message of this call; check encoding and field types against the contract.",
            "请求内容不是该调用的消息，请对照接口契约检查编码与字段类型。",
        )
    return request


class _Readable:
    """A stream of requests, each one readable."""

    __slots__ = ("_iterator", "_requests")

    def __init__(self, requests: Any) -> None:
        self._requests = requests
        self._iterator: Any = None

    def __aiter__(self) -> "_Readable":
        return self

    async def __anext__(self) -> Any:
        # Begun with the first read: a receiver that nobody reads from would be reported as never awaited.
        if self._iterator is None:
            self._iterator = aiter(self._requests)
        return _readable(await anext(self._iterator))


def _cancelled() -> HubError:
    return HubError(Code.CANCELLED, "CANCELLED", "The caller went away.", "调用方已断开。")


class _Call:
    """One RPC under way."""

    __slots__ = ("admitted", "caller", "context", "metadata", "policy", "request_id", "started")

    def __init__(self, policy: Policy, context: Any) -> None:
        self.policy = policy
        self.context = context
        self.metadata: dict[str, str] = {
            key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
        }
        self.request_id = self.metadata.get(REQUEST_ID_HEADER, "") or secrets.token_hex(8)
        self.started = time.perf_counter()
        self.caller = ANONYMOUS
        self.admitted = False

    def done(self, error: HubError | None) -> None:
        seconds = time.perf_counter() - self.started
        service, _, method = self.policy.method[1:].partition("/")
        code = "OK" if error is None else error.code.name
        metrics.HANDLED.labels(service, method, code).inc()
        metrics.HANDLING.labels(service, method).observe(seconds)
        if error is not None:
            metrics.REFUSED.labels(error.reason).inc()
        _log.info(
            "rpc",
            method=self.policy.method,
            code=code,
            reason=None if error is None else error.reason,
            ms=round(seconds * 1000, 2),
            caller=self.caller.kind.name,
            platform=self.caller.platform,
            request_id=self.request_id,
            trace=self.metadata.get("traceparent", "")[:55] or None,
        )

    def failed(self, error: Exception) -> HubError:
        if isinstance(error, HubError):
            self.done(error)
            return error
        incident = secrets.token_hex(8)
        metrics.INCIDENTS.inc()
        _log.error("incident", incident=incident, method=self.policy.method, **log.failure(error))
        known = HubError(
            Code.INTERNAL,
            "INCIDENT",
            f"Something went wrong here; tell the operator incident {incident}.",
            f"系统内部错误，请联系管理员并提供事件编号 {incident}。",
            metadata={"incident": incident},
        )
        self.done(known)
        return known


def status_of(error: HubError, request_id: str) -> status_pb2.Status:
    """The wire form of an error: ErrorInfo, LocalizedMessage (zh-CN), RequestInfo and any violations."""
    status = status_pb2.Status(code=error.code.value, message=error.en)
    details: list[Any] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata),
        error_details_pb2.LocalizedMessage(locale="zh-CN", message=error.zh),
        error_details_pb2.RequestInfo(request_id=request_id),
    ]
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            entry = bad.field_violations.add(field=violation.field, description=violation.en, reason=violation.reason)
            entry.localized_message.locale = "zh-CN"
            entry.localized_message.message = violation.zh
        details.append(bad)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


async def _abort(context: Any, error: HubError, request_id: str) -> None:
    status = status_of(error, request_id)
    await context.abort(
        _GRPC_CODES[error.code.value],
        # Control characters and non-ASCII text travel in the details only.
        error.en.encode("ascii", "replace").decode(),
        trailing_metadata=((DETAILS_HEADER, status.SerializeToString()), (REQUEST_ID_HEADER, request_id)),
    )


def _drop(task: asyncio.Task[Any], mine: _OpenStream) -> None:
    if mine.writing:
        task.cancel()
