"""The command line finds its commands."""

import argparse
import asyncio
import datetime as dt
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.esign import commands
from shuniu.api.esign.v1 import esign_pb2
from shuniu.cli import keys, seals
from shuniu.cli.main import GROUPS, listing, parser
from shuniu.cli.syntax import init as init_syntax
from shuniu.cli.syntax import keep as keep_syntax
from shuniu.cli.syntax import seal as seal_syntax
from shuniu.kit.crypto import profile
from tests.support.hub import program

# What a service brings with it: none of it has to do with one document.
ENGINES = {
    "sqlalchemy",
    "alembic",
    "grpc",
    "google",
    "httpx",
    "nats",
    "typst",
    "numpy",
    "structlog",
    "services.identity",
}


@pytest.mark.parametrize("name", [name for names in GROUPS.values() for name in names])
def test_each_command_is_in_the_group_that_names_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command given alone imports its group and is known there."""
    with pytest.raises(SystemExit) as ended:
        parser([name]).parse_args([name, "--help"])
    assert ended.value.code == 0
    assert f"shuniu {name}" in capsys.readouterr().out


def listed(root: argparse.ArgumentParser) -> dict[str, str | None]:
    [commands] = [action for action in root._actions if isinstance(action, argparse._SubParsersAction)]
    return {choice.dest: choice.help for choice in commands._choices_actions}


def test_the_list_says_what_the_commands_say() -> None:
    """What `shuniu --help` lists without importing any command is what their own parsers say, in words too."""
    told = {name: text for group in GROUPS.values() for name, text in group.items()}
    assert listed(listing()) == told
    assert listed(parser()) == told


def every_option(root: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, argparse.Action]]:
    """Of all commands and their verbs, with the parser that takes it."""
    for action in root._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from every_option(verb)
        else:
            yield root, action


def test_no_command_takes_an_empty_path(capsys: pytest.CaptureFixture[str]) -> None:
    """The empty text of an unset variable is refused in every option that takes a path, and in every file that is
    named: as `Path` alone reads it, it would be the working directory, whose files would be trusted or written over.
    """
    paths = [(command, action) for command, action in every_option(parser()) if action.type is Path]
    assert len(paths) > 40
    for command, action in paths:
        with pytest.raises(argparse.ArgumentError, match="the path is empty"):
            command._get_values(action, [""])  # type: ignore[attr-defined]
    with pytest.raises(SystemExit) as ended:
        parser(["verify"]).parse_args(["verify", "a.pdf", "--trust", ""])
    assert ended.value.code == 64
    assert "参数 --trust 的路径是空的" in capsys.readouterr().err


def test_what_is_called_a_path_is_read_as_one() -> None:
    """No option whose value is shown as a directory or a file is plain text, which would escape the rule above."""
    named = re.compile(r"DIR|FILE|PEM|PNG|OUT")
    for command, action in every_option(parser()):
        if isinstance(action.metavar, str) and named.match(action.metavar):
            assert action.type is Path, (command.prog, action.dest)


async def imported_by(*words: str) -> set[str]:
    """Modules that a command imports, as a process of its own."""
    ran = await program(sys.executable, "-X", "importtime", "-m", "shuniu.cli.main", *words)
    return {line.rpartition("|")[2].strip() for line in ran.err.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("words", [("--help",), ("verify", "--help"), ("verify", __file__)], ids=" ".join)
async def test_help_and_verify_start_without_a_service(words: tuple[str, ...]) -> None:
    """Neither the list of commands nor a verdict waits for a database, a bus or a layout engine to be imported. Arrays
    are loaded before the process that reads documents has its bound.
    """
    found = await imported_by(*words, "--data", "no-hub")
    assert "shuniu.cli.output" in found
    assert {name for name in found if name in ENGINES} == ({"numpy"} if __file__ in words else set())


@pytest.mark.parametrize("name", [name for names in GROUPS.values() for name in names])
async def test_help_of_a_command_imports_neither_it_nor_a_service(name: str) -> None:
    """Words, options and help stand apart from what a command runs."""
    found = await imported_by(name, "--help")
    of_services = {module for module in found if module.startswith("services.")}
    assert {module for module in found if module in ENGINES} == set()
    assert of_services <= LIGHT


# What output needs of esign: names of what lies where, and texts.
LIGHT = {
    "services.esign",
    "services.esign.commands",
    "services.esign.domain",
    "services.esign.verification",
    "services.esign.verification.file_errors",
}


async def test_status_imports_no_service(tmp_path: Path) -> None:
    """It asks the services over their sockets and needs neither their modules nor a database."""
    found = await imported_by("status", "--data", str(tmp_path))
    assert "shuniu.cli.local" in found
    assert {module for module in found if module.startswith("services.")} <= LIGHT
    assert not found & {"sqlalchemy", "alembic", "httpx", "nats", "numpy", "typst"}


async def test_a_hubs_own_trust_is_read_without_an_engine() -> None:
    """`verify` in a hub's directory reads what others know of it, and brings no database, layout engine or HTTP client."""
    ran = await program(sys.executable, "-X", "importtime", "-c", "import services.esign.commands.trust")
    found = {line.rpartition("|")[2].strip() for line in ran.err.splitlines() if line.startswith("import time:")}
    assert "services.esign.keys.public" in found
    assert not found & {"sqlalchemy", "alembic", "grpc", "httpx", "nats", "typst", "numpy", "zxingcpp"}


def test_what_the_options_offer_is_what_there_is() -> None:
    """Choices and options are written down where nothing is imported, and agree with what they lead to."""
    assert set(keep_syntax.ESIGN_KEYS) == set(keys.ROTATIONS)
    assert set(seal_syntax.REASONS) == set(seals.REASONS)
    assert (profile.INTERNATIONAL.name, profile.SM.name) == init_syntax.PROFILES


async def test_what_is_asked_wrongly_is_answered_as_before() -> None:
    """No command, an unknown one: wrong use, with the list of what there is."""
    nothing, unknown = await asyncio.gather(
        program(sys.executable, "-m", "shuniu.cli.main"), program(sys.executable, "-m", "shuniu.cli.main", "nonsense")
    )
    assert [ran.status for ran in (nothing, unknown)] == [64, 64]
    assert "'verify'" in unknown.err


def test_esigns_commands_are_all_there() -> None:
    """Each name leads to what it names, and the three lists of them agree; any other name is none."""
    rooms = {name for names in commands._ROOMS.values() for name in names}
    assert rooms == set(commands.__all__)
    for name in commands.__all__:
        assert getattr(commands, name) is not None
    source = Path(commands.__file__).read_text("utf-8")
    block = source.partition("if TYPE_CHECKING:")[2].partition("__all__")[0]
    assert set(re.findall(r"\b\w+\b", block)) >= rooms
    with pytest.raises(AttributeError):
        commands.nonsense  # noqa: B018


def test_another_date_than_was_asked_for_comes_with_its_reason() -> None:
    """Who revokes a seal from a day before its certificate is told why the hub says a later one."""
    asked = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
    seal = esign_pb2.Seal()
    for hours, told in ((0, False), (17, True)):
        seal.invalid_since.FromDatetime(asked + dt.timedelta(hours=hours))
        lines = seals.later_than_asked(seal, asked)
        assert ["早于证书的开始时间" in line for line in lines] == [True] * told
    assert seals.later_than_asked(seal, None) == []
