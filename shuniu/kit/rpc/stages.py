"""The stages that a call passes before its handler. Each takes the call and raises HubError where it ends here."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import DecodeError, Message

from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process import metrics
from shuniu.kit.process.tally import Tally
from shuniu.kit.rpc import network
from shuniu.kit.rpc.call import Call
from shuniu.kit.rpc.caller import Caller, CurrentCall, set_current
from shuniu.kit.rpc.policy import Policy
from shuniu.kit.rpc.texts import check_texts

Stage = Callable[[Call], None]
Authenticate = Callable[[Mapping[str, str], Any], Caller]
"""Reads the caller from metadata and context; raises HubError."""
Refuse = Callable[[Caller], HubError | None]
"""Says why a proved caller may not work now (suspended platform, ended session), or None."""


def nobody_refused(_caller: Caller) -> HubError | None:
    return None


def identify(authenticate: Authenticate) -> Stage:
    """Finds out who calls."""

    def stage(call: Call) -> None:
        call.caller = authenticate(call.metadata, call.context)

    return stage


def announce(call: Call) -> None:
    """Tells the code below which call it works for."""
    network.set_current(call.metadata.get(network.SENDER_HEADER, ""))
    traceparent = call.metadata.get("traceparent", "")
    set_current(CurrentCall(call.policy.method, call.request_id, traceparent, call.policy.audit, call.caller))


def refuse_stopped(refuse: Refuse) -> Stage:
    """Turns away suspended platforms and ended sessions."""

    def stage(call: Call) -> None:
        refusal = refuse(call.caller)
        if refusal is not None:
            raise refusal

    return stage


def check_policy(call: Call) -> None:
    """Turns away callers that the contract does not allow."""
    call.policy.check(call.caller)


class InFlight:
    """Calls under way at one listener: `most` of one platform, as many of nobody in particular from one network, and
    `most_anonymous` of nobody in particular together, so that platforms find room however many networks call.
    """

    def __init__(self, most: int, most_anonymous: int) -> None:
        self._most, self._most_anonymous = most, most_anonymous
        self._of_platforms = Tally()
        self._of_networks = Tally()

    def enter(self, call: Call) -> None:
        """Counts the call in."""
        counted, who = self._of_platforms, call.caller.platform
        if not who:
            counted, who = self._of_networks, network.current_network()
        if counted.of(who) >= self._most:
            raise errors.exhausted(
                "TOO_MANY_CALLS",
                "Too many calls of yours are being handled; slow down and retry.",
                "您的并发请求过多，请稍后重试。",
            )
        if counted is self._of_networks and counted.total >= self._most_anonymous:
            raise errors.exhausted(
                "MANY_CALLS",
                "Many calls are being handled at the moment; retry in a moment.",
                "当前处理的请求较多，请稍后重试。",
            )
        counted.add(who, 1)
        call.counted = (counted, who)
        metrics.IN_FLIGHT.inc()

    def leave(self, call: Call) -> None:
        """Counts the call out, if it was counted in."""
        if call.counted is not None:
            counted, who = call.counted
            metrics.IN_FLIGHT.dec()
            counted.add(who, -1)


_MALFORMED = object()
"""In place of a request that is no message of its type."""


def parser(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Lets bytes through that are no message, so that `readable` rejects them and not the library, in its own words."""
    if deserialize is None:
        return None

    def parse(content: bytes) -> Any:
        try:
            return deserialize(content)
        except DecodeError:
            return _MALFORMED

    return parse


def readable(request: Any, policy: Policy) -> Any:
    """The request. Raises INVALID_ARGUMENT for bytes that were no message; in calls that change something also for
    texts that people would read otherwise than they are stored.
    """
    if request is _MALFORMED:
        raise HubError(
            Code.INVALID_ARGUMENT,
            "REQUEST_MALFORMED",
            "The request is not a message of this call; check encoding and field types against the contract.",
            "请求内容不是该调用的消息，请对照接口契约检查编码与字段类型。",
        )
    # The request of an upload arrives later; then it comes through here again.
    if policy.mutates and isinstance(request, Message):
        check_texts(request)
    return request


class Readable:
    """A stream of requests, each one readable."""

    __slots__ = ("_iterator", "_policy", "_requests")

    def __init__(self, requests: Any, policy: Policy) -> None:
        self._requests = requests
        self._policy = policy
        self._iterator: Any = None

    def __aiter__(self) -> "Readable":
        return self

    async def __anext__(self) -> Any:
        # Begun with the first read: a receiver that nobody reads from would be reported as never awaited.
        if self._iterator is None:
            self._iterator = aiter(self._requests)
        return readable(await anext(self._iterator), self._policy)


def too_late() -> HubError:
    return HubError(
        Code.DEADLINE_EXCEEDED,
        "DEADLINE",
        "The call did not end in time; retry with the same request_id.",
        "处理超时，请使用相同的 request_id 重试。",
    )


def cancelled() -> HubError:
    return HubError(Code.CANCELLED, "CANCELLED", "The caller went away.", "调用方已断开。")
