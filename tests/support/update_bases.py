"""Signed documents of many forms that updates are made of."""

import zlib
from collections.abc import Callable, Mapping
from functools import cache

from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.document import Document
from services.esign.signing.domain import multisign, pades
from services.esign.signing.domain.multisign import Field, Lock, LockAction
from tests.support import documents as attack
from tests.support.esign import NOW_US, sealed, setting
from tests.support.lawful import documents as lawful
from tests.support.multisign import FIELDS, signed
from tests.support.updates import stream

TEXT = b"BT /F1 18 Tf 12 150 Td (No criminal record) Tj ET q 0 .4 .8 rg 12 120 60 12 re f Q"
_PICTURE = zlib.compress(bytes((220, 30, 30, 30, 220, 30, 30, 30, 220, 200, 200, 30)))
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    b' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    b' xmlns:pdf="http://ns.adobe.com/pdf/1.3/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">No record</rdf:li>'
    b"</rdf:Alt></dc:title><xmp:ModifyDate>2026-06-01T04:00:00Z</xmp:ModifyDate><pdf:Producer>maker</pdf:Producer>"
    b'</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def form(data: bytes, entries: bytes = b"/BBox[0 0 40 40]") -> bytes:
    """A form XObject."""
    return stream(data, b"/Type/XObject/Subtype/Form" + entries)


PAGE, CONTENT, FONT, SECOND, PICTURE, SHAPE, STATE, INFO, METADATA = 3, 4, 5, 6, 7, 8, 9, 11, 12


def rich(
    *, annotations: bool = False, page: bytes = b"", catalog: bytes = b"", more: Mapping[int, bytes] | None = None
) -> dict[int, bytes]:
    """A document of two pages with text, a font, a picture, a form XObject, a graphics state and metadata."""
    resources = (
        b"/Resources<</Font<</F1 5 0 R>>/XObject<</Im 7 0 R/Fm 8 0 R>>/ExtGState<</G 9 0 R>>/ColorSpace<</C 10 0 R>>>>"
    )
    drawn = TEXT + b" q /G gs 40 0 0 40 12 60 cm /Im Do Q q 1 0 0 1 70 60 cm /Fm Do Q /C cs .5 scn 130 60 20 20 re f"
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R/Metadata 12 0 R%b>>" % catalog,
        2: b"<</Type/Pages/Count 2/Kids[3 0 R 6 0 R]/MediaBox[0 0 200 200]>>",
        PAGE: b"<</Type/Page/Parent 2 0 R/Contents 4 0 R%b%b>>"
        % (resources, page + (b"/Annots[13 0 R]" if annotations else b"")),
        CONTENT: stream(zlib.compress(drawn), b"/Filter/FlateDecode"),
        FONT: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        SECOND: b"<</Type/Page/Parent 2 0 R/Contents[4 0 R]%b/Rotate 90>>" % resources,
        PICTURE: stream(
            _PICTURE,
            b"/Type/XObject/Subtype/Image/Width 2/Height 2/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/FlateDecode",
        ),
        SHAPE: form(b".9 .6 .1 rg 0 0 30 30 re f"),
        STATE: b"<</Type/ExtGState/ca .9>>",
        10: b"[/Separation/Spot/DeviceGray<</FunctionType 2/Domain[0 1]/C0[1]/C1[0]/N 1>>]",
        INFO: b"<</Title(No record)/Producer(maker)/ModDate(D:20260601040000Z)>>",
        METADATA: stream(XMP, b"/Type/Metadata/Subtype/XML"),
    }
    if annotations:
        objects[13] = (
            b"<</Type/Annot/Subtype/Square/Rect[150 150 190 190]/F 4/C[1 0 0]/AP<</N 14 0 R>>/Contents(seen)/P 3 0 R>>"
        )
        objects[14] = form(b"1 0 0 RG 4 w 2 2 36 36 re S")
    return objects | dict(more or {})


def built(objects: Mapping[int, bytes]) -> bytes:
    return attack.build(objects, b"/Info 11 0 R")


def packed(objects: Mapping[int, bytes]) -> bytes:
    """The same with everything but its streams in an object stream."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    inside = [number for number, body in objects.items() if not body.endswith(b"endstream")]
    head, content = b"", b""
    for number in inside:
        head += b"%d %d " % (number, len(content))
        content += objects[number] + b" "
    holder = max(objects) + 1
    standing = {number: body for number, body in objects.items() if number not in inside}
    entries = b"/Type/ObjStm/N %d/First %d/Filter/FlateDecode" % (len(inside), len(head))
    standing[holder] = stream(zlib.compress(head + content), entries)
    rows = {0: b"\0\0\0\0\xff", **{n: b"\2" + holder.to_bytes(3, "big") + bytes((i,)) for i, n in enumerate(inside)}}
    for number, body in standing.items():
        rows[number] = b"\1" + len(out).to_bytes(3, "big") + b"\0"
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    own, at = holder + 1, len(out)
    rows[own] = b"\1" + at.to_bytes(3, "big") + b"\0"
    table = b"".join(rows[number] for number in range(own + 1))
    section = stream(table, b"/Type/XRef/W[1 3 1]/Size %d/Root 1 0 R/Info 11 0 R" % (own + 1))
    return bytes(out + b"%d 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (own, section, at))


def with_form(*, lock: bytes = b"") -> bytes:
    """With a text field, a choice, a check box, an empty signature field, and looks of what is filled in."""
    widget = b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R"
    more = {
        20: widget + b"/FT/Tx/T(amount)/V(100)/Rect[20 8 80 24]/DA(/F1 9 Tf 0 g)/AP<</N 25 0 R>>>>",
        21: widget + b"/FT/Ch/Ff 131072/T(kind)/V(a)/Opt[(a)(b)]/Rect[90 8 130 24]/DA(/F1 9 Tf 0 g)/AP<</N 25 0 R>>>>",
        22: widget + b"/FT/Btn/T(agreed)/V/Off/AS/Off/Rect[140 8 156 24]/AP<</N<</Yes 26 0 R/Off 27 0 R>>>>>>",
        23: widget + b"/FT/Sig/T(later)/Rect[120 100 180 140]>>",
        25: form(
            b"/Tx BMC q BT /F1 9 Tf 2 4 Td (100) Tj ET Q EMC", b"/BBox[0 0 60 16]/Resources<</Font<</F1 5 0 R>>>>"
        ),
        26: form(b"0 0 16 16 re f", b"/BBox[0 0 16 16]"),
        27: form(b"0 0 16 16 re S", b"/BBox[0 0 16 16]"),
    }
    acro_form = b"/AcroForm<</Fields[20 0 R 21 0 R 22 0 R 23 0 R]/DA(/F1 9 Tf 0 g)/DR<</Font<</F1 5 0 R>>>>>>"
    if lock:
        acro_form = acro_form.replace(b"23 0 R", b"23 0 R 24 0 R")
        more[24] = widget + b"/FT/Sig/T(first)/Rect[0 0 0 0]/Lock<</Type/SigFieldLock%b>>>>" % lock
    listed = b"/Annots[20 0 R 21 0 R 22 0 R 23 0 R%b]" % (b" 24 0 R" if lock else b"")
    return built(rich(page=listed, catalog=acro_form, more=more))


def without_looks(acro_form: bytes, field: bytes) -> bytes:
    """With a text field that has a value and no appearance: readers make one, or show nothing."""
    widget = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(amount)/V(1000)/Rect[100 30 190 50]/F 4/P 3 0 R%b>>" % field
    listed = b"/AcroForm<</Fields[20 0 R]%b>>" % acro_form
    return built(rich(page=b"/Annots[20 0 R]", catalog=listed, more={20: widget}))


def without_first() -> bytes:
    """With a catalog that is object 15; number 1 is free."""
    objects = rich()
    objects[15] = objects.pop(1)
    return built(objects).replace(b"/Root 1 0 R", b"/Root 15 0 R")


def _fields() -> tuple[Field, ...]:
    return (
        Field("甲方", 0, (100, 140, 150, 190), Lock(LockAction.INCLUDE, ("甲方",))),
        Field("乙方", 0, (155, 140, 195, 190), Lock(LockAction.ALL)),
    )


BASES: Mapping[str, Callable[[], bytes]] = {
    "certificate": sealed,
    "certified, P=1": lambda: pades.sign(built(rich()), setting().seal, NOW_US),
    "certified, P=1, object streams": lambda: attack.foreign_sign(packed(rich()), certify=MDPPerm.NO_CHANGES),
    "certified, P=1, annotations": lambda: attack.foreign_sign(
        built(rich(annotations=True)), certify=MDPPerm.NO_CHANGES
    ),
    "two signers, one has signed": lambda: signed(multisign.prepare(built(rich()), _fields()), "甲方"),
    "two signers": lambda: signed(signed(multisign.prepare(built(rich()), FIELDS), "甲方"), "乙方"),
    "approval": lambda: attack.foreign_sign(built(rich(annotations=True))),
    "approval, visible": lambda: attack.foreign_sign(built(rich()), box=(120, 100, 180, 140)),
    "approval, object streams": lambda: attack.foreign_sign(packed(rich(annotations=True))),
    "form, P=2": lambda: attack.foreign_sign(with_form(), "certifier", certify=MDPPerm.FILL_FORMS),
    "form, P=3": lambda: attack.foreign_sign(with_form(), "certifier", certify=MDPPerm.ANNOTATE),
    "form, approval": lambda: attack.foreign_sign(with_form(), "approver"),
    "form, locked": lambda: attack.foreign_sign(
        with_form(lock=b"/Action/Exclude/Fields[(later)(agreed)]"), "first", certify=MDPPerm.FILL_FORMS
    ),
    "field without looks": lambda: attack.foreign_sign(without_looks(b"", b"")),
    "field without a font": lambda: attack.foreign_sign(
        without_looks(b"/NeedAppearances true", b"/DA(/New 20 Tf 0 g)")
    ),
    "object 1 free, P=1": lambda: attack.foreign_sign(without_first(), certify=MDPPerm.NO_CHANGES),
    "hybrid": lambda: lawful.document("hybrid as Word writes it"),
    "hybrid, packed": lambda: lawful.document("hybrid in one section"),
    "linearised": lambda: lawful.document("linearised"),
    "linearised, object streams": lambda: lawful.document("linearised with object streams"),
    "offsets at white space": lambda: lawful.document("offsets at white space"),
    "no line end behind the end": lambda: lawful.document("no line end behind the end"),
    "CRLF": lambda: lawful.document("CRLF"),
}


@cache
def base(name: str) -> bytes:
    """The signed document of this name."""
    return BASES[name]()


@cache
def drawn_numbers(name: str) -> tuple[int, ...]:
    """Numbers of the objects that its pages are drawn by, and of others."""
    return tuple(n for n, entry in Document(base(name)).entries.items() if entry.place)
