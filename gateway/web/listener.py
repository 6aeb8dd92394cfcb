"""Serving HTTP within the life of a process of the kit: start, drain, stop; signals are the process's business."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from shuniu.kit.process import log
from shuniu.kit.process.process_lock import HeldElsewhereError, ProcessLock
from shuniu.kit.rpc.caller import is_edge
from shuniu.kit.rpc.client import ClientTls

_log = log.get("web")

# More than browsers and the edge keep open at once; beyond it the kernel's queue holds the rest.
_BACKLOG = 1024


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _of_edge(trust_domain: str) -> type[H11Protocol]:
    """HTTP that hears the edge only: whoever else has a certificate of the hub could write the headers that name a
    caller.
    """

    class OfEdge(H11Protocol):
        believed = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
            super().connection_made(transport)
            certificate = transport.get_extra_info("ssl_object").getpeercert()
            names = [name for kind, name in certificate.get("subjectAltName", ()) if kind == "URI"]
            self.believed = any(is_edge(name, trust_domain) for name in names)
            if not self.believed:
                _log.warning("not_the_edge", names=names)
                transport.abort()

        def data_received(self, data: bytes) -> None:
            # What came with the handshake is read even after the end.
            if self.believed:
                super().data_received(data)

    return OfEdge


class WebListener:
    """An ASGI application on a Unix socket or a TCP address."""

    def __init__(self, application: Any, address: str, tls: ClientTls | None = None, *, trust_domain: str = "") -> None:
        """`tls` is used on TCP only, and then takes the edge's certificate and no other."""
        self._application = application
        self._address = address
        self._tls = None if address.startswith("unix:") else tls
        self._trust_domain = trust_domain
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._lock: ProcessLock | None = None

    @property
    def address(self) -> str:
        """The address at which it listens; with a port picked by the system once started."""
        return self._address

    async def start(self) -> None:
        """Raises OSError when the address cannot be used, as a socket that another process serves."""
        if self._address.startswith("unix:"):
            self._lock = _locked(self._address.removeprefix("unix:"))
        try:
            listening = _bind(self._address)
        except OSError:
            self._release()
            raise
        if not self._address.startswith("unix:"):
            host = self._address.rpartition(":")[0]
            self._address = f"{host}:{listening.getsockname()[1]}"
        options: dict[str, Any] = {"http": "h11"}
        if self._tls is not None:
            options |= {
                "ssl_certfile": str(self._tls.certificate),
                "ssl_keyfile": str(self._tls.key),
                "ssl_ca_certs": str(self._tls.roots),
                "ssl_cert_reqs": ssl.CERT_REQUIRED,
                "http": _of_edge(self._trust_domain),
            }
        self._server = _Server(
            uvicorn.Config(
                self._application,
                lifespan="off",
                ws="none",
                # Our own log has one line a request, without its query; uvicorn's would show it.
                log_config=None,
                access_log=False,
                server_header=False,
                # The edge is the client; what it says of others is read where it is needed.
                proxy_headers=False,
                timeout_keep_alive=75,
                h11_max_incomplete_event_size=32 * 1024,
                **options,
            )
        )
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._serving.done():
                await self._serving
            await asyncio.sleep(0.005)

    async def stop(self, grace: float) -> None:
        if self._server is None or self._serving is None:
            return
        self._server.config.timeout_graceful_shutdown = max(1, int(grace))
        self._server.should_exit = True
        await self._serving
        if self._lock is not None:
            _unlink(self._address)
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _locked(path: str) -> ProcessLock:
    """A socket's name says nothing of whether somebody serves it. Raises OSError."""
    try:
        return ProcessLock(Path(f"{path}.lock"))
    except HeldElsewhereError:
        raise OSError(
            errno.EADDRINUSE, "另一个进程正在使用 / another process serves it; stop that one first", path
        ) from None


def _unlink(address: str) -> None:
    Path(address.removeprefix("unix:")).unlink(missing_ok=True)


def _bind(address: str) -> socket.socket:
    if address.startswith("unix:"):
        _unlink(address)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, int(port)))
    listening.listen(_BACKLOG)
    listening.setblocking(False)
    return listening
