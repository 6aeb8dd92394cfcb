"""The edge's control process: renders, starts Envoy, keeps the list of suspended platforms true, drains."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.envoy import contract, render
from gateway.envoy.process import EnvoyProcess, EnvoyRefusedError, Port, validate
from gateway.envoy.settings import Edge
from gateway.envoy.suspension import SuspendedFile, follow
from shuniu.kit.crypto import pem_files
from shuniu.kit.feeds.registry import Registry
from shuniu.kit.process import log
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import ConfigError
from shuniu.kit.process.durable import replace_private
from shuniu.kit.process.health import Health
from shuniu.kit.rpc import client

_log = log.get("edge")
_CONTROL_HOST = "127.0.0.1"
"""The address at which Envoy asks this process for its readiness and metrics. `ops_host` is asked from outside."""


@dataclass(frozen=True, slots=True)
class RunningEdge:
    """An edge that serves."""

    envoy: EnvoyProcess
    suspended: SuspendedFile
    ports: tuple[Port, ...]
    not_ready: list[str]
    """Reasons for /readyz to refuse new calls. A new reason takes effect at once."""

    def port(self, listener: str) -> int:
        return next(port.port for port in self.ports if port.name == listener)


@contextlib.asynccontextmanager
async def running(settings: Edge) -> AsyncIterator[RunningEdge]:
    """An edge from settings to serving, ended on leaving. Raises EnvoyRefusedError and EnvoyNotServingError."""
    directory = settings.directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for secret in render.secrets(settings):
        # Envoy would wait for them in silence.
        try:
            pem_files.certificates_pem(secret.certificate)
            if secret.key is not None:
                pem_files.key_pem(secret.key)
        except ConfigError as error:
            raise EnvoyRefusedError(f"{error} (the edge needs it for '{secret.name}')") from None
    suspended = SuspendedFile(directory, settings.hub.trust_domain)
    codes = suspended.remembered()
    # Envoy asks this process whether it is ready: one that hangs would never tell it of a suspension.
    not_ready: list[str] = []
    health = Health(lambda: not_ready)
    control_port = health.start(_CONTROL_HOST, 0)
    envoy: EnvoyProcess | None = None
    try:
        for name, content in render.render(settings, contract.shipped(), codes, control_port).items():
            replace_private(directory / name, content)
        await validate(directory / render.BOOTSTRAP)
        suspended.apply_suspended(codes)
        envoy = await EnvoyProcess.start(
            directory / render.BOOTSTRAP,
            settings.admin_socket,
            workers=settings.edge.workers,
            drain_seconds=settings.edge.drain_seconds,
        )
        ports = await envoy.ports()
        for port in ports:
            replace_private(settings.hub.run_dir / f"edge.{port.name}", f"{port.host}:{port.port}\n".encode())
        yield RunningEdge(envoy, suspended, ports, not_ready)
    finally:
        if envoy is not None:
            await envoy.stop()
        health.stop()


async def run(settings: Edge) -> int:
    """Runs the edge until SIGTERM or SIGINT; returns the process's exit status.

    Envoy's death is ours: the supervisor starts both again.
    Raises EnvoyRefusedError and EnvoyNotServingError when it does not even start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tls = None
    edge = settings.edge
    if edge.upstream_certificate and edge.upstream_key and edge.upstream_ca:
        tls = client.ClientTls(edge.upstream_certificate, edge.upstream_key, edge.upstream_ca)
    # The channel comes second: its threads and a fork do not go together.
    async with running(settings) as started, client.channel(settings.identity_peer, service="edge", tls=tls) as channel:
        _log.info("serving", addresses=[f"{port.name}={port.host}:{port.port}" for port in started.ports])
        registry = Registry(channel, None, SystemClock())
        tasks = {
            "envoy": asyncio.create_task(started.envoy.wait()),
            "feed": asyncio.create_task(follow(registry, started.suspended.apply_suspended)),
            "stop": asyncio.create_task(stop.wait()),
        }
        await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        asked = tasks["stop"].done()
        if asked:
            _log.info("draining")
            started.not_ready.append("draining")
            await started.envoy.drain(edge.drain_seconds)
        else:
            _log.error("ended", what=[name for name, task in tasks.items() if task.done()])
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    _log.info("stopped")
    return 0 if asked else 1
