"""Identity and vault, as real processes: registry, enrolment and the feed."""

import asyncio
import signal
from collections.abc import Iterator

import grpc
import nats
import pytest
from nats.aio.client import RawCredentials

from shuniu.api.common.v1 import operations_pb2, operations_pb2_grpc, registry_pb2, registry_pb2_grpc
from shuniu.api.identity.v1 import platform_pb2 as pb
from shuniu.api.identity.v1 import platform_pb2_grpc
from shuniu.kit.rpc.client import error_of
from shuniu.kit.testing import eventually
from tests.support.identity_land import (
    Certificate,
    IdentityLand,
    PlatformKeys,
    certificate_of,
    headers,
    identity_land,
    request_id,
)


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


async def test_the_registrys_changes_reach_the_hubs_stream_in_order(land):
    """Registered and enrolled: two events of the platform, numbered from 1, stored by the bus."""
    await enrol(land, "told-of")
    async with land.channel("identity.peer", "cli") as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)

        async def stored() -> list[tuple[str, int]]:
            answer = await stub.TraceAggregate(operations_pb2.TraceAggregateRequest(aggregate="told-of"))
            return [(entry.type, entry.seq) for entry in answer.entries if entry.state == "STORED"]

        kind = "shuniu.identity.platform.changed.v1"
        assert await eventually(lambda: _complete(stored()), within=20) == [(kind, 1), (kind, 2)]


async def _complete(reading):
    found = await reading
    return found if len(found) == 2 else None


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


async def test_the_bus_credential_reads_its_inbox_and_a_suspension_cuts_it_within_a_second(land):
    """Stock NATS client, nothing but the .creds: connected, INBOX there; suspended: cut; resumed: works again."""
    answer = await enrol(land, "on-the-bus")
    closed = asyncio.Event()

    async def note_close() -> None:
        closed.set()

    async def ignore(_error: Exception) -> None:
        pass

    url = f"nats://127.0.0.1:{land.ports['listen']}"

    async def connect() -> nats.NATS:
        return await nats.connect(
            url,
            user_credentials=RawCredentials(answer.nats_creds),
            allow_reconnect=False,
            closed_cb=note_close,
            error_cb=ignore,
        )

    client = await connect()
    assert (await client.jetstream().stream_info("INBOX")).config.name == "INBOX"
    async with land.channel("identity.edge") as edge:
        admin = platform_pb2_grpc.PlatformAdminServiceStub(edge)
        await admin.SuspendPlatform(
            pb.SuspendPlatformRequest(request_id=request_id(), code="on-the-bus"), metadata=land.as_operator("security")
        )
        async with asyncio.timeout(1):
            await closed.wait()
        await admin.ResumePlatform(
            pb.ResumePlatformRequest(request_id=request_id(), code="on-the-bus"), metadata=land.as_operator("security")
        )
        again = await connect()
        await again.close()


async def test_an_enrolment_while_the_bus_is_away_is_finished_by_the_same_request(land):
    """UNAVAILABLE BUS_AWAY, nothing lost: the retry returns the same credentials once the place exists."""
    made = await create(land, "bus-away")
    keys = PlatformKeys("bus-away")
    wanted = pb.EnrolRequest(
        request_id=request_id(), code="bus-away", token=made.enrolment_token, csr_pem=keys.csr, jwks=keys.jwks
    )
    land.stop("nats")
    async with land.channel("identity.edge") as channel:
        stub = platform_pb2_grpc.EnrolmentServiceStub(channel)
        try:
            assert await refused(stub.Enrol(wanted, timeout=20)) == "BUS_AWAY"
        finally:
            land.start("nats")

        answer = await eventually(lambda: _or_none(stub.Enrol(wanted, timeout=20)), within=30)
        assert answer == await stub.Enrol(wanted, timeout=20)


async def test_what_was_answered_survives_kill_9_and_a_stop_is_quick(land):
    """Platform, certificate and answer are there after kill -9; a stop does not wait for long polls, exit 0."""
    made = await create(land, "survivor")
    keys = PlatformKeys("survivor")
    wanted = pb.EnrolRequest(
        request_id=request_id(), code="survivor", token=made.enrolment_token, csr_pem=keys.csr, jwks=keys.jwks
    )
    async with land.channel("identity.edge") as channel:
        answer = await platform_pb2_grpc.EnrolmentServiceStub(channel).Enrol(wanted, timeout=20)
    land.stop("identity", signal.SIGKILL)
    land.start("identity")
    await asyncio.to_thread(land.wait_ready, "identity")
    async with land.channel("identity.edge") as channel, land.channel("identity.peer", "exchange") as peer:
        stub = platform_pb2_grpc.EnrolmentServiceStub(channel)
        again = await eventually(lambda: _or_none(stub.Enrol(wanted, timeout=20)), within=20)
        assert again == answer
        feed = registry_pb2_grpc.RegistryFeedServiceStub(peer)
        start = await feed.PullRegistry(registry_pb2.PullRegistryRequest())
        wait = registry_pb2.PullRegistryRequest(after_version=start.version, epoch=start.epoch, wait_seconds=20)
        waiting = asyncio.create_task(_pull(feed, wait))
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        assert await asyncio.to_thread(land.stop, "identity") == 0
        assert asyncio.get_running_loop().time() - began < 9
        await asyncio.gather(waiting, return_exceptions=True)
    land.start("identity")
    await asyncio.to_thread(land.wait_ready, "identity")


async def _or_none(call):
    try:
        return await call
    except grpc.aio.AioRpcError:
        return None


async def test_roles_are_disjoint_and_scopes_decide(land):
    """The system administrator registers but does not suspend, the security administrator the reverse."""
    async with land.channel("identity.edge") as channel:
        admin = platform_pb2_grpc.PlatformAdminServiceStub(channel)
        suspend = pb.SuspendPlatformRequest(request_id=request_id(), code="whoever")
        for role in ("system", "audit"):
            assert await refused(admin.SuspendPlatform(suspend, metadata=land.as_operator(role))) == "SCOPE_MISSING"
        assert await refused(admin.SuspendPlatform(suspend)) == "TOKEN_REQUIRED"
        create_one = pb.CreatePlatformRequest(request_id=request_id())
        for role in ("security", "audit"):
            assert await refused(admin.CreatePlatform(create_one, metadata=land.as_operator(role))) == "SCOPE_MISSING"
        unknown = admin.SuspendPlatform(suspend, metadata=land.as_operator("security"))
        assert await refused(unknown) == "PLATFORM_UNKNOWN"


async def test_the_registry_is_read_by_pages_and_shows_others_no_more_than_they_need(land):
    """Every platform once, in order; another platform sees keys and names, not contacts or scopes."""
    for code in ("page-a", "page-b"):
        await create(land, code, contact_phone="0471-6550000", scopes=["case.read"])
    await enrol(land, "reader", scopes=["case.read"])
    async with land.channel("identity.edge") as channel:
        stub = platform_pb2_grpc.PlatformServiceStub(channel)
        reader = await stub.GetPlatform(pb.GetPlatformRequest(code="reader"), metadata=land.as_operator("system"))
        certificate = Certificate("spiffe://hub.test/platform/reader", reader.platform.certificate_sha256[0])
        as_reader = headers(
            certificate,
            {"kind": "platform", "client_id": "reader", "scope": "case.read", "cnf": {"x5t#S256": certificate.binding}},
        )

        async def readable() -> bool:
            found = await _or_none(stub.GetPlatform(pb.GetPlatformRequest(code="page-a"), metadata=as_reader))
            return found is not None

        await eventually(readable)
        seen, token = [], ""
        while True:
            page = await stub.ListPlatforms(pb.ListPlatformsRequest(page_size=2, page_token=token), metadata=as_reader)
            seen += [row.code for row in page.platforms]
            token = page.next_page_token
            if not token:
                break
        assert seen == sorted(set(seen))
        assert {"page-a", "page-b", "reader"} <= set(seen)
        stolen = pb.ListPlatformsRequest(page_size=2, page_token="x" * 40)
        assert await refused(stub.ListPlatforms(stolen, metadata=as_reader)) == "PAGE_TOKEN_INVALID"
        shown = (await stub.GetPlatform(pb.GetPlatformRequest(code="page-a"), metadata=as_reader)).platform
        assert (shown.contact_phone, list(shown.scopes)) == ("", [])
        full = (
            await stub.GetPlatform(pb.GetPlatformRequest(code="page-a"), metadata=land.as_operator("audit"))
        ).platform
        assert (full.contact_phone, list(full.scopes)) == ("0471-6550000", ["case.read"])
        wanted = pb.SetSubscriptionsRequest(
            request_id=request_id(), subscriptions=[pb.Subscription(topic="catalogue.item.published", division="15")]
        )
        changed = await stub.SetSubscriptions(wanted, metadata=as_reader)
        assert changed.platform.version == reader.platform.version + 1
    async with land.channel("identity.peer", "exchange") as peer:
        page = await registry_pb2_grpc.RegistryFeedServiceStub(peer).PullRegistry(registry_pb2.PullRegistryRequest())
        entry = next(row for row in page.platforms if row.code == "reader")
        assert list(entry.subscriptions) == ["catalogue.item.published@15"]


async def test_registration_of_platforms_names_every_fault(land):
    """All violations at once; a code is taken once; a bad certificate request and key set are named together."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await create(land, "Bad Code", division="x", scopes=["admin.system"], redirect_uris=["http://evil/"])
    fields = {each.field for each in error_of(failure.value).violations}
    assert fields == {"platform.code", "platform.division", "platform.scopes[0]", "platform.redirect_uris[0]"}
    made = await create(land, "only-once")
    assert await refused(create(land, "only-once")) == "PLATFORM_EXISTS"
    async with land.channel("identity.edge") as channel:
        stub = platform_pb2_grpc.EnrolmentServiceStub(channel)
        for csr in ("", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", "x" * 50_000):
            wanted = pb.EnrolRequest(
                request_id=request_id(), code="only-once", token=made.enrolment_token, csr_pem=csr, jwks="{}"
            )
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await stub.Enrol(wanted)
            assert {each.field for each in error_of(failure.value).violations} == {"csr_pem", "jwks"}
        keys = PlatformKeys("only-once")
        for code, token in (("only-once", "guess"), ("other", made.enrolment_token), ("", "")):
            wanted = pb.EnrolRequest(request_id=request_id(), code=code, token=token, csr_pem=keys.csr, jwks=keys.jwks)
            assert await refused(stub.Enrol(wanted)) == "ENROLMENT_TOKEN_INVALID"


async def test_no_enrolment_token_or_credential_stands_in_clear(land):
    """Tokens are kept as SHA-256, answers encrypted: neither database nor log holds them."""
    made = await create(land, "clear-text")
    keys = PlatformKeys("clear-text")
    async with land.channel("identity.edge") as channel:
        answer = await platform_pb2_grpc.EnrolmentServiceStub(channel).Enrol(
            pb.EnrolRequest(
                request_id=request_id(), code="clear-text", token=made.enrolment_token, csr_pem=keys.csr, jwks=keys.jwks
            ),
            timeout=20,
        )
    seed = answer.nats_creds.split("-----BEGIN USER NKEY SEED-----\n")[1].split("\n")[0]
    for file in [*(land.data / "db").iterdir(), *land.root.glob("*.log")]:
        content = file.read_bytes()
        assert made.enrolment_token.encode() not in content, file
        assert seed.encode() not in content, file
