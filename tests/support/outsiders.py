"""Processes of others, started from examples/ as anybody would start them."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def outsider(module: str, *arguments: str) -> Iterator[str]:
    """Runs `python -m examples.<module>` on a free port; gives the line that it prints once it serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"examples.{module}", "--listen", "127.0.0.1:0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()
