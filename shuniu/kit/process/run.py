"""The life of a process: settings, start, readiness, drain, exit code."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import uvloop

from shuniu.kit.process import log
from shuniu.kit.process.config import EX_CONFIG, EX_USAGE, ConfigError, HubSettings
from shuniu.kit.process.health import Health

DRAIN_SECONDS = 10.0
"""Longest time for calls under way once the process is told to end."""
_CANCELLED_AGAIN_SECONDS: Final = 1.0


# Objects made since the last collection that bring the next one, and how many of it bring one of the older objects.
_GARBAGE = (20_000, 20, 20)


class StartRefusedError(Exception):
    """The process must not start (newer schema, missing key); exit 78. Its text is one line."""


class Listening(Protocol):
    """Something that serves: a gRPC listener of the kit, or another kind of server that a process brings."""

    @property
    def address(self) -> str: ...

    async def start(self) -> None: ...

    async def stop(self, grace: float) -> None:
        """Takes nothing new and gives what is under way `grace` seconds."""


@dataclass(slots=True)
class Process:
    """Parts that an `app.py` wires together, started in this order, stopped in the reverse; its builder closes it."""

    listeners: Sequence[Listening] = ()
    tasks: Sequence[Callable[[], Awaitable[None]]] = ()
    """Background work; one that ends or fails is a bug and is restarted after a second, with a log line."""
    not_ready: Callable[[], list[str]] = list
    refresh_metrics: Callable[[], None] = lambda: None
    ops_host: str = "127.0.0.1"
    ops_port: int = 0
    on_drain: Sequence[Callable[[], None]] = ()
    """Called when the process is told to end, before listeners wait for calls under way: lets long polls go."""


Build = Callable[[], AbstractAsyncContextManager[Process]]


def main(service: str, hub: Callable[[Path], HubSettings], build: Callable[[Path], Build]) -> None:
    """Entry point of `python -m services.<name> --config FILE`. Ends with the right exit code."""
    if len(sys.argv) != 3 or sys.argv[1] != "--config":
        print(f"usage: python -m services.{service} --config FILE", file=sys.stderr)
        sys.exit(EX_USAGE)
    path = Path(sys.argv[2])
    try:
        settings = hub(path)
        log.configure(service)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(service, settings.run_dir, build(path)))
    except (ConfigError, StartRefusedError) as error:
        print(str(error), file=sys.stderr)
        sys.exit(EX_CONFIG)


async def serve(service: str, run_dir: Path, build: Build) -> None:
    """Runs a process until SIGTERM or SIGINT, then drains it. Told to end while it is still built, it undoes what was
    begun and ends as well.
    """
    stop = asyncio.Event()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    building = True

    def told_to_end() -> None:
        # Once: cancelled again, it would leave half undone what it is undoing.
        if building and not stop.is_set():
            task.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_end)
    logger = log.get("run")
    try:
        async with build() as process:
            building = False
            await _run(service, run_dir, process, stop, logger)
    except asyncio.CancelledError:
        if not (building and stop.is_set()):
            raise
        task.uncancel()
        logger.info("stopped_while_starting")


async def _run(service: str, run_dir: Path, process: Process, stop: asyncio.Event, logger: Any) -> None:
    async with AsyncExitStack() as stack:
        starting = True
        draining = False

        def reasons() -> list[str]:
            if starting:
                return ["starting"]
            return ["draining"] if draining else process.not_ready()

        health = Health(reasons, process.refresh_metrics)
        try:
            port = health.start(process.ops_host, process.ops_port)
        except (OSError, OverflowError) as error:
            where = f"{process.ops_host}:{process.ops_port}"
            raise StartRefusedError(f"{service}: ops_host, ops_port: cannot listen on {where}: {error}") from None
        # What was begun ends with this block, however that ends: listeners, then tasks, then the health page.
        stack.callback(health.stop)
        running: list[asyncio.Task[None]] = []
        stack.push_async_callback(_end, running, logger)
        serving: list[Listening] = []
        stack.push_async_callback(_leave, serving, logger)
        running += [asyncio.create_task(_forever(work, logger)) for work in process.tasks]
        for listener in process.listeners:
            await listener.start()
            serving.append(listener)
        starting = False
        _settle_garbage()
        # Renamed into place: a reader never sees a part of it.
        said = run_dir / f"{service}.ops.new"
        said.write_text(f"{process.ops_host}:{port}\n")
        said.replace(run_dir / f"{service}.ops")
        logger.info("serving", addresses=[listener.address for listener in process.listeners], ops_port=port)
        await stop.wait()
        draining = True
        logger.info("draining")
        for let_go in process.on_drain:
            try:
                let_go()
            except Exception as error:  # noqa: BLE001 — the others are let go, and the process ends
                logger.error("drain_failed", **log.failure(error))


async def _leave(serving: Sequence[Listening], logger: Any) -> None:
    ends = await asyncio.gather(*(listener.stop(DRAIN_SECONDS) for listener in serving), return_exceptions=True)
    for error in ends:
        if isinstance(error, Exception):
            logger.error("listener_failed", **log.failure(error))


async def _end(running: Sequence["asyncio.Task[None]"], logger: Any) -> None:
    # A library may lose a cancellation: asked again until all have ended.
    while left := [task for task in running if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_CANCELLED_AGAIN_SECONDS)
    logger.info("stopped")


def _settle_garbage() -> None:
    """Exempts what a service made at its start, which stays until its end, from collection, and collects less often:
    what comes later is mostly freed by reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


async def _forever(work: Callable[[], Awaitable[None]], logger: Any) -> None:
    while True:
        try:
            await work()
            logger.error("task_ended", task=getattr(work, "__qualname__", "task"))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something that the task awaited was cancelled, not the task; it is started again.
            logger.error("task_failed", task=getattr(work, "__qualname__", "task"), **log.failure(error))
        except Exception as error:  # noqa: BLE001 — background work must outlive its failures
            logger.error("task_failed", task=getattr(work, "__qualname__", "task"), **log.failure(error))
        if (task := asyncio.current_task()) is not None and task.cancelling():
            return
        await asyncio.sleep(1.0)
