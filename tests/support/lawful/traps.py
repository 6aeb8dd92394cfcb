"""Documents prepared before signing, so that a later save which adds next to nothing shows something else.

The honest signer signs what is in the file, what lies there unseen with it; the later save only points elsewhere. Each
trap gives the document as it was signed and as it was sprung (shadow attacks: Mainka et al., 2021).
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.support.lawful import layout
from tests.support.lawful.hands import hand
from tests.support.lawful.layout import CATALOG, CONTENT, INFO, PAGE, Draft, Style, sign, small, stream

_EVIL = b"q 1 0 0 rg 5 165 190 25 re f Q BT /F1 12 Tf 20 170 Td (Many records) Tj ET"
_PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<</Font<</F1 5 0 R>>>>/Contents %d 0 R/Annots[%b]>>"
Trap = Callable[[], tuple[bytes, bytes]]
_HIDDEN = 20


def _prepared(more: Mapping[int, bytes], **changed: bytes) -> Draft:
    """Signed, with more objects than it shows. `changed`: other bodies for `page`, `content`, `catalog`."""
    bodies = {**small().bodies, **more}
    names = {"page": PAGE, "content": CONTENT, "catalog": CATALOG}
    bodies |= {names[name]: text for name, text in changed.items()}
    return sign(replace(Draft.begin(), info=INFO).save(bodies), hand())


def _continued(
    draft: Draft,
    rows: Mapping[int, tuple[int, int, bytes]],
    *,
    body: bytes = b"",
    root: int = CATALOG,
    info: int = INFO,
    size: int = 0,
    previous: int | None = None,
    more: bytes = b"",
) -> bytes:
    """A save of a table only: what it lists and what its trailer says."""
    out = bytearray(draft.data + body)
    at = len(out)
    out += b"xref\n"
    for number, (place, generation, kind) in sorted(rows.items()):
        out += b"%d 1\n%010d %05d %b \n" % (number, place, generation, kind)
    out += b"trailer\n<</Size %d/Root %d 0 R/Info %d 0 R%b/Prev %d%b>>\nstartxref\n%d\n%%%%EOF\n" % (
        size or draft.highest + 2,
        root,
        info,
        draft.trailer,
        draft.last if previous is None else previous,
        more,
        at,
    )
    return bytes(out)


def _both(draft: Draft, sprung: bytes) -> tuple[bytes, bytes]:
    return draft.data, sprung


def _place(draft: Draft, number: int) -> int:
    return draft.data.index(b"\n%d 0 obj" % number) + 1


def second_version_in_place() -> tuple[bytes, bytes]:
    """The content lies in the signed file twice, the second time under another number's entry: only an offset moves."""
    text = stream(_EVIL)
    draft = _prepared({_HIDDEN: text})
    data = draft.data
    # What is signed calls it an object of its own; the later table calls the same bytes object 4.
    return _both(draft, _continued(draft, {CONTENT: (data.index(b"\n%d 0 obj" % _HIDDEN) + 1, 0, b"n")}))


def inside_a_stream() -> tuple[bytes, bytes]:
    """The other content lies inside a stream of the signed file, as an object in full; a later table points there."""
    inner = b"\n%d 0 obj\n%b\nendobj\n" % (CONTENT, stream(_EVIL))
    held = b"<</Length %d>>\nstream\n%b\nendstream" % (len(inner), inner)
    draft = _prepared({_HIDDEN: held})
    at = draft.data.index(inner) + 1
    return _both(draft, _continued(draft, {CONTENT: (at, 0, b"n")}))


def inside_a_comment() -> tuple[bytes, bytes]:
    """The other page lies in a comment of the signed file."""
    text = b"%d 0 obj " % PAGE + _PAGE % (_HIDDEN, b"") + b" endobj"
    draft = sign(
        replace(Draft.begin(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n%" + text + b"\n"), info=INFO).save(
            {**small().bodies, _HIDDEN: stream(_EVIL)}
        ),
        hand(),
    )
    return _both(draft, _continued(draft, {PAGE: (draft.data.index(text), 0, b"n")}))


def inside_an_object_stream() -> tuple[bytes, bytes]:
    """An object stream of the signed file holds another page, and nobody lists it."""
    head, page = b"%d 0 " % PAGE, _PAGE % (_HIDDEN + 1, b"")
    held = stream(head + page, b"/Type/ObjStm/N 1/First %d" % len(head))
    draft = _prepared({_HIDDEN: held, _HIDDEN + 1: stream(_EVIL)})
    return _both(draft, _in_stream(draft, {PAGE: (2, _HIDDEN, 0)}))


def _in_stream(draft: Draft, rows: Mapping[int, tuple[int, int, int]], more: bytes = b"") -> bytes:
    """A save of a cross-reference stream only."""
    number, at = draft.highest + 1, len(draft.data)
    listed = {**rows, number: (1, at, 0)}
    index = b" ".join(b"%d 1" % each for each in sorted(listed))
    data = b"".join(
        a.to_bytes(1, "big") + b.to_bytes(4, "big") + c.to_bytes(2, "big") for _, (a, b, c) in sorted(listed.items())
    )
    body = stream(
        data,
        b"/Type/XRef/W[1 4 2]/Index[%b]/Size %d/Root 1 0 R/Info 6 0 R%b/Prev %d%b"
        % (index, number + 1, draft.trailer, draft.last, more),
    )
    return draft.data + b"%d 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (number, body, at)


def other_catalog() -> tuple[bytes, bytes]:
    """Catalog, pages and page of another document lie in the signed one; a later trailer begins there."""
    draft = _prepared(
        {
            20: b"<</Type/Catalog/Pages 21 0 R>>",
            21: b"<</Type/Pages/Count 1/Kids[22 0 R]>>",
            22: _PAGE.replace(b"2 0 R/MediaBox", b"21 0 R/MediaBox") % (23, b""),
            23: stream(_EVIL),
        }
    )
    return _both(draft, _continued(draft, {0: (0, 65535, b"f")}, root=20))


def other_information() -> tuple[bytes, bytes]:
    """Another title lies in the signed file; a later trailer names it."""
    draft = _prepared({_HIDDEN: b"<</Title(Many records)>>"})
    return _both(draft, _continued(draft, {0: (0, 65535, b"f")}, info=_HIDDEN))


def open_place_in_contents() -> tuple[bytes, bytes]:
    """The page draws two streams, of which one is not there when it is signed."""
    page = small().bodies[PAGE].replace(b"/Contents 4 0 R", b"/Contents[4 0 R 20 0 R]")
    draft = _prepared({}, page=page)
    return draft.data, replace(draft, highest=max(draft.highest, 19)).save({20: stream(_EVIL)}).data


def open_place_in_annotations() -> tuple[bytes, bytes]:
    """The page has an annotation that is not there when it is signed."""
    page = small().bodies[PAGE][:-2] + b"/Annots[20 0 R]>>"
    draft = _prepared({}, page=page)
    note = b"<</Type/Annot/Subtype/Stamp/Rect[0 0 200 200]/F 4/AP<</N 21 0 R>>>>"
    look = stream(_EVIL, b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</Font<</F1 5 0 R>>>>")
    return draft.data, replace(draft, highest=max(draft.highest, 19)).save({20: note, 21: look}).data


def open_place_in_resources() -> tuple[bytes, bytes]:
    """The page draws a picture that is not there when it is signed."""
    page = small().bodies[PAGE].replace(b"/Font<<", b"/XObject<</X 20 0 R>>/Font<<")
    draft = _prepared({}, page=page, content=stream(layout.TEXT + b" q /X Do Q"))
    look = stream(_EVIL, b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</Font<</F1 5 0 R>>>>")
    return draft.data, replace(draft, highest=max(draft.highest, 19)).save({20: look}).data


def cover_freed() -> tuple[bytes, bytes]:
    """A picture covers what the page says; a later table calls it free."""
    evil = _EVIL + b" q /X Do Q"
    page = small().bodies[PAGE].replace(b"/Font<<", b"/XObject<</X 20 0 R>>/Font<<")
    cover = stream(b"1 g 0 160 200 40 re f 0 g " + layout.TEXT, b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</Font<</F1 5 0 R>>>>")  # fmt: skip
    draft = _prepared({20: cover}, page=page, content=stream(evil))
    return _both(draft, _continued(draft, {20: (0, 1, b"f")}))


def length_changed() -> tuple[bytes, bytes]:
    """The content's length is an object of its own; with a smaller one the text that overwrites it falls away."""
    text = _EVIL + b" 1 g 0 160 200 40 re f 0 g " + layout.TEXT
    content = b"<</Length 20 0 R>>\nstream\n%b\nendstream" % text
    draft = _prepared({20: b"%d" % len(text)}, content=content)
    return draft.data, draft.save({20: b"%d" % len(_EVIL)}).data


def filter_changed() -> tuple[bytes, bytes]:
    """The content's filter is an object of its own."""
    packed = zlib.compress(layout.TEXT)
    content = b"<</Length %d/Filter 20 0 R>>\nstream\n%b\nendstream" % (len(packed), packed)
    draft = _prepared({20: b"/FlateDecode"}, content=content)
    return draft.data, draft.save({20: b"[/FlateDecode/ASCIIHexDecode]"}).data


def other_generation() -> tuple[bytes, bytes]:
    """The content's number gets another generation: to some readers the page is blank."""
    draft = _prepared({})
    return _both(draft, _continued(draft, {CONTENT: (_place(draft, CONTENT), 1, b"n")}))


def rewritten_under_another_generation() -> tuple[bytes, bytes]:
    """The content is written anew as it was, under another generation: who follows references exactly finds nothing."""
    draft = _prepared({})
    body = b"%d 1 obj\n%b\nendobj\n" % (CONTENT, draft.bodies[CONTENT])
    return _both(draft, _continued(draft, {CONTENT: (len(draft.data), 1, b"n")}, body=body))


def size_shrunk() -> tuple[bytes, bytes]:
    """/Size says that there are fewer objects: to some readers the last ones are gone."""
    draft = _prepared({})
    return _both(draft, _continued(draft, {0: (0, 65535, b"f")}, size=CONTENT))


def section_skipped() -> tuple[bytes, bytes]:
    """The later save continues the version before the signed one."""
    unsigned = small()
    draft = sign(unsigned, hand())
    return _both(draft, _continued(draft, {0: (0, 65535, b"f")}, previous=unsigned.last))


def hidden_section() -> tuple[bytes, bytes]:
    """A table inside a stream of the signed file lists another content; the later save continues that one."""
    first = _prepared({_HIDDEN: stream(_EVIL), _HIDDEN + 1: b"<</Length 0>>\nstream\n\nendstream"})
    at = _place(first, _HIDDEN)
    inner = (
        b"xref\n4 1\n%010d 00000 n \ntrailer\n<</Size 30/Root 1 0 R/Info 6 0 R/Prev %010d>>\nstartxref\n0\n%%%%EOF\n"
    )
    held = inner % (at, 0)
    held = b"<</Length %d>>\nstream\n%b\nendstream" % (len(held), held)
    bodies = {**small().bodies, _HIDDEN: stream(_EVIL), _HIDDEN + 1: held}
    begun = replace(Draft.begin(), info=INFO).save(bodies)
    written = inner % (begun.data.index(b"\n%d 0 obj" % _HIDDEN) + 1, begun.last)
    begun = replace(begun, data=begun.data.replace(held[held.index(b"xref") : held.rindex(b"\nendstream")], written))
    draft = sign(begun, hand())
    hidden = draft.data.index(b"stream\nxref\n4 1") + len(b"stream\n")
    return _both(draft, _continued(draft, {0: (0, 65535, b"f")}, previous=hidden))


def hidden_hybrid_stream() -> tuple[bytes, bytes]:
    """A cross-reference stream of the signed file, of no section, lists another page; a later trailer names it."""
    head, page = b"%d 0 " % PAGE, _PAGE % (_HIDDEN + 1, b"")
    held = stream(head + page, b"/Type/ObjStm/N 1/First %d" % len(head))
    rows = b"\2" + _HIDDEN.to_bytes(4, "big") + b"\0\0"
    section = stream(rows, b"/Type/XRef/W[1 4 2]/Index[3 1]/Size 23")
    draft = _prepared({_HIDDEN: held, _HIDDEN + 1: stream(_EVIL), _HIDDEN + 2: section})
    more = b"/XRefStm %d" % _place(draft, _HIDDEN + 2)
    return _both(draft, _continued(draft, {0: (0, 65535, b"f")}, more=more))


def hybrid_for_newer_readers() -> tuple[bytes, bytes]:
    """A later hybrid save leaves the table as it is; its stream has another page for newer readers."""
    draft = _prepared({_HIDDEN: stream(_EVIL)})
    page = _PAGE % (_HIDDEN, b"7 0 R")
    return draft.data, draft.save({PAGE: page}, Style(kind="hybrid", packed=frozenset({PAGE}))).data


def stream_that_needs_itself() -> tuple[bytes, bytes]:
    """The later save has an object stream whose filter is said to be inside it."""
    draft = _prepared({})
    number, at = draft.highest + 1, len(draft.data)
    held = b"<</Type/ObjStm/N 20 0 R/First 21 0 R/Length 8/Filter 22 0 R>>\nstream\n20 0 1  \nendstream"
    body = b"%d 0 obj\n%b\nendobj\n" % (number, held)
    continued = replace(draft, data=draft.data + body, highest=number)
    rows = {each: (2, number, place) for place, each in enumerate((20, 21, 22, PAGE))}
    return _both(draft, _in_stream(continued, {**rows, number: (1, at, 0)}))


def encrypted_since() -> tuple[bytes, bytes]:
    """A later trailer says that the file is encrypted."""
    draft = _prepared({})
    body = b"30 0 obj\n<</Filter/Standard/V 1/R 2/O<%b>/U<%b>/P -4>>\nendobj\n" % (b"00" * 32, b"00" * 32)
    rows = {30: (len(draft.data), 0, b"n")}
    return _both(draft, _continued(draft, rows, body=body, size=31, more=b"/Encrypt 30 0 R"))


def two_tables() -> tuple[bytes, bytes]:
    """The later save lists the content twice, as it was and as it is not."""
    draft = _prepared({_HIDDEN: stream(_EVIL)})
    at, evil = _place(draft, CONTENT), _place(draft, _HIDDEN)
    sprung = _continued(draft, {CONTENT: (at, 0, b"n")})
    row = b"4 1\n%010d 00000 n \n"
    return _both(draft, sprung.replace(b"xref\n" + row % at, b"xref\n" + row % at + row % evil))


TRAPS: tuple[Trap, ...] = (
    second_version_in_place,
    inside_a_stream,
    inside_a_comment,
    inside_an_object_stream,
    other_catalog,
    other_information,
    open_place_in_contents,
    open_place_in_annotations,
    open_place_in_resources,
    cover_freed,
    length_changed,
    filter_changed,
    other_generation,
    rewritten_under_another_generation,
    size_shrunk,
    section_skipped,
    hidden_section,
    hidden_hybrid_stream,
    hybrid_for_newer_readers,
    stream_that_needs_itself,
    encrypted_since,
    two_tables,
)
