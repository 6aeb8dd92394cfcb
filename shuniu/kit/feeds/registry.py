"""The platform registry as every process reads it: who exists and who may work now."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc

from shuniu.api.common.v1 import registry_pb2, registry_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.feeds.feed import Change, Page, Replica, Rows, Swap
from shuniu.kit.feeds.subscribers import Subscribers
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
        self._subscribers = Subscribers()
        # State by code of those who may not work, so that a change costs the same however many platforms there are.
        self._stopped: dict[str, str] = {}
        self._ended: dict[str, int] = {}
        self._listeners: list[Callable[[], None]] = []
        self.replica = Replica("registry", self._pull, self._take, self._read_all, store, take_lasting=self._take_ended)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls `listener` after each change; a server cuts open streams of those refused now."""
        self._listeners.append(listener)

    def put(self, entry: registry_pb2.PlatformEntry) -> None:
        """Takes one entry over and tells who listens."""
        self._put(entry)
        self._tell()

    def platform(self, code: str) -> registry_pb2.PlatformEntry | None:
        return self._platforms.get(code)

    def subscribers(self, topic: str, divisions: Iterable[str] | None = None) -> list[registry_pb2.PlatformEntry]:
        """Entries of platforms that subscribed to a topic; with `divisions`, of these alone (`Subscribers.of`)."""
        platforms = self._platforms
        return [platforms[code] for code in self._subscribers.of(topic, divisions) if code in platforms]

    def platforms(self) -> list[registry_pb2.PlatformEntry]:
        """All entries, in a copy: units of work ask from the store's threads."""
        return list(self._platforms.values())

    def stopped_by_state(self) -> Mapping[str, list[str]]:
        """Codes of enrolled platforms that may not work now, by state: SUSPENDED, RETIRED."""
        found: dict[str, list[str]] = {"SUSPENDED": [], "RETIRED": []}
        for code, state in sorted(self._stopped.items()):
            if state in found:
                found[state].append(code)
        return found

    def stopped(self) -> frozenset[str]:
        """Codes of platforms that may not work now."""
        return frozenset(self._stopped)

    def refuse(self, caller: Caller) -> HubError | None:
        """Returns why a proved caller may not work now, or None."""
        if caller.kind in (CallerKind.PLATFORM, CallerKind.PERSON) and caller.platform in self._stopped:
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
        ended = [Change(each.session_id, each.version, each.SerializeToString()) for each in answer.ended_sessions]
        expired = self._expired() if ended else []
        return Page(changes, answer.version, answer.epoch, answer.reset, answer.more, lasting=ended, expired=expired)

    def _expired(self) -> list[str]:
        """Sessions that ended longer ago than any token lives; they are forgotten."""
        oldest = self._clock.now_us() - SESSION_MEMORY_US
        expired = [session for session, at in self._ended.items() if at < oldest]
        for session in expired:
            del self._ended[session]
        return expired

    def _take(self, rows: Rows) -> None:
        for data in rows.values():
            self._put(registry_pb2.PlatformEntry.FromString(data))
        if rows:
            self._tell()

    def _read_all(self, rows: Rows) -> Swap:
        entries = [registry_pb2.PlatformEntry.FromString(data) for data in rows.values()]
        stopped = {entry.code: entry.state for entry in entries if entry.state not in _ADMITTED}
        platforms, subscribers = {entry.code: entry for entry in entries}, Subscribers(entries)

        def swap() -> None:
            # As one: a platform that is suspended in the old and in the new copy is never admitted in between.
            self._stopped, self._platforms, self._subscribers = stopped, platforms, subscribers
            self._tell()

        return swap

    def _take_ended(self, rows: Rows) -> None:
        for data in rows.values():
            ended = registry_pb2.EndedSession.FromString(data)
            self._ended[ended.session_id] = ended.ended_at.ToMicroseconds()
        if rows:
            self._tell()

    def _put(self, entry: registry_pb2.PlatformEntry) -> None:
        self._subscribers.put(self._platforms.get(entry.code), entry)
        self._platforms[entry.code] = entry
        if entry.state in _ADMITTED:
            self._stopped.pop(entry.code, None)
        else:
            self._stopped[entry.code] = entry.state

    def _tell(self) -> None:
        for state, codes in self.stopped_by_state().items():
            metrics.PLATFORMS_STOPPED.labels(state).set(len(codes))
        for listener in self._listeners:
            listener()
