"""Policies as read from descriptors. Who gets in is proved by the authorisation matrix; here are the edges of it."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from shuniu.api.common.v1 import policy_pb2, registry_pb2
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc.caller import Caller, CallerKind
from shuniu.kit.rpc.policy import policies, policy_of, services_of


def method(policy: policy_pb2.Policy | None) -> MethodDescriptor:
    """An RPC with this policy, in a pool of its own."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    file.message_type.add(name="M")
    rpc = file.service.add(name="S").method.add(name="Do", input_type=".t.M", output_type=".t.M")
    if policy is not None:
        rpc.options.Extensions[policy_pb2.policy].CopyFrom(policy)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindServiceByName("t.S").methods[0]


def policy(*callers: int, **options: object) -> policy_pb2.Policy:
    return policy_pb2.Policy(callers=callers, rate=policy_pb2.RATE_CLASS_READ, **options)


@pytest.mark.parametrize(
    "given",
    [
        None,
        policy_pb2.Policy(),
        policy(),
        policy_pb2.Policy(callers=[policy_pb2.CALLER_KIND_PLATFORM]),
    ],
)
def test_an_rpc_without_policy_does_not_start(given: policy_pb2.Policy | None) -> None:
    """An RPC whose policy is absent, empty, or has no callers or rate, stops its server from starting, by name."""
    with pytest.raises(LookupError, match=r"/t\.S/Do"):
        policy_of(method(given))


def test_a_caller_kind_that_is_never_valid() -> None:
    """The zero of the enumeration is no kind of caller."""
    with pytest.raises(ValueError):
        policy_of(method(policy(policy_pb2.CALLER_KIND_UNSPECIFIED)))


def test_options_are_read_as_written() -> None:
    """Each option of the contract arrives in the policy."""
    read = policy_of(method(policy(policy_pb2.CALLER_KIND_PERSON, scopes=["a.b"], min_ial=3, audit=True, mutates=True)))
    assert (read.method, read.callers, read.scopes) == ("/t.S/Do", {CallerKind.PERSON}, {"a.b"})
    assert (read.min_ial, read.audit, read.mutates, read.rate, read.internal) == (3, True, True, "read", False)


def test_policies_of_whole_files() -> None:
    """Every RPC of the files is found under its path; what only services call is internal."""
    found = policies(services_of([registry_pb2.DESCRIPTOR]))
    assert list(found) == ["/shuniu.api.common.v1.RegistryFeedService/PullRegistry"]
    assert next(iter(found.values())).internal


@pytest.mark.parametrize("ial", [0, 1, 2, 3])
def test_assurance_is_asked_of_persons_only(ial: int) -> None:
    """A person below the level is told which one is needed; a platform with the same right is not asked."""
    both = policy_of(method(policy(policy_pb2.CALLER_KIND_PERSON, policy_pb2.CALLER_KIND_PLATFORM, min_ial=2)))
    both.check(Caller(CallerKind.PLATFORM, "p"))
    person = Caller(CallerKind.PERSON, "p", "s", ial=ial)
    if ial >= 2:
        both.check(person)
        return
    with pytest.raises(HubError) as refused:
        both.check(person)
    assert (refused.value.reason, refused.value.metadata) == ("ASSURANCE_TOO_LOW", {"required_ial": "2"})


def test_missing_scopes_are_all_named() -> None:
    """A token that lacks scopes hears all of them, in order."""
    needs = policy_of(method(policy(policy_pb2.CALLER_KIND_PLATFORM, scopes=["c.c", "b.b", "a.a"])))
    with pytest.raises(HubError) as refused:
        needs.check(Caller(CallerKind.PLATFORM, "p", scopes=frozenset({"b.b"})))
    assert (refused.value.code, refused.value.metadata) == (Code.PERMISSION_DENIED, {"scopes": "a.a c.c"})
