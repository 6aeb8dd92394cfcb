"""Layout: certificate data and QR code to PDF/A-2b, by typst, with fonts that come with the project's dependencies.

A `Typesetter` belongs to one thread or process; make one per worker (`typeset_here` does). Nothing is read from the
machine's own fonts. Characters that no font here can draw are refused before layout: never an empty box in somebody's
name.
"""

import json
import struct
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pylopdf_fonts_zh_cn
import typst

from services.esign.domain.certificates import CertificateData, Template, check
from services.esign.domain.errors import CharacterNotCoveredError, DocumentUnfitError
from services.esign.domain.pades import SignatureField
from services.esign.domain.qr import png

TEMPLATES_DIR = Path(__file__).parent / "templates"
_POINTS_PER_MM = 72 / 25.4
_A4_HEIGHT_MM = 297.0
_FAMILY = "Noto Serif SC"
_local = threading.local()


class Typesetter:
    """A typst compiler with its fonts loaded once (0.1 s)."""

    def __init__(self) -> None:
        fonts = typst.Fonts(
            include_system_fonts=False,
            include_embedded_fonts=False,
            font_paths=[str(pylopdf_fonts_zh_cn.serif_path().parent)],
        )
        if _FAMILY not in fonts.families():
            raise RuntimeError(f"font {_FAMILY} is missing from the installed font package")
        self._compiler = typst.Compiler(root=str(TEMPLATES_DIR), font_paths=fonts, ignore_system_fonts=True)

    def typeset(self, data: CertificateData, host: str, qr_content: str, at_us: int) -> bytes:
        """The certificate as one page of PDF/A-2b. Raises DocumentUnfitError, CharacterNotCoveredError."""
        template = check(data)
        require_coverage((("issuer", data.issuer), *data.facts.items()))
        try:
            pdf = self._compiler.compile(
                _main(template, _page_data(data, template, host), png(qr_content)),
                pdf_standards="a-2b",
                timestamp=at_us // 1_000_000,
                pdf_tags=False,
            )
        except typst.TypstError as cause:
            raise DocumentUnfitError("LAYOUT", "the page cannot be laid out", "版面无法生成") from cause
        if not isinstance(pdf, bytes) or b"/Type/Pages/Count 1/" not in pdf[:256]:
            raise DocumentUnfitError("LAYOUT_OVERFLOW", "the text does not fit on the page", "内容过长，一页放不下")
        return pdf


def typeset_here(data: CertificateData, host: str, qr_content: str, at_us: int) -> bytes:
    """`Typesetter.typeset` with this thread's own typesetter: for executors of threads and of processes alike."""
    typesetter: Typesetter | None = getattr(_local, "typesetter", None)
    if typesetter is None:
        typesetter = _local.typesetter = Typesetter()
    return typesetter.typeset(data, host, qr_content, at_us)


def seal_field(template: Template) -> SignatureField:
    """The signature field that lies exactly over the picture of the seal."""
    left, size = template.seal_x, template.seal_size
    bottom = _A4_HEIGHT_MM - template.seal_y - size
    return SignatureField(
        "Seal1",
        (
            round(left * _POINTS_PER_MM, 2),
            round(bottom * _POINTS_PER_MM, 2),
            round((left + size) * _POINTS_PER_MM, 2),
            round((bottom + size) * _POINTS_PER_MM, 2),
        ),
    )


def require_coverage(texts: Iterable[tuple[str, str]]) -> None:
    """Raises CharacterNotCoveredError naming the characters that the font lacks and the fields that hold them."""
    covered = covered_characters()
    lacking = [(name, c) for name, text in texts for c in text if ord(c) not in covered]
    if lacking:
        characters = "".join(sorted({c for _, c in lacking}))
        raise CharacterNotCoveredError(
            "CHARACTER_NOT_COVERED",
            f"the font has no glyph for: {' '.join(f'U+{ord(c):04X}' for c in characters)}",
            f"字库缺字：{'、'.join(characters)}，请联系枢纽管理员补充字库",
            characters=characters,
            names=",".join(sorted({name for name, _ in lacking})),
        )


@cache
def covered_characters() -> frozenset[int]:
    """Code points with a glyph, from the font's own character map (OpenType `cmap`, format 12)."""
    font = pylopdf_fonts_zh_cn.serif_path().read_bytes()
    tables = struct.unpack_from(">H", font, 4)[0]
    cmap = next(
        offset
        for tag, offset in (struct.unpack_from(">4s4xI", font, 12 + 16 * i) for i in range(tables))
        if tag == b"cmap"
    )
    covered: set[int] = set()
    for i in range(struct.unpack_from(">H", font, cmap + 2)[0]):
        subtable = cmap + struct.unpack_from(">I", font, cmap + 4 + 8 * i + 4)[0]
        if struct.unpack_from(">H", font, subtable)[0] == 12:
            for group in range(struct.unpack_from(">I", font, subtable + 12)[0]):
                first, last, glyph = struct.unpack_from(">III", font, subtable + 16 + 12 * group)
                covered.update(range(first + (glyph == 0), last + 1))
    return frozenset(covered)


def _main(template: Template, page_data: str, qr: bytes) -> bytes:
    """The main file that calls the template. Data come in here and not by `sys.inputs`: with other inputs the engine
    builds its library anew and forgets what it has memoised of the template, a fifth of the time of a page.
    """
    # A typst string ends at a quotation mark and escapes by a backslash, as JSON's do; page_data holds no control
    # characters, the only other thing that the two write differently.
    quoted = json.dumps(page_data, ensure_ascii=False)
    picture = ",".join(map(str, qr))
    return (
        f'#import "{template.name}.typ": certificate\n#certificate(json(bytes({quoted})), bytes(({picture})))'.encode()
    )


def _page_data(data: CertificateData, template: Template, host: str) -> str:
    day = data.issued_on
    return json.dumps(
        {
            "number": data.number,
            "issuer": data.issuer,
            "issued_on": f"{day.year}年{day.month}月{day.day}日",
            "host": host,
            "facts": dict(data.facts),
            "seal": {"name": data.issuer, "x": template.seal_x, "y": template.seal_y, "size": template.seal_size},
        },
        ensure_ascii=False,
    )
