"""start.ready: seconds from `shuniu up` to all parts ready; start.rss: memory of all parts then, MiB."""

import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from examples.demo.hub import RunningHub

ROUNDS = 5


def resident_mib(pid: int) -> float:
    """Resident memory of a process and its children, MiB."""
    total = 0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        status = Path(f"/proc/{one}/status").read_text()
        total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        waiting += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
    return total / 1024


async def run() -> list[dict[str, Any]]:
    seconds: list[float] = []
    memory: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="sn", ignore_cleanup_errors=True) as work:
            running = await RunningHub.start(Path(work) / "hub")
            try:
                seconds.append(running.seconds_to_ready)
                for part in (await running.status())["parts"]:
                    memory.setdefault(part["name"], []).append(resident_mib(part["pid"]))
            finally:
                await running.stop()
    rows: list[dict[str, Any]] = [
        {"name": "start.ready", "value": median(seconds), "unit": "s"},
        {"name": "start.rss", "value": sum(median(found) for found in memory.values()), "unit": "MiB"},
    ]
    rows += [{"name": f"start.rss.{name}", "value": median(found), "unit": "MiB"} for name, found in memory.items()]
    return rows


if __name__ == "__main__":
    import asyncio

    print(json.dumps(asyncio.run(run()), indent=1))
