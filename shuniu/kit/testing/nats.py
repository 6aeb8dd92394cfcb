"""A real nats-server in operator mode on free ports, in a directory of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from shuniu.kit.events import bus_server

_START_SECONDS = 10.0


@dataclass(slots=True)
class NatsServer:
    """One server process. Ports stay the same over ``kill`` and ``start``, so that clients can come back."""

    directory: Path
    tokens: bus_server.BusTokens
    port: int = 0
    websocket_port: int = 0
    monitoring_port: int = 0
    name: str = "bus-test"
    cluster: bus_server.BusCluster | None = None
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.websocket_port}"

    @property
    def log(self) -> Path:
        return self.directory / "nats.log"

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    async def start(self) -> None:
        """Start and wait until the server names its ports; raises RuntimeError with its log when it does not."""
        run_dir = self.directory / "run"
        config = self.directory / "nats.conf"
        for stale in run_dir.glob("*.ports"):
            stale.unlink()
        server = bus_server.BusServer(
            tokens=self.tokens,
            data_dir=self.data_dir,
            run_dir=run_dir,
            name=self.name,
            listen=f"127.0.0.1:{self.port}",
            websocket=f"127.0.0.1:{self.websocket_port}",
            monitoring=f"127.0.0.1:{self.monitoring_port}",
            cluster=self.cluster,
        )
        bus_server.write(server, config)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                bus_server.server_binary(), "-c", str(config), stdout=log, stderr=log
            )
        await self._await_ports(run_dir)

    async def _await_ports(self, run_dir: Path) -> None:
        assert self._process is not None
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not (found := _port_files(run_dir)):
            if self._process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                raise RuntimeError(f"nats-server did not start:\n{self.log.read_text()[-4000:]}")
            await asyncio.sleep(0.02)
        ports = json.loads(found[0].read_text())
        self.port = _port(ports["nats"][0])
        self.websocket_port = _port(ports["websocket"][0])
        self.monitoring_port = _port(ports["monitoring"][0])

    async def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        """End the server with the signal and wait for it."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(sig)
        await self._process.wait()

    async def kill(self) -> None:
        """End the server as a crash does: kill -9."""
        await self.stop(signal.SIGKILL)

    async def lose_disk(self) -> None:
        """Kill the server and delete everything it stored, accounts included."""
        await self.kill()
        shutil.rmtree(self.data_dir)


def _port_files(run_dir: Path) -> list[Path]:
    """Files that are written: the server makes an empty one first."""
    return [path for path in run_dir.glob("*.ports") if path.read_bytes().rstrip().endswith(b"}")]


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
