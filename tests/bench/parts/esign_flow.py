"""`esign.flow`: whole flows of two signers through gRPC, from the beginning to the released document.

An agency seals a receipt, then a person signs it with a key made for that one signature: six calls, three revisions, a
timestamp in each signature and one over everything, four entries of the flow and the document's in the ledger. The
service runs as a process of its own with its settings as they come; identity is a stand-in here.
"""

import asyncio
import logging
import os
import statistics
import time
from itertools import chain
from pathlib import Path
from typing import Any

import structlog

from shuniu.api.esign.v1 import flow_pb2 as pb
from tests.support.flow_land import FlowLand, flow_land

ROUNDS = 5
FLOWS = 24
CONCURRENCY = 8
SCENARIO = "case_receipt"


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def whole(land: FlowLand) -> float:
    """One flow; the seconds it took."""
    began = time.perf_counter()
    flow = await land.begin(SCENARIO)
    flow = await land.sign(flow, "authority")
    flow = await land.sign(flow, "reporter")
    while flow.state != pb.FLOW_STATE_COMPLETED:
        await asyncio.sleep(0.05)
        flow = await land.get(flow.id)
    return time.perf_counter() - began


async def batch(land: FlowLand, count: int) -> list[float]:
    waiting = iter(range(count))

    async def work_off() -> list[float]:
        return [await whole(land) for _ in waiting]

    return list(chain(*await asyncio.gather(*(work_off() for _ in range(CONCURRENCY)))))


async def run() -> list[dict[str, Any]]:
    # The stand-in lives in this process; its log lines belong to nobody.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    async with flow_land(extra="") as land:
        assert land.process is not None
        await batch(land, CONCURRENCY)
        cores, walls, took = [], [], []
        for _ in range(ROUNDS):
            used, began = processor_seconds(land.process.pid), time.perf_counter()
            took += await batch(land, FLOWS)
            walls.append(FLOWS / (time.perf_counter() - began))
            cores.append(FLOWS / (processor_seconds(land.process.pid) - used))
    percentiles = statistics.quantiles(took, n=100)
    return [
        {"name": "esign.flow", "value": statistics.median(cores), "unit": "flows/s/core"},
        {"name": "esign.flow.wall", "value": statistics.median(walls), "unit": "flows/s"},
        {"name": "esign.flow.p50", "value": percentiles[49] * 1000, "unit": "ms"},
        {"name": "esign.flow.p99", "value": percentiles[98] * 1000, "unit": "ms"},
    ]
