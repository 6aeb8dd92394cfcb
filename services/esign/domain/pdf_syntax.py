"""PDF objects (ISO 32000-1, 7.3) read strictly: one reading per byte sequence, bounded depth, no repeated dictionary
keys.
"""

import re
from typing import Any

# Deeper than any real document nests; a bound against hostile files.
MAX_DEPTH = 48
# Bounds on work, far above real documents: members of one container, members of all, pieces of one string.
MAX_MEMBERS = 100_000
MAX_VALUES = 1_000_000
MAX_PIECES = 50_000

_TOKEN = re.compile(
    rb"[\x00\t\n\f\r ]*+(?:"
    rb"(\d{1,10}) (\d{1,5}) R(?![^\x00\t\n\f\r ()<>\[\]{}/%])"  # 1, 2 reference
    rb"|([+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15}))(?![^\x00\t\n\f\r ()<>\[\]{}/%])"  # 3 number
    rb"|/([^\x00\t\n\f\r ()<>\[\]{}/%]*)"  # 4 name
    rb"|(<<)|(>>)"  # 5, 6
    rb"|<([0-9A-Fa-f\t\n\f\r ]*)>"  # 7 hexadecimal string
    rb"|(\()"  # 8 literal string
    rb"|(\[)|(\])"  # 9, 10
    rb"|(true|false|null)(?![^\x00\t\n\f\r ()<>\[\]{}/%])"  # 11
    rb")"
)
_PLAIN = re.compile(rb"[^()\\]*")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|(\r\n|\n|\r)|(.))", re.DOTALL)
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class PdfError(ValueError):
    """The file is not a PDF that has one reading. `reason` is UPPER_SNAKE; `unsupported` = lawful, but beyond this
    reader.
    """

    def __init__(self, reason: str, detail: str, *, unsupported: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.unsupported = unsupported


class Name(str):
    """A name object, escapes resolved."""

    __slots__ = ()


class Ref(tuple[int, int]):
    """An indirect reference: (number, generation)."""

    __slots__ = ()


class Dict(dict[str, Any]):
    """A dictionary with the byte span of each value (start, end; leading white space left out of neither)."""

    __slots__ = ("spans",)

    def __init__(self) -> None:
        super().__init__()
        self.spans: dict[str, tuple[int, int]] = {}


class Census:
    """What a whole document holds: every name and dictionary key, and how many values so far."""

    __slots__ = ("names", "values")

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.values = 0

    def count(self, members: int) -> None:
        self.values += members
        if self.values > MAX_VALUES:
            raise PdfError("TOO_MANY_VALUES", f"more than {MAX_VALUES} values")


class Cursor:
    """Reads objects from `data` at `at`, and reports them to the document's census."""

    __slots__ = ("at", "census", "data")

    def __init__(self, data: bytes, at: int, census: Census) -> None:
        self.data = data
        self.at = at
        self.census = census

    def value(self, depth: int = 0) -> Any:
        """The next object. Raises PdfError."""
        found = self._next(depth)
        if found is _END_ARRAY or found is _END_DICT:
            raise PdfError("SYNTAX", f"closing bracket without an opening one at {self.at}")
        return found

    def _next(self, depth: int) -> Any:
        match = _TOKEN.match(self.data, self.at)
        if match is None:
            comment = self.data[self.at : self.at + 64].lstrip(b"\x00\t\n\f\r ").startswith(b"%")
            raise PdfError("SYNTAX", f"no object at byte {self.at}", unsupported=comment)
        self.at = match.end()
        kind = match.lastindex
        if kind == 3:
            text = match[3]
            return int(text) if text.lstrip(b"+-").isdigit() else float(text)
        if kind == 4:
            return self._name(match[4])
        if kind == 2:
            return Ref((int(match[1]), int(match[2])))
        if kind == 5:
            return self._dict(depth + 1)
        if kind == 9:
            return self._array(depth + 1)
        if kind == 7:
            digits = bytes(c for c in match[7] if c not in b"\t\n\f\r ")
            return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
        if kind == 8:
            return self._literal()
        if kind == 11:
            return {b"true": True, b"false": False}.get(match[11])
        return _END_DICT if kind == 6 else _END_ARRAY

    def _name(self, raw: bytes) -> Name:
        if b"#" in raw:
            raw = _NAME_ESCAPE.sub(lambda m: bytes.fromhex(m[1].decode()), raw)
        name = Name(raw.decode("latin-1"))
        self.census.names.add(name)
        return name

    def _array(self, depth: int) -> list[Any]:
        _bound(depth)
        out: list[Any] = []
        while (item := self._next(depth)) is not _END_ARRAY:
            if item is _END_DICT:
                raise PdfError("SYNTAX", f">> inside an array at {self.at}")
            out.append(item)
            if len(out) > MAX_MEMBERS:
                raise PdfError("TOO_MANY_VALUES", f"more than {MAX_MEMBERS} members of one array")
        self.census.count(len(out))
        return out

    def _dict(self, depth: int) -> Dict:
        _bound(depth)
        out = Dict()
        while (key := self._next(depth)) is not _END_DICT:
            if not isinstance(key, Name):
                raise PdfError("SYNTAX", f"dictionary key is not a name at {self.at}")
            if key in out:
                raise PdfError("DUPLICATE_KEY", f"key /{key} twice in one dictionary at {self.at}")
            start = self.at
            out[key] = self.value(depth)
            out.spans[key] = (start, self.at)
            if len(out) > MAX_MEMBERS:
                raise PdfError("TOO_MANY_VALUES", f"more than {MAX_MEMBERS} entries of one dictionary")
        self.census.count(len(out))
        return out

    def _literal(self) -> bytes:
        parts: list[bytes] = []
        level = 1
        while len(parts) < MAX_PIECES:
            plain = _PLAIN.match(self.data, self.at)
            assert plain is not None
            parts.append(plain[0])
            self.at = plain.end()
            char = self.data[self.at : self.at + 1]
            if char == b"\\":
                escape = _ESCAPE.match(self.data, self.at)
                if escape is None:
                    raise PdfError("SYNTAX", "string cut short")
                parts.append(_unescape(escape))
                self.at = escape.end()
                continue
            if not char:
                raise PdfError("SYNTAX", "string cut short")
            self.at += 1
            level += 1 if char == b"(" else -1
            if level == 0:
                return b"".join(parts)
            parts.append(char)
        raise PdfError("STRING_TOO_LONG", "a string has too many parts")


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes((int(match[1], 8) & 0xFF,))
    if match[2]:
        return b""
    return _ESCAPED.get(match[3], match[3])


def _bound(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise PdfError("TOO_DEEP", "objects are nested too deeply")


class _Mark:
    __slots__ = ()


_END_DICT = _Mark()
_END_ARRAY = _Mark()
