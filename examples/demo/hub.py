"""Starts a hub with the `shuniu` command, as an operator would, and talks to it as its operators."""

import asyncio
import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from examples.hub_client.credentials import Credentials, Hub
from examples.hub_client.session import Session

# The platform and resource that prove real names in this region.
AUTHORITY_AT = "mps/population-register"
COMMAND = Path(sys.executable).with_name("shuniu")


class HubFailedError(Exception):
    """The hub could not be set up or started; the text is what the command said."""


async def shuniu(*arguments: str) -> str:
    """Runs one command and returns what it prints."""
    process = await asyncio.create_subprocess_exec(
        str(COMMAND), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise HubFailedError(f"shuniu {' '.join(arguments)}: {err.decode().strip()}")
    return out.decode()


def finish(demo: Coroutine[Any, Any, int]) -> NoReturn:
    """Runs a demo and exits with its status; what a failed command said stands on stderr."""
    try:
        sys.exit(asyncio.run(demo))
    except HubFailedError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


@dataclass(slots=True)
class RunningHub:
    """A hub that serves. `process`: None where this process did not start it."""

    data: Path
    hub: Hub
    seconds_to_ready: float = 0.0
    process: asyncio.subprocess.Process | None = None

    @classmethod
    async def start(cls, data: Path, profile: str = "international") -> "RunningHub":
        """Makes a new hub in `data`, which is emptied first, and waits until all its parts serve. `profile`: its
        cryptography, international or sm.
        """
        shutil.rmtree(data, ignore_errors=True)
        await shuniu("init", "--data", str(data), "--free-ports", "--authority", AUTHORITY_AT, "--profile", profile)
        return await cls.up(data)

    @classmethod
    async def up(cls, data: Path) -> "RunningHub":
        """Starts the hub that is in `data`."""
        process = await asyncio.create_subprocess_exec(
            str(COMMAND), "up", "--data", str(data), "--json", stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise HubFailedError(f"shuniu up ended with {await process.wait()}; its logs are in {data}/logs")
        ready: dict[str, Any] = json.loads(line)
        hub = Hub(ready["people"], ready["platforms"], ready["bus"], Path(ready["trust"]).read_bytes())
        return cls(data, hub, float(ready["seconds"]), process)

    def operator(self, name: str) -> Session:
        """A session of one of the hub's operators: system, security or audit."""
        return Session(self.hub, Credentials.load(name, self.data / "operators" / name))

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await shuniu("status", "--data", str(self.data), "--json"))
        return found

    async def stop(self) -> None:
        if self.process is None:
            return
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
        await self.process.wait()
