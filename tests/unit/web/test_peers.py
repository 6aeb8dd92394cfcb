"""Whom a request to web comes from, and what it hears when a service fails."""

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata
from starlette.requests import Request

from gateway.web.failures import status_of, text_of
from gateway.web.peers import sender_of
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc.client import error_of


@pytest.mark.parametrize(
    ("header", "client", "expected"),
    [
        ("192.0.2.7", ("10.0.0.1", 4711), "192.0.2.7"),
        ("", ("10.0.0.1", 4711), "10.0.0.1"),
        ("", ("10.0.0.2", 4711), "10.0.0.2"),
        ("", None, ""),
    ],
)
def test_without_the_edges_word_the_connection_says_who_sends(
    header: str, client: tuple[str, int] | None, expected: str
) -> None:
    """Those whom the edge did not name have turns by their own addresses, and do not share one."""
    headers = [(b"x-shuniu-sender", header.encode())] if header else []
    assert sender_of(Request({"type": "http", "headers": headers, "client": client})) == expected


def test_every_code_has_a_status() -> None:
    """Of the hub's vocabulary, which is every code that gRPC has but OK and UNKNOWN."""
    assert {code.value for code in Code} == {code.value[0] for code in grpc.StatusCode} - {0, 2}
    assert all(400 <= status_of(HubError(code, "X", "x", "x")) < 600 for code in Code)


@pytest.mark.parametrize("code", [each for each in grpc.StatusCode if each is not grpc.StatusCode.OK])
def test_a_failure_of_grpc_itself_is_a_sentence_for_people(code: grpc.StatusCode) -> None:
    """In both languages, whatever the code. A process that ended before it answered is away: it is asked again."""
    error = error_of(AioRpcError(code, Metadata(), Metadata()))
    assert "。" in text_of(error, "zh")
    assert text_of(error, "en").endswith(".")
    assert status_of(error) in ({503} if code is grpc.StatusCode.CANCELLED else set(range(400, 600)))
