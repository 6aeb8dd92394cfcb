"""Two replicas of the exchange on one PostgreSQL, with one identity, one catalogue and one bus beside them."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from services.exchange.grants.store import share_use
from services.exchange.queries.store import provider_call, provider_stream
from services.exchange.store import METADATA
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.rpc import client
from shuniu.kit.store import Store
from shuniu.kit.testing import eventually
from tests.support.exchange_land import ExchangeLand, exchange_land


@dataclass
class Replicas:
    """`first` and `second` replica, and the store that both write."""

    first: ExchangeLand
    second: ExchangeLand
    store: Store

    async def spent(self) -> int:
        """Calls that all consumers spent of their quotas."""
        return sum(await self.store.read(lambda conn: list(conn.execute(select(share_use.c.calls)).scalars())))

    async def calls(self) -> list[Any]:
        """Rows of calls, oldest first."""
        return await self.store.read(lambda c: list(c.execute(select(provider_call).order_by(provider_call.c.call_id))))

    async def streams(self) -> list[Any]:
        """Rows of streams."""
        return await self.store.read(lambda conn: list(conn.execute(select(provider_stream))))

    async def end_leases_of_calls(self) -> None:
        """As if their time had passed."""

        def end(conn: Connection) -> None:
            conn.execute(update(provider_call).values(lease_us=1))

        await self.store.write(end)

    async def end_leases_of_streams(self) -> None:
        """As if their time had passed."""

        def end(conn: Connection) -> None:
            conn.execute(update(provider_stream).values(lease_us=1))

        await self.store.write(end)


@contextlib.asynccontextmanager
async def exchange_replicas(database: str, **settings: Any) -> AsyncIterator[Replicas]:
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(exchange_land(database_url=database, **settings))
        second = await _beside(first, stack)
        await second.start()
        stack.push_async_callback(second.stop)
        store = await Store.open(database, METADATA, clock=SystemClock(), writer="test")
        stack.push_async_callback(store.close)
        await second.registry_current()
        await second.items_known(len(second.catalogue.feed.rows))
        yield Replicas(first, second, store)


async def _beside(land: ExchangeLand, stack: contextlib.AsyncExitStack, name: str = "run2") -> ExchangeLand:
    """Another replica, with sockets in a folder of its own; not started."""
    run = land.directory / name
    run.mkdir(mode=0o700)
    path = land.directory / f"{name}.toml"
    services = "".join(
        f'{service}_address = "unix:{land.directory}/run/{service}.peer.sock"\n'
        for service in ("identity", "catalogue", "esign")
    )
    path.write_text(land.path.read_text().replace(f'run_dir = "{land.directory}/run"', f'run_dir = "{run}"') + services)

    async def channel(socket: str, service: str = "") -> Any:
        address = f"unix:{run}/exchange.{socket}.sock"
        made = client.channel(address, service=service) if service else client.socket_channel(address)
        return await stack.enter_async_context(made)

    return dataclasses.replace(
        land,
        channel=await channel("edge"),
        peer=await channel("peer", "esign"),
        cli=await channel("peer", "cli"),
        path=path,
        process=None,
    )


@contextlib.asynccontextmanager
async def replica_process(land: ExchangeLand) -> AsyncIterator["ReplicaProcess"]:
    """A third replica, as a process of its own; killed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        beside = await _beside(land, stack, "run3")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.exchange", "--config", str(beside.path), stderr=asyncio.subprocess.DEVNULL
        )
        made = ReplicaProcess(beside, process)
        stack.push_async_callback(made.kill)
        async with asyncio.timeout(60):
            await beside.channel.channel_ready()
        await beside.registry_current()
        await eventually(lambda: _knows_items(beside), within=20)
        yield made


async def _knows_items(land: ExchangeLand) -> bool:
    return await land.items_known(len(land.catalogue.feed.rows))


@dataclass
class ReplicaProcess:
    land: ExchangeLand
    process: asyncio.subprocess.Process

    async def kill(self) -> None:
        """SIGKILL: it tells nobody."""
        if self.process.returncode is None:
            os.kill(self.process.pid, signal.SIGKILL)
            await self.process.wait()
