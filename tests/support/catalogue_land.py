"""A running catalogue with a small registry feed beside it; the bus is away unless a test brings one."""

import asyncio
import base64
import contextlib
import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from services.catalogue import app
from services.identity.bus import admin as bus_admin
from shuniu.api.catalogue.v1 import feed_pb2, feed_pb2_grpc, item_pb2, item_pb2_grpc
from shuniu.api.common.v1 import operations_pb2, operations_pb2_grpc, registry_pb2, registry_pb2_grpc
from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.rpc import client
from shuniu.kit.rpc.server import Servicer, peer_listener
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing import eventually
from tests.support.bus_land import KEYS
from tests.support.exchange_land import Feed

TRUST = "hub.test"
USCC = "12441500196720244T"
BASE = "152009001000"
HOHHOT, BAOTOU = "150100", "150200"


def rid() -> str:
    return uuid.uuid4().hex


def base_item(code: str = BASE, **changes: Any) -> item_pb2.Item:
    return item_pb2.Item(
        **{
            "level": item_pb2.ITEM_LEVEL_BASE,
            "title": "无犯罪记录证明",
            "code": code,
            "type": "20",
            "division": "150000",
            "agency_uscc": USCC,
            "service_objects": ["1"],
            "aliases": ["良民证明"],
            **changes,
        }
    )


def item(base: str = BASE, **changes: Any) -> item_pb2.Item:
    return item_pb2.Item(
        **{
            "level": item_pb2.ITEM_LEVEL_IMPLEMENTING,
            "title": "无犯罪记录证明",
            "code": f"{USCC}3{base}",
            "base_code": base,
            "type": "20",
            "exercise_level": "3",
            "division": HOHHOT,
            "agency_uscc": USCC,
            "agency_name": "呼和浩特市公安局",
            "handler_platform": "bureau",
            "service_objects": ["1"],
            "statutory_limit": item_pb2.TimeLimit(amount=3, unit="working_day"),
            "promised_limit": item_pb2.TimeLimit(amount=1, unit="working_day"),
            "conditions": "已实名注册的申请人本人",
            "flow": "申请、受理、审查、决定、送达",
            "handling_forms": ["2", "3"],
            "legal_basis": "公安机关办理犯罪记录查询工作规定",
            "aliases": ["良民证明"],
            "phone": "0471-1234567",
            "complaints_phone": "0471-7654321",
            "result_name": "无犯罪记录证明（电子版）",
            "result_template": "no_criminal_record",
            "materials": [item_pb2.Material(name="居民身份证", form="electronic", required=True)],
            "sources": {"title": "announcement-1", "phone": "illustrative"},
            **changes,
        }
    )


class Registry(registry_pb2_grpc.RegistryFeedServiceServicer):
    """Identity's feed, as far as a catalogue needs it."""

    def __init__(self) -> None:
        self.feed = Feed()

    def put(self, code: str, *subscriptions: str) -> None:
        entry = registry_pb2.PlatformEntry(code=code, name=code, state="ACTIVE", subscriptions=subscriptions)
        self.feed.put(code, entry)

    async def PullRegistry(self, request, context):
        rows = await self.feed.after(request.after_version, min(request.wait_seconds, 1))
        return registry_pb2.PullRegistryResponse(
            platforms=[row for _, row in rows], version=self.feed.version, epoch=1, reset=request.epoch != 1
        )


class Caller:
    """Calls the edge socket as the edge would for one certificate and token; "" is nobody."""

    def __init__(self, channel: grpc.aio.Channel, code: str, person: str = "") -> None:
        digest = hashlib.sha256(code.encode()).hexdigest()
        claims = {
            "kind": "person" if person else "platform",
            "client_id": code,
            "scope": "item.write item.publish",
            "sub": person or code,
            "cnf": {"x5t#S256": base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()},
        }
        self.metadata: Any = ()
        if code:
            self.metadata = (
                ("x-forwarded-client-cert", f"Hash={digest};URI=spiffe://{TRUST}/platform/{code}"),
                ("x-shuniu-claims", base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()),
            )
        self.read = item_pb2_grpc.ItemServiceStub(channel)
        self.edit = item_pb2_grpc.ItemEditServiceStub(channel)
        self.feed = feed_pb2_grpc.ItemFeedServiceStub(channel)

    async def call(self, method: Any, request: Any) -> Any:
        try:
            return await method(request, metadata=self.metadata, timeout=30)
        except grpc.aio.AioRpcError as failure:
            raise client.error_of(failure) from None

    async def create(self, made: item_pb2.Item, editor: str = "alice", request_id: str = "") -> item_pb2.Item:
        request = item_pb2.CreateItemRequest(request_id=request_id or rid(), item=made, editor=editor)
        return (await self.call(self.edit.CreateItem, request)).item

    async def update(self, made: item_pb2.Item, editor: str = "alice") -> item_pb2.Item:
        request = item_pb2.UpdateItemRequest(request_id=rid(), item=made, editor=editor)
        return (await self.call(self.edit.UpdateItem, request)).item

    async def submit(self, item_id: str, editor: str = "alice") -> item_pb2.Item:
        request = item_pb2.SubmitItemRequest(request_id=rid(), id=item_id, editor=editor)
        return (await self.call(self.edit.SubmitItem, request)).item

    async def approve(self, item_id: str, publisher: str = "bob") -> item_pb2.Item:
        request = item_pb2.PublishItemRequest(request_id=rid(), id=item_id, publisher=publisher)
        return (await self.call(self.edit.PublishItem, request)).item

    async def change(self, item_id: str, state: str, reason: str = "系统升级") -> item_pb2.Item:
        request = item_pb2.ChangeItemStateRequest(
            request_id=rid(), id=item_id, state=f"ITEM_STATE_{state}", publisher="bob", reason=reason
        )
        return (await self.call(self.edit.ChangeItemState, request)).item

    async def publish(self, made: item_pb2.Item) -> item_pb2.Item:
        """All steps of two persons."""
        created = await self.create(made)
        await self.submit(created.id)
        return await self.approve(created.id)

    async def get(self, name: str) -> item_pb2.Item:
        return (await self.call(self.read.GetItem, item_pb2.GetItemRequest(name=name))).item

    async def page(self, **wanted: Any) -> item_pb2.ListItemsResponse:
        return await self.call(self.read.ListItems, item_pb2.ListItemsRequest(**wanted))

    async def search(self, query: str, division: str = "", page_size: int = 20) -> list[item_pb2.SearchHit]:
        request = item_pb2.SearchItemsRequest(query=query, division=division, page_size=page_size)
        return list((await self.call(self.read.SearchItems, request)).hits)

    async def pull(self, after: int = 0, epoch: int = 1, **more: Any) -> feed_pb2.PullItemsResponse:
        request = feed_pb2.PullItemsRequest(after_version=after, epoch=epoch, **more)
        return await self.call(self.feed.PullItems, request)


@dataclass
class CatalogueLand:
    directory: Path
    path: Path
    registry: Registry
    channel: grpc.aio.Channel
    peer: grpc.aio.Channel
    process: Any = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    def platform(self, code: str) -> Caller:
        return Caller(self.channel, code)

    def person(self, platform: str) -> Caller:
        return Caller(self.channel, platform, f"p1@{platform}")

    def nobody(self) -> Caller:
        return Caller(self.channel, "")

    def operations(self) -> operations_pb2_grpc.OperationsServiceStub:
        return operations_pb2_grpc.OperationsServiceStub(self.peer)

    async def trace(self, aggregate: str) -> list[Any]:
        answer = await self.operations().TraceAggregate(operations_pb2.TraceAggregateRequest(aggregate=aggregate))
        return list(answer.entries)

    async def start(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self.process = await self._stack.enter_async_context(app.build(self.path))
        for listener in self.process.listeners:
            await listener.start()
        self._tasks = [asyncio.create_task(work()) for work in self.process.tasks]

    async def stop(self) -> None:
        for let_go in self.process.on_drain:
            let_go()
        await asyncio.gather(*(listener.stop(5) for listener in self.process.listeners))
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        failed = [each for each in results if isinstance(each, Exception)]
        assert not failed, failed

    async def admits(self, code: str) -> bool:
        """Whether the running catalogue knows a platform."""
        try:
            await self.platform(code).page(page_size=1)
        except HubError:
            return False
        return True


@contextlib.asynccontextmanager
async def catalogue_land(
    database_url: str = "", bus_url: str = "nats://127.0.0.1:9", platforms: tuple[str, ...] = ()
) -> AsyncIterator[CatalogueLand]:
    directory = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    for name in ("run", "db", "keys"):
        (directory / name).mkdir(mode=0o700)
    database_url = database_url or f"sqlite:///{directory}/db/catalogue.db"
    creds = directory / "keys" / "bus-catalogue.creds"
    creds.touch(mode=0o600)
    creds.write_text(bus_admin.service_credentials(KEYS, "catalogue", now_s=SystemClock().now_us() // 1_000_000))
    path = directory / "hub.toml"
    path.write_text(
        f'[hub]\ncode = "150000"\nname = "t"\ntrust_domain = "{TRUST}"\nissuer = "https://hub.test"\n'
        f'data_dir = "{directory}"\nrun_dir = "{directory}/run"\n\n'
        f'[catalogue]\nbus_url = "{bus_url}"\ndatabase_url = "{database_url}"\n'
    )
    await migrate(database_url, "services.catalogue", SystemClock())
    registry = Registry()
    known = ("province", "other", "bureau", "app", *platforms)
    for code in known:
        registry.put(code)
    descriptor = registry_pb2.DESCRIPTOR.services_by_name["RegistryFeedService"]
    add = registry_pb2_grpc.add_RegistryFeedServiceServicer_to_server
    identity = peer_listener(f"unix:{directory}/run/identity.peer.sock", [Servicer(add, registry, descriptor)], TRUST)
    channel = client.socket_channel(f"unix:{directory}/run/catalogue.edge.sock")
    peer = client.channel(f"unix:{directory}/run/catalogue.peer.sock", service="cli")
    land = CatalogueLand(directory, path, registry, channel, peer)
    await identity.start()
    try:
        await land.start()
        try:
            await eventually(lambda: land.admits(known[-1]), within=10)
            yield land
        finally:
            await land.stop()
    finally:
        await channel.close()
        await peer.close()
        await identity.stop(0)
        shutil.rmtree(directory, ignore_errors=True)
