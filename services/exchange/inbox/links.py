"""Bus connections for organisations that have only HTTPS: one per organisation, closed when idle."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import grpc

from services.exchange import metrics
from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.events.bus import Bus, BusAwayError
from shuniu.kit.process import log
from shuniu.kit.process.clock import Clock
from shuniu.kit.rpc.client import ask

CONNECT_SECONDS: Final = 3.0
CREDENTIAL_SECONDS: Final = 3.0
MOST_AT_ONCE: Final = 8
"""Calls of one organisation at a time: each holds a consumer in its account, of which it has 64."""
_RENEW_BEFORE_US: Final = 120 * 1_000_000
_SWEEP_SECONDS: Final = 1.0

_log = log.get("inbox")


@dataclass(slots=True, eq=False)
class Link:
    """One organisation's connection. `floor` is the message number up to which its client says it has everything."""

    platform: str
    bus: Bus = field(repr=False)
    expires_us: int
    users: int = 0
    idle_since: float = 0.0
    floor: int = 0
    floor_at: float = 0.0


class InboxLinks:
    """The pool. Credentials come from identity, are short-lived and held in memory only."""

    def __init__(self, channel: grpc.aio.Channel, url: str, clock: Clock, idle_seconds: float) -> None:
        self._stub = platform_pb2_grpc.CarrierServiceStub(channel)
        self._url = url
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._links: dict[str, Link] = {}
        self._retired: list[Link] = []
        self._opening: dict[str, asyncio.Lock] = {}

    @contextlib.asynccontextmanager
    async def use(self, platform: str) -> AsyncIterator[Link]:
        """The organisation's connection, connected. Raises UNAVAILABLE BUS_AWAY, RESOURCE_EXHAUSTED."""
        link = await self._linked(platform)
        if link.users >= MOST_AT_ONCE:
            raise errors.exhausted(
                "TOO_MANY_POLLS",
                "Too many inbox calls of this platform at a time; keep one long poll open.",
                "该平台同时进行的收件请求过多，请保持单个长轮询。",
            )
        link.users += 1
        try:
            yield link
        finally:
            link.users -= 1
            link.idle_since = asyncio.get_running_loop().time()

    async def _linked(self, platform: str) -> Link:
        async with self._opening.setdefault(platform, asyncio.Lock()):
            link = self._links.get(platform)
            if link is not None and link.expires_us - _RENEW_BEFORE_US <= self._clock.now_us():
                # Calls under way end on the old connection; the credential lasts longer than any of them.
                self._retired.append(self._links.pop(platform))
                link = None
            if link is None:
                link = await self._open(platform)
            try:
                await link.bus.wait_connected(CONNECT_SECONDS)
            except BusAwayError:
                # Perhaps its credential was cut: the next call begins with a fresh one.
                await self._close(link)
                raise bus_away() from None
            return link

    async def _open(self, platform: str) -> Link:
        request = platform_pb2.IssueCarrierCredentialRequest(platform=platform)
        try:
            issued = await ask(self._stub.IssueCarrierCredential, request, timeout=CREDENTIAL_SECONDS)
        except HubError as error:
            raise bus_away() if error.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED) else error from None
        bus = Bus(self._url, issued.nats_creds, name=f"https {platform}")
        bus.start()
        link = Link(
            platform,
            bus,
            issued.expires_at.ToMicroseconds(),
            idle_since=asyncio.get_running_loop().time(),
        )
        self._links[platform] = link
        metrics.INBOX_LINKS.set(len(self._links))
        return link

    async def _close(self, link: Link) -> None:
        if self._links.get(link.platform) is link:
            del self._links[link.platform]
        if link in self._retired:
            self._retired.remove(link)
        metrics.INBOX_LINKS.set(len(self._links))
        await link.bus.close()

    async def sweep(self) -> None:
        """Task: closes idle connections."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            oldest = asyncio.get_running_loop().time() - self._idle_seconds
            idle = [each for each in self._links.values() if each.users == 0 and each.idle_since <= oldest]
            for link in [*idle, *(each for each in self._retired if each.users == 0)]:
                await self._close(link)
                _log.debug("link_closed", platform=link.platform)

    async def close(self) -> None:
        for link in [*self._links.values(), *self._retired]:
            await self._close(link)


def bus_away() -> HubError:
    return errors.unavailable(
        "BUS_AWAY",
        "The event bus does not answer; nothing is lost, ask again in a moment.",
        "事件总线暂不可用，事件不会丢失，请稍后重试。",
    )
