"""demo.case: whole journeys of citizens a second at concurrency 16, and p50/p99 of each step."""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from examples.demo.hub import RunningHub
from examples.demo.journeys import citizens_of, serve_all, set_stage
from examples.demo.progress import Progress, Times
from examples.inner_mongolia.load import load
from examples.inner_mongolia.people import people

CONCURRENCY = 16
WARM_UP = 16


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
    return rows


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run()), indent=1), file=sys.stdout)
