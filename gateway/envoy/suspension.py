"""Suspended platforms: identity's word, written where Envoy sees it at once."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from gateway.envoy import render
from shuniu.kit.feeds.registry import Registry
from shuniu.kit.process import log
from shuniu.kit.process.durable import replace_private

_log = log.get("suspension")


async def follow(registry: Registry, apply: Callable[[frozenset[str]], None]) -> None:
    """Task: calls `apply` at each change with the codes of all platforms that may not work. Identity may be away: then
    nothing changes.
    """

    def tell() -> None:
        # A registry half read would let somebody in for a moment.
        if registry.replica.current.is_set():
            apply(registry.stopped())

    registry.on_change(tell)
    async with asyncio.TaskGroup() as group:
        group.create_task(registry.replica.follow())
        await registry.replica.current.wait()
        tell()


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
        replace_private(self._memory, json.dumps(sorted(codes)).encode())
        replace_private(self._file, render.render_suspended(self._trust_domain, codes))
        self._applied = codes
        _log.info("suspended", platforms=sorted(codes))
