"""What every RPC passes, seen from outside: a real server on a socket, and what its client, metrics and log get."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process import metrics
from shuniu.kit.rpc.caller import Caller, current_call
from shuniu.kit.rpc.client import error_of
from shuniu.kit.rpc.options import MAX_MESSAGE
from shuniu.kit.rpc.uploads import Carries, UploadRoom
from shuniu.kit.rpc.wire import DETAILS_HEADER
from shuniu.kit.testing import eventually
from shuniu.rules import Violation
from tests.support.guarded import PLATFORM, SERVICE, Guarded, Methods, guarded
from tests.support.logged_process import MARKER

SUSPENDED = errors.denied("PLATFORM_STOPPED", "Suspended.", "已暂停。", platform="nmg-app")


def details(failure: grpc.aio.AioRpcError) -> dict[str, object]:
    """The status details of a failure, by message name."""
    status = status_pb2.Status.FromString(dict(failure.trailing_metadata())[DETAILS_HEADER])
    kinds = (
        error_details_pb2.ErrorInfo,
        error_details_pb2.LocalizedMessage,
        error_details_pb2.RequestInfo,
        error_details_pb2.BadRequest,
    )
    found = {}
    for detail in status.details:
        for kind in kinds:
            message = kind()
            if detail.Unpack(message):
                found[kind.DESCRIPTOR.name] = message
    return found


async def refused(call: Guarded, method: str = "Ask", **options: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call.unary(method, **options)
    return failure.value


def raising(error: BaseException) -> Methods:
    async def ask(_request: bytes) -> bytes:
        raise error

    async def stream(_request: bytes) -> AsyncIterator[bytes]:
        yield b"first"
        raise error

    return Methods(unary={"Ask": ask}, stream={"Watch": stream})


async def echo(request: bytes) -> bytes:
    return request


@pytest.mark.parametrize("code", list(Code))
async def test_every_code_arrives_as_itself(code: Code) -> None:
    """A HubError of each code of the vocabulary arrives with this code, its reason and both texts."""
    async with guarded(raising(HubError(code, "REASON", "Say it.", "说明。", metadata={"key": "v"}))) as call:
        failure = await refused(call)
    assert failure.code().value[0] == code.value
    assert failure.details() == "Say it."
    found = details(failure)
    assert found["ErrorInfo"] == error_details_pb2.ErrorInfo(reason="REASON", domain="shuniu", metadata={"key": "v"})
    assert found["LocalizedMessage"] == error_details_pb2.LocalizedMessage(locale="zh-CN", message="说明。")


async def test_every_violation_arrives_at_once() -> None:
    """INVALID_ARGUMENT names all fields that are wrong, each with reason, English and Chinese."""
    wrong = [
        Violation("items[0].name", "TOO_LONG", "Shorten it.", "请缩短。"),
        Violation("code", "BAD", "Mend.", "请改。"),
    ]
    async with guarded(raising(errors.invalid(wrong))) as call:
        failure = await refused(call)
    bad = details(failure)["BadRequest"]
    found = [(one.field, one.reason, one.description, one.localized_message.message) for one in bad.field_violations]
    assert found == [("items[0].name", "TOO_LONG", "Shorten it.", "请缩短。"), ("code", "BAD", "Mend.", "请改。")]
    assert error_of(failure).violations == tuple(wrong)


async def test_the_request_id_of_the_edge_comes_back() -> None:
    """The id that the edge gave a request is in the error's RequestInfo and trailer, so that a caller can quote it."""
    async with guarded(raising(errors.not_found("GONE", "Gone.", "没有。"))) as call:
        given = await refused(call, metadata=[("x-request-id", "edge-7")])
        made = await refused(call)
    assert details(given)["RequestInfo"].request_id == "edge-7"
    assert dict(given.trailing_metadata())["x-request-id"] == "edge-7"
    assert len(details(made)["RequestInfo"].request_id) == 16


async def test_text_that_no_header_can_carry_arrives_in_the_details() -> None:
    """A message with Chinese or control characters breaks no status line, and is whole in the details."""
    async with guarded(raising(errors.precondition("STATE", "状态\r\nx: y", "状态"))) as call:
        failure = await refused(call)
    assert "状" not in failure.details()
    assert error_of(failure).en == "状态\r\nx: y"


@dataclass(frozen=True)
class Told:
    """What a process told the world: its client's failures, its metrics, its log."""

    failures: list[dict[str, str]]
    metrics: str
    log: str

    def lines(self, event: str) -> list[dict[str, object]]:
        return [line for line in map(json.loads, self.log.splitlines()) if line["event"] == event]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.logged_process", tmp_path_factory.mktemp("told")],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return Told(log=done.stderr, **json.loads(done.stdout))


@pytest.mark.parametrize("layer", ["servicer", "domain", "store", "stream"])
def test_an_unknown_exception_is_an_incident_and_nothing_else(told: Told, layer: str) -> None:
    """An exception of any layer becomes INTERNAL with an incident id, and the log has type and place under that id."""
    (failure,) = [failure for failure in told.failures if failure["layer"] == layer]
    assert (failure["code"], failure["reason"]) == ("INTERNAL", "INCIDENT")
    (logged,) = [line for line in told.lines("incident") if line["incident"] == failure["incident"]]
    assert logged["error"]
    assert logged["at"]


def test_a_secret_in_an_exception_reaches_nothing(told: Told) -> None:
    """An identity number in a request and in exceptions of every layer is in no response, metric or log line."""
    assert len(told.failures) == 4
    assert [failure["layer"] for failure in told.failures if MARKER in failure["seen"]] == []
    assert "shuniu_incidents_total 4.0" in told.metrics
    assert MARKER not in told.metrics
    assert MARKER not in told.log


def test_one_canonical_line_for_each_call(told: Told) -> None:
    """Each RPC leaves one line: method, code, reason, time, caller, request id and trace; nothing of its content."""
    lines = told.lines("rpc")
    assert len(lines) == 5
    line = lines[-1]
    assert line.pop("ms") >= 0
    assert line.pop("timestamp")
    assert line == {
        "event": "rpc",
        "level": "info",
        "service": "test",
        "method": f"/{SERVICE}/library",
        "code": "OK",
        "reason": None,
        "caller": "PLATFORM",
        "platform": "nmg-app",
        "request_id": "r-1",
        "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }


async def test_the_servicer_knows_who_calls() -> None:
    """The call's caller, method, request id and trace are at hand in the servicer and gone with the call."""
    seen = []

    async def ask(_request: bytes) -> bytes:
        seen.append(current_call())
        return b""

    async with guarded(Methods(unary={"Ask": ask})) as call:
        await call.unary(metadata=[("x-request-id", "r-1"), ("traceparent", "t")])
    (known,) = seen
    assert (known.method, known.request_id, known.traceparent, known.caller) == (
        f"/{SERVICE}/Ask",
        "r-1",
        "t",
        PLATFORM,
    )
    assert current_call().method == ""


async def test_a_call_ends_at_the_callers_deadline() -> None:
    """A servicer still at work when the caller's time is over is stopped."""
    stopped = asyncio.Event()

    async def ask(_request: bytes) -> bytes:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return b""

    async with guarded(Methods(unary={"Ask": ask})) as call:
        failure = await refused(call, timeout=0.2)
        assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(stopped.wait(), 5)


async def test_a_call_without_deadline_gets_one() -> None:
    """A caller that set no deadline, or a longer one, is answered DEADLINE after the server's own."""

    async def ask(_request: bytes) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with guarded(Methods(unary={"Ask": ask}), default_deadline=0.1) as call:
        begun = time.monotonic()
        for failure in (await refused(call), await refused(call, timeout=60)):
            assert (failure.code(), error_of(failure).reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE")
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("busy", "calm"),
    [
        ([("who", "busy")], [("who", "calm")]),
        ([("who", "nobody"), ("x-shuniu-sender", "192.0.2.1")], [("who", "nobody"), ("x-shuniu-sender", "192.0.2.2")]),
    ],
    ids=["platforms", "networks"],
)
async def test_too_many_calls_of_one_caller_cost_the_others_nothing(busy, calm) -> None:
    """A platform, or a network that nobody in particular calls from, with its most calls under way is refused one more,
    while another is served; then it is served again.
    """
    gate = asyncio.Event()

    async def ask(_request: bytes) -> bytes:
        await gate.wait()
        return b""

    def caller(metadata: dict[str, str]) -> Caller:
        return Caller(PLATFORM.kind, platform="" if metadata["who"] == "nobody" else metadata["who"])

    methods = Methods(unary={"Ask": ask, "Echo": echo})
    async with guarded(methods, caller=caller, max_in_flight=2) as call:
        waiting = [asyncio.create_task(call.unary("Ask", metadata=busy)) for _ in range(2)]
        await eventually(lambda: metrics.IN_FLIGHT._value.get() == 2)
        failure = await refused(call, "Echo", metadata=busy)
        assert (failure.code(), error_of(failure).reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
        assert await call.unary("Echo", b"x", metadata=calm) == b"x"
        gate.set()
        await asyncio.gather(*waiting)
        assert await call.unary("Echo", b"y", metadata=busy) == b"y"
    assert metrics.IN_FLIGHT._value.get() == 0


async def test_networks_together_leave_room_to_platforms() -> None:
    """However many networks call anonymously, together they have so many calls under way; a platform is served beside them,
    and a network again when one of them has its answer.
    """
    gate = asyncio.Event()

    async def ask(_request: bytes) -> bytes:
        await gate.wait()
        return b""

    def caller(metadata: dict[str, str]) -> Caller:
        return Caller(PLATFORM.kind, platform=metadata["who"])

    def network(number: int) -> list[tuple[str, str]]:
        return [("who", ""), ("x-shuniu-sender", f"192.0.2.{number}")]

    methods = Methods(unary={"Ask": ask, "Echo": echo})
    async with guarded(methods, caller=caller, max_in_flight=2, max_anonymous=3) as call:
        waiting = [asyncio.create_task(call.unary("Ask", metadata=network(number))) for number in range(3)]
        await eventually(lambda: metrics.IN_FLIGHT._value.get() == 3)
        failure = await refused(call, "Echo", metadata=network(9))
        assert (failure.code(), error_of(failure).reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MANY_CALLS")
        assert await call.unary("Echo", b"x", metadata=[("who", "nmg-app")]) == b"x"
        gate.set()
        await asyncio.gather(*waiting)
        assert await call.unary("Echo", b"y", metadata=network(9)) == b"y"
    assert metrics.IN_FLIGHT._value.get() == 0


async def test_calls_with_a_document_have_room_of_their_own() -> None:
    """They are bounded by the room for documents, so that a flood of them takes no place of other calls."""
    gate = asyncio.Event()

    async def upload(request: bytes) -> bytes:
        await gate.wait()
        return request

    room = UploadRoom(8 * MAX_MESSAGE, lambda: SUSPENDED)
    methods = Methods(unary={"Upload": upload, "Echo": echo}, uploads={"Upload": Carries(room)})
    async with guarded(methods, max_in_flight=1) as call:
        waiting = [asyncio.create_task(call.unary("Upload", b"document")) for _ in range(3)]
        await eventually(lambda: room._handled.total == 3)
        assert await call.unary("Echo", b"x") == b"x"
        gate.set()
        assert await asyncio.gather(*waiting) == [b"document"] * 3


async def test_an_unknown_method_is_unimplemented() -> None:
    """A method that the server does not have is UNIMPLEMENTED, and the server goes on."""
    async with guarded(Methods(unary={"Ask": echo})) as call:
        assert (await refused(call, "Unknown")).code() is grpc.StatusCode.UNIMPLEMENTED
        assert await call.unary(content=b"on") == b"on"


async def test_a_refused_caller_does_not_arrive() -> None:
    """A caller that the registry refuses is answered why, and the servicer never sees the call."""
    arrived = []

    async def ask(request: bytes) -> bytes:
        arrived.append(request)
        return request

    async with guarded(Methods(unary={"Ask": ask}), refuse=lambda _caller: SUSPENDED) as call:
        assert error_of(await refused(call)).reason == "PLATFORM_STOPPED"
    assert arrived == []


async def silent(_request: bytes) -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.Event().wait()


async def talkative(_request: bytes) -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 100_000


async def listening(requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield b"first"
    async for request in requests:
        yield request


@pytest.mark.parametrize("method", ["Silent", "Talkative", "Listening"])
async def test_an_open_stream_is_cut_when_its_caller_is_stopped(method: str) -> None:
    """A suspended platform's open streams end at once and say why, whether they wait, hear or speak."""
    stopped: list[str] = []
    methods = Methods(stream={"Silent": silent, "Talkative": talkative}, talk={"Listening": listening})
    async with guarded(methods, refuse=lambda caller: SUSPENDED if caller.platform in stopped else None) as call:
        stream = call.talk(method) if method == "Listening" else call.stream(method)
        assert await stream.read()
        # Of another platform: nothing is cut.
        call.guard.cut_refused()
        stopped.append("nmg-app")
        call.guard.cut_refused()
        with pytest.raises(grpc.aio.AioRpcError) as cut:
            async with asyncio.timeout(5):
                while await stream.read() is not grpc.aio.EOF:
                    pass
        assert (cut.value.code(), error_of(cut.value).reason) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "PLATFORM_STOPPED",
        )
        await eventually(lambda: metrics.IN_FLIGHT._value.get() == 0)


async def test_a_stopped_caller_that_does_not_read_holds_nothing() -> None:
    """Its stream is dropped although a message waits for it: the place is free, the handler has ended."""
    stopped: list[str] = []
    methods = Methods(stream={"Talkative": talkative})
    async with guarded(methods, refuse=lambda caller: SUSPENDED if caller.platform in stopped else None) as call:
        stream = call.stream("Talkative")
        assert await stream.read()
        stopped.append("nmg-app")
        call.guard.cut_refused()
        await eventually(lambda: metrics.IN_FLIGHT._value.get() == 0)
        stream.cancel()


async def test_a_stream_whose_client_left_is_let_go() -> None:
    """A client that goes away mid-stream frees its place, and the call is counted as CANCELLED."""
    counted = metrics.HANDLED.labels(SERVICE, "Silent", "CANCELLED")._value
    async with guarded(Methods(stream={"Silent": silent})) as call:
        before = counted.get()
        stream = call.stream("Silent")
        assert await stream.read() == b"first"
        stream.cancel()
        await eventually(lambda: (metrics.IN_FLIGHT._value.get(), counted.get()) == (0, before + 1))


async def test_calls_are_counted_by_final_status() -> None:
    """Each call counts once, under its service, method and code; a refusal also under its reason."""
    handled = metrics.HANDLED.labels(SERVICE, "Ask", "NOT_FOUND")._value
    reason = metrics.REFUSED.labels("GONE")._value
    before = handled.get(), reason.get()
    async with guarded(raising(errors.not_found("GONE", "Gone.", "没有。"))) as call:
        await refused(call)
    assert (handled.get(), reason.get()) == (before[0] + 1, before[1] + 1)
