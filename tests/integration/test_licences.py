"""Licences over real gRPC: issued to a key, shown claim by claim, suspended and revoked at once, logged, not replayed."""

import argparse
import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2
from sqlalchemy import Connection, text

from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain.cms.sm2 import Sm2Key
from services.esign.domain.digests import SM3
from services.esign.keys.of_seals import SealKey
from services.esign.keys.secrets import Secrets
from services.esign.ledger.domain.ledger import EntryType
from services.esign.licences import store as licence_store
from services.esign.licences.domain import jose, status_list
from services.esign.licences.domain import offline as licence_offline
from services.esign.licences.issuing import LicenceIssuing
from shuniu.api.esign.v1 import esign_pb2, seal_pb2
from shuniu.api.esign.v1 import licence_pb2 as pb
from shuniu.cli.syntax import verify as verify_syntax
from shuniu.kit.crypto import sm
from shuniu.kit.testing import ManualClock, eventually
from tests.support.licence_land import READER, Land, licence_land, step
from tests.support.licences import AUDIENCE, FACTS, PERSON, Wallet, other_spelling
from tests.support.seal_land import AGENCY, ANOTHER, headers, rid
from tests.support.seal_land import PERSON as HOLDER

LICENCE_ENTRIES = {EntryType.LICENCE_ISSUED, EntryType.LICENCE_CHANGED}


@pytest_asyncio.fixture
async def land() -> AsyncIterator[Land]:
    async with licence_land() as found:
        yield found


async def refused(call: Any) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    details = dict(error.value.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    status = status_pb2.Status.FromString(details)
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return error.value.code(), info.reason, dict(info.metadata)
    return error.value.code(), "", {}


async def change(land: Land, what: str, number: str, metadata: Any = AGENCY) -> pb.Licence:
    request = getattr(pb, f"{what}LicenceRequest")(request_id=rid(), number=number, reason="测试")
    return (await getattr(land.stub, f"{what}Licence")(request, metadata=metadata)).licence


async def test_no_other_spelling_hides_a_licence_from_the_register(land: Land) -> None:
    """Of an ECDSA value (r, s) the holder makes (r, n - s), which holds too: it is the same licence, in force and revoked."""
    wallet, licence = await land.in_wallet()
    wallet.token = other_spelling(wallet.token)
    assert sha256(wallet.token.encode()).hexdigest() != licence.sha256
    answer = await land.shown(wallet, "18")
    assert (answer.verdict.verdict, {s.status for s in answer.verdict.steps}) == ("VALID", {"valid"})
    await change(land, "Revoke", licence.number)
    answer = await land.shown(wallet, "18")
    assert (answer.verdict.verdict, step(answer, "document")[1]) == ("INVALID", "LICENCE_REVOKED")


async def test_over_eighteen_without_the_birthday(land: Land) -> None:
    """From the agency to the verifier: he learns one age and the agency's name, the hub answers VALID with every step."""
    wallet, licence = await land.in_wallet()
    answer = await land.shown(wallet, "18")
    assert answer.verdict.verdict == "VALID", answer
    claims = json.loads(answer.claims_json)
    assert claims["age_equal_or_over"] == {"18": True}
    assert claims["title"] == "居住证"
    assert not {"full_name", "birth_date", "document_number", "address", "licence_number"} & set(claims)
    assert dict(answer.verdict.document) == {
        "type": "residence_permit",
        "title": "居住证",
        "issuer": "呼和浩特市公安局",
    }
    assert {s.status for s in answer.verdict.steps} == {"valid"}
    assert land.asked == [("birth_date", "document_number", "full_name")]
    assert licence.ledger_index >= 0


async def test_the_same_request_gives_the_same_licence(land: Land) -> None:
    """Repeated, concurrent and with another request id: one case, one type, one key, one licence, told once."""
    wallet = Wallet()
    request = await land.request(wallet)
    answers = await asyncio.gather(*(land.stub.IssueLicence(request, metadata=AGENCY) for _ in range(3)))
    again = await land.issued(wallet)
    assert {a.licence.number for a in answers} == {again.number}
    entries = [entry for entry in await land.seals.entries() if entry.type is EntryType.LICENCE_ISSUED]
    assert [entry.document_sha256 for entry in entries] == [again.sha256]
    assert await land.seals.rows(licence_store.count) == 1


async def test_another_key_needs_a_revocation(land: Land) -> None:
    """A second phone gets no second licence; after the first is revoked it gets one with another number and place."""
    _, first = await land.in_wallet()
    other = Wallet()
    assert (await refused(land.issued(other)))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "LICENCE_EXISTS")
    await change(land, "Revoke", first.number)
    _, second = await land.in_wallet(other)
    assert second.number != first.number
    assert (second.status_list_uri, second.status_index) != (first.status_list_uri, first.status_index)
    assert (await land.shown(other, "18")).verdict.verdict == "VALID"


async def test_changes_show_at_once(land: Land) -> None:
    """Suspended, resumed, revoked: the served list and the verdict say so in the next answer, well under a second."""
    wallet, licence = await land.in_wallet()
    assert await land.status(licence) == status_list.Status.VALID
    for what, status, verdict, reason in (
        ("Suspend", status_list.Status.SUSPENDED, "INVALID", "LICENCE_SUSPENDED"),
        ("Resume", status_list.Status.VALID, "VALID", "LICENCE_STANDS"),
        ("Revoke", status_list.Status.INVALID, "INVALID", "LICENCE_REVOKED"),
    ):
        await change(land, what, licence.number)
        started = time.monotonic()
        assert await land.status(licence) == status
        answer = await land.shown(wallet, "18")
        assert time.monotonic() - started < 1
        assert answer.verdict.verdict == verdict
        assert step(answer, "document")[1] == reason
        assert bool(answer.claims_json) == (verdict == "VALID")
    code, reason, _ = await refused(change(land, "Resume", licence.number))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LICENCE_STATE")
    changes = [e for e in await land.seals.entries() if e.type is EntryType.LICENCE_CHANGED]
    assert [entry.state for entry in changes] == ["SUSPENDED", "VALID", "REVOKED"]
    assert {entry.document_sha256 for entry in changes} == {licence.sha256}
    topics = await land.seals.rows(
        lambda conn: [row.topic for row in conn.execute(text("select topic from outbox_event order by rowid"))]
    )
    told = [topic for topic in topics if topic.startswith("esign.licence.")]
    assert told == ["esign.licence.issued", *["esign.licence.changed"] * 3]


async def test_replay_is_invalid(land: Land) -> None:
    """The same presentation again is a replay, also with the asker's own nonce; a repeated call is answered again."""
    wallet, _ = await land.in_wallet()
    for nonce in (await land.nonce(), "an-asker's-own"):
        text_ = wallet.present("18", nonce=nonce, now_us=land.now_us())
        first = await land.verified(text_, nonce, request_id="question-1")
        again = await land.verified(text_, nonce, request_id="question-1")
        replay = await land.verified(text_, nonce)
        assert [a.verdict.verdict for a in (first, again, replay)] == ["VALID", "VALID", "INVALID"]
        assert step(replay, "holder") == ("invalid", "NONCE_USED")
        assert not replay.claims_json


async def test_nonce_past_its_time(land: Land) -> None:
    """A nonce of the hub's is good for its minutes only, however fresh the key binding is."""
    wallet, _ = await land.in_wallet()
    nonce = await land.nonce()
    proof = await land.proof(Wallet())
    land.seals.clock.moved_us += 301_000_000
    answer = await land.verified(wallet.present("18", nonce=nonce, now_us=land.now_us()), nonce)
    assert (answer.verdict.verdict, step(answer, "holder")[1]) == ("INVALID", "NONCE_EXPIRED")
    code, reason, _ = await refused(land.issued(Wallet(), case_code="OTHER", proof_jwt=proof))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "NONCE_EXPIRED")


async def test_proof_is_used_once(land: Land) -> None:
    """A proof of a key binds one licence; for another case, hub or without the key it binds none."""
    wallet = Wallet()
    proof = await land.proof(wallet)
    await land.issued(wallet, proof_jwt=proof)
    land.parties.person_id = "q" * 22
    assert (await refused(land.issued(wallet, case_code="OTHER", proof_jwt=proof)))[1] == "NONCE_USED"
    nonce = await land.nonce()
    wrong = wallet.proof("https://other.example", nonce, land.now_us())
    assert (await refused(land.issued(wallet, case_code="OTHER", proof_jwt=wrong)))[1] == "AUDIENCE"
    forged = wallet.proof("https://hub.test", "made-up", land.now_us())
    assert (await refused(land.issued(wallet, case_code="OTHER", proof_jwt=forged)))[1] == "NONCE_UNKNOWN"
    assert (await refused(land.issued(wallet, case_code="OTHER", proof_jwt="x.y.z")))[0] is (
        grpc.StatusCode.INVALID_ARGUMENT
    )


IMPOSSIBLE: tuple[tuple[dict[str, Any], dict[str, Any], str, str], ...] = (
    ({"handler_platform": "other"}, {}, "PERMISSION_DENIED", "NOT_HANDLING_AGENCY"),
    ({"state": 1}, {}, "FAILED_PRECONDITION", "CASE_STATE"),
    ({"result_template": "no_criminal_record"}, {}, "FAILED_PRECONDITION", "LICENCE_NOT_OF_CASE"),
    ({}, {"type": "unheard_of"}, "NOT_FOUND", "LICENCE_TYPE_UNKNOWN"),
    ({}, {"facts": {"region": "x"}}, "INVALID_ARGUMENT", "FACTS"),
    ({}, {"facts": {**FACTS, "full_name": "别人"}}, "INVALID_ARGUMENT", "FACTS"),
    ({}, {"seal_id": "01JZ00000000000000000000NO"}, "NOT_FOUND", "SEAL_UNKNOWN"),
)


async def test_what_cannot_be_issued(land: Land) -> None:
    """Each reason has its code; nothing is issued, logged or given a place for it."""
    whole = land.parties
    for parties, more, code, reason in IMPOSSIBLE:
        land.parties = type(whole)()
        land.parties.CopyFrom(whole)
        for name, value in parties.items():
            setattr(land.parties, name, value)
        found = await refused(land.issued(Wallet(), **more))
        assert (found[0].name, found[1]) == (code, reason)
    assert not [e for e in await land.seals.entries() if e.type is EntryType.LICENCE_ISSUED]
    assert await land.seals.rows(licence_store.unfinished) == []


async def test_person_without_a_birthday_then_with_another_phone(land: Land) -> None:
    """Where data are lacking nothing is made; once they are there, also another key may have the licence."""
    land.person["birth_date"] = ""
    code, reason, metadata = await refused(land.issued(Wallet()))
    assert (code, reason, metadata["missing"]) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "PERSON_DATA_LACKING",
        "birth_date",
    )
    land.person["birth_date"] = PERSON["birth_date"]
    wallet, _ = await land.in_wallet()
    assert (await land.shown(wallet, "18")).verdict.verdict == "VALID"


async def test_suspended_seal_issues_nothing(land: Land) -> None:
    """A licence is sealed only while its seal is ACTIVE; what it sealed before stands."""
    wallet, _ = await land.in_wallet()
    (seal,) = (await land.seals.owner.ListSeals(esign_pb2.ListSealsRequest(), metadata=AGENCY)).seals
    await land.seals.changed(seal.id, esign_pb2.SEAL_STATE_SUSPENDED)
    for seal_id in ("", seal.id):
        code, reason, _ = await refused(land.issued(Wallet(), case_code="OTHER", seal_id=seal_id))
        assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE")
    answer = await land.shown(wallet, "18")
    assert answer.verdict.verdict == "VALID"
    assert step(answer, "seal_now")[1] == "SEAL_SUSPENDED"


async def test_a_persons_seal_issues_no_licence(land: Land) -> None:
    """The platform through which a person got a seal cannot put it under a licence of its own."""
    apply = seal_pb2.ApplyPersonalSealRequest(request_id=rid())
    seal = (await land.seals.personal.ApplyPersonalSeal(apply, metadata=HOLDER)).seal
    await land.seals.reviewed(seal.id)
    await land.seals.made(seal.id)
    await land.seals.activated(seal.id)
    land.parties.handler_platform = "app"
    request = await land.request(Wallet(), seal_id=seal.id)
    call = land.stub.IssueLicence(request, metadata=headers("platform", "app", "seal.use"))
    assert (await refused(call))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "SEAL_KIND")


async def test_who_may_have_it(land: Land) -> None:
    """Holder and issuing agency; for all others, and in the register, it does not exist."""
    _, licence = await land.in_wallet()
    request = pb.DownloadLicenceRequest(number=licence.number)
    assert (await land.stub.DownloadLicence(request, metadata=HOLDER)).sd_jwt
    for stranger in (ANOTHER, headers("platform", "stranger", "case.read")):
        assert (await refused(land.stub.DownloadLicence(request, metadata=stranger)))[1] == "LICENCE_UNKNOWN"
    for number in (licence.number, "nothing"):
        call = change(land, "Revoke", number, headers("platform", "stranger", "seal.use"))
        assert (await refused(call))[1] == "LICENCE_UNKNOWN"
    unreasoned = pb.RevokeLicenceRequest(request_id=rid(), number=licence.number, reason=" ")
    assert (await refused(land.stub.RevokeLicence(unreasoned, metadata=AGENCY)))[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_nothing_personal_in_clear(land: Land) -> None:
    """Neither store, ledger, events nor kept answers hold name, number, birthday or address in clear."""
    wallet, licence = await land.in_wallet()
    await land.shown(wallet, "full_name", "birth_date")
    await change(land, "Suspend", licence.number)

    def dump(conn: Connection) -> str:
        names = [row[0] for row in conn.execute(text("select name from sqlite_master where type = 'table'"))]
        rows = [tuple(row) for name in names for row in conn.execute(text(f"select * from {name}"))]
        return "\n".join(repr(row) for row in rows)

    kept = await land.seals.rows(dump)
    secret = [*PERSON.values(), *FACTS.values()]
    forms = [form for value in secret for form in (value, repr(value.encode())[2:-1], json.dumps(value)[1:-1])]
    forms += [base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")[:-2] for value in secret]
    entries = "\n".join(repr(entry) for entry in await land.seals.entries())
    assert [form for form in forms if form in kept or form in entries] == []
    assert licence.number in kept


@contextlib.asynccontextmanager
async def at_work(issuing: LicenceIssuing) -> AsyncIterator[None]:
    """The service's task, as it runs after a start."""
    task = asyncio.create_task(issuing.finish_interrupted())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_interrupted_issuing_goes_on(land: Land) -> None:
    """A licence that was made when the process died is logged and released at the next start, once."""
    issuing = land.licences.issuing
    request = await land.request(Wallet())
    there, issuing.ledger = issuing.ledger, _Away()
    assert (await refused(land.stub.IssueLicence(request, metadata=AGENCY)))[1] == "LEDGER_AWAY"
    issuing.ledger = there
    assert len(await land.seals.rows(licence_store.unfinished)) == 1

    async def finished() -> bool:
        return await land.seals.rows(licence_store.unfinished) == []

    async with at_work(issuing):
        await eventually(finished, within=10)
    answer = await land.stub.IssueLicence(request, metadata=AGENCY)
    entries = [e for e in await land.seals.entries() if e.type is EntryType.LICENCE_ISSUED]
    assert [e.document_sha256 for e in entries] == [answer.licence.sha256]


async def test_change_shows_though_the_ledger_is_away(land: Land) -> None:
    """A revocation is in force at once, says that the ledger waits, and is logged by itself when that is back."""
    wallet, licence = await land.in_wallet()
    issuing = land.licences.issuing
    request = pb.RevokeLicenceRequest(request_id=rid(), number=licence.number, reason="遗失")

    async def logged() -> bool:
        return [e.state for e in await land.seals.entries() if e.type is EntryType.LICENCE_CHANGED] == ["REVOKED"]

    async with at_work(issuing):
        there, issuing.ledger = issuing.ledger, _Away()
        assert (await refused(land.stub.RevokeLicence(request, metadata=AGENCY)))[1] == "LEDGER_AWAY"
        assert await land.status(licence) == status_list.Status.INVALID
        assert step(await land.shown(wallet, "18"), "document")[1] == "LICENCE_REVOKED"
        issuing.ledger = there
        await eventually(logged, within=10)
    await land.stub.RevokeLicence(request, metadata=AGENCY)
    assert await logged()


class _Away:
    async def append(self, _entry: Any) -> Any:
        from services.esign.domain.errors import EsignError

        raise EsignError("LEDGER_AWAY", "the ledger is away", "存证服务暂不可用")


async def test_status_list_is_cacheable_and_says_nothing_more(land: Land) -> None:
    """Media type, ETag that changes with the list, half of the places free, and the same token while nothing changed."""
    _, licence = await land.in_wallet()
    number = licence.status_list_uri.rpartition("/")[2]

    async def asked() -> tuple[str, dict[str, str]]:
        call = land.stub.GetStatusList(pb.GetStatusListRequest(list=number))
        head = dict(await call.initial_metadata())
        return (await call).token.data.decode(), head

    first, head = await asked()
    second, same = await asked()
    assert first == second
    assert head["etag"] == same["etag"]
    assert head["cache-control"] == "public, no-cache"
    await change(land, "Suspend", licence.number)
    assert (await asked())[1]["etag"] != head["etag"]
    token = jose.parse(first, status_list.TYP)
    assert token.payload["ttl"] == 60
    assert len(status_list.expand(token.payload["status_list"]).packed) == status_list.PLACES // 4
    assert len(first) < 3000
    for wrong in ("0", "99", "x", "١", "9" * 30):
        call = land.stub.GetStatusList(pb.GetStatusListRequest(list=wrong))
        assert (await refused(call))[:2] == (grpc.StatusCode.NOT_FOUND, "STATUS_LIST_UNKNOWN")


async def test_types_have_names(land: Land) -> None:
    """Whoever asks learns the types with Chinese names and which claims a holder may keep back."""
    types = (await land.stub.ListLicenceTypes(pb.ListLicenceTypesRequest())).types
    found = {each.name: each for each in types}
    assert {"residence_permit", "driving_licence", "elderly_card", "no_criminal_record"} <= set(found)
    assert found["driving_licence"].title == "机动车驾驶证"
    area = next(claim for claim in found["elderly_card"].claims if claim.name == "area")
    assert (area.zh, area.selective, area.fact) == ("适用地区", False, True)


async def test_question_must_be_whole(land: Land) -> None:
    """Who names neither audience nor nonce is told each of them, and gets no verdict that he would take for one."""
    request = pb.VerifyPresentationRequest(request_id=rid(), presentation="x")
    code, _, _ = await refused(land.stub.VerifyPresentation(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    answer = await land.verified("garbage", "n")
    assert (answer.verdict.verdict, step(answer, "parse")[0]) == ("INVALID", "invalid")
    assert AUDIENCE


async def test_licence_of_another_hub(land: Land, tmp_path: Path) -> None:
    """What the register does not know is never VALID, however well it is signed."""
    async with licence_land(kept=tmp_path) as elsewhere:
        wallet, _ = await elsewhere.in_wallet()
    answer = await land.shown(wallet, "18")
    assert answer.verdict.verdict == "INDETERMINATE"
    assert step(answer, "chain")[1] == "ISSUER_NOT_TRUSTED"
    assert not answer.claims_json
    assert READER


async def test_a_file_is_judged_offline(land: Land, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`shuniu verify FILE.sdjwt`: VALID by audience and nonce, by the status list and receipt beside it; else not."""
    wallet, licence = await land.in_wallet()
    given = await land.stub.DownloadLicence(pb.DownloadLicenceRequest(number=licence.number), metadata=READER)
    trust, path = tmp_path / "trust", tmp_path / "shown.sdjwt"
    trust.mkdir()
    (trust / "root.pem").write_bytes(pki.certificate_pem(land.seals.secrets.seal_ca.root))
    (trust / "log.vkey").write_text(land.seals.secrets.ledger.verifier.vkey)
    path.write_text(wallet.present("18", nonce="n", now_us=None) + "\n")

    def judged(*asked: str) -> tuple[int, dict[str, Any]]:
        parser = argparse.ArgumentParser()
        parser.add_argument("--data", type=Path, default=tmp_path)
        parser.add_argument("--json", action="store_true")
        verify_syntax.add(parser.add_subparsers())
        # What the service logged meanwhile.
        capsys.readouterr()
        arguments = parser.parse_args(["--json", "verify", str(path), "--trust", str(trust), *asked])
        status = arguments.run(arguments)
        return status, json.loads(capsys.readouterr().out)

    async def put_list() -> None:
        number = licence.status_list_uri.rpartition("/")[2]
        answer = await land.stub.GetStatusList(pb.GetStatusListRequest(list=number))
        path.with_name("shown.sdjwt.statuslist").write_bytes(answer.token.data)

    asked = ("--audience", AUDIENCE, "--nonce", "n")
    status, found = judged(*asked)
    steps = {each["step"]: (each["status"], each["reason"]) for each in found["steps"]}
    assert (status, found["verdict"], steps["document"]) == (0, "VALID", ("not_checked", "OFFLINE"))
    assert found["claims"]["age_equal_or_over"] == {"18": True}
    assert judged()[0] == 2
    assert judged("--audience", AUDIENCE, "--nonce", "other")[0] == 1
    await put_list()
    path.with_name("shown.sdjwt.tlog-proof").write_text(given.tlog_proof)
    status, found = judged(*asked)
    steps = {each["step"]: each["reason"] for each in found["steps"]}
    assert (status, steps["document"], steps["ledger"]) == (0, "LICENCE_STANDS", "LOGGED")
    await change(land, "Suspend", licence.number)
    await put_list()
    status, found = judged(*asked)
    assert (status, found["verdict"]) == (1, "INVALID")
    assert "claims" not in found
    path.with_name("shown.sdjwt.statuslist").write_text(given.sd_jwt.partition("~")[0])
    assert judged(*asked)[0] == 2
    path.write_text("garbage")
    assert judged(*asked)[0] == 3


async def test_ledger_entries_in_sm3(land: Land) -> None:
    """Where the profile is sm, the ledger knows licences by SM3 too; the receipt proves them as well."""
    if not sm.available():
        pytest.skip("no libcrypto with SM2 and SM3 on this machine")
    issuing = land.licences.issuing
    issuing.secrets = replace(issuing.secrets, digest=SM3)
    wallet, licence = await land.in_wallet()
    await change(land, "Suspend", licence.number)
    made, changed = (e for e in await land.seals.entries() if e.type in LICENCE_ENTRIES)
    assert made.is_of(wallet.token.encode())
    assert changed.is_of(wallet.token.encode())
    assert all((e.document_sm3, e.commitment_sm3) and e.document_sha256 == licence.sha256 for e in (made, changed))
    given = await land.stub.DownloadLicence(pb.DownloadLicenceRequest(number=licence.number), metadata=READER)
    trust = Trust(log_keys=(land.seals.secrets.ledger.verifier,))
    assert licence_offline.ledger_step(given.tlog_proof, wallet.token, trust)[0].reason == "LOGGED"


async def test_an_sm2_seal_issues_no_licence(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    """JOSE has no SM2: the refusal says so, and the case may have its licence once there is a seal that can."""
    held = SealKey(Sm2Key(lambda _message: b""), ())
    with monkeypatch.context() as only_sm2:
        only_sm2.setattr(Secrets, "seal_key", lambda *_: held)
        code, reason, _ = await refused(land.issued(Wallet()))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SEAL_ALGORITHM")
    wallet, _ = await land.in_wallet()
    assert (await land.shown(wallet, "18")).verdict.verdict == "VALID"


async def test_a_list_signed_while_the_clock_was_ahead_is_not_served_when_it_is_right(land: Land) -> None:
    """Readers refuse a list of a time to come, and its signer's certificate begins then."""
    _, licence = await land.in_wallet()
    lists, right = land.licences.lists, land.licences.lists.base
    lists.base = replace(right, clock=ManualClock(right.clock.now_us() + 365 * 86_400_000_000))
    assert await lists.get(1, licence.status_list_uri)
    lists.base = right
    assert await land.status(licence) == status_list.Status.VALID
