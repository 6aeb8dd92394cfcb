"""The bus hangs while people apply: every write is answered, and all of it arrives once the bus is back."""

import asyncio
import os
import signal
import time

import pytest

from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc
from shuniu.kit.testing import eventually
from tests.support.hub import NATS_HANGS, NATS_WEBSOCKET, hub_with_region

pytestmark = [*NATS_WEBSOCKET, *NATS_HANGS]

PEOPLE = 12
AWAY_SECONDS = 8.0
"""Longer than a relay's patience with one answer, shorter than a test's."""


@pytest.mark.timeout(180)
async def test_people_apply_while_the_bus_hangs() -> None:
    """NATS is stopped, connections open and nothing answered: sign-in, search and application go on at their usual
    pace, cases can be read, readiness of the bus is false, and on return everybody is served, nothing lost or doubled.
    """
    async with hub_with_region(PEOPLE) as land:
        app = land.stage.app
        citizens = land.next_citizens(PEOPLE)
        received = land.stage.received
        bus = land.parts()["nats"]["pid"]
        os.kill(bus, signal.SIGSTOP)
        try:
            stopped = time.monotonic()
            tokens = await asyncio.gather(*(land.sign_in(citizen) for citizen in citizens))
            cases = await asyncio.gather(
                *(land.apply(citizen, token) for citizen, token in zip(citizens, tokens, strict=True))
            )
            assert len({case.case_code for case in cases}) == PEOPLE
            took = time.monotonic() - stopped
            stub = case_pb2_grpc.CaseServiceStub(app.session.channel)
            for case, token in zip(cases, tokens, strict=True):
                asked = case_pb2.GetCaseRequest(case_code=case.case_code)
                answer = await app.session.call(stub.GetCase, asked, person=token)
                assert answer.case.state == case_pb2.CASE_STATE_SUBMITTED
            assert took < 30
            await eventually(lambda: time.monotonic() - stopped > AWAY_SECONDS, within=AWAY_SECONDS + 1)
            await eventually(lambda: land.parts()["nats"]["state"] == "NOT_READY", message="status tells of the bus")
            assert land.stage.received == received
            _, still_open, _ = await land.counts()
            assert still_open >= PEOPLE
        finally:
            os.kill(bus, signal.SIGCONT)
        moved = [app._follow(case.case_code, token) for case, token in zip(cases, tokens, strict=True)]
        delivered = await asyncio.wait_for(asyncio.gather(*moved), 60)
        assert {case.state for case in delivered} == {case_pb2.CASE_STATE_DELIVERED}
        await land.settled()
        assert [bureau.refused for bureau in land.stage.bureaus] == [[]] * 9
        restarts = {name: part["restarts"] for name, part in land.parts().items()}
        assert set(restarts.values()) == {0}, restarts
