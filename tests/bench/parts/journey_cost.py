"""Processor time of whole journeys, by process, and of a hub that nobody asks anything.

A script of its own, so that it also runs on another version of the project: `PYTHONPATH=TREE python journey_cost.py
JOURNEYS IDLE_SECONDS`. It prints one JSON object: journeys a second, ms of processor time a journey by process, and
share of a core while idle by process.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from examples.demo.hub import RunningHub
from examples.demo.journeys import citizens_of, serve_all, set_stage
from examples.demo.progress import Progress, Times
from examples.inner_mongolia.load import load
from examples.inner_mongolia.people import people

CONCURRENCY = 16
WARM_UP = 32
_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat behind the name: parent, and times of its own and of its ended children (proc(5)).
_PARENT, _TIMES = 1, slice(11, 15)


def spent(root: int) -> Counter[str]:
    """Processor time, ms, that a process's descendants have taken, by the child of `root` that they belong to."""
    parents: dict[int, int] = {}
    times: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        number = int(path.parent.name)
        parents[number] = int(fields[_PARENT])
        times[number] = sum(map(int, fields[_TIMES])) * _TICK_MS
    found: Counter[str] = Counter()
    for number, time in times.items():
        part = number
        while parents.get(part, 0) not in {root, 0}:
            part = parents[part]
        if parents.get(part) == root:
            found[_name(part)] += time
    return found


def _name(number: int) -> str:
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return "ended"
    module = words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name
    return module.rpartition(".")[2] or module


async def measure(journeys: int, idle_s: float) -> dict[str, object]:
    everybody = people(journeys + WARM_UP)
    citizens = citizens_of(everybody)
    with tempfile.TemporaryDirectory(prefix="sn", ignore_cleanup_errors=True) as work:
        certificates = Path(work) / "certificates"
        certificates.mkdir()
        running = await RunningHub.start(Path(work) / "hub")
        try:
            stage = await set_stage(running, load(), everybody, certificates, Times())
            try:
                await serve_all(stage, citizens[:WARM_UP], CONCURRENCY, Progress(WARM_UP))
                loop = asyncio.get_running_loop()
                before, began = spent(running.process.pid), loop.time()
                outcome = await serve_all(stage, citizens[WARM_UP:], CONCURRENCY, Progress(journeys))
                seconds, after = loop.time() - began, spent(running.process.pid)
            finally:
                await stage.strike()
            resting = spent(running.process.pid)
            await asyncio.sleep(idle_s)
            rested = spent(running.process.pid)
        finally:
            await running.stop()
    if outcome.failures:
        raise RuntimeError(f"{len(outcome.failures)} people were not served: {json.dumps(outcome.failures[:3])}")
    return {
        "journeys_a_second": journeys / seconds,
        "ms_a_journey": {name: (after[name] - before[name]) / journeys for name in after},
        "idle_share": {name: (rested[name] - resting[name]) / 10 / idle_s for name in rested},
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]), float(sys.argv[2])))))
