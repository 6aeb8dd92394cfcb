"""The file as a reader sees it that rebuilds it: without cross-reference sections, from whatever looks like an object.

Readers rebuild a file for reasons of their own, and nobody knows them all. So of a document that changed after it was
signed both readings are compared: where the last object of a number in the file, or in an object stream, is another
than the one that the sections lead to, some reader may show what nobody signed, now or on another occasion.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.esign.domain.pdf.document import Document, Members, PdfObject
from services.esign.domain.pdf.sections import FREE, Place, Section
from services.esign.domain.pdf.syntax import Dict, PdfError, Ref, skip

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
_TRAILER = re.compile(rb"trailer[\x00\t\n\f\r ]*(?:<<|%)")
_STARTXREF = re.compile(rb"startxref[\x00\t\n\f\r ]{1,16}(\d{1,10})")
_SPACE = re.compile(rb"[\x00\t\n\f\r ]*")
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_NO_MEMBERS = Members({}, [], plain=True, ordered=True)
# Where readers look for the first object.
_NEAR_BEGINNING = 2048


UNDECIDED = -1
"""In the place of a number that cannot be told."""


@dataclass(frozen=True, slots=True)
class _Header:
    """A place where an object may begin: its number and generation, or UNDECIDED, and where they stand."""

    number: int
    generation: int
    at: int


def headers(data: bytes, start: int, end: int) -> Iterator[_Header]:
    """Places where an object may begin. Raises PdfError where there are too many.

    Readers differ in what they take for space between the numbers; both readings of a percent sign count, that of a
    comment and that of any other byte.
    """
    steps = 0
    for count, found in enumerate(_OBJECT.finditer(data, start, end)):
        if count > _MOST_PLACES or steps > _MOST_STEPS:
            raise PdfError("TOO_MANY_OBJECTS", f"more than {count} places that look like objects", limit=True)
        at = found.start()
        # Where there is no percent sign, both readings are one.
        has_percent = data.find(b"%", max(start, at - 2 * _FARTHEST), at) >= 0
        for comments in (False, True)[: 1 + has_percent]:
            generation, visited = _number_before(data, start, at, comments=comments)
            steps += (at - visited) * (2 - has_percent)
            if generation is None:
                continue
            number, visited = _number_before(data, start, generation, comments=comments)
            steps += (generation - visited) * (2 - has_percent)
            if number is not None:
                yield _Header(_value_at(data, number, generation), _value_at(data, generation, at), number)


def _value_at(data: bytes, number: int, end: int) -> int:
    """The number that begins there; UNDECIDED where readers may take it for any."""
    found = _NUMBER.match(data, number, min(end, number + _FARTHEST))
    digits = b"" if found is None else found[0].lstrip(b"0") or b"0"
    return int(digits) if 0 < len(digits) <= _LONGEST_NUMBER and int(digits) <= _HIGHEST else UNDECIDED


def _number_before(data: bytes, start: int, at: int, *, comments: bool) -> tuple[int | None, int]:
    """Returns where the number begins that stands before `at`, whatever lies between that is neither letter nor digit,
    and how far was looked. Where that is too far away to be looked for, there may be one.
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


def disagreement(versions: Sequence[tuple[Document, Collection[int]]], signed_to: int) -> int | None:
    """The number of an object that a rebuilding reader finds elsewhere than the sections lead; None when there is none.
    `versions`: of one file, the longest first, each with the numbers that it points at; `signed_to`: where the first
    signed one ends. Raises PdfError.
    """
    whole = versions[0][0]
    listed = list(headers(whole.data, 0, whole.end))
    for document, reachable in versions:
        found = _disagreement(document, reachable, signed_to, (each for each in listed if each.at < document.end))
        if found is not None:
            return found
    return None


def _disagreement(
    document: Document, reachable: Collection[int], signed_to: int, headers: Iterable[_Header]
) -> int | None:
    if begins_otherwise(document, signed_to) or _is_packed_into_nothing(document):
        return UNDECIDED
    roots = {root[0] for each in document.sections if isinstance(root := each.trailer.get("Root"), Ref)}
    own = {each.offset for each in _sections(document)}
    contents = _contents(document)
    rebuilt: dict[int, tuple[int, int]] = {}
    # Numbers that were packed ever: some readers that rebuild the file find none of them, others prefer them.
    packed: set[int] = set()
    for header in headers:
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
        found = _object(document, header)
        if found is None:
            if number in reachable:
                return number
            continue
        if number in reachable and (found.loose or (number in contents and _stays_open(document, found))):
            # Readers go on into what came later.
            return number
        if number not in roots and found.start not in own and _is_a_beginning(document, found.value):
            return number
        members = _members(document, found)
        if members is None:
            return number
        if _is_counted_otherwise(document, found, members, reachable):
            return number
        for member, value in members.values.items():
            rebuilt[member] = (Place.IN_STREAM, at)
            packed.add(member)
            if member not in roots and _is_a_beginning(document, value):
                return member
    if not packed.isdisjoint(reachable) and _may_be_rebuilt(document, reachable):
        return UNDECIDED
    for number, place in rebuilt.items():
        entry = document.entries.get(number, FREE)
        if entry.place == Place.FREE or (entry.place == Place.IN_FILE and entry.a == 0):
            if number in reachable:
                return number
            continue
        holder = document.object(number if entry.place == Place.IN_FILE else entry.a)
        if holder is None or place != (entry.place, holder.start):
            return number
    return None


def _sections(document: Document) -> Iterator[Section]:
    for each in document.sections:
        yield each
        if each.companion is not None:
            yield each.companion


def hides_objects(document: Document, signed: Sequence[Document]) -> bool:
    """Tells whether some reader no longer finds, behind an update, objects that a hybrid file lists in its stream alone
    (ISO 32000-1, 7.5.8.4): one that looks for it beside the newest table only, or not behind a newest stream. `signed`:
    the earlier versions.
    """
    if any(version.sections[0].companion is not None for version in signed):
        return True
    is_hybrid = any(section.companion is not None for section in document.sections)
    oldest = min(len(version.sections) for version in signed)
    later = document.sections[: len(document.sections) - oldest]
    return is_hybrid and any(section.kind == "stream" for section in later)


def begins_otherwise(document: Document, signed_to: int) -> bool:
    """Tells whether some reader may begin with another trailer than the last one of the chain. `signed_to`: where the
    first signed version ends. Raises PdfError.
    """
    tables = sum(each.kind == "table" for each in document.sections)
    if sum(1 for _ in _TRAILER.finditer(document.data, 0, document.end)) > tables:
        return True
    # One that rebuilds takes the last in the file, or the first. The older half of a linearised file names no catalog.
    named = [(each.offset, each.trailer["Root"]) for each in document.sections if "Root" in each.trailer]
    if any(root != named[0][1] for _, root in named) and named != sorted(named, reverse=True):
        return True
    return _begins_at_its_front(document, signed_to)


def _begins_at_its_front(document: Document, signed_to: int) -> bool:
    """Tells whether readers that take the file for a linearised one find another document: they begin with the section
    at its front and with the page that is named there, as long as the file has the length that is stated there (ISO
    32000-1, F.3.3).
    """
    try:
        # The header is a comment to those that read the file from its first byte.
        found = document.object_at(skip(document.data, 0, document.census))
        if not isinstance(found.value, Dict) or "Linearized" not in found.value:
            return b"Linearized" in document.data[:_NEAR_BEGINNING]
        length = found.value.get("L")
        if type(length) is int and length < signed_to:
            return False
        return type(length) is not int or not _is_as_stated(document.until(length), found)
    except PdfError as cause:
        if cause.limit:
            raise
        return True


def _is_as_stated(linearised: Document, stated: PdfObject) -> bool:
    front = _SPACE.match(linearised.data, stated.end)
    pages = [ref[0] for ref, _ in linearised.pages()]
    value = stated.value
    return (
        front is not None
        and linearised.data.find(b"endobj") + len(b"endobj") == stated.end
        and linearised.sections[0].offset == front.end()
        and value.get("P", 0) == 0
        and value.get("N") == len(pages)
        and value.get("O") == pages[0]
    )


def _may_be_rebuilt(document: Document, reachable: Collection[int]) -> bool:
    """Tells whether some reader does not take the file as its sections say, or looks in all of it for an object that is
    not there.
    """
    if any(document.entries.get(number, FREE).place == Place.FREE for number in reachable):
        return True
    kinds = [each.kind for each in document.sections]
    if "table" in kinds and "stream" in kinds[kinds.index("table") :]:
        # Of a table behind a stream some readers make nothing.
        return True
    data, end = document.data, document.end
    if any(each.odd or type(size := each.trailer.get("Size")) is not int or size <= 0 for each in document.sections):
        return True
    if any(entry.place == Place.IN_FILE and entry.a >= end for entry in document.entries.values()):
        return True
    starts = {each.offset for each in _sections(document)}
    return any(int(found[1]) not in starts | {0} for found in _STARTXREF.finditer(data, 0, end))


def _is_packed_into_nothing(document: Document) -> bool:
    """Tells whether an object, whatever leads to it, is said to be in an object stream that is none or does not hold
    it: some readers rebuild the file for that.
    """
    packed: dict[int, list[int]] = {}
    for number, entry in document.entries.items():
        if entry.place == Place.IN_STREAM:
            packed.setdefault(entry.a, []).append(number)
    for container, numbers in packed.items():
        try:
            if not document.members(container).values.keys() >= set(numbers):
                return True
        except PdfError as cause:
            if cause.limit:
                raise
            return True
    return False


def _is_a_beginning(document: Document, value: Any) -> bool:
    """Tells whether a reader that rebuilds the file may take the value for a catalog or a trailer."""
    if not isinstance(value, Dict):
        return False
    return not {"Root", "Pages"}.isdisjoint(value) or document.resolve(value.get("Type")) == "Catalog"


def _other_numbers(data: bytes, at: int) -> Iterator[int]:
    """Yields what the number at `at` is to readers that cut long lines within it."""
    if any(each in data[max(0, at - _SHORTEST_LINE) : at] for each in (b"\r", b"\n")):
        return
    found = _NUMBER.match(data, at, at + _LONGEST_NUMBER)
    digits = b"" if found is None else found[0]
    yield from (int(digits[begin:]) for begin in range(1, len(digits)))


def _object(document: Document, header: _Header) -> PdfObject | None:
    try:
        found = document.object_at(header.at)
    except PdfError as cause:
        if cause.limit:
            raise
        return None
    return found if found.number == header.number else None


def _contents(document: Document) -> set[int]:
    """Numbers of the content streams of the pages. Raises PdfError."""
    found: set[int] = set()
    for _, page in document.pages():
        listed = page.get("Contents")
        values = document.resolve(listed)
        found.update(each[0] for each in (values if isinstance(values, list) else [listed]) if isinstance(each, Ref))
    return found


def _stays_open(document: Document, holder: PdfObject) -> bool:
    """Tells whether a content stream that is not packed ends inside a string."""
    if holder.stream is None or holder.value.get("Filter") is not None:
        return False
    data = _ESCAPED.sub(b"", document.data[slice(*holder.stream)])
    return data.count(b"(") > data.count(b")")


def _is_counted_otherwise(document: Document, holder: PdfObject, members: Members, reachable: Collection[int]) -> bool:
    """Tells whether some reader finds other members in an object stream: it goes by their order, or by their index."""
    for index, number in enumerate(members.numbers):
        entry = document.entries.get(number, FREE)
        is_packed = entry.place == Place.IN_STREAM and entry.a == holder.number and number in reachable
        if is_packed and (entry.b != index or not members.ordered):
            return True
    return False


def _members(document: Document, holder: PdfObject) -> Members | None:
    """The objects of an object stream, listed or not; of any other object none. None when it cannot be read here."""
    value = holder.value
    if holder.stream is None or not isinstance(value, Dict) or value.get("Type") != "ObjStm":
        return _NO_MEMBERS
    try:
        return document.members_of(holder)
    except PdfError as cause:
        if cause.limit:
            raise
        return None
