"""What a process tells those who watch it."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from shuniu.kit.process import health
from shuniu.kit.process.health import Health


class Watched:
    """A process under watch: its reasons not to serve, and how often its gauges were refreshed."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.refreshed = 0
        self.health = Health(lambda: self.reasons, self._refresh)
        self.url = f"http://127.0.0.1:{self.health.start('127.0.0.1', 0)}"

    def _refresh(self) -> None:
        self.refreshed += 1

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.get(self.url + path)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    found = Watched()
    yield found
    await asyncio.to_thread(found.health.stop)


async def test_ready_and_not(watched: Watched) -> None:
    """/readyz is 200 while the process serves, else 503 with every reason."""
    assert ((await watched.get("/readyz")).status_code, (await watched.get("/readyz")).text) == (200, "ok\n")
    watched.reasons = ["bus away", "store full"]
    answer = await watched.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "bus away\nstore full\n")


async def test_alive_though_not_ready(watched: Watched) -> None:
    """A process that cannot serve now lives: nobody should kill it for that."""
    watched.reasons = ["starting"]
    assert (await watched.get("/livez")).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_a_stuck_loop_is_seen(watched: Watched, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """A process whose event loop hangs is neither alive nor ready, though its threads are."""
    monkeypatch.setattr(health, "ALIVE_WITHIN", 0.05)

    def ask() -> int:
        return httpx.get(watched.url + path, trust_env=False).status_code

    with ThreadPoolExecutor(1) as threads:
        # What is tested: the loop does nothing until the answer is there.
        assert threads.submit(ask).result(10) == 503


async def test_metrics_are_fresh(watched: Watched) -> None:
    """/metrics refreshes what is measured on demand, and says readiness in a number."""
    watched.reasons = ["draining"]
    answer = await watched.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "shuniu_ready 0.0" in answer.text
    watched.reasons = []
    assert "shuniu_ready 1.0" in (await watched.get("/metrics")).text
    assert watched.refreshed == 2


@pytest.mark.parametrize("path", ["/", "/metricsx", "/readyz/../x", "/%00"])
async def test_nothing_else_is_there(watched: Watched, path: str) -> None:
    """Other paths are not found."""
    assert (await watched.get(path)).status_code == 404
