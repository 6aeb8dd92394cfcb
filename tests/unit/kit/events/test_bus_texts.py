"""The bus's texts and numbers: configuration, event headers, the numbers that tell a lost stream."""

from pathlib import Path

import pytest

from shuniu.kit.events import bus_server, cloudevents
from shuniu.kit.events.bus_streams import begun_again, first_sequence
from shuniu.kit.events.outbox import Event

TOKENS = bus_server.BusTokens("operator", "SYSID", "system", "HUBID", "hub")


def server(**changes):
    return bus_server.BusServer(**{"tokens": TOKENS, "data_dir": Path("/d"), "run_dir": Path("/r"), **changes})


def rendered(**changes):
    return bus_server.render(server(**changes), bus_server.TEMPLATE.read_text())


def test_the_bus_never_acknowledges_before_fsync():
    """The shipped configuration syncs always, trusts the operator alone and keeps monitoring on loopback."""
    text = rendered()
    assert "sync_interval: always" in text
    assert "operator: operator" in text
    assert 'http: "127.0.0.1:8222"' in text
    assert "no_auth_user" not in text


def test_port_0_means_any_free_port():
    """Tests and demos ask for port 0; NATS spells that -1."""
    assert 'listen: "127.0.0.1:-1"' in rendered(listen="127.0.0.1:0")


def test_tls_and_cluster_appear_only_when_asked_for():
    """One machine needs neither; three servers and outside bureaus get both."""
    assert "cluster {" not in rendered()
    assert "cert_file" not in rendered()
    cluster = bus_server.BusCluster("hub", "0.0.0.0:6222", ("nats://b:6222",))
    tls = bus_server.BusTls(Path("/c.pem"), Path("/k.pem"))
    text = rendered(cluster=cluster, tls=tls)
    assert 'routes: ["nats://b:6222"]' in text
    assert 'cert_file: "/c.pem"' in text


@pytest.mark.parametrize("name", ['a"\nauthorization {}', "a\\", "a\r"])
def test_a_name_cannot_break_out_of_its_quotes(name):
    """A hostile path or name is refused rather than rendered."""
    with pytest.raises(ValueError, match="not usable"):
        rendered(name=name)


EVENT = Event(
    id="01J",
    type="shuniu.exchange.case.submitted.v1",
    source="//hub/exchange",
    aggregate="c1",
    time_us=1_767_225_600_000_007,
    data=b"x",
    topic="exchange.case.submitted",
    division="150100",
    seq=3,
)


def test_an_event_survives_its_headers():
    """What was emitted is what is received: CloudEvents attributes in binary mode, empty ones left out."""
    found = cloudevents.headers(EVENT)
    assert found["ce-time"] == "2026-01-01T00:00:00.000007Z"
    assert found["Nats-Msg-Id"] == "01J"
    assert "traceparent" not in found
    back = cloudevents.received("evt.x", found, b"x")
    assert (back.id, back.type, back.source, back.aggregate, back.seq, back.division) == (
        EVENT.id,
        EVENT.type,
        EVENT.source,
        EVENT.aggregate,
        EVENT.seq,
        EVENT.division,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("ce-specversion", "0.3"), ("ce-id", ""), ("ce-type", ""), ("ce-source", ""), ("ce-seq", "٣"), ("ce-seq", "-1")],
)
def test_a_message_that_is_no_event_is_named(name, value):
    """A malformed message says which attribute is wrong instead of failing somewhere behind."""
    with pytest.raises(cloudevents.MalformedEventError, match=name):
        cloudevents.received("evt.x", {**cloudevents.headers(EVENT), name: value}, b"x")


def test_a_stream_made_again_is_known_by_its_numbers():
    """A new stream shows even after it took more messages than the old one; a living one never looks lost."""
    old = first_sequence(1_790_000_000) + 100
    new = first_sequence(1_790_000_000 + 86_400) + 5000
    assert begun_again(old, new, duplicate=False)
    assert begun_again(old, old - 50, duplicate=False)
    assert not begun_again(old, old + 1, duplicate=False)
    assert not begun_again(old, old - 50, duplicate=True)
    assert not begun_again(0, 1, duplicate=False)
    # One that took more than 2^28 messages, and one made anew a minute after it had taken fifty million.
    last = first_sequence(1_790_000_000) + (1 << 28) - 2
    for step in range(4):
        assert not begun_again(last + step, last + step + 1, duplicate=False)
    assert not begun_again(last + 3, last, duplicate=True)
    busy = first_sequence(1_790_000_000) + 50_000_000
    for duplicate in (False, True):
        assert begun_again(busy, first_sequence(1_790_000_060), duplicate=duplicate)
    # Numbers stay exact in clients that know doubles only.
    assert first_sequence(1_767_225_600 + 19 * 365 * 86_400) < 2**53
