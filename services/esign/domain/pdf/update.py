"""An update that every reader reads alike (ISO 32000-1, 7.5.6).

Readers differ in what they do with an update that is written oddly: one takes it by its rules, another rebuilds the
file from whatever looks like an object, also inside a stream that nobody draws. So what came after a signature has to
be written as the specification writes it, and holds nothing else that looks like a part of a file.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.sections import FREE, Entry, Place, Section
from services.esign.domain.pdf.spelling import is_plain, is_plain_object
from services.esign.domain.pdf.syntax import MAX_EXPANDED, Name, PdfError, Ref, references_in

# Highest object number (ISO 32000-1, table C.1).
_HIGHEST = 8_388_607
_OF_SECTIONS = frozenset({"Type", "Size", "W", "Index", "Filter", "DecodeParms", "Length"})
_OF_STREAMS = frozenset({"Type", "W", "Index", "Filter", "DecodeParms", "Length"})
_ABOUT_FILE = _OF_SECTIONS | {"Prev", "XRefStm", "DocChecksum"}
# Some readers go on from a number to this word over anything between; behind a letter it is prose.
_OBJECT = re.compile(rb"(?<![A-Za-z])(?<![A-Za-z,;.] )obj")
# MuPDF leaves a line empty before the trailer.
_TABLE = re.compile(
    rb"xref ?(?:\r\n|\r|\n)(?:\d{1,7} \d{1,7} ?(?:\r\n|\r|\n)(?:\d{10} \d{5} [nf](?: \r| \n|\r\n))*)*(?:\r\n|\r|\n)?"
)
_PREDICTION = frozenset({"Predictor", "Columns", "Colors", "BitsPerComponent"})
# PNG prediction (ISO 32000-1, table 10).
_LOWEST_PNG, _HIGHEST_PNG = 10, 15
_MOST_COLUMNS = 64
_OF_PICTURES = frozenset({"Colors", "BitsPerComponent"})
_OF_CONTAINERS = frozenset({"Type", "N", "First", "Filter", "DecodeParms", "Length"})


@dataclass(slots=True)
class Revision:
    """The update that one save added: objects by number, its section, the numbers it freed or packed into object
    streams, and where it begins and ends.
    """

    start: int
    objects: dict[int, PdfObject]
    section: Section
    # Where the section is said to be: there, or in the white space before it.
    startxref: int
    end: int
    # The document before it.
    earlier: Document | None = None
    # Both halves of a hybrid file's section are bookkeeping.
    bookkeeping: frozenset[int] = frozenset()
    freed: set[int] = field(default_factory=set)
    packed: dict[int, int] = field(default_factory=dict)

    @property
    def numbers(self) -> set[int]:
        """All that it says something new of, but its bookkeeping."""
        return (self.objects.keys() | self.packed.keys() | self.freed) - self.bookkeeping


def refuse_disagreement(document: Document, revision: Revision, before: Mapping[int, Entry]) -> None:
    """`before`: entries of the version that the update is of. Raises PdfError ODD_UPDATE."""
    for why in _disagreements(document, revision, before):
        raise PdfError("ODD_UPDATE", why)


def _disagreements(document: Document, revision: Revision, before: Mapping[int, Entry]) -> Iterator[str]:
    section = revision.section
    numbers = revision.objects.keys() | revision.packed.keys()
    highest = max((*numbers, *before), default=0)
    size = section.trailer.get("Size")
    if section.companion is not None:
        # Old and new readers read different halves of it, by design.
        yield "it has the hybrid form"
    if section.odd:
        yield "its table is not written as tables are"
    if type(size) is not int or not max((*section.entries, *numbers), default=0) < size <= _HIGHEST + 1:
        yield "/Size does not count its objects"
    if _looks_like_more(document, revision):
        yield "something in it looks like another part of a file"
    for number, entry in section.entries.items():
        if number == 0 and entry.place != Place.FREE:
            yield "it uses number 0"
        if entry.place != Place.FREE and number not in numbers:
            yield f"it lists object {number}, which it does not bring"
        if entry.place == Place.FREE and number > highest:
            yield f"it frees object {number}, beyond all that there is"
    yield from _trailer(section)
    yield from _oddly_spelt(document, revision, before)
    yield from _bookkept(document, revision, before)
    yield from _wrong_references(revision, before, -1, section.trailer)
    for number, found in revision.objects.items():
        old = before.get(number, FREE)
        if old.place != Place.IN_FILE and found.generation:
            # Poppler (pdfsig) writes such objects and points at none of them; what does, and in which readers, is open.
            yield f"object {number} is new and has not generation 0"
        elif old.place == Place.IN_FILE and found.generation != old.b:
            yield f"object {number} has another generation than before"
        yield from _wrong_references(revision, before, number, found.value)
        yield from _part_of_another(document, revision, before, number, found.value)
    for number in revision.packed:
        value = document.value(number)
        yield from _wrong_references(revision, before, number, value)
        yield from _part_of_another(document, revision, before, number, value)


def _oddly_spelt(document: Document, revision: Revision, before: Mapping[int, Entry]) -> Iterator[str]:
    """Objects that are not written plainly, or stand for one that was not: readers may find other values in them."""
    section, data = revision.section, document.data
    numbers = revision.objects.keys() | revision.packed.keys()
    if section.kind == "table":
        trailer = data.index(b"trailer", section.offset)
        if _TABLE.fullmatch(data, section.offset, trailer) is None or not is_plain(data[trailer + 7 : section.end]):
            yield "its table is not written plainly"
    for number, found in revision.objects.items():
        if not is_plain_object(document, found):
            yield f"object {number} is not written plainly"
        entry = before.get(number, FREE)
        old = document.object_at(entry.a) if entry.place == Place.IN_FILE and entry.a else None
        if old is None or is_plain_object(document, old):
            continue
        if data[old.start : old.end] != data[found.start : found.end]:
            yield f"object {number} was not written plainly before"
    for container in {before[n].a for n in numbers if before.get(n, FREE).place == Place.IN_STREAM}:
        if revision.earlier is None or not _is_plainly_packed(revision.earlier, revision.earlier.object(container)):
            yield f"object stream {container}, of which it rewrites a member, is not written plainly"
    for container in set(revision.packed.values()):
        if not _is_plainly_packed(document, revision.objects[container]):
            yield f"object stream {container} is not written plainly"


def _is_plainly_packed(document: Document, holder: PdfObject | None) -> bool:
    if holder is None or holder.stream is None:
        return False
    first = document.resolve(holder.value.get("First"))
    return type(first) is int and is_plain(document.stream_of(holder)[first:])


def _trailer(section: Section) -> Iterator[str]:
    """Checks that what a trailer says of the file itself leads nowhere else."""
    trailer = section.trailer
    identity = trailer.get("ID")
    if identity is not None and not (isinstance(identity, list) and [type(each) for each in identity] == [bytes] * 2):
        yield "/ID is not two strings"
    for key in trailer.keys() - {"Root", "Info", "ID"}:
        if section.kind == "table" and key in _OF_STREAMS:
            yield f"/{key} in the trailer of a table"
        elif key in _ABOUT_FILE and holds_reference(trailer[key]):
            yield f"/{key} of a section is elsewhere"


def _part_of_another(
    document: Document, revision: Revision, before: Mapping[int, Entry], number: int, value: Any
) -> Iterator[str]:
    """Names what a reader that rebuilds the file would take for the beginning of another document."""
    if not isinstance(value, dict) or number in revision.bookkeeping:
        return
    kind = document.resolve(value.get("Type"))
    root = revision.section.trailer.get("Root")
    is_root = isinstance(root, Ref) and root[0] == number
    is_new = before.get(number, FREE).place == Place.FREE
    if is_root and is_new and number in revision.packed:
        # A reader that rebuilds the file looks for a catalog before it unpacks object streams.
        yield f"the catalog became object {number}, which is packed"
    if kind == "XRef" or (kind == "Catalog" and not is_root) or (kind in {"Page", "Pages"} and is_new):
        yield f"object {number} is a part of another document"
    elif not is_root and not {"Root", "Pages"}.isdisjoint(value):
        yield f"object {number} may be taken for the beginning of another document"


def oddly_packed(document: Document, holder: PdfObject) -> bool:
    """Tells whether some reader undoes the stream's filter otherwise, or not at all."""
    value = holder.value
    if value.get("Filter") is None:
        return not {"Filter", "DecodeParms"}.isdisjoint(value)
    parameters = value.get("DecodeParms", {})
    if value["Filter"] != "FlateDecode" or not isinstance(value["Filter"], Name) or not isinstance(parameters, dict):
        return True
    if not parameters.keys() <= _PREDICTION or not all(type(each) is int for each in parameters.values()):
        return True
    # Some readers look at all parameters of a prediction, though nothing is predicted, and know no defaults.
    predictor: int = parameters.get("Predictor", 1)
    columns: int = parameters.get("Columns", 1)
    if parameters and not (_LOWEST_PNG <= predictor <= _HIGHEST_PNG and 1 <= columns <= _MOST_COLUMNS):
        return True
    if parameters and ("Columns" not in parameters or parameters.keys() & _OF_PICTURES):
        return True
    assert holder.stream is not None
    inflate = zlib.decompressobj()
    rows = inflate.decompress(document.data[slice(*holder.stream)], MAX_EXPANDED)
    if not inflate.eof or inflate.unused_data.strip(b"\r\n"):
        return True
    return predictor != 1 and len(rows) % (columns + 1) != 0


def holds_reference(value: Any) -> bool:
    """Tells whether the value leads to another object."""
    return next(references_in(value), None) is not None


def _looks_like_more(document: Document, revision: Revision) -> bool:
    """Tells whether the update's bytes hold what a reader that rebuilds files would take for another part of one."""
    data, start, end = document.data, revision.start, revision.end
    table = revision.section.kind == "table"
    if data.count(b"xref", start, end) != 1 + table or data.count(b"trailer", start, end) != int(table):
        return True
    if data.count(b"endobj", start, end) != len(revision.objects):
        return True
    streams = sum(found.stream is not None for found in revision.objects.values())
    if data.count(b"stream", start, end) != 2 * streams:
        return True
    own = {data.index(b"obj", found.start) for found in revision.objects.values()}
    return any(found.start() not in own for found in _OBJECT.finditer(data, start, end))


def _bookkept(document: Document, revision: Revision, before: Mapping[int, Entry]) -> Iterator[str]:
    """Object streams and sections: numbers of their own, and no entry that some reader takes for more."""
    section = revision.section
    containers = set(revision.packed.values())
    for number in revision.bookkeeping | containers:
        if before.get(number, FREE).place != Place.FREE:
            yield f"object {number}, which there was, became a part of the file's bookkeeping"
    if section.holder >= 0:
        listed = section.entries.get(section.holder)
        if listed is not None and listed != Entry(Place.IN_FILE, section.offset, 0):
            yield f"section {section.holder} is listed elsewhere"
        if oddly_packed(document, revision.objects[section.holder]):
            yield f"section {section.holder} is not packed as readers expect"
    for number, found in revision.objects.items():
        kind = found.value.get("Type") if found.stream is not None else None
        if kind == "ObjStm" and number not in containers:
            yield f"object {number} is bookkeeping of nothing"
    for container in containers:
        holder = revision.objects[container]
        plain = document.members_of(holder).plain
        if not plain or not holder.value.keys() <= _OF_CONTAINERS or oddly_packed(document, holder):
            yield f"object stream {container} is not written as such streams are"
    for number, entry in section.entries.items():
        if entry.place == Place.IN_STREAM and entry.a in containers:
            members = document.members_of(revision.objects[entry.a]).numbers
            if entry.b >= len(members) or members[entry.b] != number:
                yield f"object {number} is not where its entry counts it"


def _wrong_references(revision: Revision, before: Mapping[int, Entry], number: int, value: Any) -> Iterator[str]:
    """References behind which some readers find nothing: of another generation than what they point at, in the place of
    an object, or to an object that is not there, unless that was so before.
    """
    if isinstance(value, Ref):
        yield f"object {number} is but a reference"
    nowhere: set[Ref] = set()
    for each in references_in(value):
        entry = revision.section.entries.get(each[0]) or before.get(each[0], FREE)
        if entry.place == Place.FREE:
            nowhere.add(each)
        if each[1] != (entry.b if entry.place == Place.IN_FILE else 0):
            yield f"a reference to object {each[0]} has another generation"
    if nowhere and not nowhere <= set(references_in(_earlier(revision, number))):
        yield f"object {number} refers to what is not there"


def _earlier(revision: Revision, number: int) -> Any:
    """The object that stood under the number before the update; the trailer for one below 0."""
    earlier = revision.earlier
    if earlier is None:
        return None
    try:
        return earlier.trailer if number < 0 else earlier.value(number)
    except PdfError as cause:
        if cause.limit:
            raise
        return None
