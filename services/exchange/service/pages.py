"""Page tokens and cursors of this service, signed with its own key."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from shuniu.kit.process.config import secret
from shuniu.kit.process.durable import write_secret
from shuniu.kit.rpc.paging import Position, decode_token, encode_token, page_size

_KEY_BYTES = 32
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page:
    """Page that a list call asked for: rows after a position, at most `size`."""

    after: Position
    size: int


@dataclass(frozen=True, slots=True)
class Pages:
    """Reads and writes tokens bound to a caller and a query."""

    key: bytes = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> "Pages":
        """Reads the key; makes it when this is the first start. Raises ConfigError when others can read it."""
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_secret(path, secrets.token_bytes(_KEY_BYTES))
        return cls(secret(path))

    def asked(self, caller: str, query: str, token: str, size: int, *, default: int, most: int) -> Page:
        """The page a request asks for. Raises INVALID_ARGUMENT PAGE_TOKEN_INVALID."""
        position = decode_token(self.key, caller, query.encode(), token)
        return Page(position, page_size(size, default=default, most=most))

    def token(self, caller: str, query: str, position: Position) -> str:
        return encode_token(self.key, caller, query.encode(), position)

    def position(self, caller: str, query: str, token: str) -> Position:
        return decode_token(self.key, caller, query.encode(), token)


def cut(rows: list[Row], size: int) -> tuple[list[Row], Row | None]:
    """(the rows of a page, its last one when more follow), of rows read with one too many."""
    if len(rows) <= size:
        return rows, None
    return rows[:size], rows[size - 1]
