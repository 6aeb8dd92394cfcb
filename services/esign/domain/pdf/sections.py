"""Cross-reference sections (ISO 32000-1, 7.5.4 and 7.5.8): tables, streams, and the two of a hybrid file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from services.esign.domain.pdf.syntax import Census, Cursor, Dict, PdfError

MAX_ENTRIES = 250_000
"""Entries of a document's sections, all together."""
_SUBSECTION = re.compile(rb"[\x00\t\n\f\r ]*(\d{1,10})[\x00\t\n\f\r ]{1,16}(\d{1,10})[\x00\t\f ]*(?:\r\n|\r|\n)?")
_USUAL_HEAD = re.compile(rb"\d+ \d+ ?(?:\r\n|\r|\n)")
_TRAILER = re.compile(rb"[\x00\t\n\f\r ]*trailer(?![^\x00\t\n\f\r ()<>\[\]{}/%])")
# Rows of a table: twenty bytes each, or, where a writer took the line's end lightly, one after the other.
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])(?: \r| \n|\r\n)")
# Of an object at the file's beginning; of a free one whose next is beyond all numbers (ISO 32000-1, table C.1).
_AT_BEGINNING, _LAST_NUMBER = b"0000000000", b"0008388607"
_HIGHEST = 8_388_607
# Of nearly every object.
_FIRST = b"00000"
_ENTRY_SIZE = 20
_LOOSE_ENTRY = re.compile(rb"[\x00\t\n\f\r ]*(\d{1,10})[\t ]{1,4}(\d{1,10})[\t ]{1,4}([nf])(?=[\x00\t\n\f\r ])")


class Place:
    """The place of an object, as a cross-reference stream numbers it (ISO 32000-1, table 18)."""

    FREE: Final = 0
    IN_FILE: Final = 1
    IN_STREAM: Final = 2


class Entry(NamedTuple):
    """A cross-reference entry. IN_FILE: offset and generation; IN_STREAM: the object stream's number and the index in
    it.
    """

    place: int
    a: int
    b: int


FREE = Entry(Place.FREE, 0, 0)
# Entries are made by the thousand; this skips the named fields' own constructor.
_entry = tuple.__new__


@dataclass(slots=True)
class Section:
    """A cross-reference section: where it begins, `table` or `stream`, its entries, its trailer. `holder` is the number
    of the object that a stream is; `companion` the stream of a hybrid file.
    """

    offset: int
    kind: str
    entries: dict[int, Entry]
    trailer: Dict
    holder: int = -1
    companion: "Section | None" = None
    end: int = 0
    # Whether readers that take its rows by their usual form read something else.
    odd: bool = False


class Holder(Protocol):
    """The object that a cross-reference stream is."""

    number: int
    generation: int
    start: int
    end: int
    value: Any


def table(data: bytes, offset: int, end_of_data: int, census: Census) -> Section:
    """The table whose keyword stands at `offset`, with the trailer behind it, in `data` up to `end_of_data`. Raises
    PdfError.
    """
    at, listed, odd = offset + 4, 0, False
    entries: dict[int, Entry] = {}
    while (trailer := _TRAILER.match(data, at)) is None:
        head = _SUBSECTION.match(data, at)
        if head is None:
            raise PdfError("XREF", f"cross-reference table at {offset} is malformed", unsupported=True)
        at, first, count = head.end(), int(head[1]), int(head[2])
        if count > MAX_ENTRIES:
            raise PdfError("TOO_MANY_OBJECTS", "a cross-reference table is too long", limit=True)
        census.count(count)
        end = at + count * _ENTRY_SIZE
        rows: list[tuple[bytes, bytes, bytes]]
        # As many as there is room for: then nothing stands between them.
        if end <= end_of_data and len(rows := _ENTRY.findall(data, at, end)) == count:
            at = end
        else:
            rows, at = _loose_rows(data, at, count)
            odd = True
        odd = odd or _is_odd(first, rows) or _USUAL_HEAD.fullmatch(head[0].lstrip(b"\x00\t\n\f\r ")) is None
        for number, (place, generation, kind) in enumerate(rows, first):
            if kind == b"n":
                entries[number] = _entry(Entry, (1, int(place), int(generation) if generation != _FIRST else 0))
                odd = odd or place == _AT_BEGINNING
            else:
                entries[number] = FREE
                odd = odd or place > _LAST_NUMBER
        listed += count
        if len(entries) != listed:
            raise PdfError("XREF", "cross-reference entries of one object are repeated", unsupported=True)
    cursor = Cursor(data, trailer.end(), census)
    value = cursor.value()
    if not isinstance(value, Dict):
        raise PdfError("TRAILER", "trailer is not a dictionary", unsupported=True)
    return Section(offset, "table", entries, value, end=cursor.at, odd=odd)


def of_stream(holder: Holder, rows: bytes, census: Census) -> Section:
    """The section that a cross-reference stream is; `rows` is what it holds. Raises PdfError."""
    value: Dict = holder.value
    widths, size = value.get("W"), value.get("Size")
    if (
        not isinstance(widths, list)
        or len(widths) < 3
        or not all(type(w) is int and 0 <= w <= 8 for w in widths)
        or not sum(widths)
    ):
        raise PdfError("XREF", "cross-reference stream without usable /W", unsupported=True)
    index = value.get("Index", [0, size])
    numbers = _numbers(index)
    census.count(len(numbers))
    width = sum(widths)
    if len(rows) < len(numbers) * width:
        raise PdfError("XREF", "cross-reference stream does not have the rows it says", unsupported=True)
    entries: dict[int, Entry] = {}
    odd = len(widths) != 3 or len(rows) != len(numbers) * width or widths[0] > 1 or not widths[1] or widths[2] > 2
    odd = odd or not all(index[1::2]) or numbers != sorted(numbers)
    first, second, third = widths[0], widths[0] + widths[1], widths[0] + widths[1] + widths[2]
    integer = int.from_bytes
    for row, number in enumerate(numbers):
        raw = rows[row * width : (row + 1) * width]
        kind = integer(raw[:first], "big") if first else Place.IN_FILE
        if number in entries:
            raise PdfError("XREF", f"cross-reference entry of object {number} is repeated", unsupported=True)
        place = integer(raw[first:second], "big")
        # An entry of another kind than these three is a reference to null (ISO 32000-1, 7.5.8.3).
        odd = odd or kind > Place.IN_STREAM or (kind == Place.IN_FILE and not place)
        odd = odd or (kind == Place.FREE and place > _HIGHEST)
        entries[number] = (
            Entry(kind, place, integer(raw[second:third], "big")) if kind in {Place.IN_FILE, Place.IN_STREAM} else FREE
        )
    # The stream itself may be left out of its own table.
    entries.setdefault(holder.number, Entry(Place.IN_FILE, holder.start, holder.generation))
    return Section(holder.start, "stream", entries, value, holder.number, end=holder.end, odd=odd)


def _is_odd(first: int, rows: Sequence[tuple[bytes, bytes, bytes]]) -> bool:
    """Tells whether some readers read a subsection differently: an empty one, a first free row under number 1 (they
    take it for that of number 0 and shift the others), a number 0 in use.
    """
    if not rows:
        return first != 0
    if first == 1 and rows[0][2] == b"f":
        return True
    return first == 0 and (rows[0][1], rows[0][2]) != (b"65535", b"f")


def hybrid(table: Section, stream: Section) -> Section:
    """One section of a hybrid file (ISO 32000-1, 7.5.8.4): what the table calls free may be in the stream. Two places
    for one object would be two readings. Raises PdfError.
    """
    entries = dict(stream.entries)
    for number, entry in table.entries.items():
        other = entries.get(number, FREE)
        if entry.place == Place.FREE and other.place != Place.FREE:
            continue
        if other.place != Place.FREE and other != entry:
            raise PdfError("HYBRID_XREF", f"object {number} is in two places of a hybrid file", unsupported=True)
        entries[number] = entry
    odd = table.odd or stream.odd
    return Section(table.offset, table.kind, entries, table.trailer, companion=stream, end=table.end, odd=odd)


def _loose_rows(data: bytes, at: int, count: int) -> tuple[list[tuple[bytes, bytes, bytes]], int]:
    rows: list[tuple[bytes, bytes, bytes]] = []
    for _ in range(count):
        match = _LOOSE_ENTRY.match(data, at)
        if match is None:
            raise PdfError("XREF", f"cross-reference entry at byte {at} is malformed", unsupported=True)
        rows.append((match[1], match[2], match[3]))
        at = match.end()
    return rows, at


def _numbers(index: Any) -> list[int]:
    if not isinstance(index, list) or len(index) % 2 or not all(type(n) is int and n >= 0 for n in index):
        raise PdfError("XREF", "cross-reference stream without usable /Index", unsupported=True)
    if sum(index[1::2]) > MAX_ENTRIES:
        raise PdfError("TOO_MANY_OBJECTS", "a cross-reference stream is too long", limit=True)
    return [n for start, count in zip(index[::2], index[1::2], strict=True) for n in range(start, start + count)]
