"""What a process began ends with it, however it ends."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shuniu.kit.process.run import Process, StartRefusedError, serve
from shuniu.kit.testing import eventually


@dataclass
class Stage:
    """A process that writes down what happens to it."""

    run_dir: Path
    lines: list[str] = field(default_factory=list)
    runs: int = 0

    @contextlib.asynccontextmanager
    async def built(self, process: Process) -> AsyncIterator[Process]:
        yield process
        self.lines.append("closed")

    async def work(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.lines.append("work ended")

    async def serve(self, process: Process) -> None:
        await serve("stage", self.run_dir, lambda: self.built(process))

    async def told_to_end(self, process: Process, when: Callable[[], bool] | None = None) -> None:
        task = asyncio.create_task(self.serve(process))
        await eventually(when or (self.run_dir / "stage.ops").exists)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await task


@dataclass
class Door:
    """A listener."""

    stage: Stage
    address: str
    start_fails: bool = False
    stop_fails: bool = False

    async def start(self) -> None:
        if self.start_fails:
            raise OSError("cannot listen")

    async def stop(self, grace: float) -> None:
        if self.stop_fails:
            raise RuntimeError("cannot stop")
        self.stage.lines.append(f"{self.address} stopped")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    yield Stage(tmp_path)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_a_start_that_fails_half_way_leaves_nothing_running(stage: Stage) -> None:
    """A listener that cannot start ends those that could, and the work, before what they stand on."""
    doors = [Door(stage, "first"), Door(stage, "second", start_fails=True)]

    async def fails_after() -> None:
        with pytest.raises(OSError, match="cannot listen"):
            await stage.serve(Process(listeners=doors, tasks=[stage.work]))

    await fails_after()
    assert [line for line in stage.lines if line != "work ended"] == ["first stopped"]
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


@pytest.mark.parametrize("fault", ["drain", "stop"])
async def test_an_end_that_fails_half_way_ends_the_rest(stage: Stage, fault: str) -> None:
    """Whoever is let go or stopped with an error keeps nobody else from it."""

    def let_go() -> None:
        if fault == "drain":
            raise RuntimeError("cannot let go")

    doors = [Door(stage, "first", stop_fails=fault == "stop"), Door(stage, "second")]
    await stage.told_to_end(
        Process(listeners=doors, tasks=[stage.work], on_drain=[let_go, lambda: stage.lines.append("let go")])
    )
    stopped = ["second stopped"] if fault == "stop" else ["first stopped", "second stopped"]
    assert stage.lines == ["let go", *stopped, "work ended", "closed"]


async def test_work_outlives_the_cancelling_of_what_it_waited_for(stage: Stage) -> None:
    """Only the end of the process ends a task: a future that somebody else cancelled is a failure like another."""

    async def waits_for_others() -> None:
        stage.runs += 1
        given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        given_up.cancel()
        await given_up

    await stage.told_to_end(Process(tasks=[waits_for_others]), when=lambda: stage.runs > 1)
    assert stage.lines == ["closed"]


async def test_a_taken_port_refuses_the_start(stage: Stage) -> None:
    """In one sentence with the settings' names, and nothing has begun."""
    began: list[Callable[[], Awaitable[None]]] = [stage.work]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartRefusedError, match=f"ops_host, ops_port: cannot listen on 127.0.0.1:{port}"):
            await stage.serve(Process(tasks=began, ops_port=port))
    assert stage.lines == []


async def test_work_that_loses_its_cancellation_ends_all_the_same(stage: Stage) -> None:
    """A library that swallows it, or fails on it, keeps no process alive."""

    async def deaf() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("cancelled") from None

    await stage.told_to_end(Process(listeners=[Door(stage, "a")], tasks=[deaf, failing, stage.work]))
    assert stage.lines == ["a stopped", "work ended", "closed"]
