"""A witness as a member platform runs it: a process of its own."""

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass
class WitnessProcess:
    """A process of its own, as a member platform runs it; killed and started it keeps its key and its port."""

    name: str
    folder: Path
    log: str
    listen: str = "127.0.0.1:0"
    line: str = ""
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "examples.witness", "--name", self.name, "--data", str(self.folder)),
            *("--log", self.log, "--listen", self.listen),
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.line = (await self.process.stdout.readline()).decode().strip()
        self.listen = self.line.rpartition("//")[2]

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            # One that was stopped hears nothing else.
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            await self.process.wait()

    def hang(self) -> None:
        """From now on it takes connections and answers none."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
