"""Queries at two replicas of the exchange on one PostgreSQL: any replica may be asked, and the provider is asked once."""

import asyncio
import hashlib

import pytest
from google.protobuf import json_format

from services.exchange.queries import store as query_store
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit.errors import Code, HubError
from shuniu.kit.testing import eventually
from tests.integration.test_exchange_cases import refused
from tests.integration.test_exchange_queries import ask, ready, register
from tests.support.exchange_land import rid
from tests.support.exchange_replicas import exchange_replicas, replica_process

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def replicas(postgres_database):
    async with exchange_replicas(postgres_database, provider_seconds=5.0, provider_wait_seconds=1.0) as them:
        yield them


def silent(question, subject):
    """A provider's reply that does not come."""


async def known(replicas, number):
    """Waits until as many streams are registered."""

    async def registered():
        return len(await replicas.streams()) == number

    await eventually(registered)


async def test_a_consumer_at_one_replica_asks_a_provider_at_the_other(replicas):
    """The answer, its evidence and its charge are as with one replica; the stream is no longer known when it ends."""
    given, case = await ready(replicas.first)
    async with register(replicas.first) as provider:
        await known(replicas, 1)
        answer = await ask(replicas.second, given.id, case.case_code)
        assert json_format.MessageToDict(answer.answer) == {"has_record": False}
        (question,) = provider.questions
        assert answer.evidence.question_sha256 == hashlib.sha256(question.SerializeToString()).hexdigest()
        assert (await ask(replicas.first, given.id, case.case_code)).answer == answer.answer
        assert (len(provider.questions), await replicas.spent()) == (2, 2)
        await asyncio.gather(*(ask(replicas.second, given.id, case.case_code) for _ in range(8)))
    await known(replicas, 0)
    await refused(ask(replicas.second, given.id, case.case_code), "PROVIDER_AWAY", Code.UNAVAILABLE)
    assert await replicas.spent() == 10


async def test_a_provider_that_comes_meanwhile_is_found_wherever_it_comes(replicas):
    """A question that waits for an absent provider is answered over a stream that is opened at the other replica."""
    given, case = await ready(replicas.first)
    waiting = asyncio.create_task(ask(replicas.second, given.id, case.case_code))

    async def asked():
        return any(row.state == "OPEN" for row in await replicas.calls())

    await eventually(asked)
    async with register(replicas.first) as provider:
        assert json_format.MessageToDict((await waiting).answer) == {"has_record": False}
        assert len(provider.questions) == 1


async def test_a_slow_provider_is_told_from_an_absent_one_and_its_breaker_stays_with_its_stream(replicas):
    """The asker's deadline goes with the question; the replica that holds the stream counts what was not answered, so
    that askers anywhere hear at once after a few.
    """
    given, case = await ready(replicas.first)
    async with register(replicas.first) as hung:
        await known(replicas, 1)
        hung.reply = silent
        await refused(ask(replicas.second, given.id, case.case_code), "PROVIDER_SLOW", Code.DEADLINE_EXCEEDED)
        while True:
            # One that took long to get there does not count against the stream.
            asking = [ask(replicas.second, given.id, case.case_code) for _ in range(2)]
            reasons = {each.reason for each in await asyncio.gather(*asking, return_exceptions=True)}
            if reasons == {"PROVIDER_STALLED"}:
                break
            assert (reasons <= {"PROVIDER_SLOW", "PROVIDER_STALLED"}, len(hung.questions) < 12) == (True, True)
        await refused(ask(replicas.first, given.id, case.case_code), "PROVIDER_STALLED", Code.UNAVAILABLE)
        assert (len(hung.questions) >= 3, await replicas.spent()) == (True, 0)
        had = len(hung.questions)
        async with register(replicas.second) as sound:
            # Beside a stream that hangs here, one elsewhere that answers takes the question.
            await known(replicas, 2)
            await ask(replicas.first, given.id, case.case_code)
            assert (len(hung.questions), len(sound.questions)) == (had, 1)


async def test_a_replica_that_is_killed_is_left_for_another(replicas):
    """The question that was under way is asked again over a stream elsewhere and charged once; the dead replica's row
    does no harm while its lease lasts, and is not asked for after it.
    """
    given, case = await ready(replicas.first)
    async with replica_process(replicas.first) as third, register(third.land) as dying:
        dying.reply = silent
        await known(replicas, 1)
        waiting = asyncio.create_task(ask(replicas.second, given.id, case.case_code))
        await eventually(lambda: dying.questions)
        async with register(replicas.first) as other:
            await known(replicas, 2)
            await third.kill()
            assert json_format.MessageToDict((await waiting).answer) == {"has_record": False}
            assert (len(other.questions), await replicas.spent()) == (1, 1)
            await ask(replicas.second, given.id, case.case_code)
        await known(replicas, 1)
        (left,) = await replicas.streams()
        await refused(ask(replicas.second, given.id, case.case_code), "PROVIDER_AWAY", Code.UNAVAILABLE)
        await replicas.end_leases_of_streams()
        addresses = await replicas.store.read(query_store.addresses_with_stream, "ministry", given.resource, "")
        assert (left.provider, list(addresses)) == ("ministry", [])
        assert await replicas.store.write(query_store.forget_streams, 0) == 1


async def test_one_request_at_both_replicas_is_one_question(replicas):
    """Both wait for the one answer and hand out the same bytes; the provider is asked once and the quota charged once."""
    given, case = await ready(replicas.first, quota=1)
    async with register(replicas.first) as provider:
        await known(replicas, 1)
        provider.reply = silent
        same = rid()
        both = [
            asyncio.create_task(ask(replica, given.id, case.case_code, request_id=same))
            for replica in (replicas.first, replicas.second) * 4
        ]
        await eventually(lambda: provider.questions)
        provider.send(provider.questions[0].call_id, "OK", {"has_record": True})
        answers = {each.SerializeToString(deterministic=True) for each in await asyncio.gather(*both)}
        assert (len(answers), len(provider.questions), await replicas.spent()) == (1, 1, 1)
        (row,) = await replicas.calls()
        assert (row.state, row.fence, row.lease_us) == ("DONE", 1, 0)


async def test_a_failed_try_leaves_the_request_to_the_replica_that_waits(replicas):
    """What waited for another's answer asks by itself when none came; the quota is charged for the answer alone."""
    given, case = await ready(replicas.first, quota=1)
    async with register(replicas.first) as provider:
        await known(replicas, 1)
        provider.reply = lambda question, subject: ("DATABASE_DOWN", b"")
        same = rid()
        await refused(ask(replicas.first, given.id, case.case_code, request_id=same), "PROVIDER_ANSWER_INVALID")
        provider.reply = silent
        first = asyncio.create_task(ask(replicas.first, given.id, case.case_code, request_id=same))
        await eventually(lambda: len(provider.questions) == 2)
        second = asyncio.create_task(ask(replicas.second, given.id, case.case_code, request_id=same))
        provider.reply = lambda question, subject: ("OK", {"has_record": False})
        provider.send(provider.questions[1].call_id, "DATABASE_DOWN", b"")
        await refused(first, "PROVIDER_ANSWER_INVALID")
        assert json_format.MessageToDict((await second).answer) == {"has_record": False}
        assert (len(provider.questions), await replicas.spent()) == (3, 1)


async def test_a_late_replica_changes_nothing(replicas):
    """When the lease of a call ended the other replica asks, and what the first one gets later is refused: the answer
    that was handed out is the one that is stored, charged once.
    """
    given, case = await ready(replicas.first, quota=1)
    async with register(replicas.first) as provider:
        await known(replicas, 1)
        same, late = await unanswered(replicas, provider, given, case)
        await replicas.end_leases_of_calls()
        taken = asyncio.create_task(ask(replicas.second, given.id, case.case_code, request_id=same))
        await eventually(lambda: len(provider.questions) == 2)
        first, second = (question.call_id for question in provider.questions)
        provider.send(second, "OK", {"has_record": True})
        answer = await taken
        provider.send(first, "OK", {"has_record": False})
        await refused(late, "QUERY_OVERTAKEN", Code.ABORTED)
        assert json_format.MessageToDict(answer.answer) == {"has_record": True}
        for replica in (replicas.first, replicas.second):
            assert await ask(replica, given.id, case.case_code, request_id=same) == answer
        (row,) = await replicas.calls()
        assert (row.call_id, row.fence, await replicas.spent()) == (second, 2, 1)


async def unanswered(replicas, provider, given, case):
    """A question at the first replica that the provider has and does not answer: its request id and the asker."""
    provider.reply = silent
    same = rid()
    asker = asyncio.create_task(ask(replicas.first, given.id, case.case_code, request_id=same))
    await eventually(lambda: provider.questions)
    return same, asker


async def test_a_late_failure_refunds_nothing(replicas):
    """The call that the first replica could not finish is the second one's by then: it stays charged."""
    given, case = await ready(replicas.first, quota=1)
    async with register(replicas.first) as provider:
        await known(replicas, 1)
        same, late = await unanswered(replicas, provider, given, case)
        await replicas.end_leases_of_calls()
        provider.reply = lambda question, subject: ("OK", {"has_record": False})
        await ask(replicas.second, given.id, case.case_code, request_id=same)
        provider.send(provider.questions[0].call_id, "DATABASE_DOWN", b"")
        await refused(late, "PROVIDER_ANSWER_INVALID")
        await refused(ask(replicas.second, given.id, case.case_code), "GRANT_QUOTA", Code.RESOURCE_EXHAUSTED)


async def test_a_caller_that_leaves_one_replica_is_answered_by_the_other(replicas):
    """Nobody waits for the lease of a call that was given up: the retry elsewhere asks at once, charged once."""
    given, case = await ready(replicas.first, quota=1)
    async with register(replicas.first) as provider:
        await known(replicas, 1)
        same, gone = await unanswered(replicas, provider, given, case)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)

        async def given_up():
            return [row.lease_us for row in await replicas.calls()] == [0]

        await eventually(given_up, within=2)
        provider.reply = lambda question, subject: ("OK", {"has_record": False})
        await ask(replicas.second, given.id, case.case_code, request_id=same)
        assert (len(provider.questions), await replicas.spent()) == (2, 1)


async def test_a_request_of_a_replica_that_was_killed_is_answered_when_its_lease_ended(replicas):
    """The retry at another replica waits for the lease, within its deadline, then asks; the quota is charged once."""
    given, case = await ready(replicas.first, quota=1)
    async with register(replicas.first) as provider:
        await known(replicas, 1)
        provider.reply = silent
        same = rid()
        async with replica_process(replicas.first) as third:
            lost = asyncio.create_task(ask(third.land, given.id, case.case_code, request_id=same))
            await eventually(lambda: provider.questions)
            await third.kill()
            await refused(lost, "UNAVAILABLE", Code.UNAVAILABLE)
        retry = asyncio.create_task(ask(replicas.second, given.id, case.case_code, request_id=same, timeout=60))
        with pytest.raises(HubError) as caught:
            await ask(replicas.first, given.id, case.case_code, request_id=same, timeout=0.5)
        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert (len(provider.questions), retry.done()) == (1, False)
        provider.reply = lambda question, subject: ("OK", {"has_record": False})
        await replicas.end_leases_of_calls()
        await retry
        assert (len(provider.questions), await replicas.spent()) == (2, 1)


async def test_both_replicas_see_the_same_resource(replicas):
    """Directory and grants are rows: what one replica decided the other applies to its next call."""
    given, case = await ready(replicas.first)
    bureau = replicas.second.platform("bureau")
    revoke = pb.RevokeGrantRequest(request_id=rid(), id=given.id, reason="不再需要")
    await bureau.call(bureau.resources.RevokeGrant, revoke)
    await refused(ask(replicas.first, given.id, case.case_code), "GRANT_REQUIRED", Code.PERMISSION_DENIED)
