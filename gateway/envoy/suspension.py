"""Who is suspended: asked of identity, written where Envoy sees it at once."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import grpc

from gateway.envoy import render
from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc
from shuniu.kit import log

# Effective within a second is promised; the look itself and Envoy's reload take their part of it.
_LOOK_EVERY = 0.3
# A look may take this share of the time at most, so that a large registry does not pay for its size with its answers.
_SHARE = 0.5
_LOOK_TIMEOUT = 2.0

_CUT_OFF = frozenset({platform_pb2.PLATFORM_STATE_SUSPENDED, platform_pb2.PLATFORM_STATE_RETIRED})

_log = log.get("suspension")


class SuspensionFeed(Protocol):
    """Tells which platforms are cut off: all of them, each time that may have changed."""

    def suspended_platforms(self) -> AsyncIterator[frozenset[str]]: ...


class RegistryPoll:
    """Asks identity's registry again and again. While identity is away the last answer stands."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._registry = platform_pb2_grpc.PlatformServiceStub(channel)

    async def suspended_platforms(self) -> AsyncIterator[frozenset[str]]:
        loop = asyncio.get_running_loop()
        away = False
        while True:
            began = loop.time()
            try:
                codes = await self._look()
            except grpc.aio.AioRpcError as error:
                if not away:
                    _log.warning("registry_away", code=error.code().name)
                away = True
            else:
                if away:
                    _log.info("registry_back")
                away = False
                yield codes
            took = loop.time() - began
            await asyncio.sleep(max(_LOOK_EVERY - took, took * (1 - _SHARE) / _SHARE, 0.0))

    async def _look(self) -> frozenset[str]:
        found: set[str] = set()
        token = ""
        while True:
            page = await self._registry.ListPlatforms(
                platform_pb2.ListPlatformsRequest(page_size=500, page_token=token), timeout=_LOOK_TIMEOUT
            )
            found.update(platform.code for platform in page.platforms if platform.state in _CUT_OFF)
            token = page.next_page_token
            if not token:
                return frozenset(found)


class SuspendedFile:
    """The dynamic file, and beside it the same codes for the next start: who was cut off stays so meanwhile."""

    def __init__(self, directory: Path, trust_domain: str) -> None:
        self._file = directory / render.SUSPENDED
        self._memory = directory / "suspended.json"
        self._trust_domain = trust_domain
        self._applied: frozenset[str] | None = None

    def remembered(self) -> frozenset[str]:
        """Codes applied last, before this start too; empty on the very first."""
        try:
            return frozenset(json.loads(self._memory.read_text("utf-8")))
        except FileNotFoundError:
            return frozenset()

    def apply_suspended(self, codes: frozenset[str]) -> None:
        """Makes Envoy refuse exactly these platforms, on open connections too. Does nothing when they are the same."""
        if codes == self._applied:
            return
        replace(self._memory, json.dumps(sorted(codes)).encode())
        replace(self._file, render.render_suspended(self._trust_domain, codes))
        self._applied = codes
        _log.info("suspended", platforms=sorted(codes))


def replace(path: Path, content: bytes) -> None:
    """Replaces a file by an atomic rename, readable by us only."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
