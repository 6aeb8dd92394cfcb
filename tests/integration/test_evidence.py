"""Evidence of the exchange in the ledger: from the question to the file that anybody checks offline."""

import asyncio
import json
from functools import partial
from hashlib import sha256

import pytest

from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome
from services.esign.evidence import check as evidence_check
from services.esign.evidence import store as evidence_store
from services.esign.ledger import sequencer
from services.esign.ledger.domain.ledger import Entry
from services.exchange.evidence import log as evidence_log
from services.exchange.evidence import store as kept_evidence
from services.exchange.evidence.domain import Kind, Piece, record
from shuniu.api.common.v1 import operations_pb2
from shuniu.api.esign.v1 import evidence_pb2 as esign_pb
from shuniu.api.esign.v1 import evidence_pb2_grpc as esign_grpc
from shuniu.api.exchange.v1 import evidence_pb2 as pb
from shuniu.api.exchange.v1 import evidence_pb2_grpc
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc import client
from shuniu.kit.testing import eventually
from tests.integration.test_exchange_cases import refused
from tests.integration.test_exchange_queries import ask, ready, register
from tests.support.exchange_land import exchange_land, rid
from tests.support.ledger_side import TRUST, channel, evidence_in, ledger_side


@pytest.fixture
async def land():
    async with exchange_land(provider_seconds=1.0, provider_wait_seconds=0.3) as it:
        yield it


def evidence_of(land):
    return evidence_pb2_grpc.EvidenceServiceStub(land.channel)


async def get(land, who, evidence_id):
    return await who.call(evidence_of(land).GetEvidence, pb.GetEvidenceRequest(id=evidence_id))


async def status(land, name):
    return (await land.operations().GetStatus(operations_pb2.GetStatusRequest())).facts[name]


async def logged(land, who, evidence_id):
    return (await get(land, who, evidence_id)).evidence.HasField("ledger_index")


async def all_logged(land):
    return await status(land, "evidence_unlogged") == "0"


def altered(file, **changes):
    return json.dumps({**json.loads(file), **changes})


async def test_a_query_can_be_proved_by_both_sides_offline(land):
    """Consumer and provider get record, salt and receipt; the file convinces whoever has the log's key, and nothing
    else does: not a changed record, not another salt, not a receipt of another record, not an unknown log.
    """
    given, case = await ready(land)
    async with ledger_side(land.directory), register(land) as provider:
        provider.reply = lambda question, subject: ("OK", b'{"has_record": false}')
        answer = await ask(land, given.id, case.case_code)
        other = await ask(land, given.id, case.case_code)
        bureau, ministry = land.platform("bureau"), land.platform("ministry")
        for one in (answer, other):
            await eventually(partial(logged, land, bureau, one.evidence.call_id))
        mine, theirs = (
            await get(land, bureau, answer.evidence.call_id),
            await get(land, ministry, answer.evidence.call_id),
        )
        assert mine.record == theirs.record
        record = json.loads(mine.record)
        assert record["question_sha256"] == answer.evidence.question_sha256
        assert record["answer_sha256"] == answer.evidence.answer_sha256
        assert (record["consumer"], record["provider"], record["grant"]) == ("bureau", "ministry", given.id)
        await refused(get(land, land.platform("app2"), answer.evidence.call_id), "EVIDENCE_UNKNOWN", Code.NOT_FOUND)
        await refused(get(land, bureau, "x"), "EVIDENCE_UNKNOWN", Code.NOT_FOUND)
        another = await get(land, bureau, other.evidence.call_id)
    found = evidence_check.check(mine.file, TRUST)
    assert (found.outcome, found.source, found.index) == (Outcome.VALID, "exchange", mine.evidence.ledger_index)
    # The records of two equal questions differ only in id and time: it is the receipt that must not fit.
    for changes in (
        {"record": mine.record.replace('"result":"OK"', '"result":"NO"')},
        {"record": another.record},
        {"salt": "00" * 16},
        {"receipt": another.tlog_proof},
        {"algorithm": "sm3"},
    ):
        assert evidence_check.check(altered(mine.file, **changes), TRUST).outcome is Outcome.INVALID, changes
    assert evidence_check.check(mine.file, Trust()).outcome is Outcome.INDETERMINATE
    assert evidence_check.check(altered(mine.file, receipt=""), TRUST).reason == "NO_RECEIPT"
    for broken in ("", "[]", "{}", altered(mine.file, salt="00"), altered(mine.file, record=1), "[" * 10**5):
        with pytest.raises(evidence_check.EvidenceUnreadableError):
            evidence_check.check(broken, TRUST)


async def test_decisions_and_deliveries_are_evidence_for_agency_and_platform(land):
    """What decides a case is logged with its end; who had no part in it sees nothing of it."""
    case = await land.person().apply()
    bureau, code = land.platform("bureau"), case.case_code
    async with ledger_side(land.directory) as side:
        await side.issued(code, "150000202600001")
        for move, more in (
            ("ACCEPT", {}),
            ("PROCESS", {}),
            ("GRANT", {}),
            ("DELIVER", {"certificate_number": "150000202600001"}),
        ):
            await bureau.move(code, move, **more)
        await eventually(lambda: all_logged(land))

        async def seen(who):
            return (await who.call(evidence_of(land).ListEvidence, pb.ListEvidenceRequest(case_code=code))).evidence

        kinds = ["exchange.case.decided", "exchange.case.delivered"]
        assert (
            [one.kind for one in await seen(bureau)] == [one.kind for one in await seen(land.platform("app"))] == kinds
        )
        assert list(await seen(land.platform("app2"))) == []
        delivered = await get(land, land.platform("app"), (await seen(bureau))[1].id)
    assert json.loads(delivered.record)["certificate"] == "150000202600001"
    assert evidence_check.check(delivered.file, TRUST).outcome is Outcome.VALID


async def test_without_esign_calls_go_on_and_their_evidence_waits(land, monkeypatch):
    """Away for as long as it likes: readiness stays, status says what waits, and when it is back each piece is logged
    once, also when the exchange itself was killed in between.
    """
    monkeypatch.setattr(evidence_log, "_LONGEST_PAUSE", 0.3)
    given, case = await ready(land)
    async with register(land) as provider:
        provider.reply = lambda question, subject: ("OK", b'{"has_record": false}')
        ids = [(await ask(land, given.id, case.case_code)).evidence.call_id for _ in range(5)]

        async def waits():
            return (await status(land, "evidence_unlogged")).startswith("5 (")

        await eventually(waits)
        assert not land.process.not_ready()
        assert not (await get(land, land.platform("bureau"), ids[0])).tlog_proof
        await land.stop()
        await land.start()
        async with ledger_side(land.directory):
            await eventually(lambda: all_logged(land), within=15)
            files = [(await get(land, land.platform("bureau"), one)).file for one in ids]
    assert {evidence_check.check(file, TRUST).outcome for file in files} == {Outcome.VALID}
    assert len(evidence_in(land.directory)) == 5


@pytest.mark.parametrize(
    ("step", "recent"),
    [("esign keeps the index", 65_536), ("esign keeps the index", 0), ("the exchange keeps the receipt", 65_536)],
)
async def test_a_step_that_fails_doubles_nothing(land, monkeypatch, step, recent):
    """Between the ledger and the note of it, on either side, everything may be lost: the next try finds the entry,
    however many others have been logged since (`recent`: how many the sequencer remembers).
    """
    monkeypatch.setattr(sequencer, "_RECENT", recent)
    monkeypatch.setattr(evidence_log, "_LONGEST_PAUSE", 0.1)
    module = evidence_store if step.startswith("esign") else kept_evidence
    whole, failed = module.logged, []

    def failing(*arguments):
        if len(failed) < 2:
            failed.append(1)
            raise HubError(Code.UNAVAILABLE, "STORE_UNAVAILABLE", "gone", "不可用")
        return whole(*arguments)

    monkeypatch.setattr(module, "logged", failing)
    case = await land.person().apply()
    async with ledger_side(land.directory):
        await land.platform("bureau").move(case.case_code, "NOT_ACCEPT", note="不属于本机关")
        await eventually(lambda: all_logged(land))
    assert len(failed) == 2
    assert [entry.kind for entry in evidence_in(land.directory)] == ["exchange.case.decided"]


def request(*digests, request_id="", kind="exchange.query"):
    found = esign_pb.AppendEvidenceRequest(request_id=request_id or rid())
    for digest in digests:
        found.evidence.add(digest=digest, kind=kind).time.FromSeconds(1_780_000_000)
    return found


def digest(text):
    return sha256(text.encode()).hexdigest()


async def test_a_digest_is_logged_once(tmp_path):
    """Again, in another request, twice at once: one entry and its receipt."""
    async with ledger_side(tmp_path), channel(tmp_path) as exchange:
        append = esign_grpc.EvidenceServiceStub(exchange).AppendEvidence
        same = request(digest("a"), digest("b"))
        first = await client.ask(append, same)
        assert await client.ask(append, same) == first
        answers = await asyncio.gather(*(client.ask(append, request(digest("b"), digest(str(n)))) for n in range(8)))
        assert {answer.receipts[0].index for answer in answers} == {first.receipts[1].index}
        with pytest.raises(HubError) as caught:
            await client.ask(append, request(digest("c"), request_id=same.request_id))
        assert caught.value.reason == "REQUEST_ID_REUSED"
        asked = esign_pb.GetReceiptRequest(digest=digest("a"))
        got = await client.ask(esign_grpc.EvidenceServiceStub(exchange).GetReceipt, asked)
        assert got.receipt.index == first.receipts[0].index
        with pytest.raises(HubError) as caught:
            unknown = esign_pb.GetReceiptRequest(digest=digest("nobody's"))
            await client.ask(esign_grpc.EvidenceServiceStub(exchange).GetReceipt, unknown)
        assert caught.value.reason == "EVIDENCE_UNKNOWN"
    assert len(evidence_in(tmp_path)) == 2 + 8


async def test_what_is_no_digest_is_refused_with_every_fault(tmp_path):
    """Forms, repeats and sizes, each by name; nothing of such a request is logged."""
    async with ledger_side(tmp_path) as side, channel(tmp_path) as exchange:
        append = esign_grpc.EvidenceServiceStub(exchange).AppendEvidence
        bad = request("A" * 64, digest("x"), digest("x"), kind="Kind")
        bad.evidence[0].ClearField("time")
        # After the last day that a Timestamp can say.
        bad.evidence[1].time.seconds = 2**40
        with pytest.raises(HubError) as caught:
            await client.ask(append, bad)
        assert {one.reason for one in caught.value.violations} == {
            "DIGEST_FORM", "DIGEST_REPEATED", "KIND_FORM", "TIME_MISSING"
        }  # fmt: skip
        times = [one.field for one in caught.value.violations if one.reason == "TIME_MISSING"]
        assert times == ["evidence[0].time", "evidence[1].time"]
        for number in (0, 1001):
            with pytest.raises(HubError) as caught:
                await client.ask(append, request(*(digest(str(n)) for n in range(number))))
            assert [one.reason for one in caught.value.violations] == ["BATCH_SIZE"]
        assert side.log.size == 0


async def test_only_the_exchange_logs_evidence(tmp_path):
    """On one machine no other process has a socket to the service, and what it sends to its own place is not logged."""
    async with ledger_side(tmp_path), channel(tmp_path, "identity") as other:
        assert [each.parent.name for each in (tmp_path / "run" / "from").glob("*/esign.peer.sock")] == ["exchange"]
        with pytest.raises(HubError):
            await client.ask(esign_grpc.EvidenceServiceStub(other).AppendEvidence, request(digest("a")))
    assert evidence_in(tmp_path) == []


async def test_an_entry_says_nothing_but_codes(tmp_path):
    """What is in the public log: digest, service, kind, time. The record stays with those who took part."""
    async with ledger_side(tmp_path), channel(tmp_path) as exchange:
        await client.ask(esign_grpc.EvidenceServiceStub(exchange).AppendEvidence, request(digest("a")))
    (entry,) = evidence_in(tmp_path)
    assert entry == Entry(entry.type, 1_780_000_000_000_000, commitment=digest("a"), epoch=1, source="exchange", kind="exchange.query")  # fmt: skip


async def test_evidence_under_sm3_is_its_own(tmp_path):
    """In the profile sm digest, entry and check are SM3; the same bytes said to be SHA-256 prove nothing."""
    text = record("01J", Kind.QUERY, 1_780_000_000_000_000, {"case": "c"})
    piece = Piece("01J", Kind.QUERY, 1_780_000_000_000_000, "c", ("a", "b"), text, "sm3", b"s" * 16)
    async with ledger_side(tmp_path), channel(tmp_path) as exchange:
        append = esign_grpc.EvidenceServiceStub(exchange).AppendEvidence
        answer = await client.ask(append, request(piece.digest))
    file = piece.file(answer.receipts[0].tlog_proof)
    assert evidence_check.check(file, TRUST).outcome is Outcome.VALID
    assert evidence_check.check(altered(file, algorithm="sha-256"), TRUST).outcome is Outcome.INVALID
    (entry,) = evidence_in(tmp_path)
    assert (entry.commitment, entry.commitment_sm3) == ("", piece.digest.removeprefix("sm3:"))
