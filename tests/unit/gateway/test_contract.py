"""What the edge derives from the contract."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from gateway.envoy import contract
from gateway.envoy.contract import Listener
from shuniu.kit.rpc.caller import CallerKind


@pytest.fixture(scope="module")
def shipped() -> contract.Contract:
    return contract.shipped()


def paths(shipped, listener):
    return {rpc.path for rpc in shipped.at(listener)}


def test_internal_rpcs_arrive_nowhere(shipped):
    """An RPC for the hub's own processes is routed on no listener."""
    internal = {rpc.path for rpc in shipped.rpcs if rpc.callers == {CallerKind.SERVICE}}
    assert internal
    for listener in Listener:
        assert not internal & paths(shipped, listener)


def test_vault_sign_in_and_operations_are_internal(shipped):
    """The services whose exposure would hurt most are named here on purpose, apart from the derivation."""
    for listener in Listener:
        names = " ".join(shipped.services_at(listener))
        for service in ("Vault", "SignIn", "OpenId", "Operations", "PersonService", "Authority"):
            assert service not in names


def test_people_get_only_what_is_open_to_all(shipped):
    at_people = shipped.at(Listener.PEOPLE)
    assert at_people
    assert all(CallerKind.ANONYMOUS in rpc.callers for rpc in at_people)


def test_platforms_get_all_that_is_not_internal(shipped):
    expected = {rpc.path for rpc in shipped.rpcs if rpc.callers != {CallerKind.SERVICE}}
    assert paths(shipped, Listener.PLATFORMS) == expected


def test_area_names_the_upstream(shipped):
    areas = {rpc.area for rpc in shipped.at(Listener.PLATFORMS)}
    assert areas == {"identity", "catalogue", "exchange", "esign"}


def test_descriptor_set_stands_alone(shipped):
    """The transcoder gets every imported file, each after what it imports, and the types of error details."""
    found = descriptor_pb2.FileDescriptorSet.FromString(shipped.descriptor_set)
    pool = descriptor_pool.DescriptorPool()
    for file in found.file:
        pool.Add(file)
    names = [file.name for file in found.file]
    for position, file in enumerate(found.file):
        assert set(file.dependency) <= set(names[:position])
    assert pool.FindMessageTypeByName("google.rpc.ErrorInfo")
    assert pool.FindMessageTypeByName("google.rpc.LocalizedMessage")
    assert pool.FindExtensionByName("google.api.http")


def test_rpc_without_policy_is_refused():
    """Nothing is routed that does not say who may call it."""
    file = descriptor_pb2.FileDescriptorProto(name="open.proto", package="shuniu.api.open.v1", syntax="proto3")
    file.message_type.add(name="Nothing")
    kind = ".shuniu.api.open.v1.Nothing"
    file.service.add(name="OpenService").method.add(name="Open", input_type=kind, output_type=kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    with pytest.raises(LookupError, match="OpenService/Open has no policy"):
        contract.read([pool.FindFileByName("open.proto")])
