"""Writes incremental updates of signed documents exactly as told: as honest writers do, as forgers do, and as nobody
should.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from services.esign.domain import der
from services.esign.domain.cms.signed_data import OpenedCms
from services.esign.domain.pdf.document import FREE, Document, Place
from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.pdf.writer import written
from tests.support.esign import setting
from tests.support.multisign import token
from tests.support.timestamps import authority

_HOLE = b"[0 ########## ########## ##########]"
_SIZE = re.compile(rb"/Size \d+")
# Rows of a table that lists everything.
_MOST_ROWS = 1000
Row = tuple[int, int, int]


class Raw(bytes):
    """Text that is written as it is."""


def text(value: Any) -> bytes:
    """A value as text; mappings and lists may hold `Raw`."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, Ref):
        return written(value)
    if isinstance(value, Mapping):
        return b"<<" + b"".join(written_name(key) + b" " + text(member) for key, member in value.items()) + b">>"
    if isinstance(value, list):
        return b"[" + b" ".join(map(text, value)) + b"]"
    return written(value)


def written_name(key: str) -> bytes:
    return b"/" + key.encode("latin-1")


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """The body of a stream object."""
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (entries, len(data), data)


def copied(value: Any) -> Any:
    """A copy that may be changed."""
    if isinstance(value, dict):
        return {key: copied(member) for key, member in value.items()}
    return [copied(member) for member in value] if isinstance(value, list) else value


@dataclass(slots=True)
class Draft:
    """One update of `base` in the making; everything has an honest default.

    `form`: table, stream or hybrid. `bodies`: texts of objects. `packed`: members of an object stream. `rows`: entries
    of the section that say something of their own (kind, offset or object stream, generation or index). `trailer`:
    entries that are otherwise, empty to be left out. `wide`: a second row behind each row of a stream, by numbers.
    `companion`: more entries of a hybrid section's stream, `container` of an object stream; `row`: how a table's rows
    are written; `startxref`: by how much it is wrong; `byte_range`: how a signature spells that
    key.
    """

    base: bytes
    form: str = "table"
    bodies: dict[int, bytes] = field(default_factory=dict)
    generations: dict[int, int] = field(default_factory=dict)
    packed: dict[int, bytes] = field(default_factory=dict)
    freed: dict[int, int] = field(default_factory=dict)
    rows: dict[int, Row] = field(default_factory=dict)
    hidden_rows: dict[int, Row] = field(default_factory=dict)
    trailer: dict[str, bytes] = field(default_factory=dict)
    head: bytes = b"\n"
    between: bytes = b""
    before_section: bytes = b""
    before_trailer: bytes = b""
    tail: bytes = b"\n"
    container: bytes = b""
    index_shift: int = 0
    gap: bytes = b" "
    wide: Mapping[int, Row] | None = None
    companion: bytes = b""
    row: bytes = b"%010d %05d %b \n"
    section_number: int = 0
    one_subsection: bool = False
    startxref: int = 0
    byte_range: bytes = b"/ByteRange"
    signature: int = 0
    timestamp: bool = False
    document: Document = field(init=False)
    _values: dict[int, Any] = field(default_factory=dict)
    _size: int = field(init=False)

    def __post_init__(self) -> None:
        self.document = Document(self.base)
        size = self.document.trailer.get("Size", 1)
        self._size = max(self.document.highest + 1, size if isinstance(size, int) else 1)
        if self.base.endswith((b"\n", b"\r")):
            self.head = b""

    def reserve(self) -> int:
        """A number that no object has."""
        self._size += 1
        return self._size - 1

    def add(self, body: bytes) -> int:
        """A new object; its number."""
        number = self.reserve()
        self.bodies[number] = body
        return number

    def edit(self, number: int) -> Any:
        """The object's value, to be changed in place: it is written with the update."""
        if number not in self._values:
            self._values[number] = copied(self.document.value(number))
        return self._values[number]

    def put(self, number: int, value: Any) -> None:
        """Another value for an object; its stream, if it has one, stays."""
        self._values[number] = value

    def body(self, number: int, value: Any) -> bytes:
        """The text of an object with this value and the stream that it has."""
        holder = self.document.object(number)
        if holder is None or holder.stream is None:
            return text(value)
        return text(value) + b"\nstream\n" + self.document.data[slice(*holder.stream)] + b"\nendstream"

    def root(self) -> dict[str, Any]:
        """The catalog, to be changed."""
        found = self.edit(self.document.trailer["Root"][0])
        return found if isinstance(found, dict) else {}

    def part(self, holder: Any, key: str, empty: Any) -> Any:
        """The dictionary or list under a key, to be changed, whether it is an object of its own or not."""
        value = holder.get(key)
        if isinstance(value, Ref):
            value = self.edit(value[0])
        elif value is None:
            value = holder[key] = empty
        # What another mutation wrote as text stays.
        return value if isinstance(value, type(empty)) else empty

    def acro_form(self) -> dict[str, Any]:
        """The form, to be changed."""
        found: dict[str, Any] = self.part(self.root(), "AcroForm", {"Fields": []})
        return found

    def pages(self) -> list[int]:
        """Numbers of the pages."""
        return [ref[0] for ref, _ in self.document.pages()]

    def page(self, at: int = 0) -> dict[str, Any]:
        """A page, to be changed."""
        numbers = self.pages()
        found = self.edit(numbers[at % len(numbers)])
        return found if isinstance(found, dict) else {}

    def put_field(self, number: int, *pages: int, in_form: bool = True) -> None:
        """Lists a field in the form and on pages."""
        ref = Ref((number, 0))
        if in_form:
            self.part(self.acro_form(), "Fields", []).append(ref)
            self.acro_form()["SigFlags"] = 3
        for at in pages:
            self.part(self.page(at), "Annots", []).append(ref)

    def store(self, *data: bytes) -> list[int]:
        """Validation data, each in a DER value as those are; the numbers of their streams."""
        numbers = [self.add(stream(der.tlv(der.SEQUENCE, der.tlv(der.OCTET_STRING, each)))) for each in data]
        listed = self.part(self.part(self.root(), "DSS", {}), "Certs", [])
        listed += [Ref((number, 0)) for number in numbers]
        return numbers

    def sign(self, *, timestamp: bool = False, entries: bytes = b"") -> int:
        """A signature by the test seal's key, or a document timestamp by the test authority; its number."""
        if self.signature:
            return self.signature
        kind = (
            b"/Type/DocTimeStamp/SubFilter/ETSI.RFC3161"
            if timestamp
            else b"/Type/Sig/SubFilter/ETSI.CAdES.detached/M(D:20260601040000Z)"
        )
        room = authority().max_size()
        room = room if timestamp else setting().seal.cms.max_size_with(room)
        self.timestamp = timestamp
        self.signature = self.add(
            b"<<%b/Filter/Adobe.PPKLite%b%b/Contents<%b>>>"
            % (kind, entries, self.byte_range + _HOLE, b"0" * (2 * room))
        )
        return self.signature

    def finished(self) -> bytes:
        """The document with the update."""
        for number, value in self._values.items():
            if number not in self.packed:
                self.bodies.setdefault(number, self.body(number, value))
                entry = self.document.entries.get(number, FREE)
                if entry.place == Place.IN_FILE and entry.b:
                    self.generations.setdefault(number, entry.b)
        out = bytearray(self.base + self.head)
        rows: dict[int, Row] = {}
        for number, body in self.bodies.items():
            generation = self.generations.get(number, 0)
            rows[number] = (1, len(out), generation)
            out += b"%d %d obj\n%b\nendobj\n" % (number, generation, body) + self.between
        if self.packed:
            self.form = "stream" if self.form == "table" else self.form
            rows |= self._pack(out)
        rows |= {number: (0, 0, generation) for number, generation in self.freed.items()}
        rows |= self.rows
        out += self.before_section
        at = self._section(out, rows)
        out += b"startxref\n%d\n%%%%EOF" % (at + self.startxref) + self.tail
        return self._signed(out) if self.signature else bytes(out)

    def _pack(self, out: bytearray) -> dict[int, Row]:
        holder = self.reserve()
        at = len(out)
        head, content = b"", b""
        for number, body in self.packed.items():
            head += b"%d %d " % (number, len(content))
            content += body + self.gap
        count = len(self.packed)
        entries = b"/Type/ObjStm/N %d/First %d/Filter/FlateDecode%b" % (count, len(head), self.container)
        out += b"%d 0 obj\n%b\nendobj\n" % (holder, stream(zlib.compress(head + content), entries))
        found = {number: (2, holder, (index + self.index_shift) % count) for index, number in enumerate(self.packed)}
        return {holder: (1, at, 0), **found}

    def _trailer(self) -> bytes:
        found = {"Size": b"%d" % (self._size + 1), "Prev": b"%d" % self.document.startxref}
        for key in ("Root", "Info", "ID"):
            if key in self.document.trailer:
                found[key] = written(self.document.trailer[key])
        found |= self.trailer
        return b"".join(written_name(key) + b" " + value for key, value in found.items() if value)

    def _section(self, out: bytearray, rows: dict[int, Row]) -> int:
        if self.form == "stream":
            return self._xref_stream(out, rows | self.hidden_rows, self._trailer())
        extra = b""
        if self.form == "hybrid":
            hidden = {number: entry for number, entry in rows.items() if entry[0] == 2}
            rows = {**rows, **dict.fromkeys(hidden, (0, 0, 0))}
            entries = b"/Size %d" % (self._size + 1) + self.companion
            extra = b"/XRefStm %d" % self._xref_stream(out, hidden | self.hidden_rows, entries)
        at = len(out)
        out += b"xref\n" + (b"" if rows else b"0 0\n")
        if self.one_subsection:
            rows = self._from_one(rows)
            out += b"1 %d\n" % len(rows)
        for number in sorted(rows):
            kind, a, b = rows[number]
            out += (b"" if self.one_subsection else b"%d 1\n" % number) + self.row % (a, b, b"n" if kind == 1 else b"f")
        out += self.before_trailer + b"trailer\n<<%b%b>>\n" % (self._trailer(), extra)
        return at

    def _from_one(self, rows: dict[int, Row]) -> dict[int, Row]:
        """All rows from object 1 on, those that stand already among them."""
        standing = {number: (entry.place % 2, entry.a, entry.b) for number, entry in self.document.entries.items()}
        every = {**standing, **rows}
        last = max((number for number in every if number < _MOST_ROWS), default=1)
        return {number: every.get(number, (0, 0, 65535)) for number in range(1, last + 1)}

    def _xref_stream(self, out: bytearray, rows: dict[int, Row], entries: bytes) -> int:
        number = self.section_number or self.reserve()
        at = len(out)
        rows = {number: (1, at, 0), **rows}
        content = b""
        for each in sorted(rows):
            content += _bytes_of(rows[each])
            if self.wide is not None:
                content += _bytes_of(self.wide.get(each, (0, 0, 0)))
        width = b"[1 4 2]" if self.wide is None else b"[1 4 2 7]"
        index = b" ".join(b"%d 1" % each for each in sorted(rows))
        if "Size" not in self.trailer:
            entries = _SIZE.sub(b"/Size %d" % max(self._size, number + 1), entries)
        body = stream(content, b"/Type/XRef/W%b/Index[%b]%b" % (width, index, entries))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
        return at

    def _signed(self, out: bytearray) -> bytes:
        at = out.index(_HOLE)
        first = out.index(b"/Contents<", at) + len(b"/Contents")
        last = out.index(b">", first) + 1
        out[at : at + len(_HOLE)] = (b"[0 %d %d %d]" % (first, last, len(out) - last)).ljust(len(_HOLE))
        digest = sha256(bytes(out[:first] + out[last:])).digest()
        if self.timestamp:
            value = token(digest)
        else:
            opened = OpenedCms.of(setting().seal.cms.sign(digest))
            value = opened.stamped(token(sha256(opened.value).digest()))
        digits = value.hex().encode()
        assert len(digits) <= last - first - 2
        out[first + 1 : last - 1] = digits.ljust(last - first - 2, b"0")
        return bytes(out)


def _bytes_of(row: Row) -> bytes:
    return bytes((row[0],)) + (row[1] % 2**32).to_bytes(4, "big") + row[2].to_bytes(2, "big")
