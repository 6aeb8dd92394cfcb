"""A hub with witnesses, as a region runs it: what is logged, who cosigned it, and what outsiders can prove with it."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc
from shuniu.api.exchange.v1 import evidence_pb2, evidence_pb2_grpc
from shuniu.kit.testing import eventually
from tests.support.hub import NATS_WEBSOCKET, Journey, Land, command, hub_with_region
from tests.support.witness_process import WitnessProcess

pytestmark = [*NATS_WEBSOCKET, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

UNDER_FIRE = 12
REGULAR_UPLOAD = 100 * 1024 * 1024


@dataclass
class Story:
    """What earlier steps leave to later ones."""

    land: Land
    folder: Path
    witnesses: list[WitnessProcess]
    journeys: list[Journey] = field(default_factory=list)

    @property
    def trust(self) -> Path:
        return self.folder / "trust"

    async def offline(self, *arguments: str) -> tuple[int, Any]:
        """A command with nothing of the hub but its trust directory."""
        ran = await command(*arguments, "--trust", str(self.trust), "--json", "--data", str(self.folder / "no-hub"))
        return ran.status, ran.json

    async def verified(self, document: esign_pb2.DownloadCertificateResponse) -> tuple[int, str]:
        """(exit status, text of the step `ledger`) of `shuniu verify`."""
        pdf = self.folder / f"{document.certificate.number}.pdf"
        pdf.write_bytes(document.pdf)
        pdf.with_name(f"{pdf.name}.tlog-proof").write_text(document.tlog_proof)
        status, found = await self.offline("verify", str(pdf))
        return status, next(step["text"] for step in found["steps"] if step["step"] == "ledger")

    async def fact(self, part: str, name: str) -> str:
        found = (await self.land.command("status", "--json")).json["parts"]
        return str(next(one for one in found if one["name"] == part).get("facts", {}).get(name, ""))

    async def complete(self) -> bool:
        return (await self.fact("esign", "cosignatures")).startswith("complete: 2 of 2")

    def post(self, path: str, content: dict[str, Any]) -> Any:
        """REST on the people listener, as anybody."""

        async def ask() -> httpx.Response:
            hub = self.land.running.hub
            async with httpx.AsyncClient(verify=hub.tls(), base_url=hub.people_url, timeout=30) as http:
                return await http.post(path, json=content)

        return ask()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    folder = tmp_path_factory.mktemp("witnessed")
    async with hub_with_region(UNDER_FIRE + 3) as land, contextlib.AsyncExitStack() as stack:
        assert (await land.command("trust", "--out", str(folder / "before"))).status == 0
        log = (folder / "before" / "ledger.vkey").read_text().strip()
        witnesses = [WitnessProcess(f"w{n}.example", folder / f"w{n}", log) for n in (1, 2)]
        for each in witnesses:
            await each.start()
            stack.push_async_callback(each.stop)
        listed = ", ".join(f'"{each.line}"' for each in witnesses)
        config = land.running.data / "hub.toml"
        with_them = config.read_text().replace("[esign]\n", f"[esign]\nwitnesses = [{listed}]\nwitness_quorum = 2\n")
        config.write_text(with_them)
        await land.kill("esign")
        assert (await land.command("trust", "--out", str(folder / "trust"))).status == 0
        yield Story(land, folder, witnesses)


async def test_receipts_satisfy_the_policy_offline(story: Story) -> None:
    """The trust directory demands both witnesses; a document that is fetched once both have cosigned is VALID under
    it, for anybody, without a network.
    """
    assert "quorum" in (story.trust / "policy").read_text()
    story.journeys.append(await story.land.journey(*story.land.next_citizens(1)))
    await eventually(story.complete, within=30, message="the witnesses did not cosign")
    stub = esign_pb2_grpc.CertificateServiceStub(story.land.stage.app.session.channel)
    asked = esign_pb2.DownloadCertificateRequest(number=story.journeys[0].number)
    document = await story.land.stage.app.session.call(stub.DownloadCertificate, asked, person=story.journeys[0].token)
    status, text = await story.verified(document)
    assert (status, "2 家见证方中 2 家联署" in text) == (0, True), text


async def test_esign_is_killed_while_it_seals(story: Story) -> None:
    """kill -9 of esign, again and again, while people are served: everybody gets a VALID document, each is in the
    ledger exactly once, and what was released is what is there.
    """
    serving = asyncio.create_task(story.land.serve(UNDER_FIRE, 6))
    deaths = 0
    while not serving.done() and deaths < 4:
        await asyncio.wait([serving], timeout=0.4 + deaths / 5)
        await story.land.kill("esign")
        deaths += 1
    outcome = await serving
    assert outcome.failures == []
    assert all(one.verified_upload and one.verified_qr for one in outcome.served)
    ran = await story.land.command("ledger", "verify", "--json")
    assert (ran.json["intact"], ran.json["entries"]["document.sealed"]) == (True, UNDER_FIRE + 1)
    assert deaths >= 2


async def test_a_monitor_follows_the_log(story: Story) -> None:
    """Over HTTP through the edge, with the log's key alone: consistent now, and consistent when it has grown."""
    running = story.land.running
    authority = story.folder / "edge.pem"
    authority.write_bytes(running.hub.trust_pem)
    arguments = (
        *("ledger", "monitor", "--once", "--json", "--url", f"{running.hub.people_url}/v1/ledger"),
        *("--vkey", (story.trust / "ledger.vkey").read_text().strip(), "--ca", str(authority)),
        *("--memory", str(story.folder / "memory.json"), "--data", str(story.folder / "no-hub")),
    )
    first = await command(*arguments)
    story.journeys.append(await story.land.journey(*story.land.next_citizens(1)))
    second = await command(*arguments)
    assert (first.status, second.status) == (0, 0), second.out
    assert second.json["before"] == first.json["size"] < second.json["size"]


async def test_without_a_witness_documents_are_released_and_say_so(story: Story) -> None:
    """One of two away: the document is there at once, but not VALID for who demands both; back, it is."""
    await eventually(story.complete, within=30)
    await story.witnesses[0].stop()
    journey = await story.land.journey(*story.land.next_citizens(1))
    status, text = await story.verified(journey.document)
    assert status == 2, text
    assert "pending" in await story.fact("esign", "cosignatures")
    await story.witnesses[0].start()
    await eventually(story.complete, within=60, message="the witness was not asked again")
    app = story.land.stage.app.session
    stub = esign_pb2_grpc.CertificateServiceStub(app.channel)
    asked = esign_pb2.DownloadCertificateRequest(number=journey.number)
    status, text = await story.verified(await app.call(stub.DownloadCertificate, asked, person=journey.token))
    assert status == 0, text


async def test_a_decision_is_proved_offline(story: Story) -> None:
    """The agency's decision on a case is in the same ledger, under the same witnesses: GetEvidence gives a file that
    `shuniu ledger check` accepts, and not with one digit changed.
    """

    async def nothing_waits() -> bool:
        return await story.fact("exchange", "evidence_unlogged") == "0"

    await eventually(nothing_waits, within=30)
    case = story.journeys[0].case.case_code
    app = story.land.stage.app.session
    listed = await app.http.get("/v1/evidence", params={"caseCode": case}, headers=await bearer(app))
    kinds = [one["kind"] for one in listed.json()["evidence"]]
    assert kinds == ["exchange.case.decided", "exchange.case.delivered"]
    agency = story.land.bureau(story.journeys[0].document.certificate.issuer).session
    its = await agency.http.get("/v1/evidence", params={"caseCode": case}, headers=await bearer(agency))
    assert {one["kind"] for one in its.json()["evidence"]} == {*kinds, "exchange.query"}
    stub = evidence_pb2_grpc.EvidenceServiceStub(app.channel)
    asked = evidence_pb2.GetEvidenceRequest(id=listed.json()["evidence"][0]["id"])

    async def file() -> Path:
        path = story.folder / "evidence.json"
        path.write_text((await app.call(stub.GetEvidence, asked)).file)
        return path

    async def proved() -> bool:
        return (await story.offline("ledger", "check", str(await file())))[0] == 0

    await eventually(proved, within=30)
    path = await file()
    path.write_text(path.read_text().replace("GRANTED", "REFUSED"))
    status, found = await story.offline("ledger", "check", str(path))
    assert (status, found["verdict"], found["reason"]) == (1, "INVALID", "RECEIPT_OF_ANOTHER")


async def bearer(session: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {await session.token()}"}


async def test_anybody_asks_by_hash_and_number_and_hears_of_a_revocation_at_once(story: Story) -> None:
    """Over REST through the edge, without the file: in force, and after its agency has withdrawn it, not any more."""
    document = story.journeys[1].document
    day = document.certificate.issued_on
    asked = {
        "/v1/verification:hash": {"hash": sha256(document.pdf).hexdigest()},
        "/v1/verification:number": {
            "number": document.certificate.number,
            "issuedOn": {"year": day.year, "month": day.month, "day": day.day},
        },
        "/v1/verification:qr": {"content": document.certificate.qr},
    }

    async def verdicts() -> set[str]:
        answers = [await story.post(path, content) for path, content in asked.items()]
        return {answer.json()["verdict"]["verdict"] for answer in answers}

    assert await verdicts() == {"VALID"}
    agency = story.land.bureau(document.certificate.issuer).session
    stub = esign_pb2_grpc.CertificateServiceStub(agency.channel)
    request = esign_pb2.RevokeCertificateRequest(
        request_id=os.urandom(16).hex(), number=document.certificate.number, reason="签发有误"
    )
    await agency.call(stub.RevokeCertificate, request)
    assert await verdicts() == {"INVALID"}


async def test_an_upload_beyond_every_limit_costs_nothing(story: Story) -> None:
    """100 MB to the page and to the interface: refused at once with its reason, never read whole; people are served."""
    hub = story.land.running.hub
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"--b\r\ncontent-disposition: form-data; name=pdf; filename=a.pdf\r\n\r\n%PDF-1.7\n"
        while sent < REGULAR_UPLOAD:
            sent += 1 << 20
            yield bytes(1 << 20)

    began = time.monotonic()
    async with httpx.AsyncClient(verify=hub.tls(), base_url=hub.people_url, timeout=30) as http:
        headers = {"content-type": "multipart/form-data; boundary=b", "accept": "application/json"}
        with contextlib.suppress(httpx.TransportError):
            answer = await http.post("/verify/upload", content=endless(), headers=headers)
            assert answer.status_code == 413
        with contextlib.suppress(httpx.TransportError):
            answer = await http.post("/v1/verification:document", content=b'{"pdf":"' + b"A" * REGULAR_UPLOAD + b'"}')
            assert answer.status_code == 413
        page = await http.get("/verify")
    assert page.status_code == 200
    assert time.monotonic() - began < 20
    worker = story.land.parts()["web"]["pid"]
    status = Path(f"/proc/{worker}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 400 * 1024
