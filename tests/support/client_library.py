"""The client library as a stranger has it: its wheel, built from this checkout, in an environment of its own."""

import contextlib
import fcntl
import importlib.metadata
import json
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "clients" / "python"
# What the extra `verify` needs of others, by distribution.
NEEDED = ("cryptography", "numpy", "pypdfium2")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")


@dataclass(frozen=True)
class Library:
    """The environment's Python."""

    python: Path

    def run(self, code: str, *arguments: str | Path) -> str:
        """What a program prints. It sees neither this checkout nor its packages, and a warning ends it."""
        # Of another folder, and isolated: nothing of this checkout is on its path.
        ran = subprocess.run(
            [self.python, "-I", "-W", "error", "-c", code, *map(str, arguments)],
            cwd=self.python.parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def json(self, code: str, *arguments: str | Path) -> Any:
        return json.loads(self.run(code, *arguments))

    def program(self, path: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A program run to its end, whatever its exit status."""
        line = [self.python, "-I", "-W", "error", path, *map(str, arguments)]
        return subprocess.run(line, cwd=self.python.parents[1], capture_output=True, text=True, check=False)


def install(folder: Path, *, extra: str = "verify") -> Library:
    """Builds the wheel and installs it offline: what it needs are the packages that this project is pinned to."""
    wheel, place = built(PROJECT, folder / "wheels"), folder / "environment"
    venv.create(place, with_pip=False, symlinks=True)
    library = Library(place / "bin" / "python")
    (packages,) = place.glob("lib/python*/site-packages")
    for entry in entries(NEEDED) if extra else ():
        (packages / entry.name).symlink_to(entry)
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    run(*PIP, "--python", str(library.python), "install", "--no-index", wanted)
    run(*PIP, "--python", str(library.python), "check")
    return library


def built(project: Path, into: Path) -> Path:
    """The wheel of a project, built with what is installed here."""
    with alone():
        run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(into), str(project))
    (wheel,) = into.glob("shuniu_client-*.whl")
    return wheel


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """While no other test builds in the project's folder."""
    with (PROJECT / "pyproject.toml").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(*line: str) -> None:
    ran = subprocess.run(line, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@cache
def entries(names: tuple[str, ...]) -> tuple[Path, ...]:
    """What these distributions, and those that they need, have in this environment's packages."""
    found: dict[str, Path] = {}
    waiting, seen = list(names), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            if file.parts[0] not in {"..", "__pycache__"}:
                found[file.parts[0]] = Path(str(distribution.locate_file(file.parts[0])))
        for requirement in distribution.requires or ():
            needed, _, condition = requirement.partition(";")
            if "extra" not in condition and "python_version" not in condition:
                waiting.append(
                    next(part for part in needed.replace("(", " ").replace(">", " ").replace("!", " ").split())
                )
    return tuple(found.values())
