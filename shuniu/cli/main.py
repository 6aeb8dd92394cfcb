"""The `shuniu` command. Exit codes: 0 done, 1 failed, 64 wrong use, 78 wrong settings; `verify` has its own."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from shuniu.cli.output import complain
from shuniu.cli.place import DEFAULT_DATA
from shuniu.kit.config import EX_CONFIG, EX_USAGE, ConfigError
from shuniu.kit.errors import HubError
from shuniu.kit.sql import SchemaError, StoreLockedError

# One module a group of commands; each adds its own parsers. Only the group of the command given is imported: some bring
# a service's engines with them, and a command should start at once.
GROUPS = {
    "init": ("init",),
    "up": ("up",),
    "platform": ("platform",),
    "status": ("status", "trace"),
    "events": ("events",),
    "doctor": ("doctor",),
    "keep": ("migrate", "backup", "restore", "keys"),
    "proof": ("verify", "ledger", "audit", "trust"),
    "seal": ("seal",),
    "bench": ("bench",),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        complain(f"{self.prog}: {message}")
        sys.exit(EX_USAGE)


class _Command(_Parser):
    """A parser that takes the shared options, so that these may stand anywhere on the line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_argument(
            "--data",
            type=Path,
            default=argparse.SUPPRESS,
            metavar="DIR",
            help=f"枢纽数据目录 / the hub's directory (default {DEFAULT_DATA})",
        )
        self.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="输出 JSON / print JSON")


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line; of its groups only those that `words` name, all when they name none.

    `--data` and `--json` are accepted by every command.
    """
    named = [group for group, names in GROUPS.items() if set(names) & set(words)]
    root = _Command(
        prog="shuniu",
        description="枢纽：政务服务平台互联枢纽 / Shuniu: the hub that links government-service platforms",
    )
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    for group in named or GROUPS:
        importlib.import_module(f"shuniu.cli.{group}").add(commands)
    return root


def main() -> None:
    """Entry point."""
    arguments = parser(sys.argv[1:]).parse_args()
    arguments.data = getattr(arguments, "data", DEFAULT_DATA)
    arguments.json = getattr(arguments, "json", False)
    try:
        sys.exit(arguments.run(arguments))
    except (ConfigError, SchemaError, StoreLockedError) as error:
        complain(str(error))
        sys.exit(EX_CONFIG)
    except HubError as error:
        complain(f"{error.zh}\n{error.reason}: {error.en}")
        for violation in error.violations:
            complain(f"  {violation.field}: {violation.zh} / {violation.en}")
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
