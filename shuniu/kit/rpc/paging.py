"""Lists by keyset: a page begins after the last row of the one before, so rows neither repeat nor get lost.

A page token is opaque, bound to the caller and the query that it came from, and cannot be made up (AIP-158).
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, or_

from shuniu.kit import errors
from shuniu.kit.errors import HubError

Position = tuple[str | int, ...]

_TAG: Final = 16
# Longer than any position; a token beyond it is not read.
_MOST_CHARACTERS: Final = 2048


def page_size(asked: int, *, default: int = 50, most: int = 500) -> int:
    """The rows of a page: `default` when 0 was asked, never more than `most` (AIP-158). HubError when negative."""
    if asked < 0:
        raise errors.invalid_field(
            "page_size", "NEGATIVE_PAGE_SIZE", "Use 0 or a positive number.", "请使用 0 或正整数。"
        )
    return min(asked or default, most)


def encode_token(key: bytes, caller: str, query: bytes, position: Position) -> str:
    """A token for the rows after `position`. `query` is what the page belongs to: filters and order, not the size."""
    body = json.dumps(list(position), ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_tag(key, caller, query, body) + body).rstrip(b"=").decode()


def decode_token(key: bytes, caller: str, query: bytes, token: str) -> Position:
    """The position inside a token; () for the empty token of a first page.

    Raises HubError INVALID_ARGUMENT PAGE_TOKEN_INVALID for a token of another caller or query, or no token at all.
    """
    if not token:
        return ()
    if len(token) > _MOST_CHARACTERS:
        raise invalid_token()
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise invalid_token() from None
    tag, body = sealed[:_TAG], sealed[_TAG:]
    if not hmac.compare_digest(tag, _tag(key, caller, query, body)):
        raise invalid_token()
    return tuple(json.loads(body))


def keyset(statement: Select[Any], columns: Sequence[ColumnElement[Any]], after: Position, limit: int) -> Select[Any]:
    """`statement` ordered by `columns` (together unique, none null) and limited to `limit` rows after `after`.

    Ask for one row more than the page holds: it tells whether there is a next page.
    """
    ordered = statement.order_by(*columns).limit(limit)
    if not after:
        return ordered
    if len(after) != len(columns):
        raise invalid_token()
    # (a, b) > (x, y) spelled out: not every database compares rows.
    later = (and_(*(columns[j] == after[j] for j in range(i)), columns[i] > after[i]) for i in range(len(columns)))
    return ordered.where(or_(*later))


def _tag(key: bytes, caller: str, query: bytes, body: bytes) -> bytes:
    name = caller.encode()
    bound = len(name).to_bytes(4, "big") + name + len(query).to_bytes(4, "big") + query + body
    return hmac.digest(key, b"page-token\0" + bound, hashlib.sha256)[:_TAG]


def invalid_token() -> HubError:
    return errors.invalid_field(
        "page_token",
        "PAGE_TOKEN_INVALID",
        "Use the next_page_token of the page before, with the same filter; or leave it empty to begin again.",
        "请使用上一页返回的 next_page_token，并保持查询条件不变；或留空从头查询。",
    )
