"""Canonical bytes: each item has exactly one byte string, so equal digests prove equal copies.

JSON after RFC 8785 for the types that occur (strings, integers, booleans, lists, objects): keys sorted, no spaces,
UTF-8, texts in NFC, dates as YYYYMMDD, sets sorted. A field that holds its empty value (empty text, false, no rows,
no value) is left out, so that a field added later changes no digest of an item that does not use it; zero is a value
and stays.
"""

from __future__ import annotations

import hashlib
import json
import types
import typing
import unicodedata
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from functools import cache
from typing import Any

from services.catalogue.items.domain.item import BaseItem, ImplementingItem
from shuniu.rules import RuleError, Violation

_KINDS: dict[str, type[BaseItem | ImplementingItem]] = {"base": BaseItem, "implementing": ImplementingItem}


class CanonicalError(RuleError):
    """The bytes are not an item."""


def canonical(item: BaseItem | ImplementingItem) -> bytes:
    """The one byte string of this item."""
    kind = "base" if isinstance(item, BaseItem) else "implementing"
    return json.dumps(
        {"kind": kind, "item": _plain(item)},
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def digest(item: BaseItem | ImplementingItem) -> bytes:
    """SHA-256 over the canonical bytes, 32 bytes."""
    return hashlib.sha256(canonical(item)).digest()


def restore(stored: bytes) -> BaseItem | ImplementingItem:
    """The item of canonical bytes. Unknown fields are ignored. Raises CanonicalError."""
    try:
        outer = json.loads(stored)
        return typing.cast("BaseItem | ImplementingItem", _build(_KINDS[outer["kind"]], outer["item"]))
    except (ValueError, KeyError, TypeError, RecursionError) as cause:
        raise CanonicalError(
            [Violation("item", "ITEM_UNREADABLE", "the stored item cannot be read", "事项数据无法读取")],
        ) from cause


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, date):
        return value.isoformat().replace("-", "")
    if is_dataclass(value) and not isinstance(value, type):
        named = ((each.name, _plain(getattr(value, each.name))) for each in fields(value))
        return {name: plain for name, plain in named if not _is_empty(plain)}
    if isinstance(value, frozenset):
        return sorted(_plain(each) for each in value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _is_empty(plain: Any) -> bool:
    return plain is None or plain is False or plain in ("", [], {})


@cache
def _types_of(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build(kind: Any, plain: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _build(next(each for each in typing.get_args(kind) if each is not type(None)), plain)
    if origin in (tuple, frozenset):
        inner = typing.get_args(kind)[0]
        return origin(_build(inner, each) for each in _expect(list, plain))
    if isinstance(kind, type) and is_dataclass(kind):
        return _build_dataclass(kind, _expect(dict, plain))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    if kind is date:
        text = _expect(str, plain)
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    return _expect(kind, plain)


def _build_dataclass(kind: type, plain: dict[str, Any]) -> Any:
    hints = _types_of(kind)
    given = {name: _build(hint, plain[name]) for name, hint in hints.items() if name in plain}
    # Left out means empty, also where the field's own default is something else; a figure or code that is missing was
    # written before the field existed and takes the field's default.
    given |= {name: _empty(hint) for name, hint in hints.items() if name not in given and _can_be_empty(hint)}
    return kind(**given)


def _can_be_empty(kind: Any) -> bool:
    return not (kind in (int, date) or (isinstance(kind, type) and issubclass(kind, Enum)))


def _empty(kind: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return None
    if origin in (tuple, frozenset):
        return origin()
    if isinstance(kind, type) and is_dataclass(kind):
        return _build_dataclass(kind, {})
    return kind()


def _expect(kind: Any, plain: Any) -> Any:
    if type(plain) is not kind:
        raise TypeError(str(kind))
    return plain
