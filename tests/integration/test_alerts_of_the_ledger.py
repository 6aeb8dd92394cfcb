"""Alerts of ledger, clock and evidence: each trouble is provoked on a running hub with a region, a witness and an NTP
server; the alerts are evaluated as Prometheus would, and each one ends with its trouble.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

import httpx
import pytest
import pytest_asyncio

from services.esign.timestamps.domain import token
from shuniu.kit.testing import eventually
from tests.support.hub import NATS_WEBSOCKET, Land, hub_with_region
from tests.support.ntp import NtpServer, ntp_server
from tests.support.watched import Watched
from tests.support.witness_process import WitnessProcess

pytestmark = [*NATS_WEBSOCKET, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]
# Longer than any alert waits, s.
LONG = 16 * 60
TEN_SECONDS_US = 10_000_000


@dataclass
class Site:
    """A hub with a region, the one witness of its ledger, and the NTP server that its clock is compared with."""

    land: Land
    witness: WitnessProcess
    time: NtpServer

    def watched(self) -> Watched:
        return Watched(self.land.running)

    async def restart_esign(self) -> None:
        """Returns when the supervisor has started it anew; it need not be ready."""
        before = self.land.parts()["esign"]
        os.kill(before["pid"], signal.SIGKILL)
        await eventually(lambda: self.land.parts()["esign"]["restarts"] > before["restarts"], within=30)

    async def serve(self) -> None:
        """One person from sign-in to delivery: documents and evidence reach the ledger."""
        await self.land.journey(*self.land.next_citizens(1))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("alerts")
    async with hub_with_region(4) as land, ntp_server() as time:
        assert (await land.command("trust", "--out", str(folder / "trust"))).status == 0
        witness = WitnessProcess(
            "w1.example", folder / "w1", (folder / "trust" / "ledger.vkey").read_text("utf-8").strip()
        )
        await witness.start()
        try:
            settings = f'witnesses = ["{witness.line}"]\nclock_reference = "127.0.0.1:{time.port}"\n'
            config = land.running.data / "hub.toml"
            config.write_text(config.read_text("utf-8").replace("[esign]\n", f"[esign]\n{settings}"), "utf-8")
            await land.kill("esign")
            yield Site(land, witness, time)
        finally:
            await witness.stop()


async def until(watched: Watched, holds: Callable[[Watched], bool], within: float = 60) -> None:
    """Scrapes until it holds."""

    async def scraped() -> bool:
        await watched.scrape()
        return holds(watched)

    await eventually(scraped, within=within)


def shows(metric: str, part: str) -> Callable[[Watched], float]:
    """The value of a metric without labels in the last scrape; 0 where the part did not answer."""
    labels = frozenset({("__name__", metric), ("part", part)})
    return lambda watched: watched.samples.scrapes[-1][1].get(labels, 0.0)


async def lasting(watched: Watched, alert: str, *, fires: bool, trouble: Callable[[Watched], bool]) -> None:
    """Waits until the scrapes show the trouble, or that it is over, and checks the alert after it lasted for long."""
    await until(watched, lambda seen: trouble(seen) is fires)
    assert not watched.fires(alert), f"{alert} must wait as long as its rule says"
    watched.again(LONG)
    assert watched.fires(alert) is fires


def behind(watched: Watched) -> bool:
    return entries(watched) > witnessed(watched) > 0


entries, witnessed = (shows(f"shuniu_esign_ledger_{which}", "esign") for which in ("entries", "witnessed_entries"))


@pytest.mark.provokes("WitnessesBehind")
async def test_a_witness_that_stops_answering_is_told(site: Site) -> None:
    """It takes requests and answers none: heads stay without its cosignature; when it goes on, it catches up."""
    await site.serve()
    await until(site.watched(), lambda seen: entries(seen) == witnessed(seen) > 0)
    await lasting(site.watched(), "WitnessesBehind", fires=False, trouble=behind)
    site.witness.hang()
    try:
        await site.serve()
        await lasting(site.watched(), "WitnessesBehind", fires=True, trouble=behind)
        status = (await site.land.command("status", "--json")).json["parts"]
        esign = next(part for part in status if part["name"] == "esign")
        assert "pending" in esign["facts"]["cosignatures"]
    finally:
        site.witness.go_on()
    await lasting(site.watched(), "WitnessesBehind", fires=False, trouble=behind)


def waits(watched: Watched) -> bool:
    return unlogged(watched) > 0


unlogged = shows("shuniu_exchange_evidence_unlogged", "exchange")


@pytest.mark.provokes("EvidenceWaits")
async def test_evidence_that_waits_for_the_ledger_is_told(site: Site) -> None:
    """esign hangs while a case is handled: the question's evidence waits; when esign goes on, it is logged and the person
    gets the document.
    """
    pid = site.land.parts()["esign"]["pid"]
    (citizen,) = site.land.next_citizens(1)
    access = await site.land.sign_in(citizen)
    os.kill(pid, signal.SIGSTOP)
    try:
        case = await site.land.apply(citizen, access)
        await lasting(site.watched(), "EvidenceWaits", fires=True, trouble=waits)
    finally:
        os.kill(pid, signal.SIGCONT)
    await lasting(site.watched(), "EvidenceWaits", fires=False, trouble=waits)
    await asyncio.wait_for(site.land.stage.app._follow(case.case_code, access), 60)


def doubted(watched: Watched) -> bool:
    return shows("shuniu_esign_clock_doubted", "esign")(watched) > 0


@asynccontextmanager
async def clock_off(site: Site) -> AsyncIterator[None]:
    """The machine's clock is ten seconds behind the NTP server."""
    site.time.ahead_us = TEN_SECONDS_US
    try:
        await site.restart_esign()
        yield
    finally:
        site.time.ahead_us = 0
        await site.land.kill("esign")


async def ask_for_a_timestamp(site: Site) -> None:
    """As anybody may, on the people listener. A refusal is an answer too."""
    hub = site.land.running.hub
    async with httpx.AsyncClient(verify=hub.tls(), base_url=hub.people_url, timeout=30) as http:
        asked = token.query(sha256(b"signature").digest(), 1)
        answer = await http.post("/tsa", content=asked, headers={"content-type": "application/timestamp-query"})
    assert answer.status_code == 200, answer.text


@pytest.mark.provokes("ClockDoubted", "PartNotReady", "TimestampsRefused")
async def test_a_clock_off_its_reference_is_told(site: Site) -> None:
    """No timestamp is given, esign is not ready, and each of these is an alert; when the clock agrees again, none is."""
    async with clock_off(site):
        watched = site.watched()
        await until(watched, doubted)
        assert not watched.fires("TimestampsRefused")
        await ask_for_a_timestamp(site)
        await until(watched, lambda seen: seen.fires("TimestampsRefused"))
        await lasting(watched, "ClockDoubted", fires=True, trouble=doubted)
        assert watched.fires("PartNotReady")
    after = site.watched()
    await lasting(after, "ClockDoubted", fires=False, trouble=doubted)
    assert not after.fires("PartNotReady")
    assert not after.fires("TimestampsRefused")
