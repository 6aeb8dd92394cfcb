"""What a supervisor that was killed leaves behind, and the next `shuniu up`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shuniu.cli.supervise import _MARK, end_orphans

# Says that it runs, then waits for its end.
WAITING = "import signal; {first}; print('there', flush=True); signal.pause()"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@contextmanager
def process(first: str = "pass", **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    line = [sys.executable, "-c", WAITING.format(first=first)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, env={**os.environ, **environment}) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"there\n"
        try:
            yield started
        finally:
            started.kill()


def test_parts_that_a_killed_supervisor_left_are_ended_and_nobody_elses(tmp_path: Path) -> None:
    """They keep stores and sockets from the parts of the next one, and nobody restarts them. Those of another hub, and
    whatever has no mark of a hub, live on.
    """
    told: list[str] = []
    with (
        process(**{_MARK: str(tmp_path)}) as left,
        process(DEAF, **{_MARK: str(tmp_path)}) as deaf,
        process(**{_MARK: str(tmp_path / "another")}) as another,
        process() as nobodys,
    ):
        end_orphans(tmp_path, told.append, seconds=0.2)
        assert (left.wait(10), deaf.wait(10)) == (-signal.SIGTERM, -signal.SIGKILL)
        assert (another.poll(), nobodys.poll()) == (None, None)
        assert len(told) == 1
        assert str(left.pid) in told[0]
        end_orphans(tmp_path, told.append)
        assert len(told) == 1
