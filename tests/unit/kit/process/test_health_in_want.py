"""The port that says whether a process lives: it answers whatever befell the process before."""

import asyncio
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from shuniu.kit.process.health import Health


def asked(port: int, path: str) -> tuple[int, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.status, answer.read().decode()


@pytest.fixture
async def health():
    made = Health(list)
    port = made.start("127.0.0.1", 0)
    yield port
    await asyncio.to_thread(made.stop)


async def test_no_thread_is_needed_to_answer(health, monkeypatch) -> None:
    """A machine that cannot make one for a while does not make the process mute, then or afterwards."""

    def refused(_thread):
        raise RuntimeError("can't start new thread")

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as asking:
        # Who asks has his thread before they run out.
        await loop.run_in_executor(asking, asked, health, "/readyz")
        monkeypatch.setattr(threading.Thread, "start", refused)
        for path in ("/readyz", "/livez", "/metrics") * 3:
            status, _ = await loop.run_in_executor(asking, asked, health, path)
            assert status == 200
        monkeypatch.undo()


async def test_who_connects_and_says_nothing_keeps_nobody_from_an_answer(health) -> None:
    """Nor does who leaves in the middle of a request."""
    with socket.create_connection(("127.0.0.1", health)), socket.create_connection(("127.0.0.1", health)) as leaving:
        leaving.sendall(b"GET /ready")
        leaving.shutdown(socket.SHUT_RDWR)
        assert await asyncio.to_thread(asked, health, "/readyz") == (200, "ok\n")


async def test_a_request_that_fails_is_the_only_one() -> None:
    """Want of memory while one is answered: the next one has its answer."""
    failing = iter([True] * 8)

    def reasons():
        if next(failing, False):
            raise MemoryError
        return []

    made = Health(reasons)
    port = made.start("127.0.0.1", 0)
    for _ in range(8):
        with pytest.raises(OSError, match=r"500|closed|reset"):
            await asyncio.to_thread(asked, port, "/readyz")
    assert await asyncio.to_thread(asked, port, "/readyz") == (200, "ok\n")
    await asyncio.to_thread(made.stop)
