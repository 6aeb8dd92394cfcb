"""The file as a reader sees it that rebuilds it: without cross-reference sections, from whatever looks like an object.

Readers rebuild a file for reasons of their own, and nobody knows them all. So of a document that changed after it was
signed both readings are compared: where the last object of a number in the file, or in an object stream, is another
than the one that the sections lead to, some reader may show what nobody signed, now or on another occasion.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

from services.esign.domain.pdf import Document, PdfObject
from services.esign.domain.pdf_sections import FREE, Place
from services.esign.domain.pdf_syntax import Dict, PdfError

_OBJECT = re.compile(rb"(?<!end)obj")
_ALPHANUMERIC = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset(b"0123456789")
# Places that look like an object, and bytes between a number and what follows it: beyond that it is work, and no
# document.
_MOST_PLACES = 60_000
_FARTHEST = 1024
_MOST_STEPS = 4_000_000
_LONGEST_NUMBER = 10
# Highest object number (ISO 32000-1, table C.1).
_HIGHEST = 8_388_607
# Poppler reads lines of 255 bytes at most.
_SHORTEST_LINE = 200
_NUMBER = re.compile(rb"\d+")


UNDECIDED = -1
"""In the place of a number that cannot be told."""


@dataclass(frozen=True, slots=True)
class _Header:
    """Where an object may begin: its number and generation, or UNDECIDED, and where they stand."""

    number: int
    generation: int
    at: int


def _headers(data: bytes, start: int, end: int) -> Iterator[_Header]:
    """Places where an object may begin. Raises PdfError where there are too many.

    Readers differ in what they take for space between the numbers; both readings of a percent sign count, that of a
    comment and that of any other byte.
    """
    steps = 0
    for count, found in enumerate(_OBJECT.finditer(data, start, end)):
        if count > _MOST_PLACES or steps > _MOST_STEPS:
            raise PdfError("TOO_MANY_OBJECTS", f"more than {count} places that look like objects", limit=True)
        at = found.start()
        for comments in (False, True):
            generation, visited = _number_before(data, start, at, comments=comments)
            steps += at - visited
            if generation is None:
                continue
            number, visited = _number_before(data, start, generation, comments=comments)
            steps += generation - visited
            if number is not None:
                yield _Header(_value_at(data, number, generation), _value_at(data, generation, at), number)


def _value_at(data: bytes, number: int, end: int) -> int:
    """The number that begins there; UNDECIDED where readers may take it for any."""
    found = _NUMBER.match(data, number, min(end, number + _FARTHEST))
    digits = b"" if found is None else found[0].lstrip(b"0") or b"0"
    return int(digits) if 0 < len(digits) <= _LONGEST_NUMBER and int(digits) <= _HIGHEST else UNDECIDED


def _number_before(data: bytes, start: int, at: int, *, comments: bool) -> tuple[int | None, int]:
    """Where the number begins that stands before `at`, whatever lies between that is neither letter nor digit, and how
    far was looked. Where that is too far away to be looked for, there may be one.
    """
    nearest = max(start, at - _FARTHEST)
    while at > nearest:
        if data[at - 1] not in _ALPHANUMERIC:
            at -= 1
            continue
        comment = -1
        if comments:
            line = max(data.rfind(b"\n", nearest, at), data.rfind(b"\r", nearest, at)) + 1
            comment = data.find(b"%", max(line, nearest), at)
        if comment < 0:
            break
        at = comment
    end = at
    while at > nearest and data[at - 1] in _DIGITS:
        at -= 1
    if at == nearest > start:
        return nearest, nearest
    return (at, at) if at < end else (None, at)


def disagreement(document: Document, reachable: Container[int]) -> int | None:
    """The number of an object that a rebuilding reader finds elsewhere than the sections lead; None when there is none.
    `reachable`: numbers that the document points at. Raises PdfError.
    """
    rebuilt: dict[int, tuple[int, int]] = {}
    for header in _headers(document.data, 0, document.end):
        number, at = header.number, header.at
        if number == UNDECIDED:
            return number
        for other in _other_numbers(document.data, at):
            if other in reachable:
                return other
        entry = document.entries.get(number, FREE)
        if number in reachable and entry.place == Place.IN_FILE and entry.b != header.generation:
            return number
        rebuilt[number] = (Place.IN_FILE, at)
        for member in _members(document, number, at):
            rebuilt[member] = (Place.IN_STREAM, at)
    for number, found in rebuilt.items():
        entry = document.entries.get(number, FREE)
        if entry.place == Place.FREE or (entry.place == Place.IN_FILE and entry.a == 0):
            if number in reachable:
                return number
            continue
        holder = document.object(number if entry.place == Place.IN_FILE else entry.a)
        if holder is None or found != (entry.place, holder.start):
            return number
    return None


def _other_numbers(data: bytes, at: int) -> Iterator[int]:
    """What the number at `at` is to readers that cut long lines within it."""
    if any(each in data[max(0, at - _SHORTEST_LINE) : at] for each in (b"\r", b"\n")):
        return
    found = _NUMBER.match(data, at, at + _LONGEST_NUMBER)
    digits = b"" if found is None else found[0]
    yield from (int(digits[begin:]) for begin in range(1, len(digits)))


def _members(document: Document, number: int, at: int) -> list[int]:
    """Numbers of the objects in an object stream that begins at `at`, listed or not."""
    try:
        holder: PdfObject = document.object_at(at)
        value = holder.value
        if holder.number != number or holder.stream is None or not isinstance(value, Dict):
            return []
        return document.members_of(holder).numbers if value.get("Type") == "ObjStm" else []
    except PdfError as cause:
        if cause.limit:
            raise
        return []
