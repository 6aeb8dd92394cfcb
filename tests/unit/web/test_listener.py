"""The web process on its socket: a second one takes nothing away from the first."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.web.listener import WebListener


@pytest.fixture
def address() -> Iterator[str]:
    # A short name: an address of a socket has room for no more.
    with tempfile.TemporaryDirectory() as folder:
        yield f"unix:{folder}/web.sock"


async def hello(scope, _receive, send) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def answer(address: str) -> str:
    transport = httpx.AsyncHTTPTransport(uds=address.removeprefix("unix:"))
    async with httpx.AsyncClient(transport=transport, base_url="http://web") as asking:
        return (await asking.get("/")).text


async def test_a_second_process_does_not_take_the_socket_of_the_first(address) -> None:
    """It is refused and its end removes nothing; when the first has stopped, the next one serves."""
    first, second = WebListener(hello, address), WebListener(hello, address)
    await first.start()
    with pytest.raises(OSError, match="另一个进程正在使用"):
        await second.start()
    await second.stop(0)
    assert await answer(address) == "hello"
    await first.stop(0)
    assert not Path(address.removeprefix("unix:")).exists()
    await second.start()
    assert await answer(address) == "hello"
    await second.stop(0)


async def test_what_a_killed_process_left_does_not_keep_the_next_from_serving(address) -> None:
    """A socket's name and a lock's file may lie there: neither says that somebody serves."""
    path = address.removeprefix("unix:")
    for left in (path, f"{path}.lock"):
        Path(left).touch()
    listener = WebListener(hello, address)
    await listener.start()
    assert await answer(address) == "hello"
    await listener.stop(0)
