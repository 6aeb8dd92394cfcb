"""The frame of every request: safe headers, one log line, metrics, and an answer when something breaks."""

import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web import metrics
from gateway.web.pages import policy
from shuniu.kit.process import log
from shuniu.kit.process import metrics as kit_metrics

_log = log.get("http")
_SAFE = {
    "content-security-policy": policy(),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_TRANSPORT = "max-age=31536000"


class Frame:
    """ASGI middleware. `routes` are the paths that metrics may name.

    Each request has an incident number at hand in `scope["incident"]`, which a page shows only when it is needed.
    """

    def __init__(
        self,
        application: ASGIApp,
        routes: frozenset[str],
        *,
        secure: bool,
    ) -> None:
        self._application = application
        self._routes = routes
        self._headers = {**_SAFE, "strict-transport-security": _TRANSPORT} if secure else _SAFE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        broken = False
        scope["incident"] = secrets.token_hex(8)
        try:
            await self._application(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 — the last line of defence: nothing of an unknown error leaves
            broken = True
            kit_metrics.INCIDENTS.inc()
            _log.error("incident", incident=scope["incident"], path=self._route(scope), **log.failure(error))
            if not status:
                await PlainTextResponse("Internal error", 500)(scope, receive, answer)
        finally:
            self._note(scope, status, time.perf_counter() - started, scope["incident"] if broken else None)

    def _route(self, scope: Scope) -> str:
        path: str = scope["path"]
        if path.startswith("/static/"):
            return "/static"
        return path if path in self._routes else "other"

    def _note(self, scope: Scope, status: int, seconds: float, incident: str | None) -> None:
        route = self._route(scope)
        # A method is what a stranger sends: only the usual ones become a label.
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
        metrics.REQUESTS.labels(route, method, str(status)).inc()
        metrics.SECONDS.labels(route).observe(seconds)
        if route == "/static" and status < 400:
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _LOGGED}
        _log.info(
            "http",
            route=route,
            method=method,
            status=status,
            ms=round(seconds * 1000, 2),
            request_id=headers.get(b"x-request-id", "")[:64] or None,
            trace=headers.get(b"traceparent", "")[:55] or None,
            incident=incident,
        )


_LOGGED = (b"x-request-id", b"traceparent")
