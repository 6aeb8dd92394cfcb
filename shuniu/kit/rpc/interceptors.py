"""Chain that every RPC passes: the stages of `Guard`, then the handler within its deadline, then the record.

identify        who calls, by certificate and token
announce        the code below knows the call: request id, trace, caller, network
refuse_stopped  suspended platforms and ended sessions end here
check_policy    so do callers that the contract does not allow
in flight       and more calls at a time than one platform may have; those that carry a document have their room
deadline        the caller's, at most the server's own
room            a call that carries a document waits here before that is read
handler         the servicer's method
record          metrics, one log line, and the error as the caller may see it
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import grpc

from shuniu.kit.rpc import stages
from shuniu.kit.rpc.call import Call
from shuniu.kit.rpc.policy import Policy
from shuniu.kit.rpc.stages import Authenticate, InFlight, Readable, Refuse, Stage, readable
from shuniu.kit.rpc.streams import OpenStreams
from shuniu.kit.rpc.uploads import Carries
from shuniu.kit.rpc.wire import abort


class Guard(grpc.aio.ServerInterceptor):
    """The one interceptor of a server: it wraps each handler once."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        authenticate: Authenticate,
        refuse: Refuse,
        *,
        in_flight: InFlight,
        default_deadline: float,
        uploads: Mapping[str, Carries] = MappingProxyType({}),
    ) -> None:
        """`in_flight`: of a listener, for all its guards. `uploads`: by its path, each call that carries a document."""
        self._policies = policies
        self._uploads = uploads
        self._refuse = refuse
        self._default_deadline = default_deadline
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._streams = OpenStreams(refuse)
        self._in_flight = in_flight
        self._admission: tuple[Stage, ...] = (
            stages.identify(authenticate),
            stages.announce,
            stages.refuse_stopped(refuse),
            stages.check_policy,
        )
        self._stages = (*self._admission, in_flight.enter)

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = self._wrap(self._policies[method], handler)
        return wrapped

    def cut_refused(self) -> None:
        """Ends open streams of callers that are refused now; called when the registry changes."""
        self._streams.cut_refused()

    def _wrap(self, policy: Policy, handler: Any) -> Any:
        parse, serialize = stages.parser(handler.request_deserializer), handler.response_serializer
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(self._stream(policy, handler), parse, serialize)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(policy, handler), parse, serialize)
        carries = self._uploads.get(policy.method)
        if carries is not None:
            # To the caller it is the same. Here the request is read when the handler reads it.
            received = _received(handler.unary_unary, carries, parse, policy)
            upload = self._unary(policy, received, self._admission)
            return grpc.stream_unary_rpc_method_handler(upload, None, serialize)
        unary = self._unary(policy, handler.unary_unary, self._stages)
        return grpc.unary_unary_rpc_method_handler(unary, parse, serialize)

    def _unary(self, policy: Policy, handler: Any, passed: Sequence[Stage]) -> Any:
        async def unary(request: Any, context: Any) -> Any:
            call = Call(policy, context)
            try:
                for stage in passed:
                    stage(call)
                remaining = context.time_remaining()
                limit = self._default_deadline if remaining is None else min(remaining, self._default_deadline)
                async with asyncio.timeout(limit):
                    response = await handler(readable(request, policy), context)
                call.done()
                return response
            except asyncio.CancelledError:
                call.done(stages.cancelled())
                raise
            except TimeoutError:
                await abort(context, call.failed(stages.too_late()), call.request_id)
            except Exception as error:  # noqa: BLE001 — the last line of defence: nothing of an unknown error leaves
                await abort(context, call.failed(error), call.request_id)
            finally:
                self._in_flight.leave(call)

        return unary

    def _stream(self, policy: Policy, handler: Any) -> Any:
        async def stream(request: Any, context: Any) -> None:
            call, writing = Call(policy, context), False
            try:
                for stage in self._stages:
                    stage(call)
                if handler.request_streaming:
                    responses = handler.stream_stream(Readable(request, policy), context)
                else:
                    responses = handler.unary_stream(readable(request, policy), context)
                with self._streams.opened(call.caller) as mine:
                    try:
                        await mine.send(responses, context)
                    finally:
                        writing = mine.writing
                call.done()
            except asyncio.CancelledError:
                refusal = self._refuse(call.caller)
                call.done(refusal or stages.cancelled())
                if refusal is None or writing:
                    raise
                # Cut by `cut_refused`: the caller gets the refusal.
                task = asyncio.current_task()
                assert task is not None
                task.uncancel()
                await abort(context, refusal, call.request_id)
            except Exception as error:  # noqa: BLE001 — as above
                await abort(context, call.failed(error), call.request_id)
            finally:
                self._in_flight.leave(call)

        return stream


def _received(handler: Any, carries: Carries, parse: Any, policy: Policy) -> Any:
    """The handler of a call whose request is read when there is room for it."""

    async def received(_requests: Any, context: Any) -> Any:
        async with carries.room.hold(carries.copies) as upload:
            # Nobody but the handler holds the request, so that it can let it go.
            return await handler(readable(await upload.receive(context, parse), policy), context)

    return received
