"""demo.case: whole journeys of citizens a second at concurrency 16, and p50/p99 of each step. demo.cost: processor time
of the hub a journey, ms, by process, client left out; demo.idle: share of a core that a hub takes when nobody asks; both
and demo.case.beside beside the version of the goals, in turns.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from examples.demo.hub import RunningHub
from examples.demo.journeys import citizens_of, serve_all, set_stage
from examples.demo.progress import Progress, Times
from examples.inner_mongolia.load import load
from examples.inner_mongolia.people import people
from tests.bench.parts.beside import START, in_turns

CONCURRENCY = 16
WARM_UP = 16
# What one turn of costs takes: journeys, and seconds of rest.
_COST_OF, _IDLE_S = "60", "6"


async def run() -> list[dict[str, Any]]:
    count = int(os.environ.get("CITIZENS", "160"))
    everybody = people(count + WARM_UP)
    citizens = citizens_of(everybody)
    with tempfile.TemporaryDirectory(prefix="sn", ignore_cleanup_errors=True) as work:
        certificates = Path(work) / "certificates"
        certificates.mkdir()
        times = Times()
        running = await RunningHub.start(Path(work) / "hub")
        try:
            stage = await set_stage(running, load(), everybody, certificates, times)
            try:
                await serve_all(stage, citizens[:WARM_UP], CONCURRENCY, Progress(WARM_UP))
                times.steps.clear()
                loop = asyncio.get_running_loop()
                began = loop.time()
                outcome = await serve_all(stage, citizens[WARM_UP:], CONCURRENCY, Progress(count))
                seconds = loop.time() - began
            finally:
                await stage.strike()
        finally:
            await running.stop()
    if outcome.failures:
        raise RuntimeError(f"{len(outcome.failures)} people were not served: {json.dumps(outcome.failures[:3])}")
    rows: list[dict[str, Any]] = [{"name": "demo.case", "value": len(outcome.served) / seconds, "unit": "journeys/s"}]
    for step in times.steps:
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            rows.append(
                {"name": f"demo.case.{step}.{label}", "value": times.quantile(step, share) * 1000, "unit": "ms"}
            )
    return [*rows, *await _costs(int(os.environ.get("ROUNDS", "2")))]


async def _costs(rounds: int) -> list[dict[str, Any]]:
    ours, theirs = await in_turns("journey_cost.py", [_COST_OF, _IDLE_S], START, rounds)

    def row(name: str, unit: str, of: Callable[[Any], float]) -> dict[str, Any]:
        now, then = median(map(of, ours)), median(map(of, theirs))
        return {"name": name, "value": now, "unit": unit, "against": then, "ratio": now / then if then else None}

    rows = [
        row("demo.case.beside", "journeys/s", lambda found: found["journeys_a_second"]),
        row("demo.cost", "ms", lambda found: sum(found["ms_a_journey"].values())),
        row("demo.idle", "% of a core", lambda found: sum(found["idle_share"].values())),
    ]
    rows.extend(
        row(f"demo.cost.{part}", "ms", lambda found, part=part: found["ms_a_journey"].get(part, 0.0))
        for part in ours[0]["ms_a_journey"]
    )
    return rows


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run()), indent=1), file=sys.stdout)
