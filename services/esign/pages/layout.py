"""Layout: certificate data and QR code to PDF/A-2b, by typst, with fonts that come with the project's dependencies.

A `Typesetter` belongs to one thread or process; make one per worker (`typeset_here` does). Nothing is read from the
machine's own fonts. Characters that no font here can draw are refused before layout: never an empty box in somebody's
name.
"""

import json
import threading
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path

import pylopdf_fonts_zh_cn
import typst

from services.esign.domain.errors import CharacterNotCoveredError, DocumentUnfitError
from services.esign.pages import fonts
from services.esign.pages.domain import certificates
from services.esign.pages.domain.certificates import CertificateData, Template, check
from services.esign.pages.domain.ofd.writer import UnsealedPackage
from services.esign.pages.domain.opentype import Font
from services.esign.pages.domain.qr import png
from services.esign.pages.forms import Forms, without_seal
from services.esign.ses.domain.values import Picture
from services.esign.signing.domain.pades import SignatureField

TEMPLATES_DIR = Path(__file__).parent / "templates"
_POINTS_PER_MM = 72 / 25.4
_A4_HEIGHT_MM = 297.0
_local = threading.local()
_learning = threading.Lock()


class Typesetter:
    """A typst compiler with its fonts loaded once (0.1 s)."""

    def __init__(self) -> None:
        self._fonts = fonts.read()
        self._compiler = typst.Compiler(root=str(TEMPLATES_DIR), font_paths=self._fonts, ignore_system_fonts=True)

    def typeset(self, data: CertificateData, host: str, qr_content: str, at_us: int) -> bytes:
        """The certificate as one page of PDF/A-2b. Raises DocumentUnfitError, CharacterNotCoveredError."""
        template = check(data)
        require_coverage((("issuer", data.issuer), *data.facts.items()))
        pdf = self._compile(_main(template, _page_data(data, template, host), png(qr_content), data.picture), at_us)
        if b"/Type/Pages/Count 1/" not in pdf[:256]:
            raise DocumentUnfitError("LAYOUT_OVERFLOW", "the text does not fit on the page", "内容过长，一页放不下")
        return pdf

    def page(self, data: CertificateData, host: str, at_us: int, form: bool) -> bytes:  # noqa: FBT001 — what a page is
        """A page for `forms.py`, with some QR code; as a form, without number and text. Raises DocumentUnfitError."""
        template = certificates.TEMPLATES[data.template]
        return self._compile(
            _main(template, _page_data(data, template, host, form=form), png(host), data.picture), at_us
        )

    def describe(self, data: CertificateData, host: str) -> Mapping[str, object]:
        """Facts of the template about itself with these data. Raises DocumentUnfitError."""
        page_data = _page_data(data, certificates.TEMPLATES[data.template], host, form=True)
        source = f'#import "{data.template}.typ": described\n#described(json(bytes({_quoted(page_data)})))'
        try:
            asked = typst.Compiler(
                source.encode(), root=str(TEMPLATES_DIR), font_paths=self._fonts, ignore_system_fonts=True
            )
            found = asked.query("<described>", field="value", one=True)
        except typst.TypstError as cause:
            raise _not_laid_out() from cause
        described: Mapping[str, object] = json.loads(found)
        return described

    def _compile(self, main: bytes, at_us: int) -> bytes:
        try:
            pdf = self._compiler.compile(main, pdf_standards="a-2b", timestamp=at_us // 1_000_000, pdf_tags=False)
        except typst.TypstError as cause:
            raise _not_laid_out() from cause
        if not isinstance(pdf, bytes):
            raise _not_laid_out()
        return pdf


def typeset_here(data: CertificateData, host: str, qr_content: str, at_us: int) -> bytes:
    """`Typesetter.typeset` with this thread's own typesetter: for executors of threads and of processes alike."""
    return _typesetter().typeset(data, host, qr_content, at_us)


def filled(data: CertificateData, host: str, qr_content: str, at_us: int) -> bytes | None:
    """The certificate by its form, in a fraction of a millisecond; None when there is no form yet or it cannot hold
    these data. Raises DocumentUnfitError, CharacterNotCoveredError.
    """
    check(data)
    require_coverage((("issuer", data.issuer), *data.facts.items()))
    return _forms().fill(data, host, qr_content, at_us)


def laid_out_here(data: CertificateData, host: str, qr_content: str, at_us: int) -> bytes:
    """The certificate by its form, which is made if it is not there; laid out by the engine if no form can hold it.
    With this thread's own typesetter. Raises DocumentUnfitError, CharacterNotCoveredError.
    """
    pdf = filled(data, host, qr_content, at_us)
    if pdf is not None:
        return pdf
    typesetter = _typesetter()
    with _learning:
        _forms().learn(data, host, typesetter.page, typesetter.describe)
    return filled(data, host, qr_content, at_us) or typesetter.typeset(data, host, qr_content, at_us)


def filled_ofd(data: CertificateData, host: str, qr_content: str, at_us: int) -> UnsealedPackage | None:
    """The certificate as an OFD package without its seal, by its form; None when there is no form yet or it cannot
    hold these data.
    """
    return _forms().fill_ofd(data, host, qr_content, at_us)


def ofd_laid_out_here(data: CertificateData, host: str, qr_content: str, at_us: int) -> UnsealedPackage | None:
    """As `laid_out_here`, for the OFD; None when these data cannot be shown in one. Raises DocumentUnfitError,
    CharacterNotCoveredError.
    """
    typesetter = _typesetter()
    with _learning:
        _forms().learn(data, host, typesetter.page, typesetter.describe)
        _forms().learn_ofd(data, host, typesetter.page)
    found = filled_ofd(data, host, qr_content, at_us)
    if found is not None:
        return found
    page = typesetter.typeset(without_seal(data), host, qr_content, at_us)
    return _forms().ofd_from_page(data, page, qr_content, at_us)


def _typesetter() -> Typesetter:
    typesetter: Typesetter | None = getattr(_local, "typesetter", None)
    if typesetter is None:
        typesetter = _local.typesetter = Typesetter()
    return typesetter


@cache
def font() -> Font:
    """The first font of all documents, which forms are written in."""
    path = pylopdf_fonts_zh_cn.serif_path()
    return Font.read(path.stem, path.read_bytes())


@cache
def _covered() -> frozenset[int]:
    return fonts.SIGNS | font().glyphs.keys()


@cache
def _forms() -> Forms:
    return Forms(font())


def _not_laid_out() -> DocumentUnfitError:
    return DocumentUnfitError("LAYOUT", "the page cannot be laid out", "版面无法生成")


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


def seal_box(template: Template, picture: Picture) -> tuple[float, float, float, float]:
    """The place of a seal on an OFD page: left, top, width and height in mm, as large as its place, in its own
    proportions.
    """
    scale = template.seal_size / max(picture.width_mm, picture.height_mm)
    width, height = picture.width_mm * scale, picture.height_mm * scale
    room = template.seal_size
    return template.seal_x + (room - width) / 2, template.seal_y + (room - height) / 2, width, height


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


def covered_characters() -> AbstractSet[int]:
    """Code points with a glyph."""
    return _covered()


def _main(template: Template, page_data: str, qr: bytes, seal: bytes) -> bytes:
    """The main file that calls the template. Data come in here and not by `sys.inputs`: with other inputs the engine
    builds its library anew and forgets what it has memoised of the template, a fifth of the time of a page.
    """
    return (
        f'#import "{template.name}.typ": certificate\n'
        f"#certificate(json(bytes({_quoted(page_data)})), {_bytes(qr)}, {_bytes(seal) if seal else 'none'})"
    ).encode()


def _bytes(content: bytes) -> str:
    return f"bytes(({','.join(map(str, content))}))"


def _quoted(page_data: str) -> str:
    # A typst string ends at a quotation mark and escapes by a backslash, as JSON's do; page_data holds no control
    # characters, the only other thing that the two write differently.
    return json.dumps(page_data, ensure_ascii=False)


def _page_data(data: CertificateData, template: Template, host: str, *, form: bool = False) -> str:
    day = data.issued_on
    return json.dumps(
        {
            "number": data.number,
            "issuer": data.issuer,
            "issued_on": f"{day.year}年{day.month}月{day.day}日",
            "host": host,
            "facts": dict(data.facts),
            "form": form,
            "seal": {"name": data.issuer, "x": template.seal_x, "y": template.seal_y, "size": template.seal_size},
        },
        ensure_ascii=False,
    )
