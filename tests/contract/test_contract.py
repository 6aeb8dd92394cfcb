"""What the contract itself must keep, whoever serves it."""

import filecmp
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from shuniu.api.common.v1 import policy_pb2
from tests.support.contract import Rpc, files, rpcs

ROOT = Path(__file__).parents[2]

# A changing RPC without idempotency key, each with its reason.
WITHOUT_REQUEST_ID = {
    # RFC 6749 has no such key: a code or refresh token presented twice is theft until proved otherwise (RFC 9700 4.14).
    "shuniu.api.identity.v1.OpenIdService/IssueToken",
}
# Unary RPCs for the outside that REST users do not get, each with its reason.
WITHOUT_HTTP: set[str] = set()

# As grpc-json transcoding reads a template: a variable with or without a pattern of its own.
VARIABLE = re.compile(r"\{([a-z_.]+)(?:=([^}]*))?\}")


def every(names: tuple[Rpc, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rpc", names, ids=lambda rpc: rpc.name)


def test_there_is_a_contract() -> None:
    """The descriptors are found; a test over none of them would prove nothing."""
    assert len(rpcs()) > 60
    assert {file.package.rsplit(".", 2)[1] for file in files()} == {
        "common",
        "identity",
        "catalogue",
        "exchange",
        "esign",
        "events",
    }


@every(rpcs())
def test_policy_is_complete(rpc: Rpc) -> None:
    """Every RPC says who may call it, what it costs and, when a person may call it, nothing impossible."""
    assert rpc.has_policy
    policy = rpc.policy
    assert rpc.callers, "nobody may call it"
    assert policy_pb2.CALLER_KIND_UNSPECIFIED not in rpc.callers
    assert policy.rate != policy_pb2.RATE_CLASS_UNSPECIFIED
    assert 0 <= policy.min_ial <= 4
    assert not policy.min_ial or policy_pb2.CALLER_KIND_PERSON in rpc.callers, "assurance of nobody"
    assert len(set(policy.callers)) == len(policy.callers)
    assert bool(policy.services) == (policy_pb2.CALLER_KIND_SERVICE in rpc.callers), "which processes of the hub?"
    assert set(policy.services) <= {"edge", "web", "identity", "vault", "catalogue", "exchange", "esign", "cli"}
    assert len(set(policy.scopes)) == len(policy.scopes)


@every(tuple(rpc for rpc in rpcs() if policy_pb2.CALLER_KIND_ANONYMOUS in rpc.callers))
def test_open_to_all_asks_for_nothing(rpc: Rpc) -> None:
    """What is open to everybody has neither scopes nor assurance: a known caller is not worse off than a stranger."""
    assert (list(rpc.policy.scopes), rpc.policy.min_ial) == ([], 0)


@every(tuple(rpc for rpc in rpcs() if list(rpc.policy.scopes)))
def test_scopes_are_held_by_somebody(rpc: Rpc) -> None:
    """Scopes are well formed and asked of callers that carry a token; administrators' scopes of operators only."""
    holders = rpc.callers - {policy_pb2.CALLER_KIND_SERVICE, policy_pb2.CALLER_KIND_ANONYMOUS}
    assert holders
    for scope in rpc.policy.scopes:
        assert re.fullmatch(r"[a-z]+\.[a-z]+", scope)
        assert scope.startswith("admin.") == (holders == {policy_pb2.CALLER_KIND_OPERATOR})


@every(tuple(rpc for rpc in rpcs() if rpc.policy.mutates))
def test_mutation_takes_a_request_id_first(rpc: Rpc) -> None:
    """A changing RPC has `string request_id = 1` (AIP-155), so that a client writes one retry for all of them."""
    if rpc.name in WITHOUT_REQUEST_ID:
        assert "request_id" not in rpc.method.input_type.fields_by_name
        return
    field = rpc.method.input_type.fields_by_number[1]
    assert (field.name, field.type) == ("request_id", field.TYPE_STRING)


@every(tuple(rpc for rpc in rpcs() if not rpc.policy.mutates))
def test_reading_takes_no_request_id(rpc: Rpc) -> None:
    """What changes nothing has no request_id; one that has it forgot to say that it mutates."""
    assert "request_id" not in rpc.method.input_type.fields_by_name


@every(tuple(rpc for rpc in rpcs() if not rpc.internal))
def test_rest_users_get_the_same(rpc: Rpc) -> None:
    """Unary RPCs for the outside have a REST form; streams both ways, and what is internal, have none."""
    assert (rpc.http is not None) == (not rpc.streaming and rpc.name not in WITHOUT_HTTP)


@every(tuple(rpc for rpc in rpcs() if rpc.internal))
def test_internal_has_no_rest_form(rpc: Rpc) -> None:
    """What only the hub's own processes call has no path that the edge could route."""
    assert rpc.http is None


@every(tuple(rpc for rpc in rpcs() if rpc.http))
def test_http_rule_fits_its_rpc(rpc: Rpc) -> None:
    """Reads are GET or carry content, changes are not GET, and each path variable is a field of the request."""
    rule = rpc.http
    assert rule is not None
    assert rule.path.startswith("/v1/")
    assert (rule.verb == "get") <= (not rpc.policy.mutates and rule.body == "")
    assert (rule.verb in ("post", "put", "patch")) <= (rule.body == "*")
    for name, _ in VARIABLE.findall(rule.path):
        message = rpc.method.input_type
        *outer, last = name.split(".")
        for part in outer:
            message = message.fields_by_name[part].message_type
        field = message.fields_by_name[last]
        assert field.type == field.TYPE_STRING
        assert not field.is_repeated


def test_no_two_rest_paths_are_the_same() -> None:
    """No two rules answer the same verb and path, whatever their variables are called."""
    taken: dict[tuple[str, str], list[str]] = defaultdict(list)
    for rpc in rpcs():
        if rpc.http:
            taken[rpc.http.verb, VARIABLE.sub(lambda found: found[2] or "*", rpc.http.path)].append(rpc.name)
    assert {place: names for place, names in taken.items() if len(names) > 1} == {}


def test_responses_are_their_own() -> None:
    """Each RPC has request and response messages of its own, so that either may grow alone (AIP-130 to 136)."""
    for rpc in rpcs():
        method = rpc.method
        assert (method.input_type.name, method.output_type.name) == (f"{method.name}Request", f"{method.name}Response")


def test_no_stream_of_requests_with_one_answer() -> None:
    """The server's interceptor knows unary calls, server streams and streams both ways; there is no fourth kind."""
    assert [rpc.name for rpc in rpcs() if rpc.method.client_streaming and not rpc.method.server_streaming] == []


def test_buf_finds_nothing() -> None:
    """Names, packages and a comment on every service, RPC, message and field (buf STANDARD and COMMENTS)."""
    done = subprocess.run(
        [ROOT / ".venv/bin/buf", "lint"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_generated_code_is_what_the_protos_say(tmp_path: Path) -> None:
    """`shuniu/api` is what `make proto` makes of `proto/` now."""
    protos = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}/proto", f"-I{ROOT}/third_party"),
            *(f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}", *protos),
        ],
        check=True,
        timeout=60,
    )
    made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*_pb2*.py"))
    kept = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "shuniu/api").rglob("*_pb2*.py"))
    assert made == kept
    _, changed, missing = filecmp.cmpfiles(tmp_path, ROOT, made, shallow=False)
    assert (changed, missing) == ([], [])
