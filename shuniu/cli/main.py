"""The `shuniu` command. Exit codes: 0 done, 1 failed, 64 wrong use, 70 internal error, 74 the output cannot be written,
78 wrong settings, 130 interrupted, 141 nobody read the output; `verify` has its own beside these.
"""

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from services.esign.verification import file_errors
from shuniu.cli import interrupts, output
from shuniu.cli.output import OutputError, complain
from shuniu.cli.place import DEFAULT_DATA
from shuniu.cli.usage import in_both, named
from shuniu.kit.errors import HubError
from shuniu.kit.process.config import EX_CONFIG, EX_USAGE, ConfigError

# One module of `syntax` for a group of commands: it adds their parsers and imports nothing that runs. Only the group of
# the command given is imported, and what the command runs only when it runs. What the whole list says stands here.
GROUPS: dict[str, dict[str, str]] = {
    "init": {"init": "新建枢纽 / make a new hub"},
    "up": {"up": "启动枢纽（Ctrl-C 停止） / run the hub (Ctrl-C drains it)"},
    "platform": {"platform": "平台接入与管理 / platforms"},
    "status": {"status": "各部件状态 / state of all parts", "trace": "追踪一件办件 / follow one case"},
    "events": {"events": "死信与重放 / dead letters"},
    "doctor": {"doctor": "体检 / check-up"},
    "keep": {
        "migrate": "升级数据库结构 / bring schemas up to date",
        "backup": "备份（可在运行中） / back up, also while running",
        "restore": "恢复到空目录 / restore into an empty directory",
        "keys": "密钥 / keys",
    },
    "verify": {"verify": "离线核验文件 / verify documents offline"},
    "proof": {
        "ledger": "存证日志 / the ledger",
        "audit": "审计链 / audit chains",
        "trust": "导出离线核验的信任根 / trust material for offline verification",
    },
    "seal": {"seal": "电子印章 / electronic seals"},
    "bench": {"bench": "性能测量 / measure this machine"},
}


# As shells tell of a command that SIGPIPE ended. Not 0: of `verify` that would mean VALID.
_PIPE_CLOSED = 128 + signal.SIGPIPE
# As sysexits.h has them.
_EX_SOFTWARE = 70
_EX_IOERR = 74


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # Every option of the type `Path`, in every command, is read by this.
        self.register("type", Path, named)

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        complain(f"{self.prog}: {in_both(message)}")
        sys.exit(EX_USAGE)


class _Version(argparse.Action):
    """Prints the version and ends; looked up only then."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, root: argparse.ArgumentParser, *_given: Any) -> NoReturn:
        from importlib.metadata import version

        print(f"shuniu {version('shuniu')}")
        root.exit()


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
        self.set_defaults(parser=self)


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line; of its groups only those that `words` name, all when they name none.

    `--data` and `--json` are accepted by every command.
    """
    root, commands = _root()
    for group in _named(words) or GROUPS:
        importlib.import_module(f"shuniu.cli.syntax.{group}").add(commands)
    return root


def listing() -> argparse.ArgumentParser:
    """The parser for a call without a command: lists the commands and imports none."""
    root, commands = _root()
    for group in GROUPS.values():
        for name, text in group.items():
            commands.add_parser(name, help=text)
    return root


def _root() -> tuple[argparse.ArgumentParser, Any]:
    root = _Command(
        prog="shuniu",
        description="枢纽：政务服务平台互联枢纽 / Shuniu: the hub that links government-service platforms",
    )
    root.add_argument("--version", action=_Version, help="版本 / the version")
    return root, root.add_subparsers(metavar="COMMAND", required=True)


def _named(words: Sequence[str]) -> list[str]:
    return [group for group, commands in GROUPS.items() if set(commands) & set(words)]


def settings_errors() -> tuple[type[Exception], ...]:
    """The fault of settings or store. A store's errors come from nowhere but its module, once that is loaded."""
    sql: Any = sys.modules.get("shuniu.kit.store")
    return (ConfigError,) if sql is None else (ConfigError, sql.SchemaError, sql.StoreLockedError)


def main() -> None:
    """Entry point."""
    output.spell_out()
    interrupts.wait_for_children()
    try:
        status = _run(sys.argv[1:])
        _flush()
        sys.exit(status)
    except settings_errors() as error:
        complain(str(error))
        sys.exit(EX_CONFIG)
    except HubError as error:
        complain(f"{error.zh}\n{error.reason}: {error.en}")
        for violation in error.violations:
            complain(f"  {violation.field}: {violation.zh} / {violation.en}")
        sys.exit(1)
    except BrokenPipeError:
        # The reader of the pipe closed it.
        output.drop()
        sys.exit(_PIPE_CLOSED)
    except OutputError as error:
        output.drop()
        what = str(error) or "结果无法输出 / the output cannot be written"
        complain(f"{what}: {_said(error.__cause__)}")
        sys.exit(_EX_IOERR)
    except KeyboardInterrupt:
        output.drop()
        sys.exit(interrupts.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 — 1 would mean INVALID, or that a command was refused
        complain(output.internal(error))
        sys.exit(_EX_SOFTWARE)


def _run(words: Sequence[str]) -> int:
    with interrupts.ending_at_once():
        arguments, unknown = (parser(words) if _named(words) else listing()).parse_known_args(words)
        if unknown:
            # By the parser of the command: its usage says what there is.
            arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    arguments.data = getattr(arguments, "data", DEFAULT_DATA)
    arguments.json = getattr(arguments, "json", False)
    status: int = arguments.run(arguments)
    return status


def _flush() -> None:
    """Raises OutputError, BrokenPipeError: at exit it would be too late to tell."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as cause:
        raise OutputError from cause


def _said(cause: BaseException | None) -> str:
    if isinstance(cause, FileNotFoundError):
        # A file that is written need not be there before.
        return "所在的目录不存在 / its directory does not exist"
    return file_errors.told(cause) if isinstance(cause, OSError) else type(cause).__name__


if __name__ == "__main__":
    main()
