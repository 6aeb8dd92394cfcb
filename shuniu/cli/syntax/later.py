"""The function that a command runs, named by module and function and imported when it runs: help needs none of it."""

import argparse
import importlib
from collections.abc import Callable

from shuniu.cli import interrupts


def later(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    """`function` of `shuniu.cli.<module>`."""

    def run(arguments: argparse.Namespace) -> int:
        # Ctrl-C raised inside an import would become another error.
        with interrupts.ending_at_once():
            found = getattr(importlib.import_module(f"shuniu.cli.{module}"), function)
        status: int = found(arguments)
        return status

    return run
