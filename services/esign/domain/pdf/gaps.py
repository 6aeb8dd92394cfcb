"""Tells whether what a signature leaves unsigned belongs to that signature alone (ISO 32000-2, 12.8.1).

Nobody signs the bytes of /Contents: the padding and what a CMS holds beside its signed attributes are anybody's. They
may be pixels or text where another object reaches over them, and every offset in the file means something else where
the same signed bytes have their gap in another place.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.rebuilt import headers
from services.esign.domain.pdf.sections import FREE, Place
from services.esign.domain.pdf.signatures import PdfSignature
from services.esign.domain.pdf.syntax import SEEN_MOST_BYTES, Dict, PdfError, Ref

_WORD = b"/ByteRange"
# One spelling: the numbers stand in the dictionary itself.
_SPACE = rb"[\x00\t\n\f\r ]"
_RANGE = re.compile(rb"/ByteRange%b*\[%b*(?:\d{1,10}%b+){3}\d{1,10}%b*\]" % ((_SPACE,) * 4))
_NO_VALUE = re.compile(rb"/ByteRange(?:%b*[^\[\d%%\x00\t\n\f\r ]|[^\[\d%%\x00\t\n\f\r ])" % _SPACE)
# What ends where every reader has it end: no comment, no string but short plain ones; one stream of a stated length.
_PLAIN = re.compile(rb"[^()%]*(?:\([^()\\%]{0,200}\)[^()%]*)*")
_STREAM = re.compile(rb"\s{0,8}\d+ \d+ obj\s*<<([^()%#]*?)>>\s*stream\r?\n")
_LENGTH = re.compile(rb"/Length[\s]+(\d{1,10})[\s]*(?=[/>]|\Z)")
_END = re.compile(rb"\s{0,8}endstream\s+endobj\b")
# What readers pass over before and between.
_BLANK = rb"(?>(?:[\x00\t\n\f\r ]|%[^\r\n]*[\r\n])*)"
_SECTION = re.compile(rb"%b(?:xref|\d+%b\d+%bobj)" % (_BLANK, _BLANK, _BLANK))
_HEADER = re.compile(rb"%b(\d{1,10})%b\d+%bobj" % (_BLANK, _BLANK, _BLANK))
# What follows the number of an object in a reference to it.
_REST_OF_REFERENCE = rb"(?=[\x00\t\n\f\r %%])%b\+?\d{1,10}%bR(?![^\x00\t\n\f\r ()<>\[\]{}/%%])" % (_BLANK, _BLANK)
# The catalog's permissions (ISO 32000-2, 12.8.6) name signatures.
_PERMISSIONS = frozenset({"DocMDP", "UR", "UR3"})
_WORD_OF_OBJECTS = re.compile(rb"obj")
# White space between where an entry leads and its object.
_NEAR_ITS_ENTRY = 64
# "obj" and "endobj".
_OF_ONE = 2


def is_elsewhere(document: Document, present: Sequence[PdfSignature], places: int) -> bool:
    """Tells whether the bytes that a signature signs may have their gap in another place, too. `places`: how often the
    file has the word /ByteRange.
    """
    own = set()
    for each in present:
        holder = document.object(each.number)
        found = None if holder is None else _own_range(document.data, holder)
        if found is None:
            return True
        own.add(found)
    for at in _places(document) if places > len(own) else ():
        if at in own:
            continue
        match = _RANGE.match(document.data, at, document.end)
        if match is None and _NO_VALUE.match(document.data, at, document.end):
            # Somebody writes about it.
            continue
        if match is None:
            return True
        _, gap_start, _, rest = map(int, re.findall(rb"\d+", match[0]))
        if any(at < each.covered_to and gap_start + rest == _signed(each) for each in present):
            return True
    return False


def _own_range(data: bytes, holder: PdfObject) -> int | None:
    """Returns where a signature's dictionary has its /ByteRange; None where it is not written once, in one spelling."""
    at = data.find(_WORD, holder.start, holder.end)
    return at if at >= 0 and _RANGE.match(data, at) and data.find(_WORD, at + 1, holder.end) < 0 else None


def _places(document: Document) -> Iterator[int]:
    at = document.data.find(_WORD, 0, document.end)
    while at >= 0:
        yield at
        at = document.data.find(_WORD, at + 1, document.end)


def _signed(signature: PdfSignature) -> int:
    """The number of bytes that a signature signs."""
    return signature.gap[0] + signature.covered_to - signature.gap[1]


def is_a_file_without(version: Document, signature: PdfSignature) -> bool:
    """Tells whether the bytes that a signature signs are a document by themselves: what was signed may have been that
    file, and this one, in which everything behind the gap has moved, another. `version`: the one that was signed.
    """
    first, last = signature.gap
    data, moved = version.data, last - first
    if version.startxref >= first:
        return _SECTION.match(data, version.startxref + moved, version.end) is not None
    # A linearised one begins at its front in both; what lies behind the gap is found in one of them.
    sections = (each.offset for each in version.sections if each.offset >= first)
    entries = ((n, e.a) for n, e in version.entries.items() if e.place == Place.IN_FILE and e.a >= first)
    return any(_SECTION.match(data, at + moved, version.end) for at in sections) or any(
        found is not None and int(found[1]) == number
        for number, at in entries
        for found in (_HEADER.match(data, at + moved, version.end),)
    )


def is_shared(document: Document, *present: PdfSignature) -> bool:
    """Tells whether another object, as some reader comes to it, holds a signature's gap as well, or what was signed may
    be another document to readers that rebuild it: they take the last object of a number. Raises PdfError.
    """
    data, gaps, until = document.data, sorted(each.gap[0] for each in present), present[-1].covered_to
    holders = ((document.object(each.number), each.gap[0]) for each in present)
    own = {holder.start: gap for holder, gap in holders if holder is not None}
    words = [found.start() for found in _WORD_OF_OBJECTS.finditer(data, 0, until)]
    seen = 0
    for at, following in pairwise([*_beginnings(document, until), until]):
        first, seen = seen, bisect_left(words, following, seen)
        count = seen - first
        if count == 0 or (at in own and count <= _OF_ONE):
            continue
        if count == _OF_ONE and (
            _is_plain_text(data[at:following])
            if following - at <= SEEN_MOST_BYTES
            else _ends_plainly(data, at, words[seen - 1], following)
        ):
            continue
        for header in headers(data, at, following):
            end = _end_of(document, header.at)
            if any(header.at < gap < end and own.get(header.at) != gap for gap in gaps):
                return True
            if end > header.at and _comes_later(document, header.number, header.at):
                return True
    return _leads_elsewhere(document, until)


def is_pointed_at(document: Document, versions: Sequence[Document], *present: PdfSignature) -> bool:
    """Tells whether more leads to a signature's dictionary than its field and the catalog's permissions: some readers
    show its /Contents as the text of a note that names it. `versions`: the document, and as it was signed. Raises
    PdfError.
    """
    fields = {each.number: each.field for each in present}
    for version in versions:
        packed = (number for number, entry in version.entries.items() if entry.place == Place.IN_STREAM)
        if any(_points_at(version.value(number), number, fields) for number in packed):
            return True
    begins = sorted(_beginnings(document, document.end))
    for at in _references(document, fields):
        try:
            holder = document.object_at(begins[bisect_right(begins, at) - 1])
        except PdfError as cause:
            if cause.limit:
                raise
            return True
        if holder.stream is not None and holder.stream[0] <= at < holder.stream[1]:
            continue
        if holder.end <= at or _points_at(holder.value, holder.number, fields):
            return True
    return False


def _references(document: Document, numbers: Mapping[int, int]) -> Iterator[int]:
    """Yields where the file may have a reference to one of these objects, in whichever spelling."""
    for number in numbers:
        for found in re.compile(b"%d%b" % (number, _REST_OF_REFERENCE)).finditer(document.data, 0, document.end):
            before = document.data[max(0, found.start() - 16) : found.start()].rstrip(b"0")
            if not before[-1:].isdigit():
                yield found.start()


def _points_at(value: Any, number: int, fields: Mapping[int, int]) -> bool:
    """Tells whether the value of the object `number` has a reference to a signature that is not lawful. `fields`: each
    signature's number, and its field's.
    """
    waiting: list[tuple[Any, str]] = [(value, "")]
    while waiting:
        each, key = waiting.pop()
        if isinstance(each, Ref):
            if each[0] in fields and key not in _PERMISSIONS and (key != "V" or fields[each[0]] != number):
                return True
        elif isinstance(each, dict):
            # Only the field's own entry is its value.
            keys = each.keys() if each is value else each.keys() & _PERMISSIONS
            waiting += ((inner, name if name in keys else "") for name, inner in each.items())
        elif isinstance(each, list):
            waiting += ((inner, "") for inner in each)
    return False


def _comes_later(document: Document, number: int, at: int) -> bool:
    """Tells whether an object stands behind the one of its number that the sections lead to."""
    entry = document.entries.get(number, FREE)
    return entry.place == Place.IN_FILE and at > entry.a + _NEAR_ITS_ENTRY


def _leads_elsewhere(document: Document, until: int) -> bool:
    """Tells whether a reader that rebuilds the file finds a trailer that no section has."""
    tables = sum(each.kind == "table" for each in document.sections)
    return document.data.count(b"trailer", 0, until) > tables


def _beginnings(document: Document, before: int) -> list[int]:
    """Returns where the file has objects by any of its sections, and where it begins."""
    found = {0}
    for section in document.sections:
        found.update(e.a for e in section.entries.values() if e.place == Place.IN_FILE and e.a < before)
    return sorted(found)


@lru_cache(maxsize=1024)
def _is_plain_text(text: bytes) -> bool:
    """Certificates of one template share most of their objects: the same text is looked at once."""
    return _ends_plainly(text, 0, text.rfind(b"obj"), len(text))


def _ends_plainly(data: bytes, at: int, last: int, end: int) -> bool:
    """`last`: where the last word of an object stands in the text from `at` to `end`."""
    if data.find(b"stream", at, last) < 0:
        # What is opened by a bracket is closed: digits go on as long as nothing ends them.
        closed = data.startswith(b"end", last - 3) and data.count(b"<", at, last) == data.count(b">", at, last)
        return closed and _PLAIN.fullmatch(data, at, last) is not None
    head = _STREAM.match(data, at, end)
    if head is None or head[1].count(b"<") != head[1].count(b">"):
        return False
    lengths = _LENGTH.findall(head[1])
    return len(lengths) == 1 and _END.match(data, head.end() + int(lengths[0]), end) is not None


def _end_of(document: Document, start: int) -> int:
    """Returns where the object at `start` ends, by its length or by its last word, whichever is farther."""
    try:
        found = document.object_at(start)
    except PdfError as cause:
        if cause.limit:
            raise
        # Text that looks like an object to one reader, and is none to this one.
        return start
    length = found.value.get("Length") if found.stream is not None and isinstance(found.value, Dict) else None
    try:
        stated = document.resolve(length)
    except PdfError as cause:
        if cause.limit:
            raise
        return document.end
    return max(found.end, found.stream[0] + stated if found.stream is not None and type(stated) is int else 0)
