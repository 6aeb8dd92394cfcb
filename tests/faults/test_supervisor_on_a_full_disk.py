"""The supervisor itself on a disk without room: it goes on restarting parts, and says again what they are."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from shuniu.cli.parts import Part
from shuniu.cli.supervise import Supervisor
from shuniu.kit.testing import eventually
from tests.faults.test_disk_full import small_disk

__all__ = ["small_disk"]

SLEEPER = Part("sleeper", (sys.executable, "-c", "import signal; signal.pause()"), "")
ABSENT = Part("absent", ("/nowhere/at/all",), "")


@contextlib.asynccontextmanager
async def supervised(folder: Path, *parts: Part) -> AsyncIterator[Supervisor]:
    told: list[str] = []
    found = Supervisor(parts, folder, folder, folder, "http://127.0.0.1:9/", told.append)
    running = asyncio.create_task(found.run(lambda _: None))
    try:
        yield found
    finally:
        found._stopping.set()
        await running


def other_than(found: Supervisor, before: int) -> Callable[[], int]:
    return lambda: (pid := found.states["sleeper"].pid) != before and pid


async def test_a_part_that_dies_while_the_disk_is_full_is_started_again(small_disk: Path) -> None:
    """With log and state on the full disk; and once there is room the state is written again."""
    async with supervised(small_disk, SLEEPER) as found:
        first = await eventually(other_than(found, 0), message="it runs")
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        (small_disk / "sleeper.log").unlink()
        with pytest.raises(OSError, match="No space"):
            (small_disk / "more").write_bytes(bytes(4096))
        os.kill(first, signal.SIGKILL)
        second = await eventually(other_than(found, first), message="it was started again")
        os.kill(second, signal.SIGKILL)
        third = await eventually(other_than(found, second), message="and again")
        ballast.unlink()
        (small_disk / "more").unlink(missing_ok=True)
        found._note("sleeper", restarts=7)
        written = json.loads((small_disk / "supervisor.json").read_text())
        assert (written["parts"][0]["pid"], written["parts"][0]["restarts"]) == (third, 7)


async def test_what_cannot_be_written_now_is_written_once_it_can(tmp_path: Path) -> None:
    """The state of a part that changed meanwhile is not lost until its next change; a log that cannot be opened costs
    the log.
    """
    blocked, log = tmp_path / "supervisor.new", tmp_path / "sleeper.log"
    blocked.mkdir()
    log.mkdir()
    async with supervised(tmp_path, SLEEPER) as found:
        pid = await eventually(other_than(found, 0), message="it runs")
        # Every part serves: the sleeper is no bus that answers, so it is told here.
        found._serves = lambda _: True  # type: ignore[method-assign]
        await eventually(lambda: found.states["sleeper"].state == "READY", message="it is ready")
        assert not (tmp_path / "supervisor.json").exists()
        blocked.rmdir()
        await eventually((tmp_path / "supervisor.json").exists, message="the state is written")
        assert json.loads((tmp_path / "supervisor.json").read_text())["parts"][0]["pid"] == pid


async def test_a_part_that_cannot_be_started_is_tried_again_and_told(tmp_path: Path) -> None:
    """A program that is missing, or a machine short of memory or descriptors, ends no keeper."""
    async with supervised(tmp_path, ABSENT) as found:
        await eventually(lambda: found.states["absent"].restarts > 1, message="it was tried again")
        assert "cannot be started: No such file" in found.states["absent"].last_exit
