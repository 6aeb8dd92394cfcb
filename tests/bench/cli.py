"""cli.help, cli.status, cli.verify, cli.trust: processor time of a command from a cold start, in a hub that does not run."""

import asyncio
import resource
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from services.esign.signing.domain import pades
from tests.support.esign import NOW_US, page, setting

ROUNDS = 7


async def _cpu_seconds(*words: str) -> float:
    """Of the command as a process of its own and of what it starts."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shuniu.cli.main",
        *words,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await process.wait()
    return used() - before


async def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="sn") as folder:
        hub, file = Path(folder) / "hub", Path(folder) / "sealed.pdf"
        file.write_bytes(pades.sign(page(), setting().seal, NOW_US))
        data = ("--data", str(hub))
        await _cpu_seconds("init", *data, "--free-ports")
        commands = {
            "cli.help": ("--help",),
            "cli.status": ("status", *data),
            "cli.verify": ("verify", str(file), *data),
            "cli.trust": ("trust", *data),
        }
        return [
            {
                "name": name,
                "value": median([await _cpu_seconds(*words) for _ in range(ROUNDS)]),
                "unit": "s of processor time, cold start",
            }
            for name, words in commands.items()
        ]
