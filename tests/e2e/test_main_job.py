"""The main job on a whole hub, as one story: people are served, documents judged, operators work, and nobody sees more
than is theirs. The steps build on each other and run in order.
"""

import asyncio
import base64
import contextlib
import datetime as dt
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import nats
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.x509.oid import NameOID
from google.protobuf.json_format import MessageToDict, ParseDict

from examples.demo.setup import CERTIFICATE_ITEM
from examples.hub_client.credentials import Credentials
from examples.hub_client.session import Session, request_id
from examples.inner_mongolia.people import CITIZEN, FOREIGN_RESIDENT, RARE, RESIDENCE_PERMIT
from services.esign.licences.domain import jose, status_list
from shuniu.api.catalogue.v1 import item_pb2, item_pb2_grpc
from shuniu.api.esign.v1 import (
    esign_pb2,
    esign_pb2_grpc,
    flow_pb2,
    flow_pb2_grpc,
    licence_pb2,
    licence_pb2_grpc,
    seal_pb2,
    seal_pb2_grpc,
)
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc, query_pb2, query_pb2_grpc
from shuniu.api.identity.v1 import (
    person_pb2,
    person_pb2_grpc,
    platform_pb2,
    platform_pb2_grpc,
    signing_pb2,
    signing_pb2_grpc,
)
from shuniu.kit.testing import eventually
from tests.support import all_judges
from tests.support.hub import NATS_WEBSOCKET, Journey, Land, command, hub_with_region, program, refusal
from tests.support.in_clear import found_in_cells, found_in_files
from tests.support.licences import Wallet

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    *NATS_WEBSOCKET,
    # The first test pays for the hub.
    pytest.mark.timeout(180),
]
SERVED = 20
"""Every kind of person turns up among twenty, and the correction round twice."""
SERVICES = ("identity", "vault", "catalogue", "exchange", "esign")


@dataclass
class Story:
    """What earlier steps leave to later ones."""

    land: Land
    trust: Path
    journeys: list[Journey] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> Journey:
        return self.journeys[0]

    @property
    def second(self) -> Journey:
        return self.journeys[1]

    def pdfs(self) -> list[Path]:
        return sorted(self.land.certificates.glob("*.pdf"))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def story() -> AsyncIterator[Story]:
    async with hub_with_region(SERVED + 2) as land:
        trust = land.certificates.parent / "trust"
        assert (await land.command("trust", "--out", str(trust))).status == 0
        yield Story(land, trust)


async def judged(story: Story, pdf: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """`shuniu verify` with nothing of the hub but the trust directory: (exit status, its JSON)."""
    ran = await command("verify", str(pdf), *arguments, "--json", "--data", str(story.trust.parent / "no-hub"))
    return ran.status, ran.json if ran.out else {}


async def test_people_of_every_kind_are_served(story: Story) -> None:
    """Citizens, rare characters, minority names, foreign residents, permit holders, corrections: all end with a VALID
    document and an evaluation; each event took effect once.
    """
    kinds = {person.document_type for person in story.land.people[:SERVED]}
    assert {CITIZEN, FOREIGN_RESIDENT, RESIDENCE_PERMIT} <= kinds
    assert any(set(RARE) & set(person.name) for person in story.land.people[:SERVED])
    outcome = await story.land.serve(SERVED)
    assert outcome.failures == []
    assert [bureau.refused for bureau in story.land.stage.bureaus] == [[]] * 9
    for served in outcome.served:
        assert (served.verified_upload, served.verified_qr, served.evaluated) == (True, True, True)
    assert SERVED == len({served.certificate_number for served in outcome.served}) == len(story.pdfs())
    corrected = 0
    for bureau in story.land.stage.bureaus:
        stub = case_pb2_grpc.CaseServiceStub(bureau.session.channel)
        for served in outcome.served:
            with contextlib.suppress(grpc.aio.AioRpcError):
                asked = case_pb2.GetCaseRequest(case_code=served.case_code)
                case = (await bureau.session.call(stub.GetCase, asked)).case
                corrected += any(step.state == case_pb2.CASE_STATE_CORRECTION for step in case.steps)
    assert corrected == 2
    await story.land.settled()


async def test_two_more_people_stay_signed_in(story: Story) -> None:
    """Journeys of two people whose tokens and cases the following steps use."""
    story.journeys = [await story.land.journey(citizen) for citizen in story.land.next_citizens(2)]
    for journey in story.journeys:
        assert journey.case.state == case_pb2.CASE_STATE_DELIVERED
        assert journey.citizen.full_name not in journey.case.applicant_display
        assert journey.citizen.full_name[0] == journey.case.applicant_display[0]
    for number, journey in enumerate(story.journeys):
        story.secrets[f"token {number}"] = journey.token.rpartition(".")[2]


async def test_a_licence_shows_one_thing_of_its_holder(story: Story) -> None:
    """The same result as a licence: the bureau issues it to the wallet's key, the wallet shows one age, anybody judges
    it; suspended, it is INVALID and in the status list at once.
    """
    journey, wallet = story.first, Wallet()
    app, bureau = story.land.stage.app.session, story.land.bureau(journey.case.handler_platform).session
    there, here = (licence_pb2_grpc.LicenceCredentialServiceStub(one.channel) for one in (bureau, app))
    asked = await bureau.call(there.NewNonce, licence_pb2.NewNonceRequest())
    request = licence_pb2.IssueLicenceRequest(
        request_id=request_id(),
        case_code=journey.case.case_code,
        type="no_criminal_record",
        facts={"from": "2006-01-01", "to": "2026-11-20"},
        proof_jwt=wallet.proof(asked.audience, asked.nonce),
    )
    licence = (await bureau.call(there.IssueLicence, request)).licence
    question = licence_pb2.DownloadLicenceRequest(number=licence.number)
    given = await app.call(here.DownloadLicence, question, person=journey.token)
    wallet.keep(given.sd_jwt)

    async def judged_now() -> licence_pb2.VerifyPresentationResponse:
        nonce = (await app.call(here.NewNonce, licence_pb2.NewNonceRequest())).nonce
        return await app.call(
            here.VerifyPresentation,
            licence_pb2.VerifyPresentationRequest(
                request_id=request_id(),
                presentation=wallet.present("14", audience="https://shop.example", nonce=nonce, now_us=None),
                audience="https://shop.example",
                nonce=nonce,
            ),
        )

    answer = await judged_now()
    assert answer.verdict.verdict == "VALID", answer
    assert json.loads(answer.claims_json)["age_equal_or_over"] == {"14": True}
    assert not {"full_name", "document_number", "birth_date"} & set(json.loads(answer.claims_json))
    suspend = licence_pb2.SuspendLicenceRequest(request_id=request_id(), number=licence.number, reason="核查")
    await bureau.call(there.SuspendLicence, suspend)
    assert (await judged_now()).verdict.verdict == "INVALID"
    listed = await app.http.get(f"/v1/licences/status-lists/{licence.status_list_uri.rpartition('/')[2]}")
    assert (listed.status_code, listed.headers["content-type"]) == (200, "application/statuslist+jwt")
    assert licence.status_list_uri.startswith(story.land.settings["hub"]["issuer"])
    token = jose.parse(listed.text, status_list.TYP)
    assert status_list.expand(token.payload["status_list"]).at(licence.status_index) == status_list.Status.SUSPENDED


async def test_documents_are_valid_offline(story: Story) -> None:
    """`shuniu verify FILE --trust DIR` with no hub at hand: VALID and 0 for documents of all kinds of people."""
    pdfs = story.pdfs()
    chosen = pdfs[:: len(pdfs) // 3]
    found = await asyncio.gather(*(judged(story, pdf, "--trust", str(story.trust)) for pdf in chosen))
    for pdf, (status, verdict) in zip(chosen, found, strict=True):
        assert pdf.with_name(f"{pdf.name}.tlog-proof").exists()
        assert (status, verdict["verdict"]) == (0, "VALID"), verdict
        steps = {step["step"]: step["status"] for step in verdict["steps"]}
        assert all(set(step) == {"step", "status", "reason", "text", "zh", "en"} for step in verdict["steps"])
        assert pdf.with_name(f"{pdf.name}.ses").exists()
        assert steps["integrity"] == steps["chain"] == steps["ledger"] == steps["ses"] == "valid"
        assert verdict["as_of"]


@pytest.mark.filterwarnings("default")
async def test_every_independent_judge_calls_it_good_and_a_changed_one_bad(story: Story, tmp_path: Path) -> None:
    """Poppler, MuPDF, qpdf, OpenSSL, PDFBox with BouncyCastle, pyHanko and a strict timestamp client, each in its own
    words. With one byte of the page changed, no judge of the seal does, nor any of our paths.
    """
    root_pem = story.trust / "esign-root.pem"
    (root,) = x509.load_pem_x509_certificates(root_pem.read_bytes())
    pdf = story.pdfs()[0]
    good = await asyncio.to_thread(all_judges.verdicts, pdf, root, root_pem, tmp_path, all_judges.moment())
    assert [judge for judge, content in good.items() if not content] == []
    content = bytearray(pdf.read_bytes())
    content[content.index(b"/MediaBox[0 0 ") + 14] ^= 1
    forged = tmp_path / pdf.name
    forged.write_bytes(content)
    bad = await asyncio.to_thread(all_judges.verdicts, forged, root, root_pem, tmp_path, all_judges.moment())
    # qpdf judges form, the timestamp stands over the signature's value: neither speaks of the content.
    assert {judge for judge, content in bad.items() if content} <= {"qpdf", "openssl ts", "rfc3161-client"}


async def test_a_tampered_document_is_invalid(story: Story, tmp_path: Path) -> None:
    """One changed byte: INVALID and 1, offline and in the hub's own judgement."""
    pdf = story.pdfs()[0]
    content = bytearray(pdf.read_bytes())
    content[content.index(b"stream") + 40] ^= 1
    forged = tmp_path / pdf.name
    forged.write_bytes(content)
    forged.with_name(f"{pdf.name}.tlog-proof").write_bytes(pdf.with_name(f"{pdf.name}.tlog-proof").read_bytes())
    status, verdict = await judged(story, forged, "--trust", str(story.trust))
    assert (status, verdict["verdict"]) == (1, "INVALID")
    session = story.land.stage.app.session
    body = {"pdf": base64.b64encode(content).decode()}
    answer = await session.http.post("/v1/verification:document", json=body)
    assert answer.json()["verdict"]["verdict"] == "INVALID"


async def test_an_unknown_signer_is_not_valid(story: Story, tmp_path: Path) -> None:
    """Without trust in the signer: INDETERMINATE and 2; `--trust-any-signer` judges the rest and never says VALID."""
    pdf = story.pdfs()[0]
    for arguments in (("--trust", str(tmp_path)), ("--trust-any-signer",)):
        status, verdict = await judged(story, pdf, *arguments)
        assert (status, verdict["verdict"]) == (2, "INDETERMINATE"), arguments


async def test_what_is_no_document_is_unreadable(story: Story, tmp_path: Path) -> None:
    """Not a PDF, nothing at all, no file, no trust directory: 3."""
    (tmp_path / "text.pdf").write_text("no PDF")
    (tmp_path / "empty.pdf").write_bytes(b"")
    cases = [
        *((tmp_path / name, story.trust) for name in ("text.pdf", "empty.pdf", "absent.pdf")),
        (story.pdfs()[0], tmp_path / "absent"),
    ]
    for status, _ in await asyncio.gather(*(judged(story, pdf, "--trust", str(trust)) for pdf, trust in cases)):
        assert status == 3


async def test_a_document_is_signed_by_an_agency_and_a_person(story: Story) -> None:
    """A flow through the edge: the bureau seals, the person consents at identity and signs; the document verifies
    offline, and the counts stand up to a recount from the ledger.
    """
    land, journey = story.land, story.first
    bureau, app = land.bureau(journey.case.handler_platform).session, land.stage.app.session
    body = journey.token.split(".")[1]
    subject = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["sub"]
    flows, mine = flow_pb2_grpc.FlowServiceStub(bureau.channel), flow_pb2_grpc.FlowServiceStub(app.channel)
    begin = flow_pb2.BeginFlowRequest(
        request_id=request_id(),
        scenario="case_receipt",
        facts={
            "name": "测试",
            "reported_on": "2026年11月21日",
            "matter": "财物遗失",
            "case_number": "A1501020000002026110001",
            "contact": "110",
        },
        parties=[
            flow_pb2.Party(key="authority"),
            flow_pb2.Party(key="reporter", platform=app.credentials.code, subject=subject),
        ],
    )
    flow = (await bureau.call(flows.BeginFlow, begin)).flow
    item = {"flow": flow.id, "step": "reporter", "document_sha256": flow.document_sha256}
    consent = signing_pb2.AuthoriseSigningRequest(request_id=request_id(), items=[signing_pb2.SigningItem(**item)])
    signing = signing_pb2_grpc.SigningServiceStub(app.channel)
    token = (await app.call(signing.AuthoriseSigning, consent, person=journey.token)).authorisation
    steps = [flow_pb2.StepToSign(**item)]
    early = flow_pb2.SignStepsRequest(request_id=request_id(), steps=steps, authorisation=token)
    await refusal(app.call(mine.SignSteps, early, person=journey.token), "STEP_NOT_YET")
    sealing = flow_pb2.StepToSign(flow=flow.id, step="authority", document_sha256=flow.document_sha256)
    await bureau.call(flows.SignSteps, flow_pb2.SignStepsRequest(request_id=request_id(), steps=[sealing]))
    # The refusal took nothing: the same consent is still good, for the person alone.
    stolen = flow_pb2.SignStepsRequest(request_id=request_id(), steps=steps, authorisation=token)
    await refusal(app.call(mine.SignSteps, stolen, person=story.second.token), "AUTHORISATION_OTHER")
    again = flow_pb2.SignStepsRequest(request_id=request_id(), steps=steps, authorisation=token)
    await app.call(mine.SignSteps, again, person=journey.token)

    async def completed() -> bool:
        answer = await bureau.call(flows.GetFlow, flow_pb2.GetFlowRequest(id=flow.id))
        return bool(answer.flow.state == flow_pb2.FLOW_STATE_COMPLETED)

    await eventually(completed, within=30)
    wanted = flow_pb2.DownloadFlowRequest(id=flow.id)
    answer = await app.call(mine.DownloadFlow, wanted, person=journey.token)
    pdf = land.certificates.parent / "flow.pdf"
    pdf.write_bytes(answer.pdf)
    pdf.with_name("flow.pdf.tlog-proof").write_text(answer.tlog_proof)
    status, verdict = await judged(story, pdf, "--trust", str(story.trust))
    assert (status, verdict["verdict"]) == (0, "VALID"), verdict
    recount = await land.command("ledger", "recount", "--json")
    assert (recount.status, recount.json["agree"]) == (0, True), recount
    assert {"scenario": "case_receipt", "step": "", "outcome": "completed", "count": 1} in recount.json["counts"]


async def test_a_revoked_document_shows_at_once(story: Story) -> None:
    """Another bureau cannot revoke it; the issuer can, and the next verification says so, by QR and by upload."""
    journey, land = story.second, story.land
    stub_of = esign_pb2_grpc.CertificateServiceStub
    request = esign_pb2.RevokeCertificateRequest(request_id=request_id(), number=journey.number, reason="错发")
    stranger = land.other_bureau(journey.case.handler_platform).session
    await refusal(stranger.call(stub_of(stranger.channel).RevokeCertificate, request), "CERTIFICATE_UNKNOWN")
    issuer = land.bureau(journey.case.handler_platform).session
    answer = await issuer.call(stub_of(issuer.channel).RevokeCertificate, request)
    assert answer.certificate.state == "REVOKED"
    app = land.stage.app
    assert not await app._verify_qr(journey.document)
    assert not await app._verify_upload(journey.document)
    other = {"content": journey.document.certificate.qr}
    verdict = (await app.session.http.post("/v1/verification:qr", json=other)).json()["verdict"]
    assert verdict["verdict"] == "INVALID"
    # Once is enough.
    again = esign_pb2.RevokeCertificateRequest(request_id=request_id(), number=journey.number, reason="错发")
    await refusal(issuer.call(stub_of(issuer.channel).RevokeCertificate, again), "CERTIFICATE_STATE")


async def test_a_person_sees_who_saw_the_data(story: Story) -> None:
    """ListReveals names the agency, the case and the purpose; nobody else's."""
    session, journey = story.land.stage.app.session, story.first
    stub = person_pb2_grpc.RevealServiceStub(session.channel)
    answer = await session.call(stub.ListReveals, person_pb2.ListRevealsRequest(), person=journey.token)
    by_receiver = {reveal.receiver: reveal for reveal in answer.reveals}
    seen = by_receiver[journey.case.handler_platform]
    assert (journey.case.case_code, "审核无犯罪记录证明申请") == (seen.case_code, seen.purpose)
    assert {"full_name", "document_number"} <= set(seen.fields)
    assert "mps" in by_receiver
    assert {reveal.case_code for reveal in answer.reveals} <= {"", journey.case.case_code}


async def test_anothers_case_and_document_do_not_exist(story: Story) -> None:
    """A person asking for another's case or document hears the same as for one that never was."""
    session = story.land.stage.app.session
    cases = case_pb2_grpc.CaseServiceStub(session.channel)
    documents = esign_pb2_grpc.CertificateServiceStub(session.channel)
    other = story.second
    for code in (story.first.case.case_code, story.first.case.case_code[:-4] + "9999"):
        request = case_pb2.GetCaseRequest(case_code=code)
        error = await refusal(session.call(cases.GetCase, request, person=other.token), "CASE_UNKNOWN")
        assert error.code() is grpc.StatusCode.NOT_FOUND
    for number in (story.first.number, story.first.number[:-4] + "0000"):
        wanted = esign_pb2.DownloadCertificateRequest(number=number)
        await refusal(session.call(documents.DownloadCertificate, wanted, person=other.token), "CERTIFICATE_UNKNOWN")
    rows = await session.call(cases.ListCases, case_pb2.ListCasesRequest(), person=other.token)
    assert [other.case.case_code] == [case.case_code for case in rows.cases]


async def test_a_second_bureau_can_neither_move_nor_reveal(story: Story) -> None:
    """Only the agency that a case was routed to reads, moves and asks who the applicant is."""
    case = story.first.case
    stranger = story.land.other_bureau(case.handler_platform).session
    handling = case_pb2_grpc.CaseHandlingServiceStub(stranger.channel)
    move = case_pb2.MoveCaseRequest(
        request_id=request_id(), case_code=case.case_code, move=case_pb2.CASE_MOVE_REFUSE, note="不", officer="X-0001"
    )
    await refusal(stranger.call(handling.MoveCase, move), "CASE_UNKNOWN")
    cases = case_pb2_grpc.CaseServiceStub(stranger.channel)
    await refusal(stranger.call(cases.GetCase, case_pb2.GetCaseRequest(case_code=case.case_code)), "CASE_UNKNOWN")
    reveal = person_pb2.RevealApplicantRequest(
        request_id=request_id(), case_code=case.case_code, fields=["full_name"], purpose="好奇"
    )
    reveals = person_pb2_grpc.RevealServiceStub(stranger.channel)
    await refusal(stranger.call(reveals.RevealApplicant, reveal), "NOT_HANDLING_AGENCY")
    issue = esign_pb2.IssueCertificateRequest(request_id=request_id(), case_code=case.case_code)
    documents = esign_pb2_grpc.CertificateServiceStub(stranger.channel)
    await refusal(stranger.call(documents.IssueCertificate, issue), "NOT_HANDLING_AGENCY")


async def test_a_case_is_evaluated_once(story: Story) -> None:
    """The same request again is the same answer; another one is refused."""
    session, journey = story.land.stage.app.session, story.first
    stub = case_pb2_grpc.CaseServiceStub(session.channel)
    request = case_pb2.EvaluateCaseRequest(
        request_id=request_id(), case_code=journey.case.case_code, level=2, channel=case_pb2.CHANNEL_APP
    )
    first = await session.call(stub.EvaluateCase, request, person=journey.token)
    assert first == await session.call(stub.EvaluateCase, request, person=journey.token)
    request.request_id = request_id()
    await refusal(session.call(stub.EvaluateCase, request, person=journey.token), "CASE_EVALUATED")


async def test_rest_gives_the_answers_of_grpc(story: Story) -> None:
    """The same question over HTTPS and JSON and over gRPC has one answer, refusals included."""
    session, journey = story.land.stage.app.session, story.first
    cases = case_pb2_grpc.CaseServiceStub(session.channel)
    items = item_pb2_grpc.ItemServiceStub(session.channel)
    platforms = platform_pb2_grpc.PlatformServiceStub(session.channel)
    trust = esign_pb2_grpc.VerificationServiceStub(session.channel)
    code, division = journey.case.case_code, journey.citizen.division
    search = item_pb2.SearchItemsRequest(query=CERTIFICATE_ITEM, division=division, page_size=5)
    own = await session.token()
    questions: list[tuple[str, Any, Any, str]] = [
        (f"/v1/cases/{code}", cases.GetCase, case_pb2.GetCaseRequest(case_code=code), journey.token),
        ("/v1/me/cases", cases.ListCases, case_pb2.ListCasesRequest(), journey.token),
        (f"/v1/items:search?query={CERTIFICATE_ITEM}&division={division}&pageSize=5", items.SearchItems, search, own),
        ("/v1/platforms/mengsuban", platforms.GetPlatform, platform_pb2.GetPlatformRequest(code="mengsuban"), own),
        ("/v1/verification/trust", trust.GetTrust, esign_pb2.GetTrustRequest(), own),
    ]
    for path, method, request, token in questions:
        over_grpc = await session.call(method, request, person=token)
        over_rest = await session.http.get(path, headers={"authorization": f"Bearer {token}"})
        assert over_rest.status_code == 200, (path, over_rest.text)
        parsed = type(over_grpc)()
        # Through the message, so that the order of maps and unset fields say nothing.
        ParseDict(over_rest.json(), parsed)
        assert MessageToDict(over_grpc) == MessageToDict(parsed), path
    unknown = f"/v1/cases/{code[:-4]}9999"
    answer = await session.http.get(unknown, headers={"authorization": f"Bearer {journey.token}"})
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (404, "CASE_UNKNOWN")


async def test_operators_see_how_the_hub_is(story: Story) -> None:
    """`status`, `doctor`, `platform list`, `events dead`, `audit verify`, `ledger verify`: JSON, 0 when all is well."""
    names = ("status", "doctor", "platform list", "events dead", "audit verify", "ledger verify")
    ran = await asyncio.gather(*(story.land.command(*name.split(), "--json") for name in names))
    answers = {name: one.json for name, one in zip(names, ran, strict=True)}
    failed = {name: (one.out, one.err) for name, one in zip(names, ran, strict=True) if one.status}
    assert failed == {}
    assert answers["status"]["ready"]
    parts = {part["name"]: part for part in answers["status"]["parts"]}
    assert {"nats", "edge", "web", *SERVICES} == set(parts)
    assert all(parts[name]["version"] and not parts[name]["restarts"] for name in SERVICES)
    assert sum(parts[name]["dead_letters"] for name in SERVICES) == 0
    assert answers["doctor"]["ok"]
    assert {"what", "level", "found", "mend"} == set(answers["doctor"]["findings"][0])
    codes = {row["code"] for row in answers["platform list"]["platforms"]}
    assert {"mengsuban", "mps", "150000-ga"} < codes
    assert answers["events dead"] == {"dead_letters": []}
    assert answers["audit verify"]["intact"]
    assert all(row["records"] > 0 for name, row in answers["audit verify"]["services"].items() if name != "vault")
    assert answers["ledger verify"]["intact"]
    assert answers["ledger verify"]["size"] > SERVED


async def test_a_case_is_traced_across_services_and_bus(story: Story) -> None:
    """`trace CASE` tells every event of the case, to whom it went and that its receipt came; 1 for an unknown case."""
    ran = await story.land.command("trace", story.second.case.case_code, "--json")
    assert ran.status == 0
    entries = ran.json["entries"]
    types = [entry["type"] for entry in entries]
    assert types[0] == "shuniu.exchange.case.submitted.v1"
    assert "shuniu.exchange.case.moved.v1" in types
    targets = {entry["target"] for entry in entries}
    assert {story.second.case.handler_platform, "mengsuban"} <= targets
    to_bureau = [entry for entry in entries if entry["target"] == story.second.case.handler_platform]
    assert all(entry["state"] == "RECEIPTED" and entry["receipted_at"] for entry in to_bureau)
    assert (await story.land.command("trace", "0" * 43, "--json")).status == 1


async def test_wrong_use_and_wrong_settings_have_their_own_exit(story: Story, tmp_path: Path) -> None:
    """64 for wrong use, with the usage; 78 with one line that names file and key."""
    wrong_uses: tuple[tuple[str, ...], ...] = (("no-such-command",), ("verify",), ("events", "replay", "nobody"))
    for ran in await asyncio.gather(*(command(*arguments) for arguments in wrong_uses)):
        assert (ran.status, ran.out) == (64, "")
        assert "usage: shuniu" in ran.err
    settings = (story.land.running.data / "hub.toml").read_text()
    wrong = {
        "no_such_key": settings.replace("[hub]\n", "[hub]\nno_such_key = 1\n"),
        "people": settings.replace('people = "', 'peple = "'),
        "bus_url": settings.replace("[exchange]\nbus_url =", "[exchange]\nbus_url = 7 #"),
    }

    async def started(key: str, text: str) -> None:
        data = tmp_path / key
        data.mkdir()
        (data / "hub.toml").write_text(text)
        if key == "bus_url":
            ran = await program(sys.executable, "-m", "services.exchange", "--config", str(data / "hub.toml"))
        else:
            ran = await command("up", "--data", str(data))
        assert (ran.status, len(ran.err.strip().splitlines())) == (78, 1), ran.err
        assert str(data / "hub.toml") in ran.err
        assert key in ran.err

    await asyncio.gather(*(started(key, text) for key, text in wrong.items()))
    ran = await command("status", "--data", str(tmp_path / "nothing"))
    assert (ran.status, len(ran.err.strip().splitlines())) == (78, 1)


async def test_keys_are_rotated_without_anybody_noticing(story: Story) -> None:
    """`keys rotate` names the next token key and when it signs, which is after every cached JWKS is renewed; tokens of
    the old key stay good.
    """
    ran = await story.land.command("keys", "rotate", "--json")
    assert ran.status == 0, ran.err
    session = story.land.stage.app.session
    published = await session.http.get("/oauth2/jwks")
    kept_for = int(published.headers["cache-control"].partition("max-age=")[2].partition(",")[0])
    starts = dt.datetime.fromisoformat(ran.json["active_from"])
    assert starts > dt.datetime.now(dt.UTC) + dt.timedelta(seconds=kept_for)
    stub = case_pb2_grpc.CaseServiceStub(session.channel)
    request = case_pb2.GetCaseRequest(case_code=story.first.case.case_code)
    assert (await session.call(stub.GetCase, request, person=story.first.token)).case.case_code
    stored = await story.land.command("keys", "rotate", "--storage", "--json")
    assert (0, {"identity", "vault", "exchange"}) == (stored.status, set(stored.json["keys"])), stored.err


async def test_a_backup_of_the_running_hub_can_be_restored(story: Story, tmp_path: Path) -> None:
    """`backup` while it runs, `restore` elsewhere: every store with a raised epoch, ledger and audit chains intact."""
    file = tmp_path / "hub.tar.gz"
    made = await story.land.command("backup", str(file), "--json")
    assert made.status == 0, made.err
    assert made.json["files"] > 20
    assert file.stat().st_mode & 0o077 == 0
    place = tmp_path / "restored"
    restored = await command("restore", str(file), "--data", str(place), "--json")
    assert restored.status == 0, restored.err
    assert all(epoch == 2 for epoch in restored.json["epochs"].values())
    assert set(SERVICES) == set(restored.json["epochs"])
    ledger, audit = await asyncio.gather(
        command("ledger", "verify", "--json", "--data", str(place)),
        command("audit", "verify", "--json", "--data", str(place)),
    )
    assert (ledger.status, audit.status) == (0, 0), (ledger.out, audit.out, audit.err)
    again = await command("restore", str(file), "--data", str(place))
    assert again.status == 78


async def test_a_suspended_platform_is_out_within_a_second(story: Story) -> None:
    """REST, gRPC, an open provider stream and a bus session all end within a second; resumed, it works again."""
    land, code = story.land, "trial"
    enrolled = await land.command("platform", "enrol", code, "--name", "试点平台", "--role", "provider", "--json")
    assert enrolled.status == 0, enrolled.err
    directory = Path(enrolled.json["credentials"])
    probed = await land.command("platform", "test", code, "--json")
    assert (probed.status, probed.json["ok"]) == (0, True), probed.out
    assert [step["step"] for step in probed.json["steps"]] == ["token", "grpc", "rest", "bus"]
    session = Session(land.running.hub, Credentials.load(code, directory))
    ended: dict[str, float] = {}
    try:
        token = await session.token()
        story.secrets["token of a platform"] = token.rpartition(".")[2]
        stream = query_pb2_grpc.ProviderServiceStub(session.channel).Serve(
            metadata=(("authorization", f"Bearer {token}"),)
        )
        await stream.write(query_pb2.ServeRequest())
        bus = await nats.connect(
            f"nats://{land.running.hub.bus}",
            user_credentials=str(session.credentials.creds_file),
            allow_reconnect=False,
            error_cb=_nothing,
        )
        platforms = platform_pb2_grpc.PlatformServiceStub(session.channel)
        ask = platform_pb2.GetPlatformRequest(code=code)

        async def over_rest() -> bool:
            answer = await session.http.get(f"/v1/platforms/{code}", headers={"authorization": f"Bearer {token}"})
            return answer.status_code == 403

        async def over_grpc() -> bool:
            try:
                await platforms.GetPlatform(ask, metadata=(("authorization", f"Bearer {token}"),), timeout=5)
            except grpc.aio.AioRpcError as error:
                return error.code() is grpc.StatusCode.PERMISSION_DENIED
            return False

        async def on_stream() -> bool:
            with contextlib.suppress(grpc.aio.AioRpcError):
                assert await stream.read() is grpc.aio.EOF
            return True

        async def on_bus() -> bool:
            return bus.is_closed

        assert not await over_rest()
        assert not await over_grpc()
        security = land.running.operator("security")
        admin = platform_pb2_grpc.PlatformAdminServiceStub(security.channel)
        request = platform_pb2.SuspendPlatformRequest(request_id=request_id(), code=code, reason="测试")
        await security.call(admin.SuspendPlatform, request)
        answered = time.monotonic()

        async def watch(name: str, out: Any) -> None:
            await eventually(out, within=5, message=f"{name} refuses")
            ended[name] = time.monotonic() - answered

        await asyncio.gather(
            watch("rest", over_rest), watch("grpc", over_grpc), watch("stream", on_stream), watch("bus", on_bus)
        )
        await security.close()
        assert max(ended.values()) < 1.0, ended
        refused = await land.command("platform", "test", code, "--json")
        assert refused.status == 1
        assert not any(step["ok"] for step in refused.json["steps"])
        resumed = await land.command("platform", "resume", code, "--json")
        assert (resumed.status, resumed.json["state"]) == (0, "ACTIVE")

        async def works() -> bool:
            return (await land.command("platform", "test", code, "--json")).status == 0

        await eventually(works, within=10, message="the resumed platform works again")
        suspended = await land.command("platform", "suspend", code, "--reason", "试点结束", "--json")
        assert (suspended.status, suspended.json["state"]) == (0, "SUSPENDED")
        await bus.close()
    finally:
        await session.close()


async def _nothing(_error: Exception) -> None:
    """The bus says that it ends the session: that is what is waited for."""


async def test_a_person_has_a_seal_with_their_name(story: Story, tmp_path: Path) -> None:
    """Applied for through the app with the person's token, reviewed and made by two operators; the name comes from the
    vault and is shown to that person alone.
    """
    # A square seal holds six characters at most.
    other, journey = sorted(story.journeys, key=lambda one: len(one.citizen.full_name), reverse=True)
    land, app = story.land, story.land.stage.app.session
    stub = seal_pb2_grpc.PersonalSealServiceStub(app.channel)
    apply = seal_pb2.ApplyPersonalSealRequest(request_id=request_id())
    seal = (await app.call(stub.ApplyPersonalSeal, apply, person=journey.token)).seal
    for verb in ("review", "make"):
        ran = await land.command("seal", verb, seal.id)
        assert ran.status == 0, ran.err
    listed = await app.call(stub.ListPersonalSeals, seal_pb2.ListPersonalSealsRequest(), person=journey.token)
    (mine,) = listed.seals
    subject = x509.load_pem_x509_certificate(mine.certificate_pem.encode()).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == journey.citizen.full_name
    ask = esign_pb2.GetSealPictureRequest(id=seal.id)
    seals = esign_pb2_grpc.SealServiceStub(app.channel)
    assert (await app.call(seals.GetSealPicture, ask, person=journey.token)).width_mm == 20
    await refusal(app.call(seals.GetSealPicture, ask, person=other.token), "SEAL_UNKNOWN")
    refused = await land.command("seal", "picture", seal.id, str(tmp_path / "seal.png"))
    assert (refused.status, "SEAL_UNKNOWN" in refused.err) == (1, True)
    shown = (await land.command("seal", "show", seal.id)).out
    assert journey.citizen.full_name not in shown


async def test_a_stolen_seal_key_is_dealt_with(story: Story, tmp_path: Path) -> None:
    """One command stops the thief and names what to repair; two operators make the successor; whoever fetches the trust
    anew finds what was sealed since the theft INVALID, offline too.
    """
    land, number, issuer = story.land, story.second.number, story.second.document.certificate.issuer
    listed = (await land.command("seal", "list", "--json")).json["seals"]
    (seal,) = (one for one in listed if one["owner"] == issuer)
    since = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).isoformat(timespec="seconds")
    ran = await land.command("seal", "compromised", seal["id"], "--since", since, "--json")
    assert ran.status == 0, ran.err
    assert number in {document["number"] for document in ran.json["documents"]}
    successor = ran.json["successor"]["id"]
    for verb in ("review", "make"):
        assert (await land.command("seal", verb, successor)).status == 0
    shown = (await land.command("seal", "show", successor, "--json")).json
    assert [change["actor"] for change in shown["changes"]] == ["security", "system", "security", "security"]
    trust, pdf = tmp_path / "trust", tmp_path / "sealed.pdf"
    assert (await land.command("trust", "--out", str(trust))).status == 0
    pdf.write_bytes(story.second.document.pdf)
    pdf.with_name("sealed.pdf.tlog-proof").write_text(story.second.document.tlog_proof)
    status, verdict = await judged(story, pdf, "--trust", str(trust))
    assert status == 1, verdict
    assert {s["step"]: s["reason"] for s in verdict["steps"]}["seal_then"] == "CERTIFICATE_REVOKED"


async def test_nothing_personal_lies_in_clear_anywhere(story: Story) -> None:
    """No number, name, password or token of anybody in any database, log, stream or ledger file: only the vault has
    them, encrypted, and the issued documents print them.
    """
    data = story.land.running.data
    words = dict(story.secrets)
    for serial, person in enumerate(story.land.people, start=1):
        words[f"number of {serial}"] = person.number
        words[f"name of {serial}"] = person.name
        words[f"password of {serial}"] = person.password
    databases = sorted((data / "db").glob("*.db"))
    assert set(SERVICES) == {path.stem for path in databases}
    # The search itself finds what is there: a case code, and a masked name.
    control = {"case": story.first.case.case_code, "masked": story.first.case.applicant_display}
    found = found_in_cells(databases, control)
    assert {"case in exchange.case_file.case_code", "case in esign.certificate.case_code"} <= set(found)
    assert any(place.startswith("masked in exchange.case_file") for place in found)
    assert found_in_files(data, {"case": story.first.case.case_code})

    assert found_in_cells(databases, words) == []
    assert found_in_files(data, words) == []
    assert found_in_files(story.land.run_dir, words) == []
