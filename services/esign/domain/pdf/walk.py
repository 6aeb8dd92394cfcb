"""Walks what lies in a file from one byte on, revision by revision, so that every byte belongs to something.

For what came after a signature, and for what is about to be sealed: here a byte that no reader needs is a byte that
some other reader could find. Objects, cross-reference sections and trailers follow one another with white space and
comments between them; each section lists exactly what stands before it; object streams hold what is listed of them
and nothing else.
"""

import re

from services.esign.domain.pdf.document import HEADER, Document, PdfObject
from services.esign.domain.pdf.sections import FREE, Entry, Place, Section, hybrid
from services.esign.domain.pdf.syntax import Dict, PdfError
from services.esign.domain.pdf.update import Revision, refuse_disagreement

MAX_OBJECTS = 20_000
MAX_REVISIONS = 64
_OBJECT = re.compile(
    rb"(\d{1,10})[\x00\t\n\f\r ]{1,16}(\d{1,5})[\x00\t\n\f\r ]{1,16}obj(?![^\x00\t\n\f\r ()<>\[\]{}/%])"
)
_STARTXREF = re.compile(rb"startxref[\x00\t\n\f\r ]{1,16}(\d{1,10})[\x00\t\n\f\r ]{1,16}%%EOF")
# In an update as the specification writes it: readers differ about any other white space.
_UPDATE_END = re.compile(rb"startxref *(?:\r\n|\r|\n)(\d{1,10}) *(?:\r\n|\r|\n)%%EOF")
_UPDATE_OBJECT = re.compile(rb"[1-9]\d{0,6} \d{1,5} obj(?=[ \t\r\n<\[(/\d-]|true|false|null)")
_SPACE = re.compile(rb"[\x00\t\n\f\r ]*")
# A comment as makers write them: one line of text, in which nobody who repairs a file would find one of its parts.
_COMMENT = re.compile(rb"%[^\x00-\x08\x0b-\x1f\r\n]{0,200}(?=[\r\n]|\Z)")
_PARTS = (b"obj", b"stream", b"xref", b"trailer", b"/", b"<<")
_END_OF_LINE = re.compile(rb"[\t ]{0,4}(?:\r\n|\r|\n)?")


def walk(document: Document, start: int = 0) -> list[Revision]:
    """The revisions from byte `start` on, where an earlier one ends. Raises PdfError."""
    try:
        return _Walk(document, start).revisions()
    except PdfError as cause:
        if start == 0 and b"/Linearized" in document.data[:1024]:
            raise PdfError("LINEARIZED", "the file is linearised", unsupported=True) from cause
        raise


class _Walk:
    def __init__(self, document: Document, start: int) -> None:
        self._document = document
        self._data = document.data
        self._end = document.end
        self._start = start
        self._total = 0

    def revisions(self) -> list[Revision]:
        at = self._start or self._behind_header()
        earlier = None if self._start == 0 else self._document.until(self._start)
        entries = {} if earlier is None else dict(earlier.entries)
        previous = None if earlier is None else earlier.startxref
        found: list[Revision] = []
        while (begin := self._between(at)) < self._end:
            revision = self._revision(at, begin, entries, previous)
            previous, at = revision.startxref, revision.end
            found.append(revision)
            if len(found) > MAX_REVISIONS:
                raise PdfError("TOO_MANY_REVISIONS", f"more than {MAX_REVISIONS} revisions", limit=True)
        return found

    def _behind_header(self) -> int:
        header = HEADER.match(self._data)
        if header is None:
            raise PdfError("NOT_A_PDF", "no PDF header at the first byte")
        # The line that says "binary" holds bytes above 127 (ISO 32000-1, 7.5.2).
        line = re.compile(rb"[\t ]*(?:\r\n|\r|\n)(?:%[^\r\n]{0,64}(?:\r\n|\r|\n))?").match(self._data, header.end())
        if line is None:
            raise PdfError("NOT_A_PDF", "the PDF header is no line of its own")
        return line.end()

    def _between(self, at: int) -> int:
        """Behind white space and comments."""
        while True:
            space = _SPACE.match(self._data, at, self._end)
            assert space is not None
            at = space.end()
            if self._start and not space[0].isspace() and space[0]:
                raise PdfError("STRAY_BYTES", f"bytes before {at} are white space to some readers only")
            if self._data[at : at + 1] != b"%" or at >= self._end:
                if self._start and at < self._end and self._data[at - 1 : at] not in {b"\r", b"\n"}:
                    # Some readers look for parts at the beginnings of lines, and cut long lines.
                    raise PdfError("STRAY_BYTES", f"what stands at {at} does not begin a line")
                return at
            comment = _COMMENT.match(self._data, at, self._end)
            if comment is None or any(part in comment[0] for part in _PARTS):
                raise PdfError("STRAY_BYTES", f"bytes at {at} belong to nothing")
            self._document.census.count(1)
            at = comment.end()

    def _revision(self, start: int, at: int, entries: dict[int, Entry], previous: int | None) -> Revision:
        objects: dict[int, PdfObject] = {}
        while _OBJECT.match(self._data, at, self._end) is not None:
            if self._start and _UPDATE_OBJECT.match(self._data, at, self._end) is None:
                raise PdfError("STRAY_BYTES", f"the object at {at} is not written as objects are")
            found = self._document.object_at(at)
            if found.number in objects:
                raise PdfError("DUPLICATE_OBJECT", f"object {found.number} twice in one revision")
            if found.loose:
                raise PdfError("STREAM_LENGTH", f"object {found.number} does not end where it says")
            objects[found.number] = found
            self._total += 1
            if self._total > MAX_OBJECTS:
                raise PdfError("TOO_MANY_OBJECTS", f"more than {MAX_OBJECTS} objects", limit=True)
            at = self._between(found.end)
        section, at = self._section(at, objects)
        ending = (_UPDATE_END if self._start else _STARTXREF).match(self._data, at, self._end)
        if ending is None:
            raise PdfError("STRAY_BYTES" if at < self._end else "UNFINISHED", f"bytes at {at} belong to nothing")
        startxref = int(ending[1])
        if not 0 < startxref <= section.offset or self._data[startxref : section.offset].strip(b"\x00\t\n\f\r "):
            raise PdfError("STARTXREF", f"startxref at {at} does not point at its own section")
        if section.trailer.get("Prev") != previous:
            raise PdfError("REVISION_CHAIN", "a revision does not continue the one before it")
        line = _END_OF_LINE.match(self._data, ending.end(), self._end)
        assert line is not None
        before = self._document.until(start) if self._start else None
        revision = Revision(start, objects, section, startxref, line.end(), before, _bookkeeping(section))
        self._agree(revision, entries)
        return revision

    def _section(self, at: int, objects: dict[int, PdfObject]) -> tuple[Section, int]:
        if self._data.startswith(b"xref", at):
            section = self._document.table(at)
            companion = section.trailer.get("XRefStm")
            if companion is not None:
                section = hybrid(section, self._stream(companion, objects))
            return section, self._between(section.end)
        match = _STARTXREF.match(self._data, at, self._end)
        if match is None:
            raise PdfError("STRAY_BYTES" if at < self._end else "UNFINISHED", f"bytes at {at} belong to nothing")
        return self._stream(int(match[1]), objects), at

    def _stream(self, offset: object, objects: dict[int, PdfObject]) -> Section:
        holder = next((each for each in objects.values() if each.start == offset), None)
        if holder is None or holder.stream is None or not isinstance(holder.value, Dict):
            raise PdfError("STARTXREF", f"no cross-reference section at {offset}")
        if holder.value.get("Type") != "XRef":
            raise PdfError("STARTXREF", f"no cross-reference section at {offset}")
        return self._document.stream_section(holder)

    def _agree(self, revision: Revision, entries: dict[int, Entry]) -> None:
        """The section lists what the walk found, and nothing else but unchanged older objects. `entries`: how it was
        before, and, afterwards, how it is.
        """
        listed = revision.section.entries
        for number, found in revision.objects.items():
            if number not in revision.bookkeeping and not self._leads_to(listed.get(number, FREE), found):
                raise PdfError("UNLISTED_OBJECT", f"object {number} is in the file but not in its table")
        for number, entry in listed.items():
            if entry.place == Place.IN_STREAM:
                self._packed(revision, number, entry, entries.get(number))
            elif entry.place == Place.FREE or entry.a == 0:
                if entries.get(number, FREE).place != Place.FREE:
                    revision.freed.add(number)
            elif number not in revision.objects and entries.get(number) != entry:
                raise PdfError("XREF", f"cross-reference entry of object {number} points at something else")
        listed_in: dict[int, set[int]] = {}
        for number, container in revision.packed.items():
            listed_in.setdefault(container, set()).add(number)
        for container, numbers in listed_in.items():
            if self._document.members_of(revision.objects[container]).values.keys() != numbers:
                raise PdfError("OBJECT_STREAM", f"object stream {container} holds what is not listed")
        if self._start:
            refuse_disagreement(self._document, revision, entries)
        entries.update(listed)

    def _leads_to(self, entry: Entry, found: PdfObject) -> bool:
        """Tells whether the entry is of that object; some writers count from the white space before it."""
        if entry.place != Place.IN_FILE or entry.b != found.generation or not 0 < entry.a <= found.start:
            return False
        return entry.a == found.start or self._document.object_at(entry.a) is found

    def _packed(self, revision: Revision, number: int, entry: Entry, old: Entry | None) -> None:
        if old == entry and entry.a not in revision.objects:
            return
        holder = revision.objects.get(entry.a)
        if holder is None or number in revision.objects or number not in self._document.members_of(holder).values:
            raise PdfError("XREF", f"cross-reference entry of object {number} points at something else")
        revision.packed[number] = entry.a


def _bookkeeping(section: Section) -> frozenset[int]:
    return frozenset(each.holder for each in (section, section.companion) if each is not None and each.holder >= 0)
