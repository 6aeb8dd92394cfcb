"""`shuniu ledger recount`: signing flows counted anew from the ledger, and compared with what the hub says."""

import argparse
import asyncio
import functools
from collections import Counter
from typing import Any

from services.esign import commands as esign
from shuniu.api.esign.v1 import flow_pb2, flow_pb2_grpc
from shuniu.cli.local import open_channel, supervisor_state
from shuniu.cli.output import out, table
from shuniu.cli.place import Place
from shuniu.cli.stores import databases
from shuniu.kit.process.config import ConfigError
from shuniu.kit.rpc.client import ask


def run(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    place.hub()
    try:
        report = asyncio.run(_recount(place))
    except (OSError, esign.TrustError) as error:
        raise ConfigError(str(error)) from None
    rows = [
        {"scenario": scenario, "step": step, "outcome": outcome, "count": count}
        for (scenario, step, outcome), count in sorted(report.counts.items())
    ]
    found: dict[str, Any] = {"agree": report.sound, "size": report.size, "counts": rows, "problems": report.problems}
    text = table(["场景 scenario", "步骤 step", "结果 outcome", "次数 count"], [[*row.values()] for row in rows])
    end = [f"  ✗ {problem}" for problem in report.problems] or ["  ✓ 日志与登记一致 / ledger and hub agree"]
    out(found, "\n".join([text, *end]), as_json=arguments.json)
    return 0 if report.sound else 1


async def _recount(place: Place) -> esign.RecountReport:
    if supervisor_state(place) is not None:
        async with open_channel(place, "esign") as opened:
            count = flow_pb2_grpc.FlowServiceStub(opened).CountFlows

            async def by_call() -> esign.Kept:
                answer = await ask(count, flow_pb2.CountFlowsRequest(), timeout=10)
                counts = Counter({(one.scenario, one.step, one.outcome): one.count for one in answer.counts})
                return esign.Kept(counts, unknown=answer.pending)

            return await esign.hub_recount(place.config, by_call)
    url = next(one.url for one in databases(place) if one.service == "esign")
    return await esign.hub_recount(place.config, functools.partial(esign.kept_in_store, url))
