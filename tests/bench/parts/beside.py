"""Runs a script of this folder on this version of the project and on another one, in turns."""

import asyncio
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
# What the goals of costs are measured against.
START = "71a275b"


class OtherVersionError(Exception):
    """The history of this checkout does not hold the other version."""


@asynccontextmanager
async def tree_of(commit: str) -> AsyncIterator[Path]:
    """The files of a commit, in a folder of their own, with this folder's scripts. Raises OtherVersionError."""
    process = await asyncio.create_subprocess_exec(
        "git", "archive", commit, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    packed, said = await process.communicate()
    if process.returncode:
        raise OtherVersionError(said.decode().strip())
    with tempfile.TemporaryDirectory(prefix="sn") as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        parts = Path(folder) / HERE.relative_to(ROOT)
        parts.mkdir(parents=True, exist_ok=True)
        for script in HERE.glob("*_cost.py"):
            shutil.copy(script, parts)
        yield Path(folder)


async def in_turns(script: str, arguments: Sequence[str], commit: str, rounds: int) -> tuple[list[Any], list[Any]]:
    """What a script printed, of each round, on this version and on a commit's. Raises OtherVersionError, RuntimeError."""
    ours, theirs = [], []
    async with tree_of(commit) as other:
        for turn in range(rounds):
            # Who goes first changes: a machine may slow down meanwhile.
            for tree, found in ((ROOT, ours), (other, theirs))[:: 1 if turn % 2 == 0 else -1]:
                found.append(await _run(tree, script, arguments))
    return ours, theirs


async def _run(tree: Path, script: str, arguments: Sequence[str]) -> Any:
    # `python -m`, as a hub starts its services, looks into the current folder first.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(tree / HERE.relative_to(ROOT) / script),
        *arguments,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{script} in {tree} ended with {process.returncode}")
    # The demo tells its progress in the lines before.
    return json.loads(printed.splitlines()[-1])
