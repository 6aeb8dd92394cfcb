"""The attacks of a bureau's credential against the hub and other bureaus: each is tried on a real server and fails."""

import asyncio
import json

import nats.errors
import pytest

from services.identity.bus import domain as bus_accounts
from shuniu.kit.events.bus import NobodyListensError, Outgoing
from shuniu.kit.events.bus_streams import event_stream, submit_stream
from shuniu.kit.testing.clock import eventually
from tests.support.bus_land import KEYS, bus_land

CASE = "exchange.case.submitted.v1"
REFUSED_WITHIN = 0.4


@pytest.fixture
async def land():
    """A hub with streams EVT_EXCHANGE and SUBMIT, victim A with one event in its INBOX, and attacker B."""
    async with bus_land() as it:
        it.hub = await it.service("exchange")
        await it.hub.ensure_stream(event_stream("exchange", now_s=0))
        await it.hub.ensure_stream(submit_stream())
        it.victim_creds = await it.enrol("a")
        it.attacker_creds = await it.enrol("b")
        it.victim = await it.bureau(it.victim_creds)
        it.attacker = await it.bureau(it.attacker_creds)
        await it.hub.publish(deliver("a", "e1"))
        await it.hub.publish(deliver("b", "e2"))
        await it.hub.publish(Outgoing(f"evt.{CASE}", b"secret", {"Nats-Msg-Id": "e3"}))
        yield it


def deliver(org, event_id):
    return Outgoing(f"deliver.{org}.{CASE}", b"for " + org.encode(), {"Nats-Msg-Id": event_id})


async def api(client, call, body=None):
    """The answer of one JetStream call, or None when the server refuses to pass it on."""
    data = b"" if body is None else json.dumps(body).encode()
    try:
        answer = await client.request(f"$JS.API.{call}", data, timeout=REFUSED_WITHIN)
    except (TimeoutError, nats.errors.NoRespondersError):
        return None
    return json.loads(answer.data) if answer.data else {"error": {"status": answer.headers}}


async def refused(client, call, body=None):
    answer = await api(client, call, body)
    return answer is None or "error" in answer


async def inbox_of(client):
    info = await api(client, "STREAM.INFO.INBOX")
    return info["state"]["messages"]


async def settled(client):
    """A call answered after everything sent before: the server has judged it all."""
    assert await api(client, "INFO") is not None


async def denied(client):
    """The server's complaints about what was sent before."""
    await settled(client)
    return [error for error in client.complaints if "permissions violation" in str(error).lower()]


async def hub_messages(land):
    return (await land.hub.stream_state("EVT_EXCHANGE")).messages


async def make_consumer(client, name, **config):
    body = {"stream_name": "INBOX", "config": {"durable_name": name, "name": name, "ack_policy": "explicit", **config}}
    return await api(client, f"CONSUMER.DURABLE.CREATE.INBOX.{name}", body)


async def test_the_honest_path_works_so_that_refusals_mean_something(land):
    """A bureau reads its own INBOX and its submission reaches the hub with its own code in the subject."""
    sub = await land.attacker.jetstream().pull_subscribe("inbox.>", durable="mine", stream="INBOX")
    (message,) = await sub.fetch(1, timeout=2)
    assert message.data == b"for b"
    assert message.subject == f"inbox.{CASE}"
    await message.ack_sync()
    # Nobody in the hub wants this kind of message, so the stream answers and keeps nothing.
    answer = await land.attacker.request("submit.receipt", b"x", timeout=2)
    assert json.loads(answer.data)["stream"] == "SUBMIT"


async def test_a_pull_request_whose_reply_is_a_stream_subject_injects_nothing(land):
    """An event handed out to a forged reply stays in the attacker's account: no stream of the hub or of A takes it."""
    before = await hub_messages(land), await inbox_of(land.victim)
    await make_consumer(land.attacker, "x")
    request = json.dumps({"batch": 1, "expires": 200_000_000}).encode()
    for reply in (f"evt.{CASE}", f"deliver.a.{CASE}", f"inbox.{CASE}", f"hub.{bus_accounts.hub_account_id(KEYS)}.x"):
        await land.attacker.publish("$JS.API.CONSUMER.MSG.NEXT.INBOX.x", request, reply=reply)
    await settled(land.attacker)
    await asyncio.sleep(0.3)
    assert (await hub_messages(land), await inbox_of(land.victim)) == before


async def test_a_push_consumer_cannot_reach_anothers_inbox(land):
    """A push consumer that delivers to another's subject delivers inside the attacker's account only."""
    before = await hub_messages(land), await inbox_of(land.victim)
    for number, subject in enumerate((f"deliver.a.{CASE}", f"evt.{CASE}", "_INBOX.victim")):
        await make_consumer(land.attacker, f"push{number}", deliver_subject=subject)
    await asyncio.sleep(0.3)
    assert (await hub_messages(land), await inbox_of(land.victim)) == before


async def test_a_filtered_create_cannot_take_over_anothers_durable(land):
    """The same durable name in another account is another consumer: A's position and configuration stay."""
    await make_consumer(land.victim, "reader", filter_subject=f"inbox.{CASE}")
    before = await api(land.victim, "CONSUMER.INFO.INBOX.reader")
    body = {
        "stream_name": "INBOX",
        "config": {"durable_name": "reader", "name": "reader", "ack_policy": "none", "filter_subject": "inbox.>"},
    }
    await api(land.attacker, "CONSUMER.CREATE.INBOX.reader.inbox.>", body)
    await api(land.attacker, "CONSUMER.DELETE.INBOX.reader")
    after = await api(land.victim, "CONSUMER.INFO.INBOX.reader")
    assert after["config"] == before["config"]
    assert after["created"] == before["created"]
    assert after["num_pending"] == 1


async def test_no_account_can_source_from_another(land):
    """A wide source or mirror of the hub's events is refused: bureaus make no streams at all."""
    for config in (
        {"name": "GRAB", "sources": [{"name": "EVT_EXCHANGE", "external": {"api": "$JS.hub.API", "deliver": "x"}}]},
        {"name": "GRAB", "mirror": {"name": "INBOX"}},
        {"name": "GRAB", "subjects": ["submit.>"]},
        {"name": "GRAB", "subjects": [">"]},
    ):
        assert await refused(land.attacker, "STREAM.CREATE.GRAB", {**config, "max_bytes": 1024})
    assert len(await denied(land.attacker)) == 4


async def test_plural_filters_reach_nothing_outside_the_inbox(land):
    """Several filters in one body cannot name a subject of another account, with or without a name in the subject."""
    filters = [f"deliver.a.{CASE}", f"evt.{CASE}", "submit.>"]
    made = await make_consumer(land.attacker, "many", filter_subjects=filters)
    assert made["num_pending"] == 0
    body = {"stream_name": "INBOX", "config": {"ack_policy": "none", "filter_subjects": filters}}
    anonymous = await api(land.attacker, "CONSUMER.CREATE.INBOX", body)
    assert "error" in anonymous or anonymous["num_pending"] == 0


async def test_a_filter_wider_than_the_subject_reaches_nothing_more(land):
    """A filter on everything sees the attacker's own events and no others."""
    made = await make_consumer(land.attacker, "wide", filter_subject=">")
    assert made is None or "error" in made or made["num_pending"] == 1


async def test_a_deliver_subject_that_feeds_the_stream_is_a_cycle_and_grows_nothing(land):
    """A push consumer onto the subjects that INBOX listens to is refused or at least does not multiply events."""
    hub = bus_accounts.hub_account_id(KEYS)
    for number, subject in enumerate((f"hub.{hub}.x", f"inbox.{CASE}")):
        await make_consumer(land.attacker, f"cycle{number}", deliver_subject=subject)
    await asyncio.sleep(0.3)
    assert await inbox_of(land.attacker) == 1


async def test_anothers_durable_cannot_be_read(land):
    """A's consumer is not reachable by name: the attacker's request ends in its own account."""
    await make_consumer(land.victim, "private")
    assert await refused(land.attacker, "CONSUMER.INFO.INBOX.private")
    got = await api(land.attacker, "CONSUMER.MSG.NEXT.INBOX.private", {"batch": 1, "no_wait": True})
    assert got is None or "error" in got
    assert (await api(land.victim, "CONSUMER.INFO.INBOX.private"))["num_pending"] == 1


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("STREAM.MSG.GET.EVT_EXCHANGE", {"seq": 1}),
        ("DIRECT.GET.EVT_EXCHANGE", {"seq": 1}),
        ("STREAM.INFO.EVT_EXCHANGE", None),
        ("STREAM.LIST", None),
        ("CONSUMER.CREATE.EVT_EXCHANGE", {"stream_name": "EVT_EXCHANGE", "config": {"ack_policy": "none"}}),
        ("CONSUMER.DURABLE.CREATE.SUBMIT.x", {"stream_name": "SUBMIT", "config": {"durable_name": "x"}}),
        ("CONSUMER.MSG.NEXT.SUBMIT.exchange", {"batch": 1}),
    ],
)
async def test_the_hubs_streams_cannot_be_read_or_asked_about(land, call, body):
    """No message, no state and no consumer of the hub's streams is within reach of a bureau."""
    assert await refused(land.attacker, call, body)
    assert await denied(land.attacker)


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("STREAM.PURGE.INBOX", None),
        ("STREAM.DELETE.INBOX", None),
        ("STREAM.MSG.DELETE.INBOX", {"seq": 1}),
        ("STREAM.UPDATE.INBOX", {"name": "INBOX", "subjects": ["inbox.>"], "max_bytes": 1 << 40}),
        ("STREAM.RESTORE.INBOX", {}),
        ("STREAM.SNAPSHOT.INBOX", {"deliver_subject": "_INBOX.x"}),
        ("STREAM.CREATE.MORE", {"name": "MORE", "subjects": ["more.>"], "max_bytes": 1024}),
        ("ACCOUNT.PURGE.x", None),
    ],
)
async def test_a_bureau_cannot_change_empty_or_delete_its_own_stream(land, call, body):
    """Evidence of what was delivered is not the receiver's to remove, nor its quota to raise."""
    before = await api(land.attacker, "STREAM.INFO.INBOX")
    assert await refused(land.attacker, call, body)
    assert await denied(land.attacker)
    after = await api(land.attacker, "STREAM.INFO.INBOX")
    assert (after["config"], after["state"]) == (before["config"], before["state"])


@pytest.mark.parametrize("subject", [f"deliver.a.{CASE}", f"deliver.b.{CASE}", f"evt.{CASE}", f"inbox.{CASE}"])
async def test_a_bureau_cannot_publish_deliveries_or_events(land, subject):
    """Only the hub delivers and only the hub's services publish events."""
    before = await hub_messages(land), await inbox_of(land.victim), await inbox_of(land.attacker)
    await land.attacker.publish(subject, b"forged")
    assert await denied(land.attacker)
    assert (await hub_messages(land), await inbox_of(land.victim), await inbox_of(land.attacker)) == before


async def test_a_bureau_cannot_publish_where_its_own_inbox_listens(land):
    """The subject that carries the hub's key is not the bureau's to publish, so it cannot forge what it was told."""
    await land.attacker.publish(f"hub.{bus_accounts.hub_account_id(KEYS)}.{CASE}", b"forged")
    assert await denied(land.attacker)
    assert await inbox_of(land.attacker) == 1


@pytest.mark.parametrize("subject", [">", "deliver.>", "evt.>", "submit.>", "inbox.>", "hub.>", "$SYS.>", "$JS.API.>"])
async def test_a_bureau_cannot_listen_to_others(land, subject):
    """No subscription outside its own reply subjects: not even to what the hub sends to itself."""
    heard = []

    async def note(message):
        heard.append(message)

    await land.attacker.subscribe(subject, cb=note)
    assert await denied(land.attacker)
    await land.hub.publish(deliver("a", "e9"))
    await settled(land.attacker)
    assert heard == []


@pytest.mark.parametrize("subject", ["submit.a.receipt", "submit.*.receipt"])
async def test_a_submission_carries_the_senders_code_whatever_it_says(land, subject):
    """A forged submit.<other> arrives as submit.<self>.<other>: the server writes the code, not the sender."""
    await land.hub.api(
        "CONSUMER.DURABLE.CREATE.SUBMIT.all",
        {"stream_name": "SUBMIT", "config": {"durable_name": "all", "ack_policy": "explicit"}},
    )
    await land.attacker.publish(subject.replace("*", "a"), b"forged")
    # The hub's stream takes it in after the attacker's server has judged it: another account, another queue.
    stored = await eventually(lambda: land.hub.stored_message("SUBMIT", 1))
    assert stored["subject"] == "submit.b.a.receipt"


async def test_a_subscriber_cannot_answer_in_place_of_its_stream(land):
    """A bureau cannot send the hub a false PubAck: only its INBOX answers a delivery."""

    async def lie(message):
        await message.respond(b'{"stream":"INBOX","seq":9}')

    for subject in ("hub.*.>", "hub.>", f"hub.{bus_accounts.hub_account_id(KEYS)}.{CASE}", f"inbox.{CASE}"):
        await land.attacker.subscribe(subject, cb=lie)
    assert len(await denied(land.attacker)) == 4
    ack = await land.hub.publish(deliver("b", "e10"))
    assert ack.seq % (1 << 28) == 2


async def test_an_import_signed_for_the_wrong_account_still_delivers_nothing(land):
    """Even if the operator signed B an import of A's deliveries, A's INBOX listens to the hub's key alone."""
    account = land.accounts["b"]
    honest = bus_accounts.organisation_account_token(KEYS, account, now_s=10)
    claims = bus_accounts_claims(honest)
    attacker_id = bus_accounts.organisation_account_id(KEYS, account)
    victim_id = bus_accounts.organisation_account_id(KEYS, land.accounts["a"])
    for subject in (f"hub.{attacker_id}.>", f"hub.{bus_accounts.hub_account_id(KEYS)}.>"):
        tricked = {**claims, "imports": [service_import(subject, victim_id)]}
        operator = bus_accounts._operator(KEYS)
        token = bus_accounts._sign(operator, subject=attacker_id, name="b", now_s=11, nats=tricked)
        await land.admin._bus.request("$SYS.REQ.CLAIMS.UPDATE", token.encode())
        client = await land.bureau(land.attacker_creds)
        before = await inbox_of(land.victim)
        await client.publish(f"submit.{CASE}", b"forged")
        await settled(client)
        assert await inbox_of(land.victim) == before


def bus_accounts_claims(token):
    import base64

    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["nats"]


def service_import(subject, account):
    return {"subject": subject, "account": account, "local_subject": "submit.>", "type": "service"}


async def test_an_unenrolled_code_reaches_nobody(land):
    """Delivering to a code without account is told at once, not lost."""
    with pytest.raises(NobodyListensError):
        await land.hub.publish(deliver("nobody", "e11"))


async def test_a_service_publishes_its_own_area_only(land):
    """A service of the hub cannot speak for another: catalogue publishes no exchange events."""
    catalogue = await land.service("catalogue")
    before = await hub_messages(land), await inbox_of(land.victim)
    for subject in (f"evt.{CASE}", f"deliver.a.{CASE}"):
        await catalogue.client().publish(subject, b"forged")
    await catalogue.client().flush()
    assert (await hub_messages(land), await inbox_of(land.victim)) == before
