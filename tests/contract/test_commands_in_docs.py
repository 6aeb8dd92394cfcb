"""Commands that the pages name exist as they are written there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from shuniu.cli.main import parser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]
# An incomplete line is a reminder of a command; these say that there is no such command, or not by this name alone.
WRONG = re.compile(r"invalid choice|VERB|COMMAND|unrecognized|无此|not recognised")


def commands(text: str) -> Iterator[list[str]]:
    """Each command as words. In a list of code spans that begins with one, the others belong to the same group: `shuniu
    seal list`, `show` — or are commands themselves: `shuniu status`, `doctor`.
    """
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            typed = re.sub(r"\s+#.*", "", line).removeprefix(".venv/bin/")
            if typed.startswith("shuniu "):
                yield shlex.split(typed)[1:]
    for found in re.finditer(r"`shuniu ([a-z][^`]*)`((?:[,、] `[a-z][^`]*`|[,、]`[a-z][^`]*`)*)", text):
        first = shlex.split(found[1])
        yield first
        for other in re.findall(r"`([^`]*)`", found[2]):
            words = shlex.split(other)
            yield words if said(words) is None else [first[0], *words]


def said(words: list[str]) -> str | None:
    """What is wrong with the command's name, if anything."""
    text = ""

    class KeptError(Exception):
        pass

    def kept(message: str) -> None:
        nonlocal text
        text = message
        raise KeptError

    root = parser(words)
    for each in _all(root):
        each.error = kept  # type: ignore[method-assign,assignment]
    try:
        root.parse_args([word for word in words if word not in {"…", "..."}])
    except (KeptError, SystemExit):
        pass
    return text if WRONG.search(text) else None


def _all(root: object) -> Iterator[object]:
    yield root
    for action in getattr(root, "_actions", ()):
        if isinstance(action.choices, dict):
            for inner in action.choices.values():
                yield from _all(inner)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_of_a_page_exists(page: Path) -> None:
    """Whoever types what is written gets no "invalid choice"."""
    wrong = {" ".join(words): said(words) for words in commands(page.read_text("utf-8"))}
    assert {line: why for line, why in wrong.items() if why is not None} == {}
