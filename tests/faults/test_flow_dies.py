"""Esign is killed (kill -9) while many flows are under way: each ends once, and the ledger agrees with the store."""

import asyncio
import contextlib
import time

import grpc
import pytest

from services.esign import commands
from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome
from shuniu.api.esign.v1 import flow_pb2 as pb
from shuniu.kit.errors import HubError
from tests.support.flow_land import FlowLand, flow_land
from tests.support.verdicts import judged

FLOWS = 12
# Between authorisations, signatures, closes and releases of so many flows.
KILLS = (0.15, 0.6)


async def carry_on(land: FlowLand, flow: pb.Flow) -> None:
    """Its parties come again and again, as people do whose page hangs, until there is nothing left for them."""
    while True:
        with contextlib.suppress(grpc.aio.AioRpcError, HubError, grpc.aio.UsageError):
            now = await land.get(flow.id)
            if now.state not in (pb.FLOW_STATE_OPEN, pb.FLOW_STATE_FAILED):
                return
            for key in [step.key for step in now.steps if step.ready]:
                await land.sign(now, key)
        await asyncio.sleep(0.02)


@pytest.mark.timeout(120)
async def test_flows_end_once_when_esign_is_killed() -> None:
    """Two kills in the middle of twelve flows: twelve documents, all VALID, none twice, every count from the ledger."""
    async with flow_land() as land:
        flows = [await land.begin("vehicle_transfer") for _ in range(FLOWS)]
        for after in KILLS:
            people = [asyncio.create_task(carry_on(land, flow)) for flow in flows]
            await asyncio.sleep(after)
            await land.kill()
            for one in people:
                one.cancel()
            await asyncio.gather(*people, return_exceptions=True)
            await land.start()
        await asyncio.gather(*(carry_on(land, flow) for flow in flows))
        secrets = land.secrets
        trust = Trust((secrets.seal_ca.root,), (secrets.ledger.verifier,))
        for flow in flows:
            done = await land.completed(flow.id, within=60)
            assert done.revision == 4
            answer = await land.download(flow.id)
            verdict = judged(answer.pdf, trust=trust, now_us=time.time_ns() // 1000, receipt=answer.tlog_proof)
            assert verdict.outcome is Outcome.VALID, verdict.as_json()
        await land.stop()
        report = await commands.hub_recount(land.config, lambda: commands.kept_in_store(land.database))
        assert report.problems == []
        assert report.counts["vehicle_transfer", "", "completed"] == FLOWS
