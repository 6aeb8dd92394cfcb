"""Callers are what certificate and token prove together, never what a header says alone."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuniu.api.common.v1 import policy_pb2
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc.caller import (
    ANONYMOUS,
    Caller,
    CallerKind,
    binding_of,
    edge_caller,
    is_edge,
    parse_certificate_header,
    peer_caller,
    process_of,
)

TRUST = "hub.test"
HASH = "0f" * 32
CERTIFICATE = f"Hash={HASH};URI=spiffe://{TRUST}/platform/nmg-app"
CLAIMS = {
    "kind": "platform",
    "client_id": "nmg-app",
    "sub": "nmg-app",
    "scope": "case.read  inbox.read",
    "cnf": {"x5t#S256": binding_of(HASH)},
    "sid": "s",
    "jti": "j",
    "ial": 2,
    "aal": 1,
}


def header(**changed: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


def caller(certificate: str = CERTIFICATE, **changed: Any) -> Caller:
    return edge_caller({"x-forwarded-client-cert": certificate, "x-shuniu-claims": header(**changed)}, TRUST)


def reason(certificate: str = CERTIFICATE, **changed: Any) -> str:
    with pytest.raises(HubError) as refused:
        caller(certificate, **changed)
    assert refused.value.code is Code.UNAUTHENTICATED
    return refused.value.reason


def test_platform() -> None:
    """A platform is the code in its certificate, with the scopes of its token; it is no person."""
    expected = Caller(
        CallerKind.PLATFORM,
        "nmg-app",
        scopes=frozenset({"case.read", "inbox.read"}),
        ial=2,
        aal=1,
        session="s",
        token_id="j",
    )
    assert caller() == expected
    assert expected.key == "platform:nmg-app:"


def test_person_comes_through_a_platform() -> None:
    """A person's token carries the pairwise subject; the platform is still the certificate's."""
    person = caller(kind="person", sub="pairwise")
    assert (person.kind, person.platform, person.person) == (CallerKind.PERSON, "nmg-app", "pairwise")
    assert person.key == "person:nmg-app:pairwise"


def test_operator_has_a_certificate_of_its_own_kind() -> None:
    """An operator's token works with an operator's certificate only, and a platform's with a platform's only."""
    operator = f"Hash={HASH};URI=spiffe://{TRUST}/operator/nmg-app"
    assert caller(operator, kind="operator").kind is CallerKind.OPERATOR
    assert reason(kind="operator") == "TOKEN_INVALID"
    assert reason(operator) == "TOKEN_INVALID"


@pytest.mark.parametrize("metadata", [{}, {"x-forwarded-client-cert": CERTIFICATE}])
def test_without_token_nobody(metadata: dict[str, str]) -> None:
    """Without a token a caller is nobody in particular, certificate or not."""
    assert edge_caller(metadata, TRUST) == ANONYMOUS


@pytest.mark.parametrize(
    ("certificate", "changed", "expected"),
    [
        ("", {}, "TOKEN_BINDING"),
        (CERTIFICATE.replace("0f", "0e", 1), {}, "TOKEN_BINDING"),
        (CERTIFICATE, {"cnf": {"x5t#S256": binding_of("0e" * 32)}}, "TOKEN_BINDING"),
        (CERTIFICATE, {"cnf": None}, "TOKEN_INVALID"),
        (CERTIFICATE, {"cnf": "x"}, "TOKEN_INVALID"),
        (CERTIFICATE, {"kind": None}, "TOKEN_INVALID"),
        (CERTIFICATE, {"kind": "service"}, "TOKEN_INVALID"),
        (CERTIFICATE, {"client_id": "other"}, "TOKEN_INVALID"),
        (CERTIFICATE, {"client_id": None}, "TOKEN_INVALID"),
        (CERTIFICATE.replace(TRUST, "other.test"), {}, "TOKEN_INVALID"),
        (CERTIFICATE.replace(TRUST, f"{TRUST}.evil"), {}, "TOKEN_INVALID"),
        (CERTIFICATE.replace("/platform/", "/service/"), {}, "TOKEN_INVALID"),
        # A second element, as a caller that writes the header itself would cause.
        (f"{CERTIFICATE},{CERTIFICATE}", {}, "CALLER_UNPROVED"),
        (f"URI=spiffe://{TRUST}/platform/nmg-app", {}, "CALLER_UNPROVED"),
        (f"Hash={HASH}", {}, "CALLER_UNPROVED"),
        (CERTIFICATE.replace("0f", "zz"), {}, "CALLER_UNPROVED"),
        (CERTIFICATE.replace("0f", "", 1), {}, "CALLER_UNPROVED"),
    ],
)
def test_what_does_not_fit_together_is_refused(certificate: str, changed: dict[str, Any], expected: str) -> None:
    """A token of another certificate, platform, kind or trust domain, or a header that was written into, is refused."""
    assert reason(certificate, **changed) == expected


@pytest.mark.parametrize("claims", ["!", "eA", "W10", "bnVsbA", "中"])
def test_claims_that_cannot_be_read(claims: str) -> None:
    """A claims header that is no JSON object is refused, not guessed at."""
    with pytest.raises(HubError, match="CALLER_UNPROVED"):
        edge_caller({"x-shuniu-claims": claims}, TRUST)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_header_is_read_or_refused(certificate: str, claims: str) -> None:
    """Whatever stands in the two headers, the answer is a caller without rights or a typed refusal."""
    with contextlib.suppress(HubError):
        found = edge_caller({"x-forwarded-client-cert": certificate, "x-shuniu-claims": claims}, TRUST)
        assert found == ANONYMOUS


@pytest.mark.parametrize(("ial", "expected"), [(3, 3), (True, 0), ("4", 0), (None, 0), (4.0, 0)])
def test_assurance_is_a_number_or_none(ial: object, expected: int) -> None:
    """An assurance level that is not an integer counts as none."""
    assert caller(ial=ial).ial == expected


def test_quotes_and_case_of_the_certificate_header() -> None:
    """Envoy may quote a value and writes the hash in any case."""
    found = parse_certificate_header(f'HASH="{HASH.upper()}"; URI="spiffe://{TRUST}/platform/x"')
    assert found is not None
    assert (found.sha256, found.uri) == (HASH, f"spiffe://{TRUST}/platform/x")


def test_a_process_of_the_hub() -> None:
    """Who the socket is for, or whom the certificate names; nothing that the caller writes."""
    assert peer_caller("esign") == Caller(CallerKind.SERVICE, "esign")
    assert process_of(f"spiffe://{TRUST}/service/esign", TRUST) == "esign"


@pytest.mark.parametrize("uri", ["", f"spiffe://{TRUST}/platform/x", "spiffe://other.test/service/esign"])
def test_a_certificate_of_no_process(uri: str) -> None:
    """Over TCP a platform's certificate, or one of another trust domain, makes no process of the hub, and no edge."""
    with pytest.raises(HubError, match="CALLER_UNPROVED"):
        peer_caller(process_of(uri, TRUST))
    assert not is_edge(uri, TRUST)


def test_the_edge_is_one_process() -> None:
    """Its certificate names it; that of another process of the hub does not."""
    assert is_edge(f"spiffe://{TRUST}/service/edge", TRUST)
    assert not is_edge(f"spiffe://{TRUST}/service/esign", TRUST)


def test_kinds_are_the_contracts() -> None:
    """Every kind of the contract is known here, under the same name."""
    assert {kind.name: kind.value for kind in CallerKind} == {
        name.removeprefix("CALLER_KIND_"): number
        for name, number in policy_pb2.CallerKind.items()
        if number != policy_pb2.CALLER_KIND_UNSPECIFIED
    }
