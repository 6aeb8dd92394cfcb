"""A service whose disk is full, seen by its callers through the edge."""

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from examples.demo.hub import RunningHub, shuniu
from examples.demo.setup import CATALOGUE_SCOPES, CERTIFICATE_ITEM, base_item, enrol_platform, plain_platform
from examples.hub_client.session import Session, request_id
from examples.inner_mongolia.load import load
from shuniu.api.catalogue.v1 import item_pb2, item_pb2_grpc
from shuniu.kit.testing import eventually
from tests.support.hub import command, details_of

DISK_MIB = 6
BALLAST_MIB = 2
# A legal basis of this length fills the disk in some tens of items.
LONG = "《中华人民共和国刑法》" * 300


@pytest.fixture
def small_disk() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", path], check=False, capture_output=True
    )
    if mounted.returncode:
        path.rmdir()
        pytest.skip("mounting a small disk needs root")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)
    path.rmdir()


class Editor:
    """A department that writes items."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.edit = item_pb2_grpc.ItemEditServiceStub(session.channel)
        self.read = item_pb2_grpc.ItemServiceStub(session.channel)
        region = load()
        self._item = base_item(region.item(CERTIFICATE_ITEM), region.agency("150000"))
        self.kept: list[str] = []

    async def create(self, number: int, *, within: float = 30) -> None:
        """One durable write; its id is kept when it is answered."""
        item = item_pb2.Item()
        item.CopyFrom(self._item)
        item.code = f"1520090{number:05d}"
        item.ClearField("code_39046")
        item.legal_basis = LONG
        request = item_pb2.CreateItemRequest(request_id=request_id(), item=item, editor="FZ-0007")
        self.kept.append((await self.session.call(self.edit.CreateItem, request, within=within)).item.id)

    async def get(self, item_id: str) -> item_pb2.Item:
        answer = await self.session.call(self.read.GetItem, item_pb2.GetItemRequest(name=item_id))
        item: item_pb2.Item = answer.item
        return item


def readiness(ops: Path) -> tuple[int, str]:
    answer = httpx.get(f"http://{ops.read_text().strip()}/readyz", timeout=5)
    return answer.status_code, answer.text


def unready_while_refused(editor: Editor, ops: Path) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await editor.create(8000)
        status, said = readiness(ops)
        return said if status == 503 else ""

    return look


@pytest.mark.timeout(120)
async def test_a_service_with_a_full_disk_goes_on_reading_and_recovers(small_disk: Path) -> None:
    """Writers hear RESOURCE_EXHAUSTED STORE_FULL at once, readers are served, readiness says so; with room again the
    same process writes, and every answered write is there.
    """
    ballast = small_disk / "ballast"
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as work:
        data = Path(work) / "hub"

        await shuniu("init", "--data", str(data), "--free-ports")
        database, settings = data / "db" / "catalogue.db", data / "hub.toml"
        moved = f'[catalogue]\ndatabase_url = "sqlite:///{small_disk / database.name}"'
        settings.write_text(settings.read_text("utf-8").replace("[catalogue]", moved), "utf-8")
        shutil.move(database, small_disk / database.name)
        running = await RunningHub.up(data)
        system = running.operator("system")
        department = plain_platform("150000-ga", "自治区公安厅", "province", "150000", CATALOGUE_SCOPES)
        session = await enrol_platform(running, system, department, Path(work) / "department")
        try:
            ops = data / "run" / "catalogue.ops"
            pid = (await catalogue(running))["pid"]
            editor = Editor(session)
            await editor.create(0)
            ballast.write_bytes(bytes(BALLAST_MIB << 20))
            with pytest.raises(grpc.aio.AioRpcError) as full:
                for number in range(1, 2000):
                    await editor.create(number)
            assert full.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert details_of(full.value)[0] == "STORE_FULL"
            assert len(editor.kept) > 5
            # Many at once hear the same; nobody hangs.
            crowd = await asyncio.gather(*(editor.create(5000 + n) for n in range(8)), return_exceptions=True)
            failed = [one for one in crowd if isinstance(one, grpc.aio.AioRpcError)]
            assert failed
            assert {details_of(one)[0] for one in failed} == {"STORE_FULL"}
            # What is small may still fit, and then the store is writable: so this is looked at while writers are refused.
            assert "store" in await eventually(
                unready_while_refused(editor, ops), message="readiness tells of the disk"
            )
            for item_id in (editor.kept[0], editor.kept[-1]):
                assert (await editor.get(item_id)).legal_basis == LONG
            states = [item_pb2.ITEM_STATE_DRAFT]
            found = await session.call(editor.read.ListItems, item_pb2.ListItemsRequest(page_size=5, states=states))
            assert len(found.items) == 5

            ballast.unlink()
            await eventually(lambda: readiness(ops)[0] == 200, within=20, message="ready again by itself")
            await editor.create(9000)
            assert pid == (await catalogue(running))["pid"]
            for item_id in editor.kept:
                assert (await editor.get(item_id)).legal_basis == LONG
        finally:
            await session.close()
            await system.close()
            await running.stop()


async def catalogue(running: RunningHub) -> dict[str, Any]:
    """What `shuniu status` says of the service."""
    parts = (await command("status", "--json", "--data", str(running.data))).json["parts"]
    return next(part for part in parts if part["name"] == "catalogue")
