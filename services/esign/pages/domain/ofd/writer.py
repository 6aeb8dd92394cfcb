"""Writes OFD packages (GB/T 33190) with one page and one seal (GM/T 0099).

As with PDF forms, what all documents of a form share is made once: the template page, its font and the files that
never differ. A document adds a page with its number and text, a font of those characters, its QR code and its seal.
Text stands in TextObjects under its own characters, so it can be searched and copied.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from xml.sax.saxutils import escape

import numpy as np

from services.esign.domain.moments import whole_second
from services.esign.domain.ofd.package import Box
from services.esign.domain.ofd.zip_writer import PackedFile, pack, packed
from services.esign.pages.domain.ofd import embedded_font
from services.esign.pages.domain.ofd.drawn import DrawnPage, DrawnText
from services.esign.pages.domain.opentype import Font
from shuniu.china_time import CHINA

SIGNATURE_FILE = "Doc_0/Signs/Sign_0/Signature.xml"
PROTECTED = f"/{SIGNATURE_FILE}"
"""The file that the seal signature names as its original (propertyInfo)."""
_VALUE_FILE = "Doc_0/Signs/Sign_0/SignedValue.dat"
_NAMESPACE = 'xmlns:ofd="http://www.ofdspec.org/2016"'
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_MM = 25.4 / 72
_SM3_OID, _SM2_OID = "1.2.156.10197.1.401", "1.2.156.10197.1.501"
# Identifiers in the document (ST_ID): those that never differ, then counted on.
_FORM_FONT, _TEXT_FONT, _CODE, _TEMPLATE, _TEMPLATE_LAYER, _PAGE, _LAYER, _CODE_OBJECT = range(1, 9)
_FIRST_OBJECT = 10
_FAMILY = "Noto Serif SC"
# Pixels a module: viewers smooth what they enlarge.
_SCALE = 4
_SIGNATURES = f"""{_HEAD}<ofd:Signatures {_NAMESPACE}><ofd:MaxSignId>1</ofd:MaxSignId>\
<ofd:Signature ID="1" Type="Seal" BaseLoc="/{SIGNATURE_FILE}"/></ofd:Signatures>"""


@dataclass(frozen=True, slots=True)
class About:
    """The package's facts about itself: number, title and author of the document."""

    number: str
    title: str
    author: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OfdForm:
    """The parts that all packages of one form share. `code`: where the QR code lies, mm from the upper left."""

    font: Font
    width: float
    height: float
    code: Box
    shared: tuple[PackedFile, ...] = field(repr=False)
    next_id: int

    @classmethod
    def make(cls, page: DrawnPage, font: Font) -> "OfdForm":
        """From an engine's page with everything that documents share. Raises KeyError, CffError."""
        width, height = page.width * _MM, page.height * _MM
        left, bottom, wide, high = (each * _MM for each in page.code)
        points = sorted({ord(c) for text in page.texts for c in text.characters})
        texts, next_id = _texts(
            page.texts, page.height, (_FORM_FONT, embedded_font.places(font, points)), _FIRST_OBJECT
        )
        area = f"<ofd:Area><ofd:PhysicalBox>0 0 {width:.3f} {height:.3f}</ofd:PhysicalBox></ofd:Area>"
        template = (
            f"{_HEAD}<ofd:Page {_NAMESPACE}>{area}<ofd:Content>"
            f'<ofd:Layer ID="{_TEMPLATE_LAYER}" Type="Background">{texts}</ofd:Layer></ofd:Content></ofd:Page>'
        )
        shared = (
            packed("Doc_0/Tpls/Tpl_0/Content.xml", template.encode()),
            packed("Doc_0/Res/form.otf", embedded_font.build(font, f"{_FAMILY} Form", points)),
            packed("Doc_0/PublicRes.xml", _public_resources().encode()),
            packed("Doc_0/DocumentRes.xml", _document_resources().encode()),
        )
        box = (left, height - bottom - high, wide, high)
        return cls(font, width, height, box, shared, next_id)

    def fill(
        self, written: Sequence[DrawnText], about: About, code: tuple[int, bytes], at_us: int
    ) -> "UnsealedPackage":
        """A document. `code` as `Form.fill` has it: modules in a row, and its rows, one bit a module. Raises KeyError,
        CffError.
        """
        points = sorted({ord(c) for text in written for c in text.characters})
        texts, last = _texts(
            written, self.height / _MM, (_TEXT_FONT, embedded_font.places(self.font, points)), self.next_id
        )
        content = (
            f'{_HEAD}<ofd:Page {_NAMESPACE}><ofd:Template TemplateID="{_TEMPLATE}" ZOrder="Background"/>'
            f'<ofd:Content><ofd:Layer ID="{_LAYER}" Type="Body">{texts}'
            f'<ofd:ImageObject ID="{_CODE_OBJECT}" Boundary="{_box(self.code)}" '
            f'CTM="{self.code[2]:.3f} 0 0 {self.code[3]:.3f} 0 0" ResourceID="{_CODE}"/>'
            "</ofd:Layer></ofd:Content></ofd:Page>"
        )
        modules, rows = code
        made = whole_second(at_us).astimezone(CHINA)
        files = (
            packed("OFD.xml", _entry(about, made).encode()),
            packed("Doc_0/Document.xml", _document(self.width, self.height, last).encode()),
            packed("Doc_0/Pages/Page_0/Content.xml", content.encode()),
            # Outlines hardly get smaller.
            packed("Doc_0/Res/text.otf", embedded_font.build(self.font, f"{_FAMILY} Text", points), deflate=False),
            packed("Doc_0/Res/code.png", _picture(modules, rows), deflate=False),
        )
        return UnsealedPackage((*files, *self.shared), made)


@dataclass(frozen=True, slots=True)
class UnsealedPackage:
    """A package that lacks its seal."""

    files: tuple[PackedFile, ...] = field(repr=False)
    made: datetime

    def signature_xml(self, stamp: Box, at_us: int) -> bytes:
        """Signature.xml: every file of the document under its SM3, and where the seal shows (mm from the upper left on
        the first page). The seal signature is over these bytes.
        """
        references = "".join(
            f'<ofd:Reference FileRef="/{file.name}"><ofd:CheckValue>{file.sm3}</ofd:CheckValue></ofd:Reference>'
            for file in self.files
        )
        moment = whole_second(at_us).strftime("%Y%m%d%H%M%SZ")
        return (
            f"{_HEAD}<ofd:Signature {_NAMESPACE}><ofd:SignedInfo>"
            f'<ofd:Provider ProviderName="Shuniu" Company="Shuniu" Version="1"/>'
            f"<ofd:SignatureMethod>{_SM2_OID}</ofd:SignatureMethod>"
            f"<ofd:SignatureDateTime>{moment}</ofd:SignatureDateTime>"
            f'<ofd:References CheckMethod="{_SM3_OID}">{references}</ofd:References>'
            f'<ofd:StampAnnot ID="1" PageRef="{_PAGE}" Boundary="{_box(stamp)}"/></ofd:SignedInfo>'
            f"<ofd:SignedValue>/{_VALUE_FILE}</ofd:SignedValue></ofd:Signature>"
        ).encode()

    def sealed(self, signature_xml: bytes, value: bytes) -> bytes:
        """The package with its seal signature."""
        return pack(
            (
                *self.files,
                _signatures_file(),
                packed(SIGNATURE_FILE, signature_xml),
                packed(_VALUE_FILE, value, deflate=False),
            ),
            self.made,
        )


def _picture(modules: int, rows: bytes) -> bytes:
    """The code as PNG (ISO/IEC 15948), one bit a pixel."""
    bits = np.unpackbits(np.frombuffer(rows, np.uint8).reshape(modules, -1), axis=1)[:, :modules]
    lines = np.packbits(bits.repeat(_SCALE, axis=1), axis=1).repeat(_SCALE, axis=0)
    data = np.concatenate((np.zeros((len(lines), 1), np.uint8), lines), axis=1).tobytes()
    head = struct.pack(">IIBBBBB", modules * _SCALE, modules * _SCALE, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(data, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@lru_cache(maxsize=1)
def _signatures_file() -> PackedFile:
    return packed("Doc_0/Signs/Signatures.xml", _SIGNATURES.encode())


def _texts(
    texts: Sequence[DrawnText], page_height: float, font: tuple[int, Mapping[int, int]], first_id: int
) -> tuple[str, int]:
    """TextObjects, and the next identifier. `page_height` in points; `font`: its identifier, and the glyph of each
    code point.
    """
    found = []
    for identifier, part in enumerate((part for text in texts for part in _parts(text)), first_id):
        found.append(_text(part, page_height, font, identifier))
    return "".join(found), first_id + len(found)


def _parts(text: DrawnText) -> Iterator[DrawnText]:
    """A character beyond the first plane stands by itself: where readers count code units it is two."""
    start = 0
    for at, character in enumerate(text.characters):
        if ord(character) > 0xFFFF:
            yield from _part(text, start, at)
            yield from _part(text, at, at + 1)
            start = at + 1
    yield from _part(text, start, len(text.characters))


def _part(text: DrawnText, start: int, end: int) -> Iterator[DrawnText]:
    if start < end:
        begin = text.offsets[start]
        offsets = tuple(offset - begin for offset in text.offsets[start:end])
        yield replace(text, x=text.x + begin, characters=text.characters[start:end], offsets=offsets)


def _text(text: DrawnText, page_height: float, font: tuple[int, Mapping[int, int]], identifier: int) -> str:
    size = text.size * _MM
    # Room above and below the baseline for what the font draws; viewers select by this box.
    above, below = 0.95 * size, 0.25 * size
    left, top = text.x * _MM, (page_height - text.y) * _MM - above
    width = text.offsets[-1] * _MM + 1.05 * size
    colour = glyphs = ""
    if text.colour != (0, 0, 0):
        colour = f'<ofd:FillColor Value="{text.colour[0]} {text.colour[1]} {text.colour[2]}"/>'
    if ord(text.characters[0]) > 0xFFFF:
        # Named by its glyph, for readers that look up each half of it.
        glyphs = (
            '<ofd:CGTransform CodePosition="0" CodeCount="2" GlyphCount="1">'
            f"<ofd:Glyphs>{font[1][ord(text.characters[0])]}</ofd:Glyphs></ofd:CGTransform>"
        )
    steps = " ".join([f"{(after - before) * _MM:.4f}" for before, after in pairwise(text.offsets)])
    deltas = f' DeltaX="{steps}"' if steps else ""
    return (
        f'<ofd:TextObject ID="{identifier}" Boundary="{_box((left, top, width, above + below))}" Font="{font[0]}" '
        f'Size="{size:.4f}">{colour}{glyphs}'
        f'<ofd:TextCode X="0" Y="{above:.4f}"{deltas}>{escape(text.characters)}</ofd:TextCode></ofd:TextObject>'
    )


def _box(box: Box) -> str:
    return " ".join(f"{each:.3f}" for each in box)


def _entry(about: About, made: datetime) -> str:
    identity = sha256(about.number.encode()).hexdigest()[:32]
    return (
        f'{_HEAD}<ofd:OFD {_NAMESPACE} Version="1.1" DocType="OFD"><ofd:DocBody><ofd:DocInfo>'
        f"<ofd:DocID>{identity}</ofd:DocID><ofd:Title>{escape(about.title)}</ofd:Title>"
        f"<ofd:Author>{escape(about.author)}</ofd:Author><ofd:CreationDate>{made:%Y-%m-%d}</ofd:CreationDate>"
        f"<ofd:Creator>Shuniu</ofd:Creator>"
        f'<ofd:CustomDatas><ofd:CustomData Name="编号">{escape(about.number)}</ofd:CustomData>'
        f"</ofd:CustomDatas></ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot>"
        f"<ofd:Signatures>Doc_0/Signs/Signatures.xml</ofd:Signatures></ofd:DocBody></ofd:OFD>"
    )


def _document(width: float, height: float, next_id: int) -> str:
    return (
        f"{_HEAD}<ofd:Document {_NAMESPACE}><ofd:CommonData><ofd:MaxUnitID>{next_id}</ofd:MaxUnitID>"
        f"<ofd:PageArea><ofd:PhysicalBox>0 0 {width:.3f} {height:.3f}</ofd:PhysicalBox></ofd:PageArea>"
        f"<ofd:PublicRes>PublicRes.xml</ofd:PublicRes><ofd:DocumentRes>DocumentRes.xml</ofd:DocumentRes>"
        f'<ofd:TemplatePage ID="{_TEMPLATE}" BaseLoc="Tpls/Tpl_0/Content.xml"/></ofd:CommonData>'
        f'<ofd:Pages><ofd:Page ID="{_PAGE}" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages></ofd:Document>'
    )


def _public_resources() -> str:
    fonts = "".join(
        f'<ofd:Font ID="{identifier}" FontName="{_FAMILY} {kind}" FamilyName="{_FAMILY} {kind}">'
        f"<ofd:FontFile>{file}</ofd:FontFile></ofd:Font>"
        for identifier, kind, file in ((_FORM_FONT, "Form", "form.otf"), (_TEXT_FONT, "Text", "text.otf"))
    )
    return f'{_HEAD}<ofd:Res {_NAMESPACE} BaseLoc="Res"><ofd:Fonts>{fonts}</ofd:Fonts></ofd:Res>'


def _document_resources() -> str:
    return (
        f'{_HEAD}<ofd:Res {_NAMESPACE} BaseLoc="Res"><ofd:MultiMedias><ofd:MultiMedia ID="{_CODE}" Type="Image" '
        f'Format="PNG"><ofd:MediaFile>code.png</ofd:MediaFile></ofd:MultiMedia></ofd:MultiMedias></ofd:Res>'
    )
