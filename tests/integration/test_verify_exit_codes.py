"""Exit codes of `shuniu verify`: 1 comes from a verdict alone, whatever happens to the machine or to the command."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.esign.verification.workers import confined
from shuniu.cli import verify
from shuniu.kit import errors
from tests.support.offline_place import here, laid


@pytest.fixture
def place(tmp_path):
    return laid(tmp_path)


def ran(place, *arguments: str, memory: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a program, with so much address space, bytes."""
    # By the shell: what runs in a forked process of many threads ends it at times.
    bound = ["/bin/sh", "-c", 'ulimit -v "$0"; exec "$@"', str(memory >> 10)] if memory else []
    line = [sys.executable, "-m", "shuniu", "verify", "--json", str(place.pdf), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [*bound, *line], capture_output=True, text=True, env=environment, cwd=cwd, timeout=60, check=False
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mebibytes", [16, 18, 24, 40, 80, 100, 120, 140, 160, 200])
def test_a_want_of_memory_is_not_invalid(place, mebibytes: int) -> None:
    """Where the command cannot be loaded, a library ends it, or no worker can be made: 3 or 70, and no line that says
    INVALID.
    """
    found = ran(place, "--trust", str(place.folder / "trust"), memory=mebibytes << 20)
    assert found.returncode in {3, 70}, found.stderr
    assert "INVALID" not in found.stdout


def test_a_refusal_of_this_hub_is_not_invalid(place, monkeypatch) -> None:
    """As where its keys lie in a device that is away: 3, in both languages."""

    def away(_arguments: object) -> None:
        raise errors.unavailable("HSM_AWAY", "The device is away.", "密码设备不可用。")

    monkeypatch.setattr(verify, "trust_of", away)
    found = here("verify", str(place.pdf))
    assert (found.status, found.out) == (3, "")
    assert "没有核验 / not judged: 密码设备不可用。 / HSM_AWAY: The device is away." in found.err


def test_a_working_directory_that_was_removed_hinders_nothing(place, tmp_path: Path) -> None:
    """All paths are absolute, so nobody asks where the command stands."""
    gone = tmp_path / "gone"
    gone.mkdir()
    script = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    line = ["-c", "from shuniu.__main__ import main; main()", "verify", str(place.pdf)]
    found = subprocess.run(
        [sys.executable, "-c", script, *line, "--trust", str(place.folder / "trust")],
        capture_output=True,
        text=True,
        cwd=gone,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
        check=False,
    )
    assert (found.returncode, found.stdout[:5]) == (0, "VALID"), found.stderr


def test_a_limit_that_somebody_else_set_says_nothing_of_a_document() -> None:
    """`ulimit -t` counts what the worker read before: the document is read once more, by a new one. SIGPROF is the
    document's own.
    """
    assert confined.obituary(signal.SIGXCPU, 0, 0, 1).is_gone
    assert confined.obituary(signal.SIGPROF, 0, 0, 1).is_limit


def test_a_directory_without_a_hub_is_named(place) -> None:
    """Not only that there is no root: who mistyped --data looks for the mistake in the hub."""
    found = here("verify", str(place.pdf), "--data", str(place.folder / "no-hub"))
    assert f"{place.folder / 'no-hub'} 中没有枢纽" in found.err
    assert "there is no hub in" in found.err


def test_a_report_without_a_directory_is_told_as_that(place) -> None:
    """The file need not be there: its directory must."""
    found = here("verify", str(place.pdf), "--trust", str(place.folder / "trust"), "--report", "/nonexistent/r.xml")
    assert found.status == 74
    assert "所在的目录不存在 / its directory does not exist" in found.err


def test_the_command_is_a_module_too() -> None:
    """`python -m shuniu`."""
    assert shutil.which(sys.executable)
    found = subprocess.run([sys.executable, "-m", "shuniu", "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("shuniu ")
