"""Documents of which every byte is laid out: what is signed, and where the gap for the signature's value is put in.

The signed bytes are a document without its gap. Whoever puts the value in elsewhere, or writes something into the part
that nobody signs, has another document of the same signature.
"""

from collections.abc import Mapping
from hashlib import sha256

from services.esign.domain import der
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.cms.signed_data import OpenedCms
from tests.support.esign import setting
from tests.support.updates import stream

ROOM = 8000
GAP = ROOM + 2
"""Bytes of a gap with its brackets."""
STATED = b"/M(D:20260601040000Z)"
HOLE = b"[0 ########## ########## ##########]"
SIGNATURE = b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached%b/ByteRange%b/Contents"
FORM = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[6 0 R]/SigFlags 3>>>>"
FIELD = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Sig1)/V %d 0 R/Rect[0 0 0 0]/F 132/P 3 0 R>>"
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
PAGES = b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 300 200]>>"
PAGE = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>/Annots[6 0 R]>>"


def says(words: bytes) -> bytes:
    """A page's content."""
    return stream(b"BT /F1 18 Tf 20 150 Td (%b) Tj ET" % words)


class Layout:
    """The signed bytes in the making. `at`: where objects begin, by number or by name."""

    def __init__(self) -> None:
        self.data = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        self.at: dict[int | str, int] = {}

    def add(self, number: int, body: bytes, name: str = "") -> None:
        self.at[name or number] = len(self.data)
        self.data += b"%d 0 obj\n%b\nendobj\n" % (number, body)

    def usual(self) -> None:
        """A page that leads to content 4 and field 6, which are still to come."""
        for number, body in ((1, FORM), (2, PAGES), (3, PAGE), (5, FONT)):
            self.add(number, body)

    def signature(self, number: int, span: bytes = HOLE, more: bytes = STATED) -> int:
        """A signature's dictionary without its value; where that belongs."""
        self.at[number] = len(self.data)
        self.data += b"%d 0 obj\n" % number + SIGNATURE % (more, span)
        place = len(self.data)
        self.data += b">>\nendobj\n"
        return place

    def until(self, place: int) -> None:
        """Blank up to there."""
        assert place > len(self.data)
        self.data += b" " * (place - len(self.data) - 1) + b"\n"

    def table(self, rows: Mapping[int, int], root: int = 1) -> None:
        """A cross-reference table over the numbers to the highest one."""
        size = max(rows) + 1
        self.data += b"xref\n0 %d\n0000000000 65535 f \n" % size
        for number in range(1, size):
            free = b"0000000000 00000 f \n"
            self.data += b"%010d 00000 n \n" % rows[number] if number in rows else free
        self.data += b"trailer\n<</Size %d/Root %d 0 R>>\n" % (size, root)

    def end(self, startxref: int) -> None:
        self.data += b"startxref\n%d\n%%%%EOF\n" % startxref

    def fill(self, place: int, gap: int = GAP) -> None:
        """Writes the range around a gap into the next hole."""
        hole = self.data.index(HOLE)
        text = b"[0 %d %d %d]" % (place, place + gap, len(self.data) - place)
        self.data[hole : hole + len(HOLE)] = text.ljust(len(HOLE))

    def finish(self, place: int, gap: int = GAP) -> None:
        """A table over all objects that have numbers alone, behind the gap, and the range around it."""
        start = len(self.data) + gap
        self.table({number: at for number, at in self.at.items() if isinstance(number, int)})
        self.end(start)
        self.fill(place, gap)

    def signed(self, place: int, room: int = ROOM) -> bytes:
        """The document with its gap there."""
        return with_value(bytes(self.data), place, value_over(bytes(self.data)), room)


def value_over(content: bytes) -> bytes:
    """A CMS of the test seal."""
    return setting().seal.cms.sign(sha256(content).digest())


def with_value(content: bytes, place: int, value: bytes, room: int = ROOM) -> bytes:
    return content[:place] + b"<" + value.hex().encode().ljust(room, b"0") + b">" + content[place:]


def with_unsigned(value: bytes, content: bytes) -> bytes:
    """The CMS with an attribute that nobody signed and that is passed over (an evidence record)."""
    opened = OpenedCms.of(value)
    record = cms.attribute(der.oid("1.2.840.113549.1.9.16.2.49"), der.tlv(der.OCTET_STRING, content))
    signer = der.tlv(der.SEQUENCE, opened._signer, der.tlv(0xA1, record))
    data = der.tlv(der.SEQUENCE, opened._before, der.tlv(der.SET, signer))
    return der.tlv(der.SEQUENCE, opened._kind, der.tlv(0xA0, data))


def in_one_piece(form: bytes = FORM, more: bytes = STATED) -> tuple[Layout, int]:
    """An honest document that is written with its signature at once, and where the gap is."""
    made = Layout()
    made.usual()
    made.add(1, form)
    made.add(4, says(b"The debt is paid"))
    made.add(6, FIELD % 7)
    place = made.signature(7, more=more)
    made.finish(place)
    return made, place
