"""The platform registry as every process reads it: who exists and who may work now."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import grpc

from shuniu.api.common.v1 import registry_pb2, registry_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.feeds.feed import Change, Page, Replica
from shuniu.kit.process import metrics
from shuniu.kit.process.clock import Clock
from shuniu.kit.rpc.caller import Caller, CallerKind
from shuniu.kit.rpc.client import ask
from shuniu.kit.store import Store

PULL_SECONDS = 20
SESSION_MEMORY_US = 15 * 60 * 1_000_000
"""Ended sessions are remembered longer than any access token lives."""

WORKING = frozenset({"ACTIVE", "TESTING"})
"""States in which a platform takes part."""
# Not turned away: one that this copy knows as not yet enrolled, or not at all, came with a token that identity gave it
# a moment ago, and this copy is about to hear of it. Any other state, known here or not, is turned away.
_ADMITTED = WORKING | {"APPLIED"}


class Registry:
    """A live copy of the registry in the service's own store, so that it works while identity is unavailable."""

    def __init__(self, channel: grpc.aio.Channel, store: Store | None, clock: Clock) -> None:
        self._stub = registry_pb2_grpc.RegistryFeedServiceStub(channel)
        self._clock = clock
        self._platforms: dict[str, registry_pb2.PlatformEntry] = {}
        self._ended: dict[str, int] = {}
        self._listeners: list[Callable[[], None]] = []
        self.replica = Replica("registry", self._pull, self._apply, self._reset, store)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls `listener` after each change; a server cuts open streams of those refused now."""
        self._listeners.append(listener)

    def put(self, entry: registry_pb2.PlatformEntry) -> None:
        """Takes one entry over and tells who listens."""
        self._platforms[entry.code] = entry
        self._tell()

    def platform(self, code: str) -> registry_pb2.PlatformEntry | None:
        return self._platforms.get(code)

    def platforms(self) -> list[registry_pb2.PlatformEntry]:
        """All entries, in a copy: units of work ask from the store's threads."""
        return list(self._platforms.values())

    def stopped_by_state(self) -> Mapping[str, list[str]]:
        """Codes of enrolled platforms that may not work now, by state: SUSPENDED, RETIRED."""
        found: dict[str, list[str]] = {"SUSPENDED": [], "RETIRED": []}
        for code, entry in sorted(self._platforms.items()):
            if entry.state in found:
                found[entry.state].append(code)
        return found

    def stopped(self) -> frozenset[str]:
        """Codes of platforms that may not work now."""
        return frozenset(code for code, entry in self._platforms.items() if entry.state not in _ADMITTED)

    def refuse(self, caller: Caller) -> HubError | None:
        """Returns why a proved caller may not work now, or None."""
        if caller.kind in (CallerKind.PLATFORM, CallerKind.PERSON):
            entry = self._platforms.get(caller.platform)
            if entry is not None and entry.state not in _ADMITTED:
                return errors.denied(
                    "PLATFORM_STOPPED",
                    "This platform is suspended or retired; contact the hub's operator.",
                    "该平台已被暂停或注销，请联系枢纽管理员。",
                    platform=caller.platform,
                )
        if caller.session and caller.session in self._ended:
            return errors.unauthenticated(
                "SESSION_ENDED", "The session has ended; sign in again.", "会话已结束，请重新登录。"
            )
        return None

    def encryption_key(self, code: str) -> dict[str, Any] | None:
        """The platform's public encryption key (JWK), or None when it registered none."""
        entry = self._platforms.get(code)
        if entry is None or not entry.jwks:
            return None
        keys = json.loads(entry.jwks).get("keys", [])
        return next((key for key in keys if key.get("use", "enc") == "enc"), None)

    async def _pull(self, version: int, epoch: int) -> Page:
        request = registry_pb2.PullRegistryRequest(after_version=version, epoch=epoch, wait_seconds=PULL_SECONDS)
        answer = await ask(self._stub.PullRegistry, request, timeout=PULL_SECONDS + 5)
        changes = [Change(entry.code, entry.version, entry.SerializeToString()) for entry in answer.platforms]
        # Ended sessions stay in memory only: they matter for minutes.
        for ended in answer.ended_sessions:
            self._ended[ended.session_id] = ended.ended_at.ToMicroseconds()
        if answer.ended_sessions:
            self._forget_old_sessions()
            self._tell()
        return Page(changes, answer.version, answer.epoch, answer.reset, answer.more)

    def _forget_old_sessions(self) -> None:
        oldest = self._clock.now_us() - SESSION_MEMORY_US
        self._ended = {session: at for session, at in self._ended.items() if at >= oldest}

    def _apply(self, _code: str, data: bytes) -> None:
        self.put(registry_pb2.PlatformEntry.FromString(data))

    def _reset(self) -> None:
        self._platforms.clear()

    def _tell(self) -> None:
        for state, codes in self.stopped_by_state().items():
            metrics.PLATFORMS_STOPPED.labels(state).set(len(codes))
        for listener in self._listeners:
            listener()
