"""Writes documents byte by byte, in the layouts of the programs that make them.

One writer, many styles: what stands between objects, which line ends, where offsets point, which kind of
cross-reference. Everything a style can say is lawful by ISO 32000 or is what widespread programs have always written.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from tests.support.lawful.hands import PLAIN, Hand, Manner, signature

_BINARY = b"%\xe2\xe3\xcf\xd3"
_HOLE = 2_000
_RANGE = b"/ByteRange [0 0000000000 0000000000 0000000000]"


@dataclass(frozen=True, slots=True)
class Style:
    """How one save looks in bytes.

    `comment`: a line before each object. `gap`: white space before each object; with `early` offsets point that many
    bytes into it, `startxref` likewise. `entry`: how rows of a table end (two bytes). `kind`: table, stream, or hybrid
    (a table for old readers and a stream that only newer ones see). `packed`: numbers inside an object stream.
    `never_used`: numbers that the table lists as free though no object ever had them. `note`: a line before startxref.
    """

    eol: bytes = b"\n"
    comment: bytes = b""
    gap: bytes = b""
    early: int = 0
    xref_early: int = 0
    entry: bytes = b" \n"
    kind: str = "table"
    packed: frozenset[int] = frozenset()
    never_used: tuple[int, ...] = ()
    after_keyword: bytes = b""
    end: bytes = b"\n"
    note: bytes = b""


NORMAL = Style()


@dataclass(frozen=True, slots=True)
class Draft:
    """A document while it is being written: its bytes, the newest body of each object, where its last section is."""

    data: bytes
    bodies: Mapping[int, bytes]
    section: int | None = None
    root: int = 1
    info: int | None = None
    trailer: bytes = b""
    highest: int = 0

    @classmethod
    def begin(cls, header: bytes = b"%PDF-1.7\n" + _BINARY + b"\n") -> "Draft":
        return cls(header, {}, trailer=b"/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]")

    @property
    def free(self) -> int:
        """The next number that no object has."""
        return self.highest + 1

    @property
    def last(self) -> int:
        """Where its last section is."""
        assert self.section is not None
        return self.section

    def save(
        self, objects: Mapping[int, bytes], style: Style = NORMAL, *, root: int | None = None, info: int | None = None
    ) -> "Draft":
        """One more revision with these objects. `root` and `info`: their numbers from now on."""
        writer = _Writer(bytearray(self.data), style)
        for number, text in objects.items():
            if number not in style.packed:
                writer.add(number, text)
        highest = max(self.highest, *objects, *style.never_used)
        ended = replace(
            self,
            highest=highest,
            bodies={**self.bodies, **objects},
            root=root or self.root,
            info=info or self.info,
        )
        section, used = writer.close(ended, {n: objects[n] for n in objects if n in style.packed}, self.section)
        return replace(ended, data=bytes(writer.out), section=section, highest=max(highest, used))


@dataclass(slots=True)
class _Writer:
    out: bytearray
    style: Style
    offsets: dict[int, int] = field(default_factory=dict)

    def add(self, number: int, text: bytes) -> None:
        style = self.style
        if style.comment:
            self.out += style.comment + style.eol
        self.out += style.gap
        self.offsets[number] = len(self.out) - style.early
        self.out += b"%d 0 obj%b%b%bendobj%b" % (number, style.eol, text, style.eol, style.eol)

    def close(self, draft: Draft, packed: dict[int, bytes], previous: int | None) -> tuple[int, int]:
        """Cross-reference, trailer and end; where the section is and the highest number used."""
        style, highest = self.style, draft.highest
        inside: dict[int, tuple[int, int]] = {}
        if packed:
            highest += 1
            self.add(highest, _object_stream(packed))
            inside = {number: (highest, index) for index, number in enumerate(packed)}
        entries = b"/Root %d 0 R%b%b%b" % (
            draft.root,
            b"/Info %d 0 R" % draft.info if draft.info else b"",
            draft.trailer,
            b"/Prev %d" % previous if previous is not None else b"",
        )
        if style.kind == "stream":
            highest += 1
            at = len(self.out) + len(style.gap)
            rows = {**{n: (1, place, 0) for n, place in self.offsets.items()}, highest: (1, at, 0)}
            rows |= {number: (2, *place) for number, place in inside.items()}
            rows |= dict.fromkeys(style.never_used, (0, 0, 1))
            rows |= {0: (0, 0, 255)} if previous is None else {}
            self.out += style.gap
            self.out += b"%d 0 obj%b%b%bendobj%b" % (
                highest, style.eol, _section(rows, highest + 1, entries), style.eol, style.eol
            )  # fmt: skip
        else:
            only_newer = None
            if style.kind == "hybrid":
                highest += 1
                only_newer = len(self.out)
                rows = {number: (2, *place) for number, place in inside.items()}
                self.out += b"%d 0 obj%b%b%bendobj%b" % (
                    highest, style.eol, _section(rows, highest + 1, b""), style.eol, style.eol
                )  # fmt: skip
                self.offsets[highest] = only_newer
            at = self._table(entries, highest + 1, only_newer, inside, first=previous is None)
        pointed = at - style.xref_early
        self.out += style.note + style.eol if style.note else b""
        self.out += b"startxref%b%d%b%%%%EOF%b" % (style.eol, pointed, style.eol, style.end)
        return pointed, highest

    def _table(
        self, entries: bytes, size: int, stream: int | None, inside: Mapping[int, object], *, first: bool
    ) -> int:
        style = self.style
        self.out += style.gap
        at = len(self.out)
        rows = {n: (place, 0, b"n") for n, place in self.offsets.items()}
        # What only newer readers find is free to older ones.
        rows |= dict.fromkeys(inside, (0, 65535, b"f"))
        rows |= dict.fromkeys(style.never_used, (0, 1, b"f"))
        rows |= {0: (0, 65535, b"f")}
        if first:
            rows |= {number: (0, 65535, b"f") for number in range(size) if number not in rows}
        self.out += b"xref" + style.eol
        for run in _runs(sorted(rows)):
            self.out += b"%d %d%b%b" % (run[0], len(run), style.after_keyword, style.eol)
            self.out += b"".join(b"%010d %05d %b%b" % (*rows[n], style.entry) for n in run)
        self.out += b"trailer%b<</Size %d%b%b>>%b" % (
            style.eol, size, entries, b"/XRefStm %d" % stream if stream is not None else b"", style.eol
        )  # fmt: skip
        return at


def _runs(numbers: list[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][-1] == number - 1:
            found[-1].append(number)
        else:
            found.append([number])
    return found


def _object_stream(members: Mapping[int, bytes]) -> bytes:
    head, text = b"", b""
    for number, each in members.items():
        head += b"%d %d " % (number, len(text))
        text += each + b"\n"
    return stream(head + text, b"/Type/ObjStm/N %d/First %d" % (len(members), len(head)))


def _section(rows: Mapping[int, tuple[int, int, int]], size: int, entries: bytes) -> bytes:
    numbers = sorted(rows)
    index = b" ".join(b"%d %d" % (run[0], len(run)) for run in _runs(numbers))
    data = b"".join(
        rows[n][0].to_bytes(1, "big") + rows[n][1].to_bytes(4, "big") + rows[n][2].to_bytes(2, "big") for n in numbers
    )
    return stream(data, b"/Type/XRef/W[1 4 2]/Index[%b]/Size %d%b" % (index, size, entries))


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """A compressed stream's body."""
    packed = zlib.compress(data)
    return b"<<%b/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (entries, len(packed), packed)


# Numbers of the objects that each document here begins with.
CATALOG, PAGES, PAGE, CONTENT, FONT, INFO = 1, 2, 3, 4, 5, 6
TEXT = b"BT /F1 12 Tf 20 170 Td (No criminal record) Tj ET"


def small(style: Style = NORMAL, *, header: bytes | None = None, page: bytes = b"", catalog: bytes = b"") -> Draft:
    """One page of 200 by 200 points with a line of text in its upper part, the rest blank."""
    draft = Draft.begin() if header is None else Draft.begin(header)
    objects = {
        CATALOG: b"<</Type/Catalog/Pages 2 0 R%b>>" % catalog,
        PAGES: b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        PAGE: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<</Font<</F1 5 0 R>>>>/Contents 4 0 R%b>>" % page,
        CONTENT: stream(TEXT),
        FONT: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        INFO: b"<</Title(A record)/Producer(A writer)/CreationDate(D:20260601040000Z)>>",
    }  # fmt: skip
    return replace(draft, info=INFO).save(objects, style)


@cache
def with_text_field() -> bytes:
    """A document with a text field and an empty signature field, both on blank space."""
    draft = small()
    text, field = draft.free, draft.free + 1
    form = b"/AcroForm<</Fields[%d 0 R %d 0 R]/DA(/F1 10 Tf 0 g)/DR<</Font<</F1 5 0 R>>>>>>" % (text, field)
    objects = {
        text: b"<</Type/Annot/Subtype/Widget/FT/Tx/T(remark)/F 4/P 3 0 R/Rect[20 100 180 120]/DA(/F1 10 Tf 0 g)>>",
        field: b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Signature2)/F 4/P 3 0 R/Rect[20 20 120 60]>>",
        PAGE: draft.bodies[PAGE][:-2] + b"/Annots[%d 0 R %d 0 R]>>" % (text, field),
        CATALOG: draft.bodies[CATALOG][:-2] + form + b">>",
    }
    merged = {**draft.bodies, **objects}
    return replace(Draft.begin(), info=INFO).save(merged).data


@dataclass(frozen=True, slots=True)
class Field:
    """What a signature's field looks like. `rectangle` (0, 0, 0, 0): nothing is shown. `more`: entries of the field.
    `look`: the body of its appearance, which else is a frame and a line of text. `flags`: /F, by default printed and
    locked (ISO 32000-1, table 165).
    """

    name: str = "Signature1"
    rectangle: tuple[int, int, int, int] = (0, 0, 0, 0)
    more: bytes = b""
    look: bytes = b""
    flags: int = 132


def drawn(rectangle: tuple[int, int, int, int]) -> bytes:
    """An appearance that stays inside its rectangle: a frame and a line of text."""
    width, height = rectangle[2] - rectangle[0], rectangle[3] - rectangle[1]
    text = b"q 0.5 0.5 %d %d re S BT /F1 8 Tf 4 %d Td (signed) Tj ET Q" % (width - 1, height - 1, height // 2)
    entries = b"/Type/XObject/Subtype/Form/BBox[0 0 %d %d]/Resources<</Font<</F1 5 0 R>>>>" % (width, height)
    return stream(text, entries)


def sign(
    draft: Draft,
    own: Hand,
    style: Style = NORMAL,
    *,
    where: Field | None = None,
    subfilter: bytes = b"ETSI.CAdES.detached",
    manner: Manner = PLAIN,
    extra: Mapping[int, bytes] | None = None,
    form: bytes = b"",
    moved: tuple[str, ...] = (),
    permission: int | None = None,
    reference: bytes = b"",
) -> Draft:
    """The document signed in one more revision, in a new field on its first page.

    `extra`: more objects of the same revision. `form`: more entries of the form. `moved`: `root` or `info` get new
    numbers. `permission`: P of a certification (DocMDP). `reference`: other entries of the signature.
    """
    where = where or Field()
    number = max(draft.free, *(extra or {0: b""})) + 1
    value, field_, look, root, info = range(number, number + 5)
    listed = re.findall(rb"/Fields\[([^\]]*)\]", draft.bodies[draft.root])
    fields = b"%b %d 0 R" % (listed[0] if listed else b"", field_)
    catalog = re.sub(rb"/AcroForm<<.*?>>(?=/|>>$)", b"", draft.bodies[draft.root], flags=re.DOTALL)
    perms = b"/Perms<</DocMDP %d 0 R>>" % value if permission else b""
    catalog = catalog[:-2] + perms + b"/AcroForm<</Fields[%b]/SigFlags 3%b>>" % (fields.strip(), form) + b">>"
    page = draft.bodies[PAGE]
    annotations = re.findall(rb"/Annots\[([^\]]*)\]", page)
    page = re.sub(rb"/Annots\[[^\]]*\]", b"", page)
    page = page[:-2] + b"/Annots[%b %d 0 R]>>" % (annotations[0] if annotations else b"", field_)
    visible = where.rectangle != (0, 0, 0, 0)
    reference = reference or (
        b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/V/1.2/P %d>>>>]"
        % permission
        if permission
        else b""
    )
    objects = {
        **(extra or {}),
        value: b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/%b/M(D:20260601040000Z)%b%b/Contents <%b>>>"
        % (subfilter, reference, _RANGE, b"0" * (2 * _HOLE)),
        field_: b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/V %d 0 R/F %d/P 3 0 R/Rect[%d %d %d %d]%b%b>>"
        % (
            where.name.encode(),
            value,
            where.flags,
            *where.rectangle,
            b"/AP<</N %d 0 R>>" % look if visible else b"",
            where.more,
        ),
        (root if "root" in moved else draft.root): catalog,
        PAGE: page,
    }
    if visible:
        objects[look] = where.look or drawn(where.rectangle)
    if "info" in moved:
        objects[info] = draft.bodies[INFO][:-2] + b"/ModDate(D:20260601040000Z)>>"
    saved = draft.save(objects, style, root=root if "root" in moved else None, info=info if "info" in moved else None)
    return replace(saved, data=filled(saved.data, own, manner))


def filled(data: bytes, own: Hand, manner: Manner = PLAIN) -> bytes:
    """The last signature's hole filled, its /ByteRange with it."""
    at = data.rindex(_RANGE)
    start = data.index(b"<", data.index(b"/Contents", at))
    end = data.index(b">", start) + 1
    span = b"/ByteRange [0 %d %d %d]" % (start, end, len(data) - end)
    data = data[:at] + span.ljust(len(_RANGE)) + data[at + len(_RANGE) :]
    digits = signature(own, data[:start] + data[end:], manner).hex().encode()
    return data[: start + 1] + digits.ljust(2 * _HOLE, b"0") + data[end - 1 :]
