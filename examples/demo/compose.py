"""`python -m examples.demo.compose`: serves people on the hub that docker-compose runs, and says what came of it.

Run where `docker-compose.yml` lies, once on a hub that is new and was made with HUB_AUTHORITY=mps/population-register.
Environment: HUB_HOST, a name that leads to it and stands in its certificate (default localhost), CITIZENS (default 18),
CONCURRENCY (default 8).
"""

import asyncio
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.demo.__main__ import complete, report, summarise
from examples.demo.hub import HubFailedError, RunningHub, finish
from examples.demo.journeys import citizens_of, serve_all, set_stage
from examples.demo.progress import Progress, Times
from examples.hub_client.credentials import Hub
from examples.inner_mongolia.load import load
from examples.inner_mongolia.people import people

ROOT = Path("var/demo")
DATA = "/var/lib/shuniu"
# Any part: all of them share the folder of the hub.
PART = "exchange"


async def inside(*command: str) -> str:
    """Runs a command in a container of the hub and returns what it prints. Raises HubFailedError."""
    process = await asyncio.create_subprocess_exec(
        "docker-compose", "exec", "-T", PART, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise HubFailedError(f"{' '.join(command)}: {err.decode().strip()}")
    return out.decode()


@dataclass(slots=True)
class ComposeHub(RunningHub):
    """A hub whose parts are containers; `data` holds copies of its operators' certificates."""

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await inside("shuniu", "status", "--data", DATA, "--json"))
        return found


async def found(data: Path) -> ComposeHub:
    """The hub that runs, with its operators' keys copied into `data`."""
    for name in ("system", "security", "audit"):
        at = data / "operators" / name
        at.mkdir(parents=True, mode=0o700)
        for file in ("cert.pem", "key.pem", "trust.pem"):
            (at / file).touch(mode=0o600)
            (at / file).write_text(await inside("cat", f"{DATA}/operators/{name}/{file}"))
    host = os.environ.get("HUB_HOST", "localhost")
    trust = (data / "operators/system/trust.pem").read_bytes()
    return ComposeHub(data, Hub(f"{host}:8443", f"{host}:9443", f"{host}:4222", trust))


async def main() -> int:
    everybody = people(int(os.environ.get("CITIZENS", "18")))
    citizens = citizens_of(everybody)
    shutil.rmtree(ROOT, ignore_errors=True)
    certificates = ROOT / "certificates"
    certificates.mkdir(parents=True)
    times, progress = Times(), Progress(len(citizens))
    hub = await found(ROOT.resolve() / "hub")
    stage = await set_stage(hub, load(), everybody, certificates, times)
    began = time.monotonic()
    outcome = await serve_all(stage, citizens, int(os.environ.get("CONCURRENCY", "8")), progress)
    summary = await summarise(hub, stage, outcome, len(citizens), time.monotonic() - began)
    report(summary, times, outcome, "docker-compose")
    await stage.strike()
    return 0 if complete(summary) else 1


if __name__ == "__main__":
    finish(main())
