"""`/livez`, `/readyz` and `/metrics` of a process, on a port of their own.

Served from threads that are there from the beginning, so that a stuck event loop is seen (`/livez` and `/readyz` ask
the loop for a sign of life) and a machine that was short of memory or threads for a moment is answered for afterwards.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from shuniu.kit.process import clock, metrics

ALIVE_WITHIN = 5.0
"""Seconds in which a living event loop answers."""


_ANSWERING = 4
"""Requests that are answered at the same time."""


class _Quiet(WSGIRequestHandler):
    # Who connects and says nothing gives its place back.
    timeout = ALIVE_WITHIN

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — name given by http.server
        pass


class _Pooled(WSGIServer):
    """Makes no thread for a request: one that fails to start would leave the accepting thread waiting for it."""

    request_queue_size = 64

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # First: where the address is taken, `server_close` is called at once.
        self._accepted: queue.SimpleQueue[tuple[Any, Any] | None] = queue.SimpleQueue()
        super().__init__(*arguments, **options)

    def begin(self) -> None:
        for work in (self._accept, *([self._answer] * _ANSWERING)):
            threading.Thread(target=work, name="ops", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._accepted.put((request, client_address))

    def server_close(self) -> None:
        super().server_close()
        for _ in range(_ANSWERING):
            self._accepted.put(None)

    def _accept(self) -> None:
        while True:
            # For want of memory it may end; the next one finds some.
            with contextlib.suppress(MemoryError):
                self.serve_forever()
                return

    def _answer(self) -> None:
        while (accepted := self._accepted.get()) is not None:
            request, address = accepted
            # Whatever one request comes to, the next one is answered. Its sender hears nothing and asks again.
            with contextlib.suppress(Exception):
                self.finish_request(request, address)
            with contextlib.suppress(Exception):
                self.shutdown_request(request)


class Health:
    """Readiness of a process. `not_ready` gives the reasons why it cannot serve, empty when it can."""

    def __init__(self, not_ready: Callable[[], list[str]], refresh: Callable[[], None] = lambda: None) -> None:
        self.reasons = not_ready
        self._refresh = refresh
        self._server: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, host: str, port: int) -> int:
        """Listens and returns the port (0 picks a free one)."""
        self._loop = asyncio.get_running_loop()
        self._server = make_server(host, port, self._answer, _Pooled, _Quiet)
        self._server.begin()
        return int(self._server.server_port)

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _stuck(self) -> list[str]:
        """Reasons why the process does not live; empty when it does."""
        assert self._loop is not None
        seen = threading.Event()
        # A closed loop takes nothing.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(seen.set)
            if seen.wait(ALIVE_WITHIN):
                return []
        return ["event loop does not answer"]

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            reasons = self.reasons()
            metrics.READY.set(0 if reasons else 1)
            metrics.CLOCK_STEP.set(clock.STEPS.step_s())
            self._refresh()
            start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
            return [generate_latest(metrics.REGISTRY)]
        if path == "/livez":
            return _text(start_response, self._stuck())
        if path == "/readyz":
            # When the event loop hangs, the reasons are out of date.
            return _text(start_response, [*self._stuck(), *self.reasons()])
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not found\n"]


def _text(start_response: Any, problems: list[str]) -> Iterable[bytes]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
    return [("".join(f"{problem}\n" for problem in problems) or "ok\n").encode()]
