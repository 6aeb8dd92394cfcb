"""Whom a request to web comes from."""

import pytest
from starlette.requests import Request

from gateway.web.peers import sender_of


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
