"""A running exchange on a real bus, with identity and catalogue as small servicers of the same contract."""

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import secrets
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from services.exchange import app
from services.identity.bus import admin as bus_admin
from services.identity.bus import domain as bus_accounts
from shuniu.api.catalogue.v1 import feed_pb2, feed_pb2_grpc, item_pb2
from shuniu.api.common.v1 import (
    envelope_pb2,
    operations_pb2,
    operations_pb2_grpc,
    receipt_pb2,
    receipt_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
)
from shuniu.api.exchange.v1 import case_pb2 as case_pb
from shuniu.api.exchange.v1 import case_pb2_grpc, inbox_pb2_grpc, query_pb2_grpc
from shuniu.api.identity.v1 import person_pb2, person_pb2_grpc, platform_pb2, platform_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.crypto import sealing
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.rpc import client
from shuniu.kit.rpc.server import Servicer, peer_listener
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing import eventually
from tests.support.bus_land import KEYS, BusLand, bus_land

TRUST = "hub.test"
USCC = "12441500196720244T"
BASE = "152009001000"
HOHHOT, BAOTOU = "150100", "150200"
ITEM = f"{USCC}3{BASE}"
SCOPES = "case.apply case.read case.handle resource.provide resource.query inbox.read"


def rid() -> str:
    return uuid.uuid4().hex


def item(code: str = ITEM, *, division: str = HOHHOT, handler: str = "bureau", **changes: Any) -> item_pb2.Item:
    made = item_pb2.Item(
        level=item_pb2.ITEM_LEVEL_IMPLEMENTING,
        title="无犯罪记录证明",
        id=code,
        code=code,
        base_code=BASE,
        division=division,
        handler_platform=handler,
        min_ial=2,
        result_template="no_criminal_record",
        state=item_pb2.ITEM_STATE_PUBLISHED,
        promised_limit=item_pb2.TimeLimit(amount=5, unit="working_day"),
    )
    made.MergeFrom(item_pb2.Item(**changes))
    return made


def base_item(code: str = BASE) -> item_pb2.Item:
    return item_pb2.Item(
        level=item_pb2.ITEM_LEVEL_BASE,
        title="无犯罪记录证明",
        id=code,
        code=code,
        division="150000",
        state=item_pb2.ITEM_STATE_PUBLISHED,
    )


class Feed:
    """What both feeds share: numbered changes and waiting."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[int, Any]] = {}
        self.version = 0
        self._changed = asyncio.Event()

    def put(self, key: str, row: Any) -> None:
        self.version += 1
        self.rows[key] = (self.version, row)
        self._changed.set()

    async def after(self, version: int, wait: float) -> list[tuple[int, Any]]:
        if self.version <= version:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()
        return sorted((row for row in self.rows.values() if row[0] > version), key=lambda row: row[0])


class Catalogue(feed_pb2_grpc.ItemFeedServiceServicer):
    def __init__(self) -> None:
        self.feed = Feed()

    def put(self, row: item_pb2.Item) -> None:
        self.feed.put(row.code, row)

    async def PullItems(self, request, context):
        rows = await self.feed.after(request.after_version, request.wait_seconds)
        items = [feed_pb2.FeedItem(feed_version=version, item=row) for version, row in rows]
        return feed_pb2.PullItemsResponse(items=items, version=self.feed.version, epoch=1)


class Identity(
    registry_pb2_grpc.RegistryFeedServiceServicer,
    person_pb2_grpc.PersonServiceServicer,
    platform_pb2_grpc.CarrierServiceServicer,
):
    """Pairwise subject `<person>@<platform>` belongs to person `<person>`."""

    def __init__(self, bus: BusLand) -> None:
        self.feed = Feed()
        self.bus = bus
        self.resolved = 0
        self.away = False
        self.seals: list[person_pb2.SealPersonRequest] = []
        self.keys: dict[str, Any] = {}
        self.entries: dict[str, registry_pb2.PlatformEntry] = {}
        self.carriers: list[str] = []
        self.carrier_seconds = 3600

    def put(self, code: str, **changes: Any) -> None:
        key = self.keys.setdefault(code, sealing.new_key(f"{code}-1"))
        entry = registry_pb2.PlatformEntry(
            code=code,
            name=code,
            state="ACTIVE",
            division=HOHHOT,
            zone="government-extranet",
            secrecy="sensitive",
            jwks=json.dumps({"keys": [key.as_dict(private=False)]}),
        )
        for name, value in changes.items():
            if isinstance(value, list):
                getattr(entry, name).extend(value)
            else:
                setattr(entry, name, value)
        entry.version = self.feed.version + 1
        self.entries[code] = entry
        self.feed.put(code, entry)

    async def PullRegistry(self, request, context):
        rows = await self.feed.after(request.after_version, request.wait_seconds)
        platforms = [row for _, row in rows]
        return registry_pb2.PullRegistryResponse(platforms=platforms, version=self.feed.version, epoch=1)

    async def ResolveSubject(self, request, context):
        if self.away:
            raise errors.unavailable("AWAY", "Away.", "不可用")
        self.resolved += 1
        person, _, platform = request.subject.partition("@")
        if platform != request.platform:
            raise errors.not_found("SUBJECT_UNKNOWN", "Unknown.", "未知")
        return person_pb2.ResolveSubjectResponse(person_id=person, ial=2, display_name="王*")

    async def SealPerson(self, request, context):
        if self.away:
            raise errors.unavailable("AWAY", "Away.", "不可用")
        self.seals.append(request)
        public = self.keys[request.platform].as_dict(private=False)
        sealed = sealing.seal(public, {name: f"{name} of {request.person_id}" for name in request.fields})
        return person_pb2.SealPersonResponse(
            sealed=envelope_pb2.SealedData(jwe=sealed, receiver=request.platform, kid=public["kid"])
        )

    async def IssueCarrierCredential(self, request, context):
        if self.away:
            raise errors.unavailable("AWAY", "Away.", "不可用")
        self.carriers.append(request.platform)
        now_s = SystemClock().now_us() // 1_000_000
        credential = bus_accounts.organisation_credential(
            KEYS, self.bus.accounts[request.platform], secrets.token_bytes(32), now_s=now_s, expires_s=now_s + 3600
        )
        response = platform_pb2.IssueCarrierCredentialResponse(nats_creds=credential.creds)
        response.expires_at.FromSeconds(now_s + self.carrier_seconds)
        return response


@dataclass
class Sent(receipt_pb2_grpc.ReceiptServiceServicer):
    """The events of a neighbour, as the HTTP carrier asks for them."""

    events: dict[tuple[str, str], str]

    async def CheckReceipts(self, request, context):
        return receipt_pb2.CheckReceiptsResponse(
            standings=[self._standing(request.platform, each) for each in request.receipts]
        )

    def _standing(self, platform, receipt):
        digest = self.events.get((platform, receipt.event_id))
        if digest is None:
            return receipt_pb2.RECEIPT_STANDING_UNKNOWN
        return (
            receipt_pb2.RECEIPT_STANDING_FITS
            if digest == receipt.sha256.hex()
            else receipt_pb2.RECEIPT_STANDING_DIFFERS
        )


class Caller:
    """Calls the edge socket as the edge would for one certificate and token."""

    def __init__(self, channel: grpc.aio.Channel, code: str, person: str = "", ial: int = 2, kind: str = "") -> None:
        digest = hashlib.sha256(code.encode()).hexdigest()
        kind = kind or ("person" if person else "platform")
        claims = {
            "kind": kind,
            "client_id": code,
            "scope": SCOPES,
            "sub": person or code,
            "ial": ial,
            "cnf": {"x5t#S256": base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()},
        }
        path = "operator" if kind == "operator" else "platform"
        self.code = code
        self.metadata = (
            ("x-forwarded-client-cert", f"Hash={digest};URI=spiffe://{TRUST}/{path}/{code}"),
            ("x-shuniu-claims", base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()),
        )
        self.cases = case_pb2_grpc.CaseServiceStub(channel)
        self.handling = case_pb2_grpc.CaseHandlingServiceStub(channel)
        self.resources = query_pb2_grpc.ResourceServiceStub(channel)
        self.queries = query_pb2_grpc.QueryServiceStub(channel)
        self.provider = query_pb2_grpc.ProviderServiceStub(channel)
        self.inbox = inbox_pb2_grpc.InboxServiceStub(channel)

    async def call(self, method: Any, request: Any, timeout: float = 20) -> Any:
        try:
            return await method(request, metadata=self.metadata, timeout=timeout)
        except grpc.aio.AioRpcError as failure:
            raise client.error_of(failure) from None

    async def apply(self, **changes: Any) -> case_pb.Case:
        request = case_pb.ApplyCaseRequest(request_id=rid(), item_code=ITEM, channel=case_pb.CHANNEL_APP)
        request.MergeFrom(case_pb.ApplyCaseRequest(**changes))
        for name in ("request_id", "item_code"):
            if name in changes:
                setattr(request, name, changes[name])
        answer = await self.call(self.cases.ApplyCase, request)
        return answer.case

    async def move(self, code: str, move: str, **more: Any) -> case_pb.Case:
        request = case_pb.MoveCaseRequest(
            **{"request_id": rid(), "case_code": code, "move": case_pb.CaseMove.Value(f"CASE_MOVE_{move}"), **more}
        )
        answer = await self.call(self.handling.MoveCase, request)
        return answer.case

    async def get(self, code: str) -> case_pb.Case:
        answer = await self.call(self.cases.GetCase, case_pb.GetCaseRequest(case_code=code))
        return answer.case


@dataclass
class ExchangeLand:
    directory: Path
    bus: BusLand
    identity: Identity
    catalogue: Catalogue
    channel: grpc.aio.Channel
    peer: grpc.aio.Channel
    """As esign has it."""
    cli: grpc.aio.Channel
    path: Path
    sealed: dict[tuple[str, str], str] = field(default_factory=dict)
    """What esign sent: digest (hex) by platform and event id."""
    process: Any = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _peers: Any = None

    def platform(self, code: str) -> Caller:
        return Caller(self.channel, code)

    def person(self, person: str = "p1", via: str = "app", ial: int = 2) -> Caller:
        return Caller(self.channel, via, f"{person}@{via}", ial)

    def operator(self) -> Caller:
        return Caller(self.channel, "root", kind="operator")

    async def start(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self.process = await self._stack.enter_async_context(app.build(self.path))
        for listener in self.process.listeners:
            await listener.start()
        self._tasks = [asyncio.create_task(work()) for work in self.process.tasks]
        async with asyncio.timeout(20):
            # After a restart the channels still know the old sockets.
            await asyncio.gather(self.channel.channel_ready(), self.peer.channel_ready())

    async def stop(self) -> None:
        for let_go in self.process.on_drain:
            let_go()
        await asyncio.gather(*(listener.stop(0.2) for listener in self.process.listeners))
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        failed = [each for each in results if isinstance(each, Exception)]
        assert not failed, failed

    async def start_peers(self) -> None:
        peers = [
            ("identity", self.identity, registry_pb2_grpc.add_RegistryFeedServiceServicer_to_server, _service(registry_pb2, "RegistryFeedService")),
            ("identity", self.identity, person_pb2_grpc.add_PersonServiceServicer_to_server, _service(person_pb2, "PersonService")),
            ("catalogue", self.catalogue, feed_pb2_grpc.add_ItemFeedServiceServicer_to_server, _service(feed_pb2, "ItemFeedService")),
            ("identity", self.identity, platform_pb2_grpc.add_CarrierServiceServicer_to_server, _service(platform_pb2, "CarrierService")),
            ("catalogue", Sent({}), receipt_pb2_grpc.add_ReceiptServiceServicer_to_server, _service(receipt_pb2, "ReceiptService")),
        ]  # fmt: skip
        self._peers = []
        for name, group in itertools.groupby(sorted(peers, key=lambda each: each[0]), key=lambda each: each[0]):
            servicers = [Servicer(add, servicer, descriptor) for _, servicer, add, descriptor in group]
            listener = peer_listener(f"unix:{self.directory}/run/{name}.peer.sock", servicers, TRUST)
            await listener.start()
            self._peers.append(listener)

    async def start_esign(self) -> None:
        """Starts an esign that has sent what `sealed` says."""
        sent = Servicer(
            receipt_pb2_grpc.add_ReceiptServiceServicer_to_server,
            Sent(self.sealed),
            _service(receipt_pb2, "ReceiptService"),
        )
        listener = peer_listener(f"unix:{self.directory}/run/esign.peer.sock", [sent], TRUST)
        await listener.start()
        self._peers.append(listener)

    async def stop_peers(self) -> None:
        await asyncio.gather(*(listener.stop(0) for listener in self._peers))
        self._peers = []

    def operations(self) -> operations_pb2_grpc.OperationsServiceStub:
        return operations_pb2_grpc.OperationsServiceStub(self.cli)

    async def items_known(self, number: int) -> bool:
        status = await self.operations().GetStatus(operations_pb2.GetStatusRequest())
        return status.facts["items_known"] == str(number)

    async def trace(self, aggregate: str) -> operations_pb2.TraceAggregateResponse:
        return await self.operations().TraceAggregate(operations_pb2.TraceAggregateRequest(aggregate=aggregate))

    async def registry_current(self) -> None:
        """Returns once the exchange knows the registry's last change: a platform suspended for this is turned away."""
        code = f"probe{self.identity.feed.version}"
        self.identity.put(code, state="SUSPENDED")
        await eventually(lambda: self._turned_away(code))

    async def _turned_away(self, code: str) -> bool:
        try:
            await self.platform(code).get("x" * 43)
        except errors.HubError as error:
            return error.reason == "PLATFORM_STOPPED"
        return False


def _service(module: Any, name: str) -> Any:
    return module.DESCRIPTOR.services_by_name[name]


@contextlib.asynccontextmanager
async def exchange_land(
    platforms: tuple[str, ...] = ("app", "app2", "bureau", "bureau2", "ministry"), **settings: Any
) -> AsyncIterator[ExchangeLand]:
    directory = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    for name in ("run", "db", "keys"):
        (directory / name).mkdir(mode=0o700)
    async with bus_land() as bus:
        creds = directory / "keys" / "bus-exchange.creds"
        creds.touch(mode=0o600)
        creds.write_text(bus_admin.service_credentials(KEYS, "exchange", now_s=SystemClock().now_us() // 1_000_000))
        path = directory / "hub.toml"
        extra = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        path.write_text(
            f'[hub]\ncode = "150000"\nname = "t"\ntrust_domain = "{TRUST}"\nissuer = "https://hub.test"\n'
            f'data_dir = "{directory}"\nrun_dir = "{directory}/run"\n\n'
            f'[exchange]\nbus_url = "{bus.server.url}"\n{extra}'
        )
        database = settings.get("database_url", f"sqlite:///{directory}/db/exchange.db")
        await migrate(database, "services.exchange", SystemClock())
        identity, catalogue = Identity(bus), Catalogue()
        for code in platforms:
            identity.put(code)
            await bus.enrol(code)
        catalogue.put(base_item())
        catalogue.put(item())
        channel = client.socket_channel(f"unix:{directory}/run/exchange.edge.sock")
        peer = client.channel(f"unix:{directory}/run/exchange.peer.sock", service="esign")
        cli = client.channel(f"unix:{directory}/run/exchange.peer.sock", service="cli")
        land = ExchangeLand(directory, bus, identity, catalogue, channel, peer, cli, path)
        await land.start_peers()
        try:
            await land.start()
            try:
                await eventually(lambda: _knows(land), within=10)
                yield land
            finally:
                await land.stop()
        finally:
            await channel.close()
            await peer.close()
            await cli.close()
            await land.stop_peers()
            shutil.rmtree(directory, ignore_errors=True)


async def _knows(land: ExchangeLand) -> bool:
    """Whether the exchange has read both feeds."""
    await land.registry_current()
    return await land.items_known(len(land.catalogue.feed.rows))
