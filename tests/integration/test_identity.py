"""Identity and vault, as real processes: registry, enrolment and the feed."""

import asyncio
from collections.abc import Iterator

import grpc
import pytest

from shuniu.api.common.v1 import registry_pb2, registry_pb2_grpc
from shuniu.api.identity.v1 import platform_pb2 as pb
from shuniu.api.identity.v1 import platform_pb2_grpc
from shuniu.kit.client import error_of
from tests.support.identity_land import IdentityLand, PlatformKeys, certificate_of, identity_land, request_id


@pytest.fixture(scope="module")
def land() -> Iterator[IdentityLand]:
    with identity_land() as started:
        yield started


async def refused(call) -> str:
    """The reason with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return error_of(failure.value).reason


async def create(land: IdentityLand, code: str, **changed) -> pb.CreatePlatformResponse:
    row = {"code": code, "name": "测试平台", "kind": pb.PLATFORM_KIND_BUREAU, "division": "150100", **changed}
    async with land.channel("identity.edge") as channel:
        return await platform_pb2_grpc.PlatformAdminServiceStub(channel).CreatePlatform(
            pb.CreatePlatformRequest(request_id=request_id(), platform=pb.Platform(**row)),
            metadata=land.as_operator("system"),
        )


async def enrol(land: IdentityLand, code: str, keys: PlatformKeys | None = None, **changed) -> pb.EnrolResponse:
    made = await create(land, code, **changed)
    keys = keys or PlatformKeys(code)
    async with land.channel("identity.edge") as channel:
        return await platform_pb2_grpc.EnrolmentServiceStub(channel).Enrol(
            pb.EnrolRequest(
                request_id=request_id(), code=code, token=made.enrolment_token, csr_pem=keys.csr, jwks=keys.jwks
            ),
            timeout=20,
        )


async def test_enrolment_turns_a_token_into_credentials_once_and_the_same_request_gets_the_same_answer(land):
    """One-time token + CSR → certificate with the platform's URI, bus credentials, OAuth client; a retry is safe."""
    made = await create(land, "enrol-once")
    keys = PlatformKeys("enrol-once")
    wanted = pb.EnrolRequest(
        request_id=request_id(), code="enrol-once", token=made.enrolment_token, csr_pem=keys.csr, jwks=keys.jwks
    )
    async with land.channel("identity.edge") as channel:
        stub = platform_pb2_grpc.EnrolmentServiceStub(channel)
        answer = await stub.Enrol(wanted, timeout=20)
        again = await stub.Enrol(wanted, timeout=20)
        other = pb.EnrolRequest()
        other.CopyFrom(wanted)
        other.request_id = request_id()
        assert await refused(stub.Enrol(other)) == "ENROLMENT_TOKEN_INVALID"
        other.CopyFrom(wanted)
        other.csr_pem = PlatformKeys("enrol-once").csr
        assert await refused(stub.Enrol(other)) == "REQUEST_ID_REUSED"
    assert answer == again
    certificate = certificate_of(answer.certificate_pem.encode())
    assert certificate.uri == "spiffe://hub.test/platform/enrol-once"
    assert answer.platform.certificate_sha256 == [certificate.sha256]
    assert answer.platform.state == pb.PLATFORM_STATE_ACTIVE
    assert "BEGIN NATS USER JWT" in answer.nats_creds
    assert "BEGIN CERTIFICATE" in answer.trust_pem


async def test_a_suspension_reaches_the_feed_within_a_second(land):
    """A waiting pull is answered at once; the version has no gap; resume lets the platform work again."""
    await enrol(land, "suspend-me")
    async with land.channel("identity.peer", "exchange") as peer, land.channel("identity.edge") as edge:
        feed = registry_pb2_grpc.RegistryFeedServiceStub(peer)
        start = await feed.PullRegistry(registry_pb2.PullRegistryRequest())
        assert start.reset
        wait = registry_pb2.PullRegistryRequest(after_version=start.version, epoch=start.epoch, wait_seconds=10)
        waiting = asyncio.create_task(_pull(feed, wait))
        admin = platform_pb2_grpc.PlatformAdminServiceStub(edge)
        began = asyncio.get_running_loop().time()
        suspended = await admin.SuspendPlatform(
            pb.SuspendPlatformRequest(request_id=request_id(), code="suspend-me", reason="test"),
            metadata=land.as_operator("security"),
        )
        page = await waiting
        assert asyncio.get_running_loop().time() - began < 1
        assert [(entry.code, entry.state) for entry in page.platforms] == [("suspend-me", "SUSPENDED")]
        assert page.version == start.version + 1
        assert suspended.platform.state == pb.PLATFORM_STATE_SUSPENDED
        again = pb.SuspendPlatformRequest(request_id=request_id(), code="suspend-me")
        assert await refused(admin.SuspendPlatform(again, metadata=land.as_operator("security"))) == "PLATFORM_STATE"
        resumed = await admin.ResumePlatform(
            pb.ResumePlatformRequest(request_id=request_id(), code="suspend-me"),
            metadata=land.as_operator("security"),
        )
        assert resumed.platform.state == pb.PLATFORM_STATE_ACTIVE


async def _pull(feed, request):
    return await feed.PullRegistry(request)
