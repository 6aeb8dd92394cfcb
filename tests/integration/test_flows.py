"""Flows through gRPC: a real esign process, persons with real assertions, a real ledger."""

import asyncio
import base64
import contextlib
import io
import re
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import ECKey
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from services.esign import commands
from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome
from services.esign.flows.domain.life import Role
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc
from shuniu.api.esign.v1 import flow_pb2 as pb
from tests.support.documents import update
from tests.support.esign import page, sealed, small_pdf
from tests.support.flow_land import APP, BUREAU, OTHER, SCENARIOS, FlowLand, beginning, caller, flow_land, request_id
from tests.support.hub import details_of, program, refusal
from tests.support.verdicts import judged


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def land() -> AsyncIterator[FlowLand]:
    async with flow_land() as found:
        yield found


pytestmark = pytest.mark.asyncio(loop_scope="module")


def verdict_on(land: FlowLand, pdf: bytes, receipt: str) -> Any:
    secrets = land.secrets
    trust = Trust((secrets.seal_ca.root,), (secrets.ledger.verifier,))
    return judged(pdf, trust=trust, now_us=time.time_ns() // 1000, receipt=receipt or None)


def verifications(land: FlowLand) -> esign_pb2_grpc.VerificationServiceStub:
    return esign_pb2_grpc.VerificationServiceStub(land.channel)


async def through(land: FlowLand, flow: pb.Flow) -> pb.Flow:
    """Everybody signs as soon as it is his turn, everybody of a group at once."""
    while flow.state == pb.FLOW_STATE_OPEN:
        ready = [step.key for step in flow.steps if step.ready]
        assert ready, flow
        await asyncio.gather(*(land.sign(flow, key) for key in ready))
        flow = await land.get(flow.id)
    return await land.completed(flow.id)


@pytest.mark.parametrize("code", sorted(SCENARIOS))
async def test_each_scenario_runs_to_its_end(land: FlowLand, code: str) -> None:
    """From the first party to the last, in its own order, to one logged document that judges as VALID."""
    flow = await through(land, await land.begin(code))
    answer = await land.download(flow.id)
    assert flow.final_sha256 == sha256(answer.pdf).hexdigest()
    verdict = verdict_on(land, answer.pdf, answer.tlog_proof)
    assert verdict.outcome is Outcome.VALID, [(step.step, step.reason) for step in verdict.steps]
    asked = await verifications(land).VerifyDocument(esign_pb2.VerifyDocumentRequest(pdf=answer.pdf), timeout=30)
    assert (asked.verdict.verdict, asked.verdict.document["number"]) == ("VALID", flow.id), asked
    signers = sum(step.role is Role.SIGNER for step in SCENARIOS[code].steps)
    assert flow.revision == signers + 1


async def test_order_is_the_servers(land: FlowLand) -> None:
    """Nobody signs before his turn or twice, and another's step is nobody else's; each hears why."""
    flow = await land.begin("household_migration")
    early = await refusal(land.sign(flow, "authority"), "STEP_NOT_YET")
    assert details_of(early)[1]["waiting_for"] == "applicant,officer"
    await refusal(land.sign(flow, "applicant", subject="somebody-else"), "FLOW_UNKNOWN")
    await refusal(land.sign(flow, "applicant", subject="officer1"), "STEP_NOT_YOURS")
    await land.sign(flow, "applicant")
    await refusal(land.sign(flow, "applicant"), "STEP_DONE")
    await refusal(land.sign(flow, "authority"), "STEP_NOT_YET")
    await land.sign(flow, "officer")
    await refusal(land.sign(flow, "authority", platform=OTHER), "FLOW_UNKNOWN")
    await land.sign(flow, "authority")
    await land.completed(flow.id)


async def test_consent_is_bound_to_person_document_level_and_time(land: FlowLand) -> None:
    """Every wrong assertion is refused with its reason and leaves the step as it was."""
    flow = await land.begin("exit_entry_authorisation")
    other = await land.begin("exit_entry_authorisation")
    subject = "subject-principal"
    item = (flow.id, "principal", flow.document_sha256)
    wrong = sha256(b"another document").hexdigest()
    make = land.identity.assertion
    thief = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"}, private=True)
    refusals = {
        "AUTHORISATION_EXPIRED": [make(subject, [item], age=301)],
        "AUTHORISATION_INVALID": [
            make(subject, [item], key=thief),
            make(subject, [item], typ="at+jwt"),
            make(subject, [item], aud="shuniu"),
            make(subject, [item], iss="https://elsewhere"),
            "x.y.z",
            make(subject, [item])[:-4] + "AAAA",
            # Deeper than any reader of JSON goes.
            base64.urlsafe_b64encode(b"[" * 6000).decode() + ".y.z",
        ],
        "AUTHORISATION_OTHER": [
            make("subject-agent", [item]),
            make(subject, [item], platform=BUREAU),
            make(subject, [(flow.id, "principal", wrong)]),
            make(subject, [(flow.id, "agent", flow.document_sha256)]),
            make(subject, [(other.id, "principal", other.document_sha256)]),
            make(subject, [item, (other.id, "principal", other.document_sha256)]),
        ],
        "ASSURANCE_TOO_LOW": [make(subject, [item], ial=1), make(subject, [item], aal=0)],
    }
    for reason, tokens in refusals.items():
        for token in tokens:
            await refusal(land.sign(flow, "principal", authorisation=token), reason)
    # A consent for exactly the wrong document: it is not the flow's.
    await refusal(land.sign(flow, "principal", document_sha256=wrong), "DOCUMENT_CHANGED")
    await refusal(land.sign(flow, "principal", authorisation=" "), "AUTHORISATION_INVALID")
    now = await land.get(flow.id)
    assert [step.state for step in now.steps if step.role == pb.PARTY_ROLE_SIGNER] == [pb.STEP_STATE_WAITING] * 2


async def test_an_assertion_works_once(land: FlowLand) -> None:
    """Used, it signs nothing else; the same request again gets the same flow and signs nothing more."""
    flow = await land.begin("exit_entry_authorisation")
    token = land.identity.assertion("subject-principal", [(flow.id, "principal", flow.document_sha256)])
    again = request_id()
    signed = await land.sign(flow, "principal", authorisation=token, request_id=again)
    repeated = await land.sign(flow, "principal", authorisation=token, request_id=again)
    assert (signed.revision, repeated.revision) == (1, 1)
    await refusal(land.sign(flow, "principal", authorisation=token), "AUTHORISATION_USED")
    await refusal(land.sign(flow, "principal"), "STEP_DONE")
    spent = await land.begin("exit_entry_authorisation")
    items = [(spent.id, "principal", spent.document_sha256)]
    await land.sign(
        spent, "principal", authorisation=land.identity.assertion("subject-principal", items, jti="spent-once")
    )
    fresh = await land.begin("exit_entry_authorisation")
    same_id = land.identity.assertion(
        "subject-principal", [(fresh.id, "principal", fresh.document_sha256)], jti="spent-once"
    )
    await refusal(land.sign(fresh, "principal", authorisation=same_id), "AUTHORISATION_USED")


async def test_many_documents_under_one_authorisation(land: FlowLand) -> None:
    """One assertion signs a list of flows, all of them or none, and only in the order it names."""
    flows = [await land.begin("exit_entry_authorisation") for _ in range(6)]
    items = [(flow.id, "principal", flow.document_sha256) for flow in flows]
    who = caller("person", APP, "subject-principal")

    def request(token: str, wanted: list[tuple[str, str, str]]) -> pb.SignStepsRequest:
        steps = [pb.StepToSign(flow=a, step=b, document_sha256=c) for a, b, c in wanted]
        return pb.SignStepsRequest(request_id=request_id(), steps=steps, authorisation=token)

    token = land.identity.assertion("subject-principal", items)
    await refusal(land.flows.SignSteps(request(token, items[::-1]), metadata=who, timeout=30), "AUTHORISATION_OTHER")
    # One of them cannot be signed any more: none is, and the assertion is still good for nothing else than this list.
    await land.flows.WithdrawFlow(
        pb.WithdrawFlowRequest(request_id=request_id(), id=flows[5].id, reason="错误"),
        metadata=caller("platform", BUREAU),
        timeout=10,
    )
    await refusal(land.flows.SignSteps(request(token, items), metadata=who, timeout=30), "FLOW_STATE")
    assert (await land.get(flows[0].id)).revision == 0
    token = land.identity.assertion("subject-principal", items[:5])
    answer = await land.flows.SignSteps(request(token, items[:5]), metadata=who, timeout=60)
    assert [flow.revision for flow in answer.flows] == [1] * 5
    assert [flow.id for flow in answer.flows] == [flow.id for flow in flows[:5]]
    twice = [items[0], items[0]]
    await refusal(
        land.flows.SignSteps(
            request(land.identity.assertion("subject-principal", twice), twice), metadata=who, timeout=30
        ),
        "STEP_COUNT",
    )


async def test_reject_withdraw_and_what_they_leave(land: FlowLand) -> None:
    """A refusal and a withdrawal end the flow with their reason; nothing can be signed or had afterwards."""
    flow = await land.begin("household_migration")
    who = caller("person", APP, "subject-applicant")
    reject = pb.RejectStepRequest(request_id=request_id(), id=flow.id, step="applicant", reason="内容有误")
    await refusal(
        land.flows.RejectStep(
            pb.RejectStepRequest(request_id=request_id(), id=flow.id, step="officer", reason="x"),
            metadata=caller("person", APP, "officer1"),
            timeout=10,
        ),
        "STEP_NOT_YET",
    )
    ended = (await land.flows.RejectStep(reject, metadata=who, timeout=10)).flow
    assert (ended.state, ended.reason) == (pb.FLOW_STATE_REJECTED, "内容有误")
    await refusal(land.sign(flow, "applicant"), "FLOW_STATE")
    other = await land.begin("household_migration")
    await land.sign(other, "applicant")
    withdraw = pb.WithdrawFlowRequest(request_id=request_id(), id=other.id, reason="重新制作")
    await refusal(land.flows.WithdrawFlow(withdraw, metadata=caller("platform", OTHER), timeout=10), "FLOW_UNKNOWN")
    gone = (await land.flows.WithdrawFlow(withdraw, metadata=caller("platform", BUREAU), timeout=10)).flow
    assert gone.state == pb.FLOW_STATE_WITHDRAWN
    await refusal(land.sign(other, "officer"), "FLOW_STATE")
    finished = await through(land, await land.begin("temporary_identity"))
    late = pb.WithdrawFlowRequest(request_id=request_id(), id=finished.id, reason="晚了")
    await refusal(land.flows.WithdrawFlow(late, metadata=caller("platform", BUREAU), timeout=10), "FLOW_STATE")
    silent = pb.WithdrawFlowRequest(request_id=request_id(), id=finished.id, reason=" ")
    await refusal(land.flows.WithdrawFlow(silent, metadata=caller("platform", BUREAU), timeout=10), "REASON_REQUIRED")


async def test_a_draft_is_its_platforms_alone(land: FlowLand) -> None:
    """A draft can be read and opened or withdrawn by its platform; nobody else knows of it."""
    draft = await land.begin("household_migration", draft=True)
    assert draft.state == pb.FLOW_STATE_DRAFT
    assert sha256((await land.download(draft.id)).pdf).hexdigest() == draft.document_sha256
    await refusal(land.sign(draft, "applicant"), "FLOW_UNKNOWN")
    person = caller("person", APP, "subject-applicant")
    await refusal(land.flows.GetFlow(pb.GetFlowRequest(id=draft.id), metadata=person, timeout=10), "FLOW_UNKNOWN")
    opened = await land.flows.OpenFlow(
        pb.OpenFlowRequest(request_id=request_id(), id=draft.id), metadata=caller("platform", BUREAU), timeout=10
    )
    assert opened.flow.state == pb.FLOW_STATE_OPEN
    assert [step.key for step in opened.flow.steps if step.ready] == ["applicant"]
    seen = await land.flows.GetFlow(pb.GetFlowRequest(id=draft.id), metadata=person, timeout=10)
    assert [step.key for step in seen.flow.steps if step.mine] == ["applicant"]


async def test_roles_see_what_is_theirs(land: FlowLand) -> None:
    """A viewer reads at any time, a copy is had when the flow is completed, strangers have nothing."""
    flow = await land.begin("no_criminal_record")
    copy = caller("person", APP, "subject-applicant")
    await refusal(land.download(flow.id, copy), "FLOW_STATE")
    await refusal(land.download(flow.id, caller("platform", OTHER)), "FLOW_UNKNOWN")
    await refusal(land.download(flow.id, caller("person", APP, "somebody")), "FLOW_UNKNOWN")
    viewed = await land.begin("exit_entry_authorisation")
    assert (await land.download(viewed.id, caller("platform", OTHER))).pdf
    await through(land, flow)
    answer = await land.download(flow.id, copy)
    assert answer.tlog_proof.startswith("c2sp.org/tlog-proof@v1")
    listed = await land.flows.ListFlows(pb.ListFlowsRequest(page_size=1), metadata=copy, timeout=10)
    assert len(listed.flows) == 1
    assert listed.next_page_token
    more = pb.ListFlowsRequest(page_size=1, page_token=listed.next_page_token)
    following = await land.flows.ListFlows(more, metadata=copy, timeout=10)
    assert following.flows[0].id < listed.flows[0].id


async def test_an_uploaded_document_is_signed_as_it_is(land: FlowLand) -> None:
    """A foreign PDF, with either kind of cross-reference: its bytes stay, signatures come after them."""
    for pdf in (page(), small_pdf(), small_pdf(xref_stream=True)):
        flow = await land.begin("data_sharing_authorisation", facts={}, pdf=pdf)
        done = await through(land, flow)
        answer = await land.download(done.id)
        assert answer.pdf.startswith(pdf)
        verdict = verdict_on(land, answer.pdf, answer.tlog_proof)
        assert verdict.outcome is Outcome.VALID, [(step.step, step.reason) for step in verdict.steps]


def hiding() -> list[bytes]:
    """Documents that show something else than they hold."""
    overlay = b"/Annots[<</Type/Annot/Subtype/FreeText/Rect[0 0 200 200]/Contents(other)>>]"
    plain = small_pdf()
    return [
        small_pdf(page_entries=overlay),
        small_pdf(page_entries=b"/AA<</O<</S/JavaScript/JS(1)>>>>"),
        update(plain, {3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Resources<<>>>>"}),
        sealed(),
    ]


async def test_what_a_document_hides_is_found_before_anybody_signs(land: FlowLand) -> None:
    """Shadow content, active content, signed or broken documents are refused with what was found."""
    asking = land.flows.BeginFlow
    who = caller("platform", BUREAU)
    for pdf in (b"no pdf", b"%PDF-1.7\n" + bytes(3000), *hiding()):
        request = beginning("data_sharing_authorisation", facts={}, pdf=pdf)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await asking(request, metadata=who, timeout=30)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await refusal(asking(beginning("case_receipt", facts={}, pdf=page()), metadata=who, timeout=30), "UPLOAD_REFUSED")


async def test_what_is_wrong_with_a_beginning_is_said_at_once(land: FlowLand) -> None:
    """Unknown scenarios, parties, subjects, facts and seals are refused by name before anything is kept."""
    who = caller("platform", BUREAU)
    begin = land.flows.BeginFlow
    await refusal(begin(pb.BeginFlowRequest(request_id=request_id(), scenario="no"), metadata=who), "SCENARIO_UNKNOWN")
    wrong = beginning("case_receipt", parties=[pb.Party(key="authority", subject="s"), pb.Party(key="king")])
    error = await refusal(begin(wrong, metadata=who), "INVALID_REQUEST")
    assert Counter(details_of(error)[2].values()) == Counter(["PLATFORM_WANTED", "PARTY_UNKNOWN", "PARTY_MISSING"])
    nobody = beginning("case_receipt", parties=[pb.Party(key="authority"), pb.Party(key="reporter", subject="nobody")])
    await refusal(begin(nobody, metadata=who), "SUBJECT_UNKNOWN")
    await refusal(begin(beginning("case_receipt", facts={}), metadata=who), "FACTS")
    sealless = beginning("case_receipt", parties=[pb.Party(key="authority"), pb.Party(key="reporter", subject="x")])
    await refusal(begin(sealless, metadata=caller("platform", APP)), "SEAL_STATE")
    rare = beginning("case_receipt", facts={"name": "\U0001f600"} | dict.fromkeys(_FACTS, "某"))
    await refusal(begin(rare, metadata=who), "CHARACTER_NOT_COVERED")


_FACTS = ("reported_on", "matter", "case_number", "contact")


async def test_reminders_are_not_sent_in_a_row(land: FlowLand) -> None:
    """A platform reminds, and cannot do so again within ten minutes; an ended flow is not reminded of."""
    flow = await land.begin("household_migration")
    remind = land.flows.RemindFlow
    who = caller("platform", BUREAU)
    await remind(pb.RemindFlowRequest(request_id=request_id(), id=flow.id), metadata=who, timeout=10)
    await refusal(remind(pb.RemindFlowRequest(request_id=request_id(), id=flow.id), metadata=who), "REMINDED_LATELY")
    done = await through(land, await land.begin("temporary_identity"))
    await refusal(remind(pb.RemindFlowRequest(request_id=request_id(), id=done.id), metadata=who), "FLOW_STATE")


async def test_a_crowd_signs_one_document(land: FlowLand) -> None:
    """The same parties twenty times at once, and the platform taking it back: one signature each and one end."""
    for withdraws in (False, True):
        flow = await land.begin("mediation_agreement")

        async def attempt(key: str, flow: pb.Flow = flow) -> str:
            try:
                await land.sign(flow, key)
            except grpc.aio.AioRpcError as error:
                return details_of(error)[0]
            return "SIGNED"

        async def withdraw(flow: pb.Flow = flow) -> str:
            request = pb.WithdrawFlowRequest(request_id=request_id(), id=flow.id, reason="收回")
            await land.flows.WithdrawFlow(request, metadata=caller("platform", BUREAU), timeout=10)
            return "WITHDRAWN"

        attempts = [attempt(key) for key in ("party_a", "party_b") * 10]
        outcomes = Counter(await asyncio.gather(*attempts, *([withdraw()] if withdraws else [])))
        assert set(outcomes) <= {"SIGNED", "STEP_DONE", "FLOW_STATE", "WITHDRAWN"}, outcomes
        now = await land.get(flow.id)
        if withdraws:
            assert now.state == pb.FLOW_STATE_WITHDRAWN
            assert outcomes["SIGNED"] <= 2
        else:
            assert (outcomes["SIGNED"], now.revision) == (2, 2)
            done = await through(land, now)
            assert done.revision == 6


async def test_what_began_is_answered_again_whatever_happened_since(land: FlowLand) -> None:
    """The same request gets the same flow although its party's seal is suspended by now; a new one is refused."""
    request = beginning("temporary_identity")
    who = caller("platform", BUREAU)
    begun = await land.flows.BeginFlow(request, metadata=who, timeout=30)

    def put(state: str) -> None:
        with contextlib.closing(sqlite3.connect(land.root / "db" / "esign.db", timeout=10)) as file, file:
            file.execute("UPDATE seal SET state = ? WHERE id = ?", (state, f"seal-{BUREAU}"))

    put("SUSPENDED")
    try:
        assert begun == await land.flows.BeginFlow(request, metadata=who, timeout=30)
        await refusal(land.flows.BeginFlow(beginning("temporary_identity"), metadata=who, timeout=30), "SEAL_STATE")
    finally:
        put("ACTIVE")


async def test_a_state_that_there_is_not_is_refused(land: FlowLand) -> None:
    """A number outside the list is the caller's fault and not the hub's."""
    request = pb.ListFlowsRequest(state=99)  # type: ignore[arg-type]
    error = await refusal(land.flows.ListFlows(request, metadata=caller("platform", BUREAU)), "STATE_UNKNOWN")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_operator_reads_the_counts_and_everybody_the_scenarios(land: FlowLand) -> None:
    """CountFlows says how often each scenario began and where its flows went; a recount from the ledger agrees."""
    auditor = caller("operator", "auditor", scope="admin.audit")

    async def kept() -> commands.Kept:
        answer = await land.flows.CountFlows(pb.CountFlowsRequest(), metadata=auditor, timeout=10)
        counts = Counter({(one.scenario, one.step, one.outcome): one.count for one in answer.counts})
        return commands.Kept(counts, unknown=answer.pending)

    await through(land, await land.begin("temporary_identity"))
    report = await commands.hub_recount(land.config, kept)
    assert report.problems == []
    assert report.counts["temporary_identity", "", "begun"] >= report.counts["temporary_identity", "", "completed"] > 0
    listed = await land.flows.ListScenarios(pb.ListScenariosRequest(), metadata=caller("platform", APP), timeout=10)
    assert [scenario.code for scenario in listed.scenarios] == sorted(SCENARIOS)
    await refusal(
        land.flows.GetFlow(pb.GetFlowRequest(id="x"), metadata=caller("platform", BUREAU, scope="seal.use")),
        "SCOPE_MISSING",
    )


async def judge(*words: str) -> str:
    """What an independent reader says."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is absent: make test-deps")
    return (await program(*words)).out


def by_pyhanko(pdf: bytes, root: bytes) -> list[tuple[str, bool]]:
    """Field and verdict of each signature but the closing timestamp, as pyHanko sees them."""
    context = ValidationContext(trust_roots=[asn1.Certificate.load(root)], allow_fetching=False)
    found = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures
    return [
        (one.field_name, bool(validate_pdf_signature(one, signer_validation_context=context).bottom_line))
        for one in found
    ]


@pytest.mark.filterwarnings("default")
async def test_independent_readers_accept_what_five_parties_signed(land: FlowLand, tmp_path: Path) -> None:
    """pdfsig: five valid signatures, and Digest Mismatch when a byte is changed; pyHanko: each of them intact, trusted
    and followed by nothing but what its locks allow; qpdf: no fault in the file.
    """
    flow = await through(land, await land.begin("mediation_agreement"))
    path = tmp_path / "flow.pdf"
    path.write_bytes((await land.download(flow.id)).pdf)
    said = await judge("pdfsig", "-nocert", str(path))
    assert said.count("Signature Validation: Signature is Valid.") == 5
    names = re.findall(r"Signature Field Name: (\w+)", said)
    assert names[-2:] == ["authority", "Timestamp1"]
    assert set(names[:2]) == {"party_a", "party_b"}
    root = land.secrets.seal_ca.root.public_bytes(serialization.Encoding.DER)
    seen = dict(await asyncio.to_thread(by_pyhanko, path.read_bytes(), root))
    assert seen == dict.fromkeys(("party_a", "party_b", "witness", "mediator", "authority"), True)
    assert "No syntax or stream encoding errors" in await judge("qpdf", "--check", str(path))
    pdf = path.read_bytes()
    at = pdf.index(b"/MediaBox")
    path.write_bytes(pdf[:at] + pdf[at:].replace(b"595", b"596", 1))
    assert (await judge("pdfsig", "-nocert", str(path))).count("Digest Mismatch") == 5
