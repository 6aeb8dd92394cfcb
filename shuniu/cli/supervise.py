"""`shuniu up`: runs all parts of a hub on one machine, restarts what dies with back-off, drains on Ctrl-C."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from shuniu.cli.parts import Part

BACKOFF_FIRST = 0.1
BACKOFF_MOST = 5.0
STEADY_SECONDS = 20.0
"""A part that ran this long starts anew with the shortest back-off."""
STOP_SECONDS = 15.0
"""The time that a part has to drain before it is killed."""
READY_POLL = 0.05
RESTARTS_KEPT = 20
# What each part finds in its environment, and hands on to what it starts: the data directory of its hub.
_MARK = "SHUNIU_PART_OF"
# What cannot be written on a full disk is written again after this time, s.
_LOOK_AGAIN = 1.0


@dataclass(slots=True)
class State:
    """The state of a part as `shuniu status` shows it."""

    name: str
    pid: int = 0
    state: str = "STARTING"
    restarts: int = 0
    last_exit: str = ""
    since: float = field(default_factory=time.time)
    restarted: list[float] = field(default_factory=list)
    """The times of its last few restarts."""


class Supervisor:
    """Keeps parts running and writes what it knows to <run_dir>/supervisor.json; on a full disk it goes on without."""

    def __init__(
        self,
        parts: Sequence[Part],
        data: Path,
        run_dir: Path,
        logs: Path,
        bus_health: str,
        report: Callable[[str], None],
    ) -> None:
        self._parts = parts
        self._data = data
        self._run_dir = run_dir
        self._logs = logs
        self._written = ""
        self._bus_health = bus_health
        self._report = report
        self._stopping = asyncio.Event()
        self.states = {part.name: State(part.name) for part in parts}

    async def run(self, ready: Callable[[float], None]) -> None:
        """Runs until SIGINT or SIGTERM; calls `ready` with the seconds it took once all parts serve."""
        started = time.monotonic()
        await asyncio.to_thread(end_orphans, self._data, self._report)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        keepers = [asyncio.create_task(self._keep(part)) for part in self._parts]
        watcher = asyncio.create_task(self._announce(started, ready))
        await self._stopping.wait()
        watcher.cancel()
        await asyncio.gather(*keepers, watcher, return_exceptions=True)
        self._write()

    async def _announce(self, started: float, ready: Callable[[float], None]) -> None:
        waiting = {part.name: part for part in self._parts}
        while waiting:
            for name, part in list(waiting.items()):
                if await asyncio.to_thread(self._serves, part):
                    del waiting[name]
                    self._note(name, state="READY")
            await asyncio.sleep(READY_POLL)
        ready(time.monotonic() - started)
        while True:
            for part in self._parts:
                serves = await asyncio.to_thread(self._serves, part)
                if self.states[part.name].state in ("STARTING", "NOT_READY", "READY"):
                    self._note(part.name, state="READY" if serves else "NOT_READY")
            # Also what could not be written when it was noted.
            self._write()
            await asyncio.sleep(_LOOK_AGAIN)

    def _serves(self, part: Part) -> bool:
        if not self.states[part.name].pid:
            return False
        address = self._run_dir / f"{part.ops}.ops"
        try:
            url = f"http://{address.read_text().strip()}/readyz" if part.ops else self._bus_health
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 — loopback, written by our own parts
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError, ValueError):
            return False

    async def _keep(self, part: Part) -> None:
        backoff = BACKOFF_FIRST
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                process = await self._started(part)
            except OSError as error:
                ended = f"cannot be started: {error.strerror}"
            else:
                self._note(part.name, pid=process.pid, state="STARTING")
                ended = _exit(await self._wait(process))
            if self._stopping.is_set():
                self._note(part.name, pid=0, state="STOPPED", last_exit=ended)
                return
            if time.monotonic() - began > STEADY_SECONDS:
                backoff = BACKOFF_FIRST
            state = self.states[part.name]
            self._note(part.name, pid=0, state="RESTARTING", restarts=state.restarts + 1, last_exit=ended)
            state.restarted = [*state.restarted, time.time()][-RESTARTS_KEPT:]
            self._report(f"{part.name}: {ended}; restart in {backoff:.1f} s (log: {self._logs / part.name}.log)")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)
            backoff = min(backoff * 2, BACKOFF_MOST)

    async def _started(self, part: Part) -> asyncio.subprocess.Process:
        """Raises OSError when the process cannot be made. A log that cannot be opened costs the log."""
        with contextlib.ExitStack() as stack:
            log: int | IO[bytes] = asyncio.subprocess.DEVNULL
            with contextlib.suppress(OSError):
                (self._run_dir / f"{part.ops or part.name}.ops").unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                log = stack.enter_context((self._logs / f"{part.name}.log").open("ab"))
            return await asyncio.create_subprocess_exec(
                *part.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A group of its own, so that Ctrl-C reaches us alone and we drain in order.
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1", _MARK: str(self._data)},
            )

    async def _wait(self, process: asyncio.subprocess.Process) -> int:
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            done, _ = await asyncio.wait({ended}, timeout=STOP_SECONDS)
            if not done:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        stopping.cancel()
        return await ended

    def _note(self, name: str, **changes: object) -> None:
        state = self.states[name]
        before = asdict(state)
        for key, value in changes.items():
            setattr(state, key, value)
        if asdict(state) != before:
            state.since = time.time()
            self._write()

    def _write(self) -> None:
        found = {
            "pid": os.getpid(),
            "started": started_at(os.getpid()),
            "parts": [asdict(state) for state in self.states.values()],
        }
        text = json.dumps(found)
        if text == self._written:
            return
        target = self._run_dir / "supervisor.json"
        draft = target.with_suffix(".new")
        with contextlib.suppress(OSError):
            draft.write_text(text)
            draft.replace(target)
            self._written = text


def started_at(pid: int) -> str:
    """The moment at which a process of this machine started, in the kernel's own count; empty when there is none. Its
    number may be given again, never with this.
    """
    try:
        # The name before may hold anything, also blanks and brackets.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def end_orphans(data: Path, report: Callable[[str], None], seconds: float = STOP_SECONDS) -> None:
    """Ends what a supervisor that was killed left behind: parts that nobody restarts, and that keep new ones from their
    stores and sockets. Only processes that were started as parts of this very hub.
    """
    left = _orphans(data)
    if left:
        numbers = ", ".join(map(str, left))
        report(f"上次异常中止遗留的进程，正在结束 / left by a supervisor that was killed, ending them: {numbers}")
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        ends = time.monotonic() + seconds
        while (left := _orphans(data)) and time.monotonic() < ends:
            time.sleep(READY_POLL)


def _orphans(data: Path) -> list[int]:
    """Processes of ours with the mark of this hub in the environment that they were started with."""
    mark = f"{_MARK}={data}".encode()
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        # It may have ended meanwhile, or be another user's.
        with contextlib.suppress(OSError):
            if int(process.name) != os.getpid() and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def _exit(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def print_report(text: str) -> None:
    # On a full disk, or after its reader went.
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
