"""What commands print: text for people, or one JSON document with --json."""

import json
import sys
from collections.abc import Sequence
from typing import Any


def out(value: Any, text: str, *, as_json: bool) -> None:
    """Prints `value` as JSON or `text` for people."""
    print(json.dumps(value, ensure_ascii=False, indent=2) if as_json else text)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table; widths count Chinese characters as two columns."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell + " " * (widths[i] - _width(cell)) for i, cell in enumerate(row)).rstrip() for row in cells
    )


def _width(text: str) -> int:
    return sum(2 if ord(char) > 0x2E7F else 1 for char in text)


def complain(text: str) -> None:
    print(text, file=sys.stderr)
