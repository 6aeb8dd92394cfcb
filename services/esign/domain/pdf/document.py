"""Reads a PDF as ISO 32000 lets it be written: through its cross-reference sections, object by object, when asked.

What a signer saved may be linearised, hybrid, packed into object streams or full of comments; all of that lies under
the signature. What came after a signature is read by `walk`, which lets no byte stand for nothing. A document as
it was when somebody signed it is the file up to where that signature's coverage ends: `Document.until`.

Work is counted before it is done, for all readings of one file together: see `Census`.
"""

import re
import zlib
from bisect import bisect
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from services.esign.domain.foreign_documents import MOST_BYTES
from services.esign.domain.pdf import sections as pdf_sections
from services.esign.domain.pdf.predictor import unpredicted
from services.esign.domain.pdf.sections import FREE, MAX_ENTRIES, Entry, Place, Section
from services.esign.domain.pdf.syntax import (
    MAX_EXPANDED,
    SEEN_MOST_BYTES,
    Array,
    Census,
    Cursor,
    Dict,
    Name,
    PdfError,
    Ref,
    Seen,
    name_of,
    references_in,
    skip,
)

# Cross-reference sections.
MAX_SECTIONS = 256
# Keys by which a stream's content lies in another file (ISO 32000-1, table 5); some readers take them for short names
# of filters.
ELSEWHERE = frozenset({"F", "FFilter", "FDecodeParms", "DP"})
# Looking through so many bytes is as much work as reading a value.
_SCANNED_A_VALUE = 256
_ANY_NAME = re.compile(rb"/([^\x00\t\n\f\r ()<>\[\]{}/%]{0,256})")
# A reference that leads to a reference is rare; deeper is a circle.
_MAX_HOPS = 8
# Readers look for the header and the last startxref this far from the ends of the file (ISO 32000-1, annex H.3).
_NEAR_ENDS = 1024

HEADER = re.compile(rb"%PDF-(\d\.\d)(?=[\x00\t\n\f\r ])")
_OBJECT = re.compile(
    rb"[\x00\t\n\f\r ]{0,64}(\d{1,10})[\x00\t\n\f\r ]{1,16}(\d{1,5})[\x00\t\n\f\r ]{1,16}"
    rb"obj(?![^\x00\t\n\f\r ()<>\[\]{}/%])"
)
_STREAM = re.compile(rb"stream(?:\r\n|\n|\r)")
_ENDSTREAM = re.compile(rb"[\x00\t\n\f\r ]{0,8}endstream(?![^\x00\t\n\f\r ()<>\[\]{}/%])")
_ENDOBJ = re.compile(rb"[\x00\t\n\f\r ]*endobj(?![^\x00\t\n\f\r ()<>\[\]{}/%])")
_STARTXREF = re.compile(rb"startxref[\x00\t\n\f\r ]{1,16}(\d{1,10})[\x00\t\n\f\r ]{1,16}%%EOF")
_SPACE = re.compile(rb"[\x00\t\n\f\r ]*")

_SEEN = Seen()


@dataclass(slots=True)
class PdfObject:
    """An indirect object as it stands in the file: its value, its bytes from `start` to `end`, its stream data if any.
    `loose`: its stream ends elsewhere than /Length says, or `endobj` is missing.
    """

    number: int
    generation: int
    start: int
    end: int
    value: Any
    stream: tuple[int, int] | None = None
    loose: bool = False


@dataclass(slots=True)
class Members:
    """The objects of an object stream: values by number, the numbers in the order of its header. `ordered`: they stand
    in that order; `plain`: with white space between them, too.
    """

    values: dict[int, Any]
    numbers: list[int]
    plain: bool
    ordered: bool


@dataclass(slots=True)
class _Shared:
    """Holds what all readings of one file have in common: the work done, and objects by where they stand."""

    census: Census = field(default_factory=Census)
    objects: dict[int, PdfObject] = field(default_factory=dict)
    members: dict[int, Members] = field(default_factory=dict)
    # Objects and object streams that are being read: what needs itself is never read to its end.
    under_way: set[int] = field(default_factory=set)
    # Entries and sections of all readings.
    entries: int = 0
    sections: dict[int, Section] = field(default_factory=dict)
    references: dict[int, tuple[Ref, ...]] = field(default_factory=dict)
    referring: list[Any] = field(default_factory=list)

    def begin(self, start: int) -> None:
        """The object at `start` is being read, until it is `under_way` no more. Raises PdfError when it is already."""
        if start in self.under_way:
            raise PdfError("REFERENCE_LOOP", f"the object at byte {start} needs itself to be read", unsupported=True)
        self.under_way.add(start)


class Document:
    """A document: the bytes of `data` before `end`, all of them when left out. Raises PdfError."""

    def __init__(self, data: bytes, end: int | None = None, shared: _Shared | None = None) -> None:
        if len(data) > MOST_BYTES:
            raise PdfError("TOO_LARGE", f"more than {MOST_BYTES} bytes", limit=True)
        self.data = data
        self.end = len(data) if end is None else end
        self._shared = shared or _Shared()
        self._catalog: Dict | None = None
        _header(data)
        self.startxref, self.finished = _last_startxref(data, self.end)
        self.entries: dict[int, Entry] = {}
        # The newest first.
        self.sections = list(self._chain(self.startxref))
        for section in reversed(self.sections):
            self.entries.update(section.entries)
        self.trailer = self.sections[0].trailer
        if not isinstance(self.trailer.get("Root"), Ref):
            raise PdfError("TRAILER", "trailer without /Root", unsupported=True)
        if any("Encrypt" in section.trailer for section in self.sections):
            raise PdfError("ENCRYPTED", "the document is encrypted", unsupported=True)

    def until(self, end: int) -> "Document":
        """The document as it was when the file ended at byte `end`. Raises PdfError."""
        return self if end == self.end else Document(self.data, end, self._shared)

    @property
    def census(self) -> Census:
        return self._shared.census

    @property
    def content(self) -> bytes:
        """The document's own bytes."""
        return self.data if self.end == len(self.data) else self.data[: self.end]

    @property
    def kind(self) -> str:
        """`table` or `stream`: how the newest section is written."""
        return self.sections[0].kind

    @property
    def highest(self) -> int:
        """The highest object number in use or freed."""
        return max(self.entries, default=0)

    def object(self, number: int) -> PdfObject | None:
        """The object, when it stands in the file by itself (not inside an object stream). Raises PdfError."""
        entry = self.entries.get(number, FREE)
        if entry.place != Place.IN_FILE or entry.a == 0:
            return None
        found = self.object_at(entry.a)
        if found.number != number:
            raise PdfError("XREF", f"object {number} is not where its entry says", unsupported=True)
        return found

    def value(self, number: int) -> Any:
        """The object's value; null when there is none (ISO 32000-1, 7.3.10). Raises PdfError."""
        entry = self.entries.get(number, FREE)
        if entry.place == Place.IN_STREAM:
            return self.members(entry.a).values.get(number)
        found = self.object(number)
        return None if found is None else found.value

    def is_of_its_generation(self, ref: Ref) -> bool:
        """Tells whether a reference names the generation of its object: behind others some readers find nothing. One to
        nothing is.
        """
        entry = self.entries.get(ref[0], FREE)
        return entry.place == Place.FREE or ref[1] == (entry.b if entry.place == Place.IN_FILE else 0)

    def references(self, value: Any) -> tuple[Ref, ...]:
        """The references in an object's value, found once for all versions of the file."""
        found = self._shared.references.get(id(value))
        if found is None:
            found = tuple(dict.fromkeys(references_in(value)))
            if isinstance(value, (Dict, Array)):
                # The value is kept as long, so that no other has its identity.
                self._shared.references[id(value)] = found
                self._shared.referring.append(value)
        return found

    def resolve(self, value: Any) -> Any:
        """The value behind a reference. Raises PdfError."""
        for _ in range(_MAX_HOPS):
            if not isinstance(value, Ref):
                return value
            value = self.value(value[0])
        raise PdfError("REFERENCE_LOOP", "references lead in a circle", unsupported=True)

    def catalog(self) -> Dict:
        """The document catalog. Raises PdfError."""
        if self._catalog is None:
            catalog = self.resolve(self.trailer.get("Root"))
            if not isinstance(catalog, Dict) or catalog.get("Type", "Catalog") != "Catalog":
                raise PdfError("CATALOG", "no document catalog", unsupported=True)
            self._catalog = catalog
        return self._catalog

    def first_page(self) -> tuple[Ref, Dict]:
        """Reference and dictionary of the first page. Raises PdfError."""
        return next(self._pages())

    def pages(self) -> list[tuple[Ref, Dict]]:
        """Reference and dictionary of each page, in order. Raises PdfError."""
        return list(self._pages())

    def _pages(self) -> Iterator[tuple[Ref, Dict]]:
        waiting: list[Any] = [self.catalog().get("Pages")]
        seen: set[Any] = set()
        found = False
        while waiting:
            ref = waiting.pop()
            node = self.resolve(ref)
            if not isinstance(ref, Ref) or not isinstance(node, Dict) or ref in seen:
                raise PdfError("PAGES", "the pages are no tree", unsupported=True)
            seen.add(ref)
            kids = self.resolve(node.get("Kids"))
            if isinstance(kids, list) and node.get("Type") != "Page":
                waiting += reversed(kids)
            else:
                found = True
                yield ref, node
        if not found:
            raise PdfError("PAGES", "no first page", unsupported=True)

    def read_all(self) -> None:
        """Reads every object, so that `census` knows all names; of what cannot be read all that may be one. Raises
        PdfError for what cannot be read, and at once where it is more work than is given to a file.
        """
        unread: dict[int, PdfError] = {}
        for number, entry in self.entries.items():
            try:
                if entry.place == Place.IN_STREAM:
                    self.members(entry.a)
                else:
                    self.object(number)
            except PdfError as cause:
                if cause.limit:
                    raise
                unread[entry.a if entry.place == Place.IN_FILE else self.entries.get(entry.a, FREE).a] = cause
        if unread:
            places = sorted({self.end, *(each.a for each in self.entries.values() if each.place == Place.IN_FILE)})
            for at in unread:
                self._names_at(at, next(iter(places[bisect(places, at) :]), self.end))
            raise next(iter(unread.values()))

    def _names_at(self, at: int, end: int) -> None:
        """Learns what may be a name in an object, or in an object stream, that cannot be read. `end`: where the next
        object stands.
        """
        data = self.data[at : min(end, self.end)]
        self.census.count(len(data) // _SCANNED_A_VALUE)
        with suppress(PdfError):
            holder = self.object_at(at)
            data += b"" if holder.stream is None else self.stream_of(holder)
        for found in _ANY_NAME.finditer(data):
            with suppress(PdfError):
                self.census.names.add(name_of(found[1]))

    def members(self, container: int) -> Members:
        """The objects of the object stream `container`. Raises PdfError."""
        holder = self.object(container)
        if holder is None:
            raise PdfError("OBJECT_STREAM", f"object {container} is not an object stream", unsupported=True)
        return self.members_of(holder)

    def members_of(self, holder: PdfObject) -> Members:
        """The objects of an object stream. Raises PdfError."""
        value = holder.value
        if holder.stream is None or not isinstance(value, Dict) or value.get("Type") != "ObjStm":
            raise PdfError("OBJECT_STREAM", f"object {holder.number} is not an object stream", unsupported=True)
        found = self._shared.members.get(holder.start)
        if found is None:
            self._shared.begin(holder.start)
            try:
                found = self._shared.members[holder.start] = self._unpack(holder)
            finally:
                self._shared.under_way.discard(holder.start)
        return found

    def stream_of(self, holder: PdfObject) -> bytes:
        """The content of the stream, filters undone. Raises PdfError."""
        assert holder.stream is not None
        raw = self.data[holder.stream[0] : holder.stream[1]]
        if not ELSEWHERE.isdisjoint(holder.value):
            raise PdfError("FILTER", f"readers take object {holder.number} from elsewhere", unsupported=True)
        filters = self.resolve(holder.value.get("Filter"))
        parameters = self.resolve(holder.value.get("DecodeParms"))
        if isinstance(filters, list) and len(filters) <= 1:
            if isinstance(parameters, Dict) or filters == [None]:
                raise PdfError(
                    "FILTER", f"readers undo the filter of object {holder.number} differently", unsupported=True
                )
            filters = self.resolve(filters[0]) if filters else None
            parameters = self.resolve(parameters[0]) if isinstance(parameters, list) and parameters else parameters
        if filters is None:
            return raw
        if not isinstance(filters, Name) or filters not in {"FlateDecode", "Fl"}:
            raise PdfError("FILTER", f"filter of object {holder.number} is not known here", unsupported=True)
        out = self.inflated(raw, holder.number)
        return unpredicted(out, parameters) if isinstance(parameters, Dict) else out

    def inflated(self, raw: bytes, number: int) -> bytes:
        """Inflates deflated bytes of the stream of an object. Raises PdfError."""
        # After the budget was spent once, whatever is read next fails alike.
        most = max(MAX_EXPANDED - self.census.expanded, 0)
        inflate = zlib.decompressobj()
        try:
            out = inflate.decompress(raw, most + 1)
        except zlib.error as cause:
            raise PdfError("FILTER", f"stream of object {number} does not inflate", unsupported=True) from cause
        self.census.expand(len(out))
        return out

    # Sections.

    def _chain(self, offset: int) -> Iterator[Section]:
        seen: set[int] = set()
        at: Any = offset
        while at is not None:
            if type(at) is not int or at in seen:
                raise PdfError("REVISION_CHAIN", "cross-reference sections do not follow one another", unsupported=True)
            if len(seen) >= MAX_SECTIONS:
                raise PdfError("TOO_MANY_REVISIONS", f"more than {MAX_SECTIONS} cross-reference sections", limit=True)
            seen.add(at)
            section = self._section(at)
            yield section
            at = section.trailer.get("Prev")

    def _section(self, offset: int) -> Section:
        shared = self._shared
        found = shared.sections.get(offset)
        if found is None:
            found = self._read_section(offset)
            shared.entries += len(found.entries)
            if shared.entries > MAX_ENTRIES:
                raise PdfError("TOO_MANY_OBJECTS", f"more than {MAX_ENTRIES} cross-reference entries", limit=True)
            shared.sections[offset] = found
        if found.end > self.end:
            raise PdfError("XREF", f"the cross-reference section at {offset} is cut short", unsupported=True)
        return found

    def _read_section(self, offset: int) -> Section:
        if not 0 < offset < self.end:
            raise PdfError("STARTXREF", f"no cross-reference section at {offset}", unsupported=True)
        at = skip(self.data, offset, self.census)
        if not self.data.startswith(b"xref", at):
            return self._stream_section(offset)
        section = self.table(at)
        companion = section.trailer.get("XRefStm")
        if companion is None:
            return section
        if type(companion) is not int or not 0 < companion < self.end:
            raise PdfError("HYBRID_XREF", "the second table of a hybrid file is nowhere", unsupported=True)
        return pdf_sections.hybrid(section, self._stream_section(companion))

    def table(self, offset: int) -> Section:
        """The table whose keyword stands at `offset`, with the trailer behind it. Raises PdfError."""
        return pdf_sections.table(self.data, offset, self.end, self.census)

    def stream_section(self, holder: PdfObject) -> Section:
        """The section that a cross-reference stream is. Raises PdfError."""
        return pdf_sections.of_stream(holder, self.stream_of(holder), self.census)

    def _stream_section(self, offset: int) -> Section:
        holder = self.object_at(offset)
        if holder.stream is None or not isinstance(holder.value, Dict) or holder.value.get("Type") != "XRef":
            raise PdfError("STARTXREF", f"no cross-reference section at {offset}", unsupported=True)
        return self.stream_section(holder)

    # Objects.

    def object_at(self, offset: int) -> PdfObject:
        """The object at `offset`, or behind white space there, as some writers count. Raises PdfError."""
        objects = self._shared.objects
        found = objects.get(offset)
        if found is None:
            match = _OBJECT.match(self.data, offset, self.end)
            if match is None:
                raise PdfError("XREF", f"there is no object at byte {offset}", unsupported=True)
            start = match.start(1)
            found = objects.get(start)
            if found is None:
                self._shared.begin(start)
                try:
                    found = objects[start] = self._read(match)
                finally:
                    self._shared.under_way.discard(start)
            objects[offset] = found
        if found.end > self.end:
            raise PdfError("XREF", f"the object at byte {offset} is cut short", unsupported=True)
        return found

    def _read(self, match: re.Match[bytes]) -> PdfObject:
        data, at, number = self.data, match.end(), int(match[1])
        # The dictionary's text ends before the first of these words, unless one is inside a string of it.
        end = data.find(b"endobj", at, at + SEEN_MOST_BYTES)
        stop = data.find(b"stream", at, end if end >= 0 else at + SEEN_MOST_BYTES)
        value, at = _SEEN.read(data, at, stop if stop >= 0 else end, self.census)
        stream, loose = None, False
        if isinstance(value, Dict):
            behind = skip(data, at, self.census)
            begin = _STREAM.match(data, behind)
            if begin is not None:
                stream, at, loose = self._extent(value, begin.end())
        ending = _ENDOBJ.match(data, at)
        if ending is None:
            behind = skip(data, at, self.census)
            ending = _ENDOBJ.match(data, behind)
        loose = loose or ending is None
        return PdfObject(
            number, int(match[2]), match.start(1), at if ending is None else ending.end(), value, stream, loose
        )

    def _extent(self, value: Dict, begin: int) -> tuple[tuple[int, int], int, bool]:
        """Returns where a stream's data end, where what follows begins, and whether that is not as /Length says."""
        length = value.get("Length")
        if isinstance(length, Ref):
            length = self.value(length[0])
        if type(length) is int and 0 <= length <= len(self.data) - begin:
            closing = _ENDSTREAM.match(self.data, begin + length)
            if closing is not None:
                return (begin, begin + length), closing.end(), False
        # Every reader finds it then by looking for the keyword.
        found = self.data.find(b"endstream", begin, self.end)
        self.census.count(((found if found >= 0 else self.end) - begin) // _SCANNED_A_VALUE)
        if found < 0:
            raise PdfError("STREAM_LENGTH", f"the stream at byte {begin} does not end", unsupported=True)
        return (begin, found), found + len(b"endstream"), True

    def _unpack(self, holder: PdfObject) -> Members:
        """The members, each read from its own bytes only: up to where the next one begins."""
        count, first = self.resolve(holder.value.get("N")), self.resolve(holder.value.get("First"))
        if type(count) is not int or type(first) is not int or not 0 <= count <= MAX_ENTRIES or first < 0:
            raise PdfError("OBJECT_STREAM", f"object stream {holder.number} is malformed", unsupported=True)
        self.census.count(count)
        data = self.stream_of(holder)
        head = data[:first].split(None, 2 * count)[: 2 * count]
        if len(head) != 2 * count or not all(part.isdigit() and len(part) <= 10 for part in head):
            raise PdfError("OBJECT_STREAM", f"object stream {holder.number} is malformed", unsupported=True)
        header = data[:first].translate(None, b"0123456789 \r\n")
        listed = [(first + int(offset), int(number)) for number, offset in zip(head[::2], head[1::2], strict=True)]
        if not listed:
            return Members({}, [], plain=not data.strip(b"\x00\t\n\f\r "), ordered=True)
        places = sorted(listed)
        found = Members({}, [number for _, number in listed], places == listed and not header, places == listed)
        for (at, number), (end, _) in zip(places, [*places[1:], (len(data), 0)], strict=True):
            if number in found.values or at >= end:
                raise PdfError(
                    "OBJECT_STREAM", f"members of object stream {holder.number} overlap or repeat", unsupported=True
                )
            cursor = Cursor(data[at:end], 0, self.census)
            found.values[number] = cursor.value()
            # Two members side by side are one to a reader that does not stop where the first one ends.
            behind = data[at + cursor.at : end]
            found.plain = found.plain and not behind.strip(b"\x00\t\n\f\r ") and (bool(behind) or end == len(data))
        return found


def has_header(data: bytes) -> bool:
    """Tells whether the bytes say that they are a PDF."""
    return HEADER.search(data, 0, _NEAR_ENDS) is not None


def _header(data: bytes) -> None:
    if not data:
        raise PdfError("EMPTY_FILE", "the file is empty", unsupported=True)
    if HEADER.match(data):
        return
    if has_header(data):
        raise PdfError("HEADER_BEHIND", "other bytes stand before the PDF header", unsupported=True)
    raise PdfError("NOT_A_PDF", "no PDF header", unsupported=True)


def _last_startxref(data: bytes, end: int) -> tuple[int, int]:
    """Returns what the last startxref says, and where its line ends. Behind that there is white space only."""
    keyword = data.rfind(b"startxref", max(0, end - _NEAR_ENDS), end)
    match = _STARTXREF.match(data, keyword, end) if keyword >= 0 else None
    if match is None:
        raise PdfError("UNFINISHED", "the file does not end as a PDF does", unsupported=True)
    space = _SPACE.match(data, match.end(), end)
    assert space is not None
    if space.end() != end:
        raise PdfError("STRAY_BYTES", "bytes after the end of the file", unsupported=True)
    return int(match[1]), match.end()
