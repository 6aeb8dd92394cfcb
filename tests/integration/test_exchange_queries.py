"""Resources, grants and evidenced queries over a provider's outward stream, through the real exchange."""

import asyncio
import contextlib
import hashlib
import random
import time

import grpc
import pytest
from google.protobuf import json_format

from services.exchange import metrics
from shuniu.api.common.v1 import envelope_pb2
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.api.identity.v1 import person_pb2
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc import client
from shuniu.kit.rpc.client import error_of
from shuniu.kit.testing import eventually
from tests.integration.test_exchange_cases import refused
from tests.support.exchange_land import exchange_land, rid
from tests.support.register import POPULATION, RECORDS, Register, apply_grant, grant, publish, resource


@pytest.fixture
async def land():
    async with exchange_land(provider_seconds=1.0, provider_wait_seconds=0.3) as it:
        yield it


@contextlib.asynccontextmanager
async def register(land, **settings):
    provider = Register(land.platform("ministry"), land.identity.keys["ministry"], **settings)
    await provider.start()
    try:
        yield provider
    finally:
        await provider.stop()


def ask(land, grant_id, case_code, *, who="bureau", request_id="", fields=(), timeout=20.0):
    caller = land.platform(who)
    request = pb.QueryRequest(
        request_id=request_id or rid(), grant_id=grant_id, case_code=case_code, fields=list(fields)
    )
    return caller.call(caller.queries.Query, request, timeout=timeout)


async def ready(land, **wanted):
    """A published resource, a grant on it, a case that the bureau handles."""
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    await publish(ministry, resource())
    given = await grant(ministry, bureau, **wanted)
    case = await land.person().apply()
    return given, case


async def test_a_resource_needs_a_label_and_a_second_person(land):
    """Unlabelled is refused with every fault; the editor cannot review; a draft is not seen by others; X to X is nothing."""
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    bad = resource("Bad Code", secrecy="", title="", fields=[pb.ResourceField(name="X", sensitivity="")])
    error = await refused(
        ministry.call(
            ministry.resources.CreateResource, pb.CreateResourceRequest(request_id=rid(), resource=bad, editor="")
        ),
        "INVALID_REQUEST",
    )
    assert {"CODE_FORM", "TITLE_FORM", "LABEL_MISSING", "PERSON_MISSING", "NAME_FORM"} <= {
        each.reason for each in error.violations
    }
    low = resource(secrecy="internal")
    await refused(
        ministry.call(
            ministry.resources.CreateResource, pb.CreateResourceRequest(request_id=rid(), resource=low, editor="E1")
        ),
        "LABEL_TOO_LOW",
    )
    create = pb.CreateResourceRequest(request_id=rid(), resource=resource(), editor="E1")
    assert (await ministry.call(ministry.resources.CreateResource, create)).resource.state == "DRAFT"
    again = pb.CreateResourceRequest(request_id=rid(), resource=resource(), editor="E1")
    await refused(ministry.call(ministry.resources.CreateResource, again), "RESOURCE_EXISTS", Code.ALREADY_EXISTS)
    assert not (await bureau.call(bureau.resources.ListResources, pb.ListResourcesRequest())).resources
    await refused(apply_grant(bureau), "RESOURCE_UNKNOWN", Code.NOT_FOUND)

    def review(reviewer, who=ministry):
        request = pb.PublishResourceRequest(request_id=rid(), code=RECORDS, reviewer=reviewer)
        return who.call(who.resources.PublishResource, request)

    await refused(review("e1"), "SAME_PERSON", Code.PERMISSION_DENIED)
    await refused(review("E9", bureau), "RESOURCE_NOT_OWNED", Code.PERMISSION_DENIED)
    first, second = (await review("E2")).resource, (await review("E3")).resource
    assert (first.state, first) == ("PUBLISHED", second)
    assert [each.code for each in (await bureau.call(bureau.resources.ListResources, pb.ListResourcesRequest())).resources] == [RECORDS]  # fmt: skip


async def test_a_grant_is_a_contract_with_a_deadline(land):
    """Conditional ones wait for the provider until a deadline, unconditional ones pass, the rest is refused by name."""
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    await publish(ministry, resource())
    await publish(ministry, resource("open-data", share_class=pb.SHARE_CLASS_UNCONDITIONAL))
    await publish(ministry, resource("closed-data", share_class=pb.SHARE_CLASS_NOT_SHARED))
    passed = await apply_grant(bureau, code="open-data")
    assert (passed.state, passed.HasField("deadline")) == ("ACTIVE", False)
    await refused(apply_grant(bureau, code="closed-data"), "RESOURCE_NOT_SHARED", Code.FAILED_PRECONDITION)
    error = await refused(apply_grant(bureau, fields=("has_record", "salary")), "FIELD_UNKNOWN", Code.INVALID_ARGUMENT)
    assert [each.field for each in error.violations] == ["fields.salary"]
    land.identity.put("bureau2", secrecy="internal")
    await land.registry_current()
    await refused(apply_grant(land.platform("bureau2")), "SECRECY_TOO_HIGH", Code.PERMISSION_DENIED)
    applied = await apply_grant(bureau, year=2050)
    assert (applied.state, applied.HasField("deadline"), applied.valid_until.year < 2031) == ("APPLIED", True, True)

    def decide(decision, reason="", who=ministry):
        request = pb.DecideGrantRequest(request_id=rid(), id=applied.id, decision=decision, reason=reason)
        return who.call(who.resources.DecideGrant, request)

    await refused(decide(pb.GRANT_DECISION_GRANT, who=bureau), "RESOURCE_NOT_OWNED", Code.PERMISSION_DENIED)
    await refused(decide(pb.GRANT_DECISION_REFUSE), "REASON_MISSING", Code.INVALID_ARGUMENT)
    assert (await decide(pb.GRANT_DECISION_GRANT)).grant == (await decide(pb.GRANT_DECISION_GRANT)).grant
    await refused(decide(pb.GRANT_DECISION_REFUSE, "晚了"), "GRANT_STATE", Code.FAILED_PRECONDITION)
    other = await apply_grant(bureau)
    refusal = pb.DecideGrantRequest(request_id=rid(), id=other.id, decision=2, reason="不符合用途")
    assert (await ministry.call(ministry.resources.DecideGrant, refusal)).grant.state == "REFUSED"
    assert len((await bureau.call(bureau.resources.ListGrants, pb.ListGrantsRequest())).grants) == 3
    assert not (await land.platform("app").call(bureau.resources.ListGrants, pb.ListGrantsRequest())).grants


async def test_a_query_returns_granted_fields_with_evidence_once_for_each_request_id(land):
    """Sealed subject out, masked fields back, digests of exact bytes; a retry gets the same and spends nothing."""
    given, case = await ready(land, quota=2)
    async with register(land) as provider:
        raw = b'{"has_record": false, "checked_until": "2026-11-01", "file_number": "x"}'
        provider.reply = lambda question, subject: ("OK", raw)
        same = rid()
        answers = await asyncio.gather(*(ask(land, given.id, case.case_code, request_id=same) for _ in range(8)))
        assert {each.SerializeToString(deterministic=True) for each in answers} == {
            answers[0].SerializeToString(deterministic=True)
        }
        assert json_format.MessageToDict(answers[0].answer) == {"has_record": False}
        evidence = answers[0].evidence
        (question,) = provider.questions
        assert (evidence.call_id, evidence.question_sha256, evidence.answer_sha256) == (
            question.call_id,
            hashlib.sha256(question.SerializeToString()).hexdigest(),
            hashlib.sha256(raw).hexdigest(),
        )
        assert provider.subjects == [
            {name: f"{name} of p1" for name in ("full_name", "document_type", "document_number")}
        ]
        (seal,) = land.identity.seals
        assert (seal.platform, seal.purpose, seal.case_code) == ("ministry", "register-query", case.case_code)
        assert (list(question.fields), question.purpose) == (["has_record"], "开具证明")
        await refused(ask(land, given.id, case.case_code, request_id=same, fields=["has_record"]), "REQUEST_ID_REUSED")
        await ask(land, given.id, case.case_code)
        await refused(ask(land, given.id, case.case_code), "GRANT_QUOTA", Code.RESOURCE_EXHAUSTED)
        assert (await ask(land, given.id, case.case_code, request_id=same)) == answers[0]
    stored = b"".join(path.read_bytes() for path in (land.directory / "db").iterdir())
    assert b"file_number" not in stored
    assert b"has_record" in stored  # in the contract; the answer itself is ciphertext


async def test_who_may_ask_about_whom(land):
    """Only the consumer of the grant, only about its own open case, only for the grant's item and fields."""
    given, case = await ready(land)
    async with register(land):
        await refused(ask(land, given.id, case.case_code, who="bureau2"), "GRANT_REQUIRED", Code.PERMISSION_DENIED)
        await refused(ask(land, "01" * 13, case.case_code), "GRANT_REQUIRED", Code.PERMISSION_DENIED)
        await refused(ask(land, given.id, "x" * 43), "NOT_HANDLING_AGENCY", Code.PERMISSION_DENIED)
        error = await refused(ask(land, given.id, case.case_code, fields=["detail"]), "GRANT_REQUIRED")
        assert error.metadata["fields"] == "detail"
        theirs = await grant(land.platform("ministry"), land.platform("bureau2"))
        await refused(ask(land, theirs.id, case.case_code, who="bureau2"), "NOT_HANDLING_AGENCY")
        applied = await apply_grant(land.platform("bureau"))
        await refused(ask(land, applied.id, case.case_code), "GRANT_REQUIRED")
        await land.platform("bureau").move(case.case_code, "NOT_ACCEPT", note="不属于本机关")
        await refused(ask(land, given.id, case.case_code), "CASE_STATE", Code.FAILED_PRECONDITION)


async def test_revocation_stops_the_next_call(land):
    """By the provider or by the consumer itself."""
    given, case = await ready(land)
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    async with register(land):
        for who in (ministry, bureau):
            mine = await grant(ministry, bureau)
            await ask(land, mine.id, case.case_code)
            revoke = pb.RevokeGrantRequest(request_id=rid(), id=mine.id, reason="不再需要")
            assert (await who.call(who.resources.RevokeGrant, revoke)).grant.state == "REVOKED"
            await refused(ask(land, mine.id, case.case_code), "GRANT_REQUIRED", Code.PERMISSION_DENIED)
        stranger = land.platform("bureau2")
        revoke = pb.RevokeGrantRequest(request_id=rid(), id=given.id, reason="x")
        await refused(stranger.call(stranger.resources.RevokeGrant, revoke), "GRANT_UNKNOWN", Code.NOT_FOUND)


@pytest.mark.parametrize("seed", range(4))
async def test_no_field_outside_a_contract_ever_leaves(land, seed):
    """Random contracts, random requests, random answers: names that were not granted are in no response."""
    rng = random.Random(seed)
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    names = [f"f{number}" for number in range(8)]
    await publish(ministry, resource(fields=[pb.ResourceField(name=n, title=n, sensitivity="public") for n in names]))
    case = await land.person().apply()
    secret = "SECRET-NOT-GRANTED"

    def value(granted, depth=0):
        kind = rng.randrange(6)
        if kind == 0 and depth < 3:
            return {rng.choice(["f0", "x.y", "f1.f2", "", "a"]): value(granted, depth + 1) for _ in range(3)}
        if kind == 1 and depth < 3:
            return [value(granted, depth + 1) for _ in range(rng.randrange(3))]
        return rng.choice([granted, 1, -0.5, True, None, "\u202e文"])

    async with register(land) as provider:
        for _ in range(15):
            granted = set(rng.sample(names, rng.randrange(1, 5)))
            given = await grant(ministry, bureau, fields=sorted(granted))
            wanted = set(rng.sample(sorted(granted), rng.randrange(len(granted) + 1)))
            allowed = wanted or granted
            fields = {name: value("ok") if name in allowed else secret for name in rng.sample(names, 6)}
            fields |= {f"{name}.inner": secret for name in names} | {name.upper(): secret for name in names}
            provider.reply = lambda question, subject, found=fields: ("OK", found)
            answer = await ask(land, given.id, case.case_code, fields=sorted(wanted))
            leaving = json_format.MessageToDict(answer.answer)
            assert set(leaving) <= allowed
            assert secret not in answer.SerializeToString().decode("utf-8", "replace")
            assert leaving == {name: fields[name] for name in fields if name in allowed}


BAD_ANSWERS = [
    ("OK", b""),
    ("OK", b"[]"),
    ("OK", b'{"has_record": NaN}'),
    ("OK", b'{"has_record": 1e999}'),
    ("OK", b'{"has_record": 9007199254740993}'),
    ("OK", b'{"has_record": false, "has_record": true}'),
    ("OK", b'{"has_record": "\\ud800"}'),
    ("OK", b"[" * 100_000),
    ("OK", b'{"has_record":' * 50 + b"1" + b"}" * 50),
    ("OK", b"\xff\xfe"),
    ("OK", b'{"has_record": "' + b"x" * 300_000 + b'"}'),
    ("OK", b'{"has_record": "11010519491231002X"}'),
    ("OK", b'{"has_record": {"deep": ["1101 0519 4912 3100 2X"]}}'),
    ("DATABASE_DOWN", b""),
    ("\x00weird " * 50, b"{}"),
    ("NOT_FOUND", b""),
]


async def test_a_bad_answer_is_typed_leaves_nothing_and_spends_nothing(land):
    """Whatever bytes a provider sends, the asker gets PROVIDER_ANSWER_INVALID and its quota back."""
    given, case = await ready(land, quota=1)
    async with register(land) as provider:
        for bad in BAD_ANSWERS:
            provider.reply = lambda question, subject, found=bad: found
            await refused(ask(land, given.id, case.case_code), "PROVIDER_ANSWER_INVALID", Code.FAILED_PRECONDITION)
        provider.reply = lambda question, subject: ("OK", {"has_record": True})
        answer = await ask(land, given.id, case.case_code)
        assert json_format.MessageToDict(answer.answer) == {"has_record": True}
    stored = b"".join(path.read_bytes() for path in (land.directory / "db").iterdir())
    assert b"11010519491231002X" not in stored


async def test_absent_silent_and_dying_providers(land):
    """Away and slow are typed and in time; a stream that dies mid-call hands its question to another, or is told."""
    given, case = await ready(land, quota=1)
    started = time.monotonic()
    await refused(ask(land, given.id, case.case_code), "PROVIDER_AWAY", Code.UNAVAILABLE)
    assert time.monotonic() - started < 2
    same = rid()
    async with register(land) as first:
        first.reply = lambda question, subject: None
        await refused(ask(land, given.id, case.case_code, request_id=same), "PROVIDER_SLOW", Code.DEADLINE_EXCEEDED)
        # A late answer is nobody's.
        first.send(first.questions[-1].call_id, "OK", {"has_record": True})
        waiting = asyncio.create_task(ask(land, given.id, case.case_code, request_id=same))
        await eventually(lambda: len(first.questions) == 2)
        async with register(land) as second:
            await eventually(lambda: metrics.PROVIDER_STREAMS._value.get() == 2)
            await first.stop()
            answer = await waiting
            assert (json_format.MessageToDict(answer.answer), len(second.questions)) == ({"has_record": False}, 1)
            await first.start()
    other = await grant(land.platform("ministry"), land.platform("bureau"))
    async with register(land) as third:
        third.reply = lambda question, subject: None
        waiting = asyncio.create_task(ask(land, other.id, case.case_code))
        await eventually(lambda: third.questions)
        await third.stop()
        await refused(waiting, "PROVIDER_AWAY", Code.UNAVAILABLE)
        await third.start()


async def test_a_stream_that_hangs_costs_one_question(land):
    """Beside one that answers, it gets no more while it owes the first; alone, askers are told at once after a few."""
    given, case = await ready(land)
    async with register(land) as hung:
        hung.reply = lambda question, subject: None
        await refused(ask(land, given.id, case.case_code), "PROVIDER_SLOW", Code.DEADLINE_EXCEEDED)
        async with register(land) as sound:
            await eventually(lambda: metrics.PROVIDER_STREAMS._value.get() == 2)
            for _ in range(5):
                await ask(land, given.id, case.case_code)
            assert (len(hung.questions), len(sound.questions)) == (1, 5)
        await eventually(lambda: metrics.PROVIDER_STREAMS._value.get() == 1)
        for _ in range(2):
            await refused(ask(land, given.id, case.case_code), "PROVIDER_SLOW", Code.DEADLINE_EXCEEDED)
        await refused(ask(land, given.id, case.case_code), "PROVIDER_STALLED", Code.UNAVAILABLE)
        assert metrics.PROVIDER_STREAMS_STALLED._value.get() == 1
        # A late answer shows that it is there again.
        hung.reply = lambda question, subject: ("OK", {"has_record": False})
        hung.send(hung.questions[0].call_id, "OK", {"has_record": False})
        await eventually(lambda: metrics.PROVIDER_STREAMS_STALLED._value.get() == 0)
        await ask(land, given.id, case.case_code)


async def test_streams_share_the_load_within_their_windows(land):
    """Two streams with a window of two: never more than two at once on each, all hundred answered, both used."""
    given, case = await ready(land, quota=1000)
    busy: dict[int, int] = {0: 0, 1: 0}
    most: dict[int, int] = {0: 0, 1: 0}

    def slow(provider, number):
        def reply(question, subject):
            busy[number] += 1
            most[number] = max(most[number], busy[number])

            def done():
                busy[number] -= 1
                provider.send(question.call_id, "OK", {"has_record": False})

            asyncio.get_running_loop().call_later(0.002, done)

        return reply

    async with register(land, window=2) as one, register(land, window=2) as two:
        one.reply, two.reply = slow(one, 0), slow(two, 1)
        await asyncio.gather(*(ask(land, given.id, case.case_code) for _ in range(100)))
        assert (most[0] <= 2, most[1] <= 2, len(one.questions) + len(two.questions)) == (True, True, 100)
        assert min(len(one.questions), len(two.questions)) > 10


async def test_a_suspended_provider_is_cut_within_a_second(land):
    """Its open stream ends, the next question finds nobody, and it cannot come back until it is resumed."""
    given, case = await ready(land)
    async with register(land) as provider:
        await ask(land, given.id, case.case_code)
        land.identity.put("ministry", state="SUSPENDED")
        await eventually(lambda: provider.ended, within=1)
        assert provider.ended is grpc.StatusCode.PERMISSION_DENIED
        await refused(ask(land, given.id, case.case_code), "PROVIDER_AWAY", Code.UNAVAILABLE)
        land.identity.put("ministry")
        await land.registry_current()
        await provider.start()
        await ask(land, given.id, case.case_code)


async def test_a_stream_serves_its_own_resources_only(land):
    """Another's resource, no hello, a wrong window: refused. An answer to another stream's question is nothing."""
    given, case = await ready(land)

    async def opened(who, *messages):
        stream = land.platform(who).provider.Serve(iter_of(messages), metadata=land.platform(who).metadata)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stream:
                pass
        return error_of(caught.value).reason

    async def iter_of(messages):
        for message in messages:
            yield message

    hello = pb.ServeRequest(hello=pb.ServeHello(resources=[RECORDS], window=1))
    assert await opened("bureau", hello) == "RESOURCE_NOT_OWNED"
    assert await opened("ministry") == "HELLO_MISSING"
    assert await opened("ministry", pb.ServeRequest(answer=pb.ServeAnswer())) == "HELLO_MISSING"
    assert await opened("ministry", pb.ServeRequest(hello=pb.ServeHello(resources=[RECORDS]))) == "VALUE_RANGE"
    assert await opened("ministry", pb.ServeRequest(hello=pb.ServeHello(resources=["none"], window=1))) == "RESOURCE_NOT_OWNED"  # fmt: skip
    await publish(land.platform("bureau2"), resource("other"))
    thief = Register(land.platform("bureau2"), land.identity.keys["bureau2"], resources=["other"])
    async with register(land) as provider:
        await thief.start()
        provider.reply = lambda question, subject: thief.send(question.call_id, "OK", {"has_record": True})
        await refused(ask(land, given.id, case.case_code), "PROVIDER_SLOW")
        await thief.stop()


async def test_an_authority_answers_the_hub_with_a_word_not_with_data(land):
    """VerifySubject: only authority resources, only a result code, evidence kept; never callable through the edge."""
    ministry = land.platform("ministry")
    await publish(ministry, resource(POPULATION, authority=True, share_class=pb.SHARE_CLASS_NOT_SHARED))
    await publish(ministry, resource())
    address = f"unix:{land.directory}/run/exchange.peer.sock"
    async with client.channel(address, service="identity") as asking:
        await _authority_answers(land, ministry, query_pb2_grpc.AuthorityServiceStub(asking))


async def _authority_answers(land, ministry, stub):
    candidate = person_pb2.SealPersonRequest(person_id="p1", platform="ministry", fields=["full_name"])
    sealed = await land.identity.SealPerson(candidate, None)
    request = pb.VerifySubjectRequest(resource=POPULATION, subject=sealed.sealed)
    async with register(land, resources=[POPULATION]) as provider:
        for verdict in ("MATCH", "MISMATCH", "NOT_FOUND"):
            provider.reply = lambda question, subject, said=verdict: (said, b"")
            answer = await stub.VerifySubject(request)
            assert (answer.result, len(answer.evidence_sha256)) == (verdict, 64)
        provider.reply = lambda question, subject: ("PERHAPS", b"")
        assert await failed(stub.VerifySubject(request)) == "PROVIDER_ANSWER_INVALID"
        request.resource = RECORDS
        assert await failed(stub.VerifySubject(request)) == "RESOURCE_UNKNOWN"
    request.resource = POPULATION
    assert await failed(stub.VerifySubject(request)) == "PROVIDER_AWAY"
    assert await failed(stub.VerifySubject(pb.VerifySubjectRequest(resource=POPULATION, subject=envelope_pb2.SealedData()))) == "SUBJECT_MISSING"  # fmt: skip
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        edge = query_pb2_grpc.AuthorityServiceStub(land.channel)
        await edge.VerifySubject(request, metadata=ministry.metadata)
    assert caught.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.PERMISSION_DENIED)


async def failed(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_of(caught.value).reason


async def test_a_query_cut_off_by_its_caller_is_charged_once(land):
    """The asker goes away mid-call; the same request_id later gets its answer without a second charge."""
    given, case = await ready(land, quota=1)
    async with register(land) as provider:
        provider.reply = lambda question, subject: None
        same = rid()
        gone = asyncio.create_task(ask(land, given.id, case.case_code, request_id=same))
        await eventually(lambda: provider.questions)
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        provider.reply = lambda question, subject: ("OK", {"has_record": False})
        await ask(land, given.id, case.case_code, request_id=same)
        await refused(ask(land, given.id, case.case_code), "GRANT_QUOTA")


async def test_identity_away_is_told_and_spends_nothing(land):
    """Without the vault nothing can be sealed: UNAVAILABLE, and the call is given back."""
    given, case = await ready(land, quota=1)
    async with register(land):
        land.identity.away = True
        await refused(ask(land, given.id, case.case_code), "IDENTITY_AWAY", Code.UNAVAILABLE)
        land.identity.away = False
        await ask(land, given.id, case.case_code)


async def test_hostile_grants_and_resources_are_typed_errors(land):
    """No string in any field of sharing makes an incident."""
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    await publish(ministry, resource())
    for text in ["\x00", "' OR 1=1 --", "\u202e", "x" * 5000, "11010519491231002X"]:
        calls = [
            ministry.call(
                ministry.resources.CreateResource,
                pb.CreateResourceRequest(request_id=rid(), resource=resource(text), editor=text),
            ),
            bureau.call(
                bureau.resources.ApplyGrant,
                pb.ApplyGrantRequest(request_id=rid(), resource=RECORDS, item_code=text, purpose=text, fields=[text]),
            ),
            bureau.call(bureau.resources.RevokeGrant, pb.RevokeGrantRequest(request_id=rid(), id=text, reason=text)),
            ask(land, text, text),
        ]
        for call in calls:
            with pytest.raises(HubError) as caught:
                await call
            assert caught.value.code is not Code.INTERNAL
