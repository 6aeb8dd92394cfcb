"""Rendering the edge's configuration: a pure function of settings and contract."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.envoy import contract, render
from gateway.envoy.contract import Listener
from gateway.envoy.refusals import refusals
from gateway.envoy.settings import Edge, EdgeSettings
from shuniu.kit.process.config import HubSettings

HUB = HubSettings("150000", "枢纽", "hub.test.example", "https://hub.test.example", Path("/d"), Path("/r"))
EDGE = Edge(HUB, EdgeSettings())


@pytest.fixture(scope="module")
def shipped() -> contract.Contract:
    return contract.shipped()


def routes(shipped, listener):
    return {route.path: route for route in render.rpc_routes(shipped, listener, EDGE.edge)}


def test_same_input_same_output(shipped):
    suspended = frozenset({"b", "a", "c"})
    assert render.render(EDGE, shipped, suspended) == render.render(EDGE, shipped, suspended)


def test_token_is_required_unless_open_to_all(shipped):
    found = routes(shipped, Listener.PLATFORMS)
    assert found["/shuniu.api.exchange.v1.CaseService/GetCase"].token == "required"
    assert found["/shuniu.api.catalogue.v1.ItemService/GetItem"].token == "if_present"
    open_paths = {rpc.path for rpc in shipped.rpcs if rpc.open_to_all}
    assert {path for path, route in found.items() if route.token == "if_present"} == open_paths


def test_only_calls_with_a_document_may_be_large(shipped):
    def large(listener):
        found = routes(shipped, listener)
        usual = EDGE.edge.max_request_bytes if listener is Listener.PLATFORMS else 64 * 1024
        return {path for path, route in found.items() if route.bytes > usual}

    verify = "/shuniu.api.esign.v1.VerificationService/VerifyDocument"
    assert large(Listener.PEOPLE) == {verify}
    assert large(Listener.PLATFORMS) == {verify, "/shuniu.api.esign.v1.FlowService/BeginFlow"}


@pytest.mark.parametrize("listener", Listener)
def test_only_uploads_to_web_may_be_large(listener):
    """Any web path takes 64 KiB, but for the one that takes a document."""
    large = {route.path for route in render.web_routes(listener, EDGE.edge) if route.bytes > 64 * 1024}
    assert large == ({"/verify/upload"} if listener is Listener.PEOPLE else set())


def test_streams_have_no_end_and_are_not_gathered(shipped):
    found = routes(shipped, Listener.PLATFORMS)
    streaming = {rpc.path for rpc in shipped.at(Listener.PLATFORMS) if rpc.streaming}
    assert "/shuniu.api.exchange.v1.ProviderService/Serve" in streaming
    for path, route in found.items():
        assert (route.seconds == 0) == (path in streaming)
        assert (route.bytes == 0) == (path in streaming)


def test_long_poll_outlives_its_longest_wait(shipped):
    """The inbox waits up to 25 s; the edge must not answer for it before."""
    assert routes(shipped, Listener.PLATFORMS)["/shuniu.api.exchange.v1.InboxService/PullInbox"].seconds > 30


def test_calls_are_counted_by_class_or_by_address(shipped):
    by_class = {rpc.path: rpc.rate for rpc in shipped.rpcs}
    for path, route in routes(shipped, Listener.PLATFORMS).items():
        assert route.rate == by_class[path]
    assert {route.rate for route in routes(shipped, Listener.PEOPLE).values()} == {"people"}
    assert set(by_class.values()) <= set(render.rates(EDGE.edge))


def test_clusters_by_address():
    settings = replace(EDGE, edge=EdgeSettings(exchange="exchange.internal:7443", upstream_certificate=Path("/c")))
    found = {cluster.name: cluster for cluster in render.clusters(settings)}
    assert found["identity"].pipe == "/r/identity.edge.sock"
    assert not found["identity"].tls
    assert (found["exchange"].host, found["exchange"].port, found["exchange"].tls) == ("exchange.internal", 7443, True)
    assert not found["web"].http2


@pytest.mark.parametrize("address", ["", "host", "host:", ":80", "host:x", "/run/x.sock"])
def test_bad_address_is_refused(address):
    with pytest.raises(ValueError, match="neither host:port"):
        render.split_address("web", address)


def test_suspended_platforms_are_named_exactly():
    text = render.render_suspended("hub.test.example", {"b", "a"}).decode()
    assert text.index("platform/a") < text.index("platform/b")
    assert 'exact: "spiffe://hub.test.example/platform/a"' in text
    assert "policies" not in render.render_suspended("hub.test.example", ()).decode()


def test_no_setting_breaks_out_of_its_place(shipped):
    """A hostile value stays one quoted scalar."""
    hostile = 'x"}\n    evil: true # '
    hub = replace(HUB, issuer=hostile)
    text = render.render(Edge(hub, EdgeSettings()), shipped, frozenset())[render.BOOTSTRAP].decode()
    assert f"issuer: {json.dumps(hostile)}" in text
    assert "\n    evil" not in text


@pytest.mark.parametrize("refusal", refusals(21 << 20, 4 << 20, 64 << 10), ids=lambda refusal: refusal.reason)
def test_refusals_say_the_same_both_ways(refusal):
    """REST and gRPC callers of the edge read one reason, in both languages."""
    over_rest = json.loads(refusal.json)
    assert over_rest["message"] == refusal.en
    assert [detail.get("reason") or detail.get("message") for detail in over_rest["details"]] == [
        refusal.reason,
        refusal.zh,
    ]
    assert refusal.details.isascii()
