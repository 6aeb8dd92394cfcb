"""A strict PDF reader for judging signatures: every byte of the file has to belong to something.

The file is walked from its first byte to its last: header, objects, cross-reference sections, trailers. The tables
must agree with what the walk found, each revision's /Prev with the revision before it. Hybrid cross-reference (two
answers to one question), an object twice in one revision, bytes between objects and linearised files are refused.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.esign.domain.pdf_syntax import Census, Cursor, Dict, Name, PdfError, Ref, Seen

# What we upload to ourselves is 50 kB; foreign documents may be larger, but bounded in bytes, objects, revisions and
# expansion.
MAX_BYTES = 20 * 1024 * 1024
MAX_OBJECTS = 10_000
MAX_REVISIONS = 64
MAX_EXPANDED = 16 * 1024 * 1024

_SPACE = re.compile(rb"[\x00\t\n\f\r ]*")
_HEADER = re.compile(rb"%PDF-(1\.[3-7]|2\.0)(?:\r\n|\r|\n)(?:%[^\r\n]{0,64}(?:\r\n|\r|\n))?")
_OBJECT = re.compile(rb"[\x00\t\n\f\r ]*(\d{1,10}) (\d{1,5}) obj(?![^\x00\t\n\f\r ()<>\[\]{}/%])")
_STREAM = re.compile(rb"[\x00\t\n\f\r ]*stream(?:\r\n|\n)")
_ENDSTREAM = re.compile(rb"(?:\r\n|\r|\n)?endstream(?![^\x00\t\n\f\r ()<>\[\]{}/%])")
_ENDOBJ = re.compile(rb"[\x00\t\n\f\r ]*endobj(?![^\x00\t\n\f\r ()<>\[\]{}/%])")
_STARTXREF = re.compile(rb"startxref(?:\r\n|\r|\n)(\d{1,10})(?:\r\n|\r|\n)%%EOF(?:\r\n|\r|\n)?")
_SUBSECTION = re.compile(rb"[\x00\t\n\f\r ]*(\d{1,10}) (\d{1,10})[ ]?(?:\r\n|\r|\n)")
_TRAILER = re.compile(rb"[\x00\t\n\f\r ]*trailer(?![^\x00\t\n\f\r ()<>\[\]{}/%])")
# Rows of a table: twenty bytes each.
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])")
_ENTRIES = re.compile(rb"(?:\d{10} \d{5} [nf](?: \r| \n|\r\n))*")
_ENTRY_SIZE = 20

_SEEN = Seen()


@dataclass(slots=True)
class PdfObject:
    """An indirect object as it stands in the file: its value, its bytes from `start` to `end`, its stream data if
    any.
    """

    number: int
    generation: int
    start: int
    end: int
    value: Any
    stream: tuple[int, int] | None = None


@dataclass(slots=True)
class Revision:
    """What one save added. `end` is the offset after its %%EOF; `xref_kind` table or stream."""

    objects: dict[int, PdfObject]
    trailer: Dict
    xref_offset: int
    xref_kind: str
    freed: set[int] = field(default_factory=set)
    packed: dict[int, tuple[int, int]] = field(default_factory=dict)
    end: int = 0


class Document:
    """A document read strictly. `census` knows every name in it, those in object streams included."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_BYTES:
            raise PdfError("TOO_LARGE", f"more than {MAX_BYTES} bytes")
        self.data = data
        self.census = Census()
        self.revisions: list[Revision] = []
        self._expanded = 0
        self._catalog: Dict | None = None
        self._packed: dict[int, dict[int, Any]] = {}
        self._walk()
        self._chain()

    @property
    def trailer(self) -> Dict:
        return self.revisions[-1].trailer

    def object(self, number: int) -> PdfObject | None:
        """The object's newest version that stands in the file by itself (not inside an object stream)."""
        for revision in reversed(self.revisions):
            if number in revision.freed or number in revision.packed:
                return None
            if number in revision.objects:
                return revision.objects[number]
        return None

    def resolve(self, value: Any) -> Any:
        """The value behind a reference; null when it leads nowhere (ISO 32000-1, 7.3.10)."""
        for _ in range(8):
            if not isinstance(value, Ref):
                return value
            value = self._newest(value[0])
        raise PdfError("REFERENCE_LOOP", "references lead in a circle")

    def catalog(self) -> Dict:
        """The document catalog. Raises PdfError."""
        if self._catalog is None:
            catalog = self.resolve(self.trailer.get("Root"))
            if not isinstance(catalog, Dict) or catalog.get("Type") != "Catalog":
                raise PdfError("CATALOG", "no document catalog")
            self._catalog = catalog
        return self._catalog

    def first_page(self) -> tuple[Ref, Dict]:
        """Reference and dictionary of the first page. Raises PdfError."""
        ref, seen = self.catalog().get("Pages"), 0
        while isinstance(ref, Ref) and (seen := seen + 1) < 32:
            node = self.resolve(ref)
            if not isinstance(node, Dict):
                break
            if node.get("Type") == "Page":
                return ref, node
            kids = self.resolve(node.get("Kids"))
            ref = kids[0] if isinstance(kids, list) and kids else None
        raise PdfError("PAGES", "no first page")

    def pages(self) -> list[tuple[Ref, Dict]]:
        """Reference and dictionary of each page, in order. Raises PdfError."""
        waiting: list[Any] = [self.catalog().get("Pages")]
        found: list[tuple[Ref, Dict]] = []
        seen: set[Any] = set()
        while waiting:
            ref = waiting.pop()
            node = self.resolve(ref)
            if not isinstance(ref, Ref) or not isinstance(node, Dict) or ref in seen:
                raise PdfError("PAGES", "the pages are no tree")
            seen.add(ref)
            if node.get("Type") == "Page":
                found.append((ref, node))
            else:
                kids = self.resolve(node.get("Kids"))
                waiting += reversed(kids) if isinstance(kids, list) else []
        if not found:
            raise PdfError("PAGES", "no first page")
        return found

    def value_at(self, number: int, revision: int) -> Any:
        """The object's value as the document was after the save with this index; null when there was none."""
        return self._among(number, self.revisions[: revision + 1])

    def _newest(self, number: int) -> Any:
        return self._among(number, self.revisions)

    def _among(self, number: int, revisions: Sequence[Revision]) -> Any:
        for revision in reversed(revisions):
            if number in revision.freed:
                return None
            if number in revision.packed:
                return self._unpack(revision.packed[number][0]).get(number)
            if number in revision.objects:
                return revision.objects[number].value
        return None

    def stream_of(self, holder: PdfObject) -> bytes:
        """What is in the stream, filters undone. Raises PdfError."""
        return self._decode(holder)

    # The walk: bytes to objects and sections.

    def _walk(self) -> None:
        header = _HEADER.match(self.data)
        if header is None:
            raise PdfError("NOT_A_PDF", "no PDF header at the first byte")
        at, size = header.end(), len(self.data)
        objects: dict[int, PdfObject] = {}
        section: Revision | None = None
        total = 0
        while at < size:
            if section is None and (match := _OBJECT.match(self.data, at)) is not None:
                found = self._object(match)
                if found.number in objects:
                    raise PdfError("DUPLICATE_OBJECT", f"object {found.number} twice in one revision")
                objects[found.number] = found
                at = found.end
                if (total := total + 1) > MAX_OBJECTS:
                    raise PdfError("TOO_MANY_OBJECTS", f"more than {MAX_OBJECTS} objects")
                continue
            at = _skip(self.data, at)
            if at == size:
                break
            if self.data.startswith(b"xref", at) and section is None:
                section, at = self._table(at, objects)
            elif (match := _STARTXREF.match(self.data, at)) is not None:
                section = section or self._xref_stream(int(match[1]), objects)
                if int(match[1]) != section.xref_offset:
                    raise PdfError("STARTXREF", f"startxref at {at} does not point at its own section")
                section.end = at = match.end()
                self.revisions.append(section)
                if len(self.revisions) > MAX_REVISIONS:
                    raise PdfError("TOO_MANY_REVISIONS", f"more than {MAX_REVISIONS} revisions")
                objects, section = {}, None
            else:
                raise PdfError("STRAY_BYTES", f"bytes at {at} belong to nothing")
        if objects or section is not None or not self.revisions:
            raise PdfError("UNFINISHED", "the file does not end with a finished revision")
        if self.data[self.revisions[-1].end :]:
            raise PdfError("STRAY_BYTES", "bytes after the end of the file")

    def _object(self, match: re.Match[bytes]) -> PdfObject:
        data, at, number = self.data, match.end(), int(match[1])
        # The dictionary's text ends before the first of these words, unless one is inside a string of it.
        end = data.find(b"endobj", at)
        stop = data.find(b"stream", at, end)
        value, at = _SEEN.read(data, at, stop if stop >= 0 else end, self.census)
        stream = None
        if isinstance(value, Dict) and (begin := _STREAM.match(data, at)) is not None:
            length = value.get("Length")
            if isinstance(length, int) and 0 <= length <= len(data):
                end = begin.end() + length
                closing = _ENDSTREAM.match(data, end)
            else:
                # /Length is elsewhere: the first endstream closes; _chain checks that the two agree.
                closing = _ENDSTREAM.search(data, begin.end())
                end = closing.start() if closing else 0
            if closing is None:
                raise PdfError("STREAM_LENGTH", f"stream of object {number} does not end where it says")
            stream, at = (begin.end(), end), closing.end()
        ending = _ENDOBJ.match(data, at)
        if ending is None:
            raise PdfError("SYNTAX", f"object {number} does not end with endobj")
        return PdfObject(number, int(match[2]), match.start(1), ending.end(), value, stream)

    def _table(self, offset: int, objects: dict[int, PdfObject]) -> tuple[Revision, int]:
        at = offset + 4
        listed: dict[int, tuple[int, int]] = {}
        freed: set[int] = set()
        while (trailer := _TRAILER.match(self.data, at)) is None:
            head = _SUBSECTION.match(self.data, at)
            if head is None or int(head[2]) > MAX_OBJECTS * 2:
                raise PdfError("XREF", f"cross-reference table at {offset} is malformed")
            at, first, count = head.end(), int(head[1]), int(head[2])
            end = at + count * _ENTRY_SIZE
            if _ENTRIES.fullmatch(self.data, at, end) is None or end > len(self.data):
                raise PdfError("XREF", f"cross-reference entries from object {first} on are malformed")
            for number, (place, generation, kind) in enumerate(_ENTRY.findall(self.data, at, end), first):
                if number in listed or number in freed:
                    raise PdfError("XREF", f"cross-reference entry of object {number} is repeated")
                if kind == b"n":
                    listed[number] = (int(place), int(generation))
                else:
                    freed.add(number)
            at = end
        cursor = Cursor(self.data, trailer.end(), self.census)
        value = cursor.value()
        if not isinstance(value, Dict):
            raise PdfError("TRAILER", "trailer is not a dictionary")
        if "XRefStm" in value:
            raise PdfError("HYBRID_XREF", "hybrid cross-reference: two tables for two kinds of reader")
        revision = Revision(objects, value, offset, "table", freed - {0})
        self._agree(revision, listed)
        return revision, cursor.at

    def _xref_stream(self, offset: int, objects: dict[int, PdfObject]) -> Revision:
        holder = next((o for o in objects.values() if o.start == offset), None)
        if holder is None or holder.stream is None or holder.value.get("Type") != "XRef":
            raise PdfError(
                "LINEARIZED" if b"/Linearized" in self.data[:1024] else "STARTXREF",
                f"no cross-reference section at {offset}",
                unsupported=b"/Linearized" in self.data[:1024],
            )
        value: Dict = holder.value
        widths, size = value.get("W"), value.get("Size")
        if (
            not isinstance(widths, list)
            or len(widths) != 3
            or not all(isinstance(w, int) and 0 <= w <= 8 for w in widths)
        ):
            raise PdfError("XREF", "cross-reference stream without usable /W")
        if not isinstance(size, int) or not 0 < size <= MAX_OBJECTS * 4:
            raise PdfError("XREF", "cross-reference stream without usable /Size")
        rows = self._decode(holder)
        index = value.get("Index", [0, size])
        numbers = _numbers(index)
        if len(rows) != len(numbers) * sum(widths) or len(set(numbers)) != len(numbers):
            raise PdfError("XREF", "cross-reference stream does not have the rows it says")
        listed: dict[int, tuple[int, int]] = {}
        freed: set[int] = set()
        packed: dict[int, tuple[int, int]] = {}
        first, second = widths[0], widths[0] + widths[1]
        for row, number in enumerate(numbers):
            raw = rows[row * sum(widths) : (row + 1) * sum(widths)]
            kind = int.from_bytes(raw[:first], "big") if first else 1
            a, b = int.from_bytes(raw[first:second], "big"), int.from_bytes(raw[second:], "big")
            if kind == 0:
                freed.add(number)
            elif kind == 1:
                listed[number] = (a, b)
            elif kind == 2:
                packed[number] = (a, b)
            else:
                raise PdfError("XREF", f"cross-reference entry of unknown kind {kind}")
        # The stream itself may be left out of its own table.
        listed.setdefault(holder.number, (holder.start, holder.generation))
        revision = Revision(objects, value, offset, "stream", freed - {0}, packed)
        self._agree(revision, listed)
        return revision

    def _agree(self, revision: Revision, listed: dict[int, tuple[int, int]]) -> None:
        """The table lists what the walk found, and nothing else but unchanged older objects."""
        for number, found in revision.objects.items():
            if listed.get(number) != (found.start, found.generation):
                raise PdfError("UNLISTED_OBJECT", f"object {number} is in the file but not in its table")
        for number, place in listed.items():
            if number not in revision.objects:
                older = self.object(number)
                if older is None or (older.start, older.generation) != place:
                    raise PdfError("XREF", f"cross-reference entry of object {number} points at something else")

    # The chain: sections to a document.

    def _chain(self) -> None:
        previous: int | None = None
        for revision in self.revisions:
            if revision.trailer.get("Prev") != previous:
                raise PdfError("REVISION_CHAIN", "a revision does not continue the one before it")
            previous = revision.xref_offset
            if not isinstance(revision.trailer.get("Root"), Ref):
                raise PdfError("TRAILER", "trailer without /Root")
            if "Encrypt" in revision.trailer:
                raise PdfError("ENCRYPTED", "the document is encrypted", unsupported=True)
        for revision in self.revisions:
            for found in revision.objects.values():
                if found.stream is not None:
                    length = self.resolve(found.value.get("Length"))
                    if length != found.stream[1] - found.stream[0]:
                        raise PdfError(
                            "STREAM_LENGTH", f"stream of object {found.number} has another length than it says"
                        )
            for container, _ in revision.packed.values():
                self._unpack(container)

    def _unpack(self, container: int) -> dict[int, Any]:
        if container not in self._packed:
            holder = self.object(container)
            if holder is None or holder.stream is None or holder.value.get("Type") != "ObjStm":
                raise PdfError("OBJECT_STREAM", f"object {container} is not an object stream")
            count, first = holder.value.get("N"), holder.value.get("First")
            if not isinstance(count, int) or not isinstance(first, int) or not 0 <= count <= MAX_OBJECTS:
                raise PdfError("OBJECT_STREAM", f"object stream {container} is malformed")
            data = self._decode(holder)
            head = data[:first].split()
            if len(head) != 2 * count or not all(part.isdigit() for part in head):
                raise PdfError("OBJECT_STREAM", f"object stream {container} is malformed")
            members: dict[int, Any] = {}
            for number, offset in zip(head[::2], head[1::2], strict=True):
                if int(number) in members:
                    raise PdfError("DUPLICATE_OBJECT", f"object {int(number)} twice in one object stream")
                members[int(number)] = Cursor(data, first + int(offset), self.census).value()
            self._packed[container] = members
        return self._packed[container]

    def _decode(self, holder: PdfObject) -> bytes:
        assert holder.stream is not None
        raw = self.data[holder.stream[0] : holder.stream[1]]
        filters = holder.value.get("Filter")
        if filters is None:
            return raw
        if filters != "FlateDecode" and filters != [Name("FlateDecode")]:
            raise PdfError("FILTER", f"filter of object {holder.number} is not known here", unsupported=True)
        inflate = zlib.decompressobj()
        try:
            out = inflate.decompress(raw, MAX_EXPANDED - self._expanded)
        except zlib.error as cause:
            raise PdfError("FILTER", f"stream of object {holder.number} does not inflate") from cause
        if inflate.unconsumed_tail or not inflate.eof:
            raise PdfError("EXPANSION", "streams expand beyond the limit or are cut short")
        self._expanded += len(out)
        parameters = holder.value.get("DecodeParms")
        if isinstance(parameters, list):
            parameters = parameters[0] if parameters else None
        return _unpredict(out, parameters) if isinstance(parameters, Dict) else out


def _skip(data: bytes, at: int) -> int:
    match = _SPACE.match(data, at)
    assert match is not None
    return match.end()


def _numbers(index: Any) -> list[int]:
    if not isinstance(index, list) or len(index) % 2 or not all(isinstance(n, int) and n >= 0 for n in index):
        raise PdfError("XREF", "cross-reference stream without usable /Index")
    if sum(index[1::2]) > MAX_OBJECTS * 4:
        raise PdfError("TOO_MANY_OBJECTS", "cross-reference stream is too long")
    return [n for start, count in zip(index[::2], index[1::2], strict=True) for n in range(start, start + count)]


def _unpredict(data: bytes, parameters: Dict) -> bytes:
    """Undoes PNG prediction (ISO 32000-1, 7.4.4.4) for 8-bit rows; the cross-reference streams in use know no other."""
    predictor = parameters.get("Predictor", 1)
    if predictor == 1:
        return data
    columns = parameters.get("Columns", 1)
    if not isinstance(predictor, int) or predictor < 10 or not isinstance(columns, int) or not 0 < columns <= 64:
        raise PdfError("FILTER", "predictor is not known here", unsupported=True)
    width = columns + 1
    if len(data) % width:
        raise PdfError("FILTER", "predicted rows are cut short")
    out, above = bytearray(), bytes(columns)
    for start in range(0, len(data), width):
        row, kind = bytearray(data[start + 1 : start + width]), data[start]
        if kind == 2:
            row = bytearray((a + b) & 0xFF for a, b in zip(row, above, strict=True))
        elif kind == 1:
            for i in range(1, columns):
                row[i] = (row[i] + row[i - 1]) & 0xFF
        elif kind != 0:
            raise PdfError("FILTER", "predictor is not known here", unsupported=True)
        out += row
        above = bytes(row)
    return bytes(out)
