"""kill -9 of every part under load: answered writes stay, each event takes effect once, everybody is served."""

import asyncio

import pytest

from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc
from tests.support.hub import NATS_WEBSOCKET, hub_with_region

pytestmark = [*NATS_WEBSOCKET]

# Exchange twice: the second death finds what the first left.
KILLED = ("exchange", "nats", "identity", "vault", "edge", "catalogue", "esign", "web", "exchange")
AT_ONCE = 6


@pytest.mark.timeout(280)
async def test_everybody_is_served_while_every_part_is_killed() -> None:
    """Each part is killed in turn, NATS and the edge among them, while people are served; nothing is lost or doubled,
    and every case whose application was answered is there.
    """
    async with hub_with_region(120) as land:
        stop = asyncio.Event()
        served, failures = [], []

        async def people() -> None:
            while land.waiting and not (stop.is_set() and served):
                outcome = await land.serve(1)
                served.extend(outcome.served)
                failures.extend(outcome.failures)

        crowd = [asyncio.create_task(people()) for _ in range(AT_ONCE)]
        for part in KILLED:
            before = len(served)
            await land.kill(part)
            # Load goes on between deaths: somebody is served after each.
            while len(served) == before and land.waiting and not failures:
                await asyncio.wait(crowd, timeout=0.05)
        stop.set()
        await asyncio.gather(*crowd)
        assert failures == []
        assert len(served) >= len(KILLED)
        assert all(one.verified_upload and one.verified_qr and one.evaluated for one in served)
        await land.settled()
        assert [bureau.refused for bureau in land.stage.bureaus] == [[]] * 9
        listed: set[str] = set()
        for bureau in land.stage.bureaus:
            stub = case_pb2_grpc.CaseHandlingServiceStub(bureau.session.channel)
            page = await bureau.session.call(stub.ListHandledCases, case_pb2.ListHandledCasesRequest(page_size=500))
            assert {case.state for case in page.cases} <= {case_pb2.CASE_STATE_DELIVERED}
            listed |= {case.case_code for case in page.cases}
        # No case more than was answered, none less: a retried application made one case.
        assert listed == {one.case_code for one in served}
        for check in ("audit", "ledger"):
            ran = await land.command(check, "verify", "--json")
            assert ran.json["intact"], ran.out
