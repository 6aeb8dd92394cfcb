"""PDF objects (ISO 32000-1, 7.3) read strictly: one reading per byte sequence, bounded depth, no repeated dictionary
keys.
"""

import re
from binascii import unhexlify
from collections.abc import Iterator
from typing import Any

# Deeper than any real document nests; a bound against hostile files.
MAX_DEPTH = 48
# Bounds on work, far above real documents: members of one container, values and pieces of strings of a whole document,
# pieces of one string.
MAX_MEMBERS = 100_000
MAX_VALUES = 1_000_000
MAX_PIECES = 50_000
MAX_EXPANDED = 16 * 1024 * 1024
# Bytes of a string or a comment that count as a value.
_BYTES_A_VALUE = 128

# One match a token. Brackets, names and numbers come first: documents are made of them. No possessive quantifier stands
# in or around a group: Python before 3.11.4 captures wrongly there (python/cpython#101955).
# White space before a token is bounded: a match that fails tries every length of it.
_TOKEN = re.compile(
    rb"[\x00\t\n\f\r ]{0,128}(?:"
    rb"/([^\x00\t\n\f\r ()<>\[\]{}/%]*)"  # 1 name
    # Object numbers have seven digits (ISO 32000-1, table C.1): of longer ones readers take what fits into a word.
    rb"|(\d{1,7})[\x00\t\n\f\r ]{1,16}(\d{1,5})[\x00\t\n\f\r ]{1,16}"  # 2, 3 reference
    rb"R(?![^\x00\t\n\f\r ()<>\[\]{}/%])"
    rb"|([+-]?\d{1,18})(?![^\x00\t\n\f\r ()<>\[\]{}/%])"  # 4 integer
    rb"|([+-]?(?:\d{1,18}\.\d{0,40}|\.\d{1,40}))(?![^\x00\t\n\f\r ()<>\[\]{}/%])"  # 5 real number
    rb"|(<<)|(>>)"  # 6, 7
    rb"|\[(?:(\d{1,15}(?: \d{1,15}){0,4095})\])?"  # 8 a whole array of integers; without it an array's beginning
    rb"|(\])"  # 9
    rb"|<([0-9A-Fa-f\x00\t\n\f\r ]*)>"  # 10 hexadecimal string
    rb"|\((?:([^()\\]*)\))?"  # 11 a whole literal string without escapes; without it a string's beginning
    rb"|(true|false|null)(?![^\x00\t\n\f\r ()<>\[\]{}/%])"  # 12
    rb")"
)
_SPACES = b"\x00\t\n\f\r "
_SPACE = re.compile(rb"[\x00\t\n\f\r ]*")
_LINE = re.compile(rb"[^\r\n]*")
_PLAIN = re.compile(rb"[^()\\]*")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|(\r\n|\n|\r)|(.))", re.DOTALL)
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class PdfError(ValueError):
    """The file cannot be read. `reason` is UPPER_SNAKE; `unsupported` = beyond this reader, which says nothing of who
    made or changed the file; `limit` = it takes more work than is given to one file, which is unsupported too.
    """

    def __init__(self, reason: str, detail: str, *, unsupported: bool = False, limit: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.limit = limit
        self.unsupported = unsupported or limit


class Name(str):
    """A name object, escapes resolved."""

    __slots__ = ()


class Ref(tuple[int, int]):
    """An indirect reference: (number, generation)."""

    __slots__ = ()


class Array(list[Any]):
    """An array. It has a hash, of itself and not of its members, so that asking whether a stranger's value is among
    known names is answered and never fails.
    """

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]  # a list says that it has none


class Dict(dict[str, Any]):
    """A dictionary with the byte span (start, end) of its /Contents where that is a hexadecimal string, as it is in a
    signature: white space before it included. Its hash is of itself, as an array's.
    """

    __slots__ = ("spans",)
    __hash__ = object.__hash__  # type: ignore[assignment]  # a dict says that it has none

    def __init__(self) -> None:
        super().__init__()
        self.spans: dict[str, tuple[int, int]] = {}


def references_in(value: Any) -> Iterator[Ref]:
    """Every reference in a value, whatever it is nested in."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Ref):
            yield each
        elif isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


class Census:
    """Counts what was read of a document: names and dictionary keys, and how much work it was, counted before it is
    done.

    `values`: values, comments and pieces of strings; `expanded`: bytes that came out of filters.
    """

    __slots__ = ("expanded", "names", "values")

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.values = 0
        self.expanded = 0

    def count(self, members: int) -> None:
        self.values += members
        if self.values > MAX_VALUES:
            raise PdfError("TOO_MANY_VALUES", f"more than {MAX_VALUES} values", limit=True)

    def expand(self, more: int) -> None:
        """Counts bytes that came out of filters."""
        self.expanded += more
        if self.expanded > MAX_EXPANDED:
            raise PdfError("EXPANSION", f"streams expand to more than {MAX_EXPANDED} bytes", limit=True)


def skip(data: bytes, at: int, census: Census) -> int:
    """Returns where white space and comments (ISO 32000-1, 7.2.3) that begin at `at` end."""
    space, line = _SPACE.match, _LINE.match
    while True:
        at = space(data, at).end()  # type: ignore[union-attr]  # matches everywhere, if only nothing
        if data[at : at + 1] != b"%":
            return at
        begin = at
        at = line(data, at).end()  # type: ignore[union-attr]  # likewise
        census.count(1 + (at - begin) // _BYTES_A_VALUE)


class Seen:
    """Values of texts read before, in other documents too: certificates of one template share most of their objects.

    A text is kept with everything that decides its reading, the byte behind it included; the same bytes have the same
    reading. Nobody changes a value that was read.
    """

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[bytes, tuple[Any, int, frozenset[str], int]] = {}

    def read(self, data: bytes, at: int, end: int, census: Census) -> tuple[Any, int]:
        """The object at `at` and where it ends. `end`: where the text ends that may decide it. Raises PdfError."""
        if not 0 < end - at <= SEEN_MOST_BYTES:
            cursor = Cursor(data, at, census)
            return cursor.value(), cursor.at
        text = data[at:end]
        seen = self._values.get(text)
        if seen is None:
            own = Census()
            cursor = Cursor(data, at, own)
            try:
                value = cursor.value()
            except PdfError:
                census.names |= own.names
                raise
            seen = (value, cursor.at - at, frozenset(own.names), own.values)
            if cursor.at < end and not cursor.spanned:
                if len(self._values) >= _SEEN_MOST:
                    self._values.clear()
                self._values[text] = seen
        value, size, names, values = seen
        census.names |= names
        census.count(values)
        return value, at + size


# Texts kept, and the longest one in bytes.
_SEEN_MOST, SEEN_MOST_BYTES = 1024, 2048


class Cursor:
    """Reads objects from `data` at `at`, and reports them to the document's census."""

    __slots__ = ("at", "census", "data", "spanned")

    def __init__(self, data: bytes, at: int, census: Census) -> None:
        self.data = data
        self.at = at
        self.census = census
        # Whether a value read so far knows where in `data` it stands.
        self.spanned = False

    def value(self) -> Any:
        """The next object. Raises PdfError.

        One loop over tokens, open containers on a stack: half of a verdict's time is spent here.
        """
        data, names, token, at = self.data, self.census.names, _TOKEN.match, self.at
        open_: list[tuple[Any, Any, int]] = []
        holder: Any = None
        key: Any = None
        keyed_at = 0
        while True:
            match = token(data, at)
            if match is None:
                behind = skip(data, at, self.census)
                match = token(data, behind) if behind > at else None
                if match is None:
                    raise PdfError("SYNTAX", f"no object at byte {at}", unsupported=True)
            kind, at = match.lastindex, match.end()
            if kind == 1:
                raw = match[1]
                value: Any = _NAMES.get(raw) or name_of(raw)
                names.add(value)
                if key is None and type(holder) is Dict:
                    if value in holder:
                        raise PdfError(
                            "DUPLICATE_KEY", f"key /{value} twice in one dictionary at {at}", unsupported=True
                        )
                    key, keyed_at = value, at
                    continue
            elif kind == 4:
                value = int(match[4])
            elif kind == 3:
                value = Ref((int(match[2]), int(match[3])))
            elif kind == 6:
                open_.append((holder, key, keyed_at))
                _bound(len(open_))
                holder, key = Dict(), None
                continue
            elif kind == 8:
                value = Array(map(int, match[8].split(b" ")))
                _bound(len(open_) + 1)
                self.census.count(len(value))
            elif kind in {7, 9}:
                if type(holder) is not (Dict if kind == 7 else Array) or key is not None:
                    raise PdfError("SYNTAX", f"closing bracket that closes nothing at {at}", unsupported=True)
                value = holder
                self.census.count(len(value))
                holder, key, keyed_at = open_.pop()
            elif kind == 10:
                value = _bytes_of(match[10])
                if key == "Contents":
                    holder.spans[key] = (keyed_at, at)
                    self.spanned = True
            elif kind == 5:
                value = float(match[5])
            elif kind == 11:
                value = match[11]
            elif kind == 12:
                value = _CONSTANTS[match[12]]
            elif data[at - 1] == 0x5B:
                open_.append((holder, key, keyed_at))
                _bound(len(open_))
                holder, key = Array(), None
                continue
            else:
                self.at = at
                value = self._literal()
                at = self.at
            if key is not None:
                holder[key] = value
                key = None
            elif type(holder) is Array:
                holder.append(value)
            elif holder is None:
                self.at = at
                return value
            else:
                raise PdfError("SYNTAX", "dictionary key is not a name", unsupported=True)
            if len(holder) > MAX_MEMBERS:
                raise PdfError("TOO_MANY_VALUES", f"more than {MAX_MEMBERS} members of one container", limit=True)

    def _literal(self) -> bytes:
        begin = self.at
        parts: list[bytes] = []
        try:
            self._pieces(parts)
        finally:
            # Also of one that does not end: it may be begun anew from every parenthesis in it.
            self.census.count(len(parts) + (self.at - begin) // _BYTES_A_VALUE)
        return b"".join(parts)

    def _pieces(self, parts: list[bytes]) -> None:
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
                    raise PdfError("SYNTAX", "string cut short", unsupported=True)
                parts.append(_unescape(escape))
                self.at = escape.end()
                continue
            if not char:
                raise PdfError("SYNTAX", "string cut short", unsupported=True)
            self.at += 1
            level += 1 if char == b"(" else -1
            if level == 0:
                return
            parts.append(char)
        raise PdfError("STRING_TOO_LONG", "a string has too many parts", limit=True)


def _bytes_of(digits: bytes) -> bytes:
    """The bytes that hexadecimal digits stand for; white space counts for nothing, a last digit that is missing is
    0.
    """
    try:
        return unhexlify(digits)
    except ValueError:
        digits = digits.translate(None, _SPACES)
        return unhexlify(digits + b"0" * (len(digits) % 2))


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes((int(match[1], 8) & 0xFF,))
    if match[2]:
        return b""
    return _ESCAPED.get(match[3], match[3])


def _bound(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise PdfError("TOO_DEEP", "objects are nested too deeply", limit=True)


def name_of(raw: bytes) -> Name:
    """A name with its escapes resolved; frequent ones are kept."""
    text = _NAME_ESCAPE.sub(lambda m: bytes.fromhex(m[1].decode()), raw) if b"#" in raw else raw
    if b"\0" in text:
        # Readers that keep names as C strings read a shorter one (ISO 32000-1, 7.3.5 forbids it).
        raise PdfError("SYNTAX", "a name holds a zero byte", unsupported=True)
    name = Name(text.decode("latin-1"))
    if len(_NAMES) < _NAMES_KEPT and len(raw) <= 32:
        _NAMES[raw] = name
    return name


_NAMES: dict[bytes, Name] = {}
_NAMES_KEPT = 4096
_CONSTANTS = {b"true": True, b"false": False, b"null": None}
