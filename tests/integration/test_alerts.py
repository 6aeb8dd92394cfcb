"""What operators are told: each trouble is provoked on a running hub, its metrics are scraped, the alerts of
deploy/prometheus are evaluated as Prometheus would, and `shuniu status` and `shuniu doctor` say the same.
"""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from examples.demo.hub import RunningHub
from shuniu.kit.testing import eventually
from tests.support.guarded import short_directory
from tests.support.promql import evaluate, selectors
from tests.support.watched import ALERTS, Watched

pytestmark = pytest.mark.asyncio(loop_scope="module")
# Born with the first failure of a kind (the alert looks for that), or with the witnesses of a hub that has some.
NOT_YET = {"shuniu_esign_flow_failures_total", "shuniu_esign_witness_refusals_total"}


async def kill(hub: Watched, name: str) -> None:
    before = hub.parts()[name]
    os.kill(before["pid"], signal.SIGKILL)
    await eventually(lambda: hub.parts()[name]["restarts"] > before["restarts"], within=30)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[RunningHub]:
    with short_directory() as directory:
        started = await RunningHub.start(Path(directory) / "hub")
        yield started
        await started.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def hub(running: RunningHub) -> Watched:
    watched = Watched(running)
    await watched.ready()
    await watched.scrape()
    return watched


async def test_all_that_alerts_watch_is_there_before_anything_happens(hub: Watched) -> None:
    """Each series of each alert exists on a hub that has done nothing, so that its first event is an increase; and a quiet
    hub is quiet.
    """
    missing = {
        selector
        for rule in ALERTS.values()
        for selector in selectors(rule["expr"])
        if not evaluate(selector, hub.samples, 0.0)
    }
    assert {selector.partition("{")[0] for selector in missing} <= NOT_YET
    hub.again(20 * 60)
    assert hub.firing() == set()


@pytest.mark.provokes("PartDown")
async def test_parts_that_hang_are_told(hub: Watched) -> None:
    """A stopped service, and a stopped control process of the edge while Envoy goes on serving: PartDown, status, doctor."""
    pids = [hub.parts()[name]["pid"] for name in ("esign", "edge", "web")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        await eventually(
            lambda: all(hub.parts()[name]["state"] == "NOT_READY" for name in ("esign", "edge", "web")), within=60
        )
        await hub.scrape()
        hub.again(90)
        assert "PartDown" in hub.firing()
        down = evaluate(ALERTS["PartDown"]["expr"], hub.samples, hub.now - 5)
        assert {dict(labels)["part"] for labels in down} == {"esign", "edge-control", "web"}
        status = await hub.shuniu("status", "--json")
        assert status.status == 1
        assert {part["name"] for part in status.json["parts"] if not part["ready"]} >= {"esign", "edge", "web"}
        assert {"部件 esign", "部件 edge", "部件 web"} <= (await hub.findings()).keys()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    await hub.ready()


@pytest.mark.provokes("PartRestarts")
async def test_a_part_that_does_not_stay_up_is_told(hub: Watched) -> None:
    """Restarted four times, ready in between: PartRestarts, status and doctor."""
    for _ in range(4):
        await kill(hub, "catalogue")
        await hub.ready()
        await hub.scrape()
    assert "PartRestarts" in hub.firing()
    status = await hub.shuniu("status", "--json")
    assert status.status == 1
    (catalogue,) = (part for part in status.json["parts"] if part["name"] == "catalogue")
    assert "restarted 4 times" in catalogue["reason"]
    assert "restarted 4 times" in (await hub.findings())["部件 catalogue"]


@pytest.mark.provokes("PlatformSuspended")
async def test_a_suspension_is_told(hub: Watched) -> None:
    """PlatformSuspended, and the platform's name in status and doctor; until it is resumed."""
    enrol = await hub.shuniu(
        "platform", "enrol", "bureau", "--name", "某局", "--division", "150100", "--out", str(hub.running.data / "b")
    )
    assert enrol.status == 0, enrol.err
    assert (await hub.shuniu("platform", "suspend", "bureau", "--reason", "test")).status == 0

    async def told() -> bool:
        await hub.scrape()
        return "PlatformSuspended" in hub.firing()

    await eventually(told, within=20)
    assert (await hub.findings())["停用平台 suspended"] == "bureau"
    exchange = next(part for part in (await hub.shuniu("status", "--json")).json["parts"] if part["name"] == "exchange")
    assert exchange["facts"]["suspended"] == "bureau"
    assert (await hub.shuniu("platform", "resume", "bureau")).status == 0

    async def over() -> bool:
        await hub.scrape()
        return "PlatformSuspended" not in hub.firing()

    await eventually(over, within=20)
