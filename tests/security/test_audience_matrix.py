"""Every event type × every kind of organisation: it hears the event exactly when the contract's audience includes it.

Who hears what is written out here, and not read from the contract: a type that is declared wider fails.
"""

from dataclasses import replace

import pytest
from google.protobuf import message_factory

from shuniu.api.common.v1 import registry_pb2 as pb
from shuniu.api.events.v1 import events_pb2
from shuniu.kit.events.recipients import event_types, recipients
from shuniu.kit.process.config import HubSettings
from shuniu.kit.testing.foundation import registry_of

PLACE = "150102"
EVERYTHING = ["catalogue.*", "exchange.*", "esign.*", "identity.*"]
ADDRESSED = {
    "exchange.case.submitted": ["handler_platform"],
    "exchange.case.supplemented": ["handler_platform"],
    "exchange.case.withdrawn": ["handler_platform"],
    "exchange.case.evaluated": ["handler_platform"],
    "exchange.case.moved": ["source_platform"],
    "exchange.case.resumed": ["handler_platform"],
    "esign.certificate.issued": ["issuer"],
    "esign.certificate.revoked": ["issuer"],
    "esign.seal.changed": ["owner"],
    "esign.licence.issued": ["issuer"],
    "esign.licence.changed": ["issuer"],
    **{
        f"esign.flow.{verb}": ["platform", "party_platforms"]
        for verb in ("begun", "signed", "reminded", "failed", "completed", "rejected", "withdrawn", "expired")
    },
}
PUBLIC = {"catalogue.item.published", "catalogue.item.suspended", "catalogue.item.withdrawn"}
# Supervisors hear exchange.case.moved of the same step.
UNSUPERVISED = {"exchange.case.resumed"}
SUPERVISED = {
    topic: "case.supervise" for topic in ADDRESSED.keys() - UNSUPERVISED if topic.startswith("exchange.case.")
}
INTERNAL = {"identity.platform.changed", "identity.session.ended"}

TYPES = [
    (each.topic, payload)
    for payload in events_pb2.DESCRIPTOR.message_types_by_name.values()
    for each in event_types(payload)
]
SCOPES = ["case.supervise", "case.read", "case.handle", "admin.system"]

# Organisations that subscribed to everything, by what they are; and the topics that each may hear.
STRANGERS = {
    "nothing but a subscription": (pb.PlatformEntry(division=PLACE), PUBLIC),
    "subscribed to this place": (pb.PlatformEntry(division=PLACE, subscriptions=[f"{t}@1501" for t in EVERYTHING]), PUBLIC),
    "supervises the place": (pb.PlatformEntry(division=PLACE, scopes=SCOPES), {*PUBLIC, *SUPERVISED}),
    "supervises the city": (pb.PlatformEntry(division="150100", scopes=SCOPES), {*PUBLIC, *SUPERVISED}),
    "supervises the province": (pb.PlatformEntry(division="150000", scopes=SCOPES), {*PUBLIC, *SUPERVISED}),
    "supervises another city": (pb.PlatformEntry(division="150200", scopes=SCOPES), PUBLIC),
    "supervises another county": (pb.PlatformEntry(division="150103", scopes=SCOPES), PUBLIC),
    "has other scopes": (pb.PlatformEntry(division="150100", scopes=SCOPES[1:]), PUBLIC),
    "is suspended": (pb.PlatformEntry(division="150000", scopes=SCOPES, state="SUSPENDED"), set()),
    "is cleared for nothing internal": (pb.PlatformEntry(division="150000", scopes=SCOPES, secrecy="public"), PUBLIC),
    "is in another zone": (pb.PlatformEntry(division="150000", scopes=SCOPES, zone="internet"), set()),
}  # fmt: skip


@pytest.fixture
def hub(tmp_path):
    return replace(HubSettings("150000", "枢纽", "hub.test", "https://hub.test", tmp_path, tmp_path), zone="extranet")


def _heard(clock, hub, topic, payload, entry=None, division=PLACE):
    registry = registry_of(None, clock)
    if entry is not None:
        made = pb.PlatformEntry(code="stranger", state="ACTIVE", zone="extranet", subscriptions=EVERYTHING)
        made.MergeFrom(entry)
        if entry.subscriptions:
            made.subscriptions[:] = entry.subscriptions
        registry.put(made)
    secrecy = "public" if topic in PUBLIC else "internal"
    return recipients(registry, hub, topic, payload, division, secrecy)


def test_every_event_type_is_decided_here():
    """A new event type fails until somebody wrote down who may hear it."""
    assert {topic for topic, _ in TYPES} == {*ADDRESSED, *PUBLIC, *INTERNAL}


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize(("topic", "payload"), TYPES, ids=lambda each: each if isinstance(each, str) else "")
def test_a_stranger_hears_what_its_audience_includes(clock, hub, topic, payload, stranger):
    """A subscription alone opens nothing but what is public."""
    entry, may_hear = STRANGERS[stranger]
    empty = message_factory.GetMessageClass(payload)()
    assert _heard(clock, hub, topic, empty, entry) == (["stranger"] if topic in may_hear else [])


@pytest.mark.parametrize(("topic", "payload"), TYPES, ids=lambda each: each if isinstance(each, str) else "")
def test_the_addressed_hear_it_and_nobody_else_that_the_payload_names(clock, hub, topic, payload):
    """The fields of the contract address an event; other platforms in the payload are facts only."""
    message = message_factory.GetMessageClass(payload)()
    for field in payload.fields:
        if field.type == field.TYPE_STRING:
            if field.is_repeated:
                getattr(message, field.name).append(f"of-{field.name}")
            else:
                setattr(message, field.name, f"of-{field.name}")
    assert _heard(clock, hub, topic, message) == [f"of-{name}" for name in ADDRESSED.get(topic, [])]


def test_an_event_without_a_place_has_no_supervisors(clock, hub):
    """Nobody's division contains nowhere."""
    for division in ("", "150000"):
        entry = pb.PlatformEntry(division=division, scopes=SCOPES)
        assert _heard(clock, hub, "exchange.case.moved", events_pb2.CaseChanged(), entry, division="") == []


def test_a_topic_that_the_payload_does_not_declare_is_not_published(clock, hub):
    """A wrong topic reaches nobody, whoever subscribed."""
    with pytest.raises(LookupError, match="CaseChanged does not declare it"):
        _heard(clock, hub, "catalogue.item.published", events_pb2.CaseChanged())
