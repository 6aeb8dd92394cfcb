"""What is allowed is decided at each step of a query, and a revocation is not undone by asking again."""

import asyncio
import contextlib

import pytest
from google.protobuf import json_format

from shuniu.api.exchange.v1 import evidence_pb2, evidence_pb2_grpc
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit.errors import Code
from shuniu.kit.testing import eventually
from tests.integration.test_exchange_cases import refused
from tests.integration.test_exchange_queries import ask, ready, register
from tests.support.exchange_land import exchange_land, rid
from tests.support.register import apply_grant, grant, publish, resource

OPEN_DATA = "open-data"


@pytest.fixture
async def land():
    async with exchange_land(provider_seconds=5.0, provider_wait_seconds=0.3) as it:
        yield it


async def revoke(caller, grant_id):
    request = pb.RevokeGrantRequest(request_id=rid(), id=grant_id, reason="不再需要")
    return (await caller.call(caller.resources.RevokeGrant, request)).grant


async def cut_off(land, given, case, provider):
    """A query whose caller left after its question had reached the provider; returns its request id."""
    provider.reply, same = (lambda question, subject: None), rid()
    gone = asyncio.create_task(ask(land, given.id, case.case_code, request_id=same))
    await eventually(lambda: provider.questions)
    gone.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await gone
    provider.reply = lambda question, subject: ("OK", {"has_record": False})
    return same


async def test_a_query_that_was_cut_off_is_decided_anew(land):
    """Its charge opens nothing: after a revocation the same request_id is refused, and no question leaves."""
    given, case = await ready(land)
    async with register(land) as provider:
        same = await cut_off(land, given, case, provider)
        await revoke(land.platform("ministry"), given.id)
        await refused(ask(land, given.id, case.case_code, request_id=same), "GRANT_REQUIRED", Code.PERMISSION_DENIED)
        assert len(provider.questions) == 1


async def test_a_query_that_was_cut_off_has_a_call_of_its_own_when_it_comes_again(land):
    """A late answer to the first try is not taken for one to the second; the evidence is of the second."""
    given, case = await ready(land)
    async with register(land) as provider:
        same = await cut_off(land, given, case, provider)
        first = provider.questions[0].call_id

        def late(question, subject):
            provider.send(first, "OK", {"has_record": True})
            return "OK", {"has_record": False}

        provider.reply = late
        answer = await ask(land, given.id, case.case_code, request_id=same)
        assert json_format.MessageToDict(answer.answer) == {"has_record": False}
        assert answer.evidence.call_id == provider.questions[1].call_id != first


@pytest.mark.parametrize("change", ["revoked", "secrecy", "zone", "case"])
async def test_an_answer_under_way_is_withheld_when_what_allowed_it_ends(land, change):
    """Decided again before the answer leaves, and before a stored one leaves again; the evidence stays."""
    given, case = await ready(land, quota=2)
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    before = rid()
    async with register(land) as provider:
        await ask(land, given.id, case.case_code, request_id=before)
        provider.reply = lambda question, subject: None
        waiting = asyncio.create_task(ask(land, given.id, case.case_code))
        await eventually(lambda: len(provider.questions) == 2)
        if change == "revoked":
            await revoke(ministry, given.id)
        elif change == "case":
            await bureau.move(case.case_code, "NOT_ACCEPT", note="不属于本机关")
        else:
            land.identity.put("bureau", **({"secrecy": "internal"} if change == "secrecy" else {"zone": "internet"}))
            await land.registry_current()
        withheld = provider.questions[-1].call_id
        provider.send(withheld, "OK", {"has_record": True})
        reason = "CASE_STATE" if change == "case" else "GRANT_REQUIRED"
        await refused(waiting, reason)
        await refused(ask(land, given.id, case.case_code, request_id=before), reason)
    evidence = evidence_pb2_grpc.EvidenceServiceStub(land.channel)
    kept = await ministry.call(evidence.GetEvidence, evidence_pb2.GetEvidenceRequest(id=withheld))
    assert f'"result":"{reason}"' in kept.record.replace(" ", "")


async def test_a_withheld_answer_is_given_back(land):
    """The quota is of answers: what did not leave spent nothing."""
    given, case = await ready(land, quota=1)
    async with register(land) as provider:
        provider.reply = lambda question, subject: None
        waiting = asyncio.create_task(ask(land, given.id, case.case_code))
        await eventually(lambda: provider.questions)
        land.identity.put("bureau", secrecy="internal")
        await land.registry_current()
        provider.send(provider.questions[-1].call_id, "OK", {"has_record": True})
        await refused(waiting, "GRANT_REQUIRED")
        land.identity.put("bureau")
        await land.registry_current()
        provider.reply = lambda question, subject: ("OK", {"has_record": False})
        await ask(land, given.id, case.case_code)


async def test_a_revocation_on_an_unconditional_resource_lasts(land):
    """Grants made beforehand end with it, a new application waits for the provider, and others are not touched."""
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    await publish(ministry, resource(OPEN_DATA, share_class=pb.SHARE_CLASS_UNCONDITIONAL))
    first, spare = [await apply_grant(bureau, code=OPEN_DATA) for _ in range(2)]
    others = await apply_grant(land.platform("bureau2"), code=OPEN_DATA)
    assert {each.state for each in (first, spare, others)} == {"ACTIVE"}
    assert (await revoke(ministry, first.id)).state == "REVOKED"
    listed = (await ministry.call(ministry.resources.ListGrants, pb.ListGrantsRequest())).grants
    assert {each.id: each.state for each in listed} == {first.id: "REVOKED", spare.id: "REVOKED", others.id: "ACTIVE"}
    assert (await apply_grant(bureau, code=OPEN_DATA)).state == "APPLIED"
    assert (await grant(ministry, bureau, code=OPEN_DATA)).state == "ACTIVE"
    assert (await apply_grant(bureau, code=OPEN_DATA)).state == "APPLIED"
    assert (await apply_grant(land.platform("bureau2"), code=OPEN_DATA)).state == "ACTIVE"


async def test_a_consumer_that_ended_its_own_grant_may_have_another(land):
    """Only the provider's word stops."""
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    await publish(ministry, resource(OPEN_DATA, share_class=pb.SHARE_CLASS_UNCONDITIONAL))
    await revoke(bureau, (await apply_grant(bureau, code=OPEN_DATA)).id)
    assert (await apply_grant(bureau, code=OPEN_DATA)).state == "ACTIVE"


async def test_many_grants_are_one_quota(land):
    """Calls are counted for consumer and resource; the provider's numbers bound them."""
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    await publish(ministry, resource(daily_calls=3))
    case = await land.person().apply()
    await refused(apply_grant(bureau, quota=4), "VALUE_RANGE", Code.INVALID_ARGUMENT)
    wide = [await grant(ministry, bureau, quota=3) for _ in range(2)]
    narrow = await grant(ministry, bureau, quota=3, given=1)
    assert [each.daily_quota for each in (*wide, narrow)] == [3, 3, 1]
    await refused(grant(ministry, bureau, quota=2, given=3), "VALUE_RANGE", Code.INVALID_ARGUMENT)
    async with register(land):
        await ask(land, narrow.id, case.case_code)
        await refused(ask(land, narrow.id, case.case_code), "GRANT_QUOTA", Code.RESOURCE_EXHAUSTED)
        for given in wide:
            await ask(land, given.id, case.case_code)
        for given in wide:
            await refused(ask(land, given.id, case.case_code), "GRANT_QUOTA", Code.RESOURCE_EXHAUSTED)


async def test_zones_and_clearance_hold_for_grants_and_queries(land):
    """Not into a zone that the hub's pairs do not open, from the provider or the hub; as it is now, not as it was."""
    given, case = await ready(land)
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    waiting = await apply_grant(bureau)
    async with register(land):
        for who, zone in (("bureau", "internet"), ("ministry", "police")):
            land.identity.put(who, zone=zone)
            await land.registry_current()
            await refused(apply_grant(bureau), "ZONE_PAIR", Code.PERMISSION_DENIED)
            decide = pb.DecideGrantRequest(request_id=rid(), id=waiting.id, decision=pb.GRANT_DECISION_GRANT)
            await refused(ministry.call(ministry.resources.DecideGrant, decide), "ZONE_PAIR", Code.PERMISSION_DENIED)
            error = await refused(ask(land, given.id, case.case_code), "GRANT_REQUIRED", Code.PERMISSION_DENIED)
            assert error.metadata["cause"] == "ZONE_PAIR"
            land.identity.put(who)
        await land.registry_current()
        land.identity.put("bureau", secrecy="internal")
        await land.registry_current()
        await refused(apply_grant(bureau), "SECRECY_TOO_HIGH", Code.PERMISSION_DENIED)
        error = await refused(ask(land, given.id, case.case_code), "GRANT_REQUIRED", Code.PERMISSION_DENIED)
        assert error.metadata["cause"] == "SECRECY"


async def test_one_consumer_has_only_so_many_grants_on_a_resource(land):
    """The hundred and first is refused until one has ended."""
    ministry, bureau = land.platform("ministry"), land.platform("bureau")
    await publish(ministry, resource())
    made = [await apply_grant(bureau) for _ in range(100)]
    await refused(apply_grant(bureau), "GRANTS_COUNT", Code.RESOURCE_EXHAUSTED)
    refusal = pb.DecideGrantRequest(request_id=rid(), id=made[0].id, decision=pb.GRANT_DECISION_REFUSE, reason="多余")
    await ministry.call(ministry.resources.DecideGrant, refusal)
    assert (await apply_grant(bureau)).state == "APPLIED"
