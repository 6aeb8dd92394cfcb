"""A bus with a hub and organisations on it, each as in production: identity mints, the server is real."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from nats.aio.client import Client, RawCredentials

from services.identity.bus import admin as bus_admin
from services.identity.bus.domain import BusKeys, Credential, OrganisationAccount, Quota
from shuniu.kit.events.bus import Bus, leave
from shuniu.kit.events.bus_server import BusCluster
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.testing.nats import NatsServer
from tests.support.ports import free_port

KEYS = BusKeys(operator=b"o" * 32, system=b"s" * 32, hub=b"h" * 32, organisations=b"r" * 32)


@dataclass
class BusLand:
    server: NatsServer
    admin: bus_admin.BusAdmin
    accounts: dict[str, OrganisationAccount]
    url: str = ""
    """The servers of a cluster; empty: the one server."""
    _open: list[Client | Bus] = field(default_factory=list)

    async def enrol(self, code: str, quota: Quota | None = None) -> Credential:
        account = OrganisationAccount(code, quota=quota or Quota())
        self.accounts[code] = account
        return await self.admin.enrol(account)

    async def suspend(self, code: str) -> None:
        self.accounts[code] = await self.admin.suspend(self.accounts[code])

    async def resume(self, code: str) -> None:
        self.accounts[code] = await self.admin.resume(self.accounts[code])

    async def bureau(self, credential: Credential, *, url: str = "") -> Client:
        """What a bureau has: its .creds and a stock client."""
        complaints: list[Exception] = []

        async def note(error: Exception) -> None:
            complaints.append(error)

        client = Client()
        try:
            await client.connect(
                url or self.server.url,
                user_credentials=RawCredentials(credential.creds),
                error_cb=note,
                allow_reconnect=False,
            )
        except BaseException:
            await leave(client)
            raise
        client.complaints = complaints
        self._open.append(client)
        return client

    async def service(self, area: str) -> Bus:
        creds = bus_admin.service_credentials(KEYS, area, now_s=int(time.time()))
        bus = Bus(self.url or self.server.url, creds, name=area)
        bus.start()
        self._open.append(bus)
        await bus.wait_connected(10)
        return bus

    async def close(self) -> None:
        for part in self._open:
            with contextlib.suppress(Exception):
                await (leave(part) if isinstance(part, Client) else part.close())
        await self.admin.close()
        await self.server.stop()


@contextlib.asynccontextmanager
async def cluster_land() -> AsyncIterator[tuple[BusLand, list[NatsServer]]]:
    """As `bus_land`, on three servers, every stream on all of them."""
    directory = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    tokens = bus_admin.server_tokens(KEYS, now_s=int(time.time()))
    routes = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    servers = [
        NatsServer(
            directory / name,
            tokens,
            name=name,
            cluster=BusCluster("hub", here, tuple(f"nats://{each}" for each in routes if each != here)),
        )
        for name, here in zip(("bus-1", "bus-2", "bus-3"), routes, strict=True)
    ]
    await asyncio.gather(*(each.start() for each in servers))
    accounts: dict[str, OrganisationAccount] = {}

    async def load() -> list[OrganisationAccount]:
        return list(accounts.values())

    url = ",".join(each.url for each in servers)
    admin = bus_admin.BusAdmin(KEYS, url, SystemClock(), load, replicas=3, tidy_s=0.2)
    admin.start()
    land = BusLand(servers[0], admin, accounts, url=url)
    try:
        async with asyncio.timeout(30):
            while not admin.connected:
                await asyncio.sleep(0.02)
        yield land, servers
    finally:
        await land.close()
        await asyncio.gather(*(each.stop() for each in servers))
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.asynccontextmanager
async def bus_land() -> AsyncIterator[BusLand]:
    directory = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    server = NatsServer(directory, bus_admin.server_tokens(KEYS, now_s=int(time.time())))
    await server.start()
    accounts: dict[str, OrganisationAccount] = {}

    async def load() -> list[OrganisationAccount]:
        return list(accounts.values())

    admin = bus_admin.BusAdmin(KEYS, server.url, SystemClock(), load, tidy_s=0.2)
    admin.start()
    land = BusLand(server, admin, accounts)
    try:
        async with asyncio.timeout(20):
            while not admin.connected:
                await asyncio.sleep(0.01)
        yield land
    finally:
        await land.close()
        shutil.rmtree(directory, ignore_errors=True)
