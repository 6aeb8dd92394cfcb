"""A process as a list of parts: each subject of a service opens its own, and together they are what runs.

Parts are opened in the order of the list, before anything is served. Then tasks start, then listeners (`process.run`).
At the end listeners drain first, then tasks are cancelled, then parts close in the opposite order, messaging and the
foundation last.

`app.py` of a service::

    async with open_foundation(...) as base, open_messaging(base) as messaging, Parts(base) as parts:
        ledger = parts.add(await open_ledger(base, settings, secrets))
        parts.add(open_evidence(base, ledger.log))
        parts.add(messaging.part)
        yield parts.process(replay=messaging.replay)
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from shuniu.kit.foundation import BareFoundation
from shuniu.kit.operations import Facts, Operations, Replay, no_facts, no_replay
from shuniu.kit.process import log
from shuniu.kit.process.run import Process
from shuniu.kit.rpc.requests import LEAST_KEPT_US
from shuniu.kit.rpc.server import Servicer, servicer
from shuniu.kit.upkeep import Upkeep

P = TypeVar("P", bound="Part")
_log = log.get("parts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Part of a process that one subject adds. A subject that others use returns a subclass that holds its objects."""

    edge: Sequence[Servicer] = ()
    """Served at the edge, and to other processes."""
    peer: Sequence[Servicer] = ()
    """Served to other processes only."""
    tasks: Sequence[Callable[[], Awaitable[None]]] = ()
    """Background work that never ends."""
    facts: Facts = no_facts
    """Facts that `shuniu status` shows of the subject."""
    not_ready: Callable[[], list[str]] = list
    """Reason why the process cannot serve now; empty when it can."""
    on_drain: Callable[[], None] | None = None
    """Called when the process begins to end: answers the long polls."""
    close: Callable[[], Awaitable[None]] | None = None
    """Called after all parts that were added later are closed."""


class Parts:
    """The parts of a process, in the order in which they were opened. Closes them in reverse order when the context
    ends, also when a later part could not be opened.
    """

    def __init__(self, base: BareFoundation) -> None:
        self._base = base
        self._parts: list[Part] = []
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._closing.aclose()
        except Exception as failed:
            if error is None:
                raise
            # What ended the context says more.
            _log.error("close_failed", **log.failure(failed))

    def add(self, part: P) -> P:
        """Takes a part over and returns it."""
        self._parts.append(part)
        if part.close is not None:
            self._closing.push_async_callback(part.close)
        return part

    def process(self, *, replay: Replay = no_replay, answers_kept_us: int = LEAST_KEPT_US) -> Process:
        """All parts joined, with the operations and the upkeep that every process has. `replay`: sends a dead letter
        again; `answers_kept_us`: how long answers to requests are kept.
        """
        base, parts = self._base, tuple(self._parts)

        def not_ready() -> list[str]:
            reasons = [] if base.store.writable else ["the store cannot write"]
            return [*reasons, *(reason for part in parts for reason in part.not_ready())]

        async def facts() -> Mapping[str, str]:
            found: dict[str, str] = {}
            for part in parts:
                found.update(await part.facts())
            return found

        operations = Operations(base, not_ready, facts=facts, replay=replay)
        return Process(
            listeners=base.listeners(
                edge=[one for part in parts for one in part.edge],
                peer=[*(one for part in parts for one in part.peer), servicer(operations)],
            ),
            tasks=[
                *base.tasks,
                operations.watch,
                Upkeep(base.store, base.clock, answers_kept_us).run,
                *(task for part in parts for task in part.tasks),
            ],
            not_ready=not_ready,
            ops_host=base.settings.ops_host,
            ops_port=base.settings.ops_port,
            on_drain=[part.on_drain for part in parts if part.on_drain is not None],
        )
