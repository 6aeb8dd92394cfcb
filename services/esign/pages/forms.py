"""Documents by form: the layout engine sets each template once, then number and text are written into that page.

What stands on a form does not change from one document to the next: title, issuer, date, seal, notes. Where number and
text go is measured on a page of the engine's own, and only if both agree on every line of it is a form used. Anything a
form cannot hold (`fill` answers None) is laid out by the engine, to the same form of file.
"""

import base64
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256

from services.esign.pages.domain import form as forms
from services.esign.pages.domain import qr
from services.esign.pages.domain.certificates import TEMPLATES, CertificateData
from services.esign.pages.domain.form import Form, FormError, Run, Written
from services.esign.pages.domain.ofd import drawn
from services.esign.pages.domain.ofd.drawn import DrawnPage, DrawnText
from services.esign.pages.domain.ofd.writer import About, OfdForm, UnsealedPackage
from services.esign.pages.domain.opentype import Font
from services.esign.pages.domain.textflow import Column, Line, advance_of, set_lines
from shuniu.kit.process import log

_log = log.get("forms")
# One an issuer, seal picture, day and host: a region's agencies, some days of them. About 30 kB each.
_FORMS_KEPT = 512
# Facts in private-use characters: no text of a template holds these.
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}(\\w+){_CLOSE}")
# Points: less than a hundredth of a pixel on any screen.
_AGREES = 0.02
# The engine sets Chinese and Latin apart where nothing is justified.
_NUMBER_RUNS = 2
_SAMPLE = {
    "name": "王小明",
    "sex": "男",
    "nationality": "中国",
    "id_type": "居民身份证",
    "id_number": "150102199001010000",
    "from": "2006年1月1日",
    "to": "2026年5月31日",
    "purpose": "入职",
}
_SAMPLE_NUMBER = "1500002026000001"

Page = Callable[[CertificateData, str, int, bool], bytes]
"""The engine: data, host, time in µs, and whether number and text are left out."""
Description = Callable[[CertificateData, str], Mapping[str, object]]
"""Facts of a template about itself with these data."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The places of a template's number and text, in points: the number around `centre`, text in `column`; heights of
    their first baselines, then how far the next line and the next paragraph lie below. `before`: how much the page
    draws before them.
    """

    centre: float
    number_y: float
    number_size: float
    number_colour: bytes
    column: Column
    text_y: float
    line: float
    paragraph: float
    text_colour: bytes
    before: int


@dataclass(frozen=True, slots=True)
class _Texts:
    """A template's texts with its facts left open: text, and names of facts, in turn."""

    number: tuple[str, ...]
    paragraphs: tuple[tuple[str, ...], ...]
    width: float


class Forms:
    """The forms of one process. `fill` may be called in any thread, `learn` in one at a time."""

    def __init__(self, font: Font) -> None:
        self._font = font
        self._forms: OrderedDict[tuple[str, str, date, str, bytes], Form] = OrderedDict()
        self._texts: dict[tuple[str, frozenset[str]], _Texts] = {}
        # None: engine and form do not agree on this template.
        self._places: dict[str, _Place | None] = {}
        # The last QR code: a document's two forms show the same.
        self._code: tuple[str, tuple[int, bytes]] = ("", (0, b""))
        self._ofd_forms: OrderedDict[tuple[str, str, date, str, bytes], OfdForm] = OrderedDict()

    def fill(self, data: CertificateData, host: str, content: str, at_us: int) -> bytes | None:
        """The document with `content` in its QR code; None when the engine must lay it out."""
        try:
            return self._fill(data, host, content, at_us)
        except KeyError:
            # A sign of the second font.
            return None

    def _fill(self, data: CertificateData, host: str, content: str, at_us: int) -> bytes | None:
        form = self._forms.get(_key(data, host))
        texts = self._texts.get((data.template, frozenset(data.facts)))
        place = self._places.get(data.template)
        if form is None or texts is None or place is None:
            return None
        written = self._written(texts, place, data)
        if written is None:
            return None
        characters = {self._font.glyphs[ord(c)]: ord(c) for c in _all_characters(texts, data)}
        return form.fill(written, characters, data.number, self._modules(content), at_us)

    def _modules(self, content: str) -> tuple[int, bytes]:
        kept = self._code
        if kept[0] != content:
            kept = self._code = content, qr.modules(content)
        return kept[1]

    def learn(self, data: CertificateData, host: str, page: Page, describe: Description) -> None:
        """Makes the form that these data need, if the template is one that forms can be made of."""
        try:
            shape = data.template, frozenset(data.facts)
            if shape not in self._texts:
                self._texts[shape] = _read(describe(_marked(data), host))
            if data.template not in self._places:
                self._places[data.template] = self._measured(data, host, page, describe)
            place, key = self._places[data.template], _key(data, host)
            if place is None or key in self._forms:
                return
            self._forms[key] = Form.make(_blank(data, host, page), place.before, self._font)
            while len(self._forms) > _FORMS_KEPT:
                self._forms.popitem(last=False)
        except FormError as error:
            _log.warning("no_form", template=data.template, cause=str(error))
            self._places[data.template] = None

    def fill_ofd(self, data: CertificateData, host: str, content: str, at_us: int) -> UnsealedPackage | None:
        """The document as an OFD package without its seal, from the texts and places of the PDF; None when
        `ofd_from_page` must make it.
        """
        form = self._ofd_forms.get(_key(replace(data, picture=b""), host))
        texts, place = self._texts.get((data.template, frozenset(data.facts))), self._places.get(data.template)
        if form is None or texts is None or place is None:
            return None
        try:
            written = self._written(texts, place, data)
        except KeyError:
            return None
        if written is None:
            return None
        points = {self._font.glyphs[ord(c)]: c for c in _all_characters(texts, data)}
        drawn_texts = [text for part in written for text in _drawn(part, points, self._font)]
        return form.fill(drawn_texts, _about(data), self._modules(content), at_us)

    def learn_ofd(self, data: CertificateData, host: str, page: Page) -> None:
        """Makes the OFD form that these data need. `learn` comes first: both forms share places and texts."""
        key = _key(replace(data, picture=b""), host)
        if self._places.get(data.template) is None or key in self._ofd_forms:
            return
        try:
            self._ofd_forms[key] = OfdForm.make(drawn.read(_blank(without_seal(data), host, page)), self._font)
        except (FormError, KeyError) as error:
            _log.warning("no_ofd_form", template=data.template, cause=str(error))
        while len(self._ofd_forms) > _FORMS_KEPT:
            self._ofd_forms.popitem(last=False)

    def ofd_from_page(self, data: CertificateData, page: bytes, content: str, at_us: int) -> UnsealedPackage | None:
        """From an engine's page of these very data, laid out by `without_seal`; None when it holds what an OFD page
        from here does not: a sign of the second font, lines or shapes.
        """
        try:
            found = drawn.read(page)
            form = OfdForm.make(DrawnPage(found.width, found.height, (), found.code), self._font)
            return form.fill(found.texts, _about(data), qr.modules(content), at_us)
        except (FormError, KeyError) as error:
            _log.warning("no_ofd", template=data.template, cause=type(error).__name__)
            return None

    def _measured(self, data: CertificateData, host: str, page: Page, describe: Description) -> _Place | None:
        sample = replace(data, number=_SAMPLE_NUMBER, facts=_SAMPLE)
        texts = _read(describe(_marked(sample), host))
        blank = {(run.x, run.y) for run in forms.runs(_blank(data, host, page))}
        drawn = [run for run in forms.runs(page(sample, host, 0, False)) if (run.x, run.y) not in blank]
        place = self._place(texts, sample, drawn)
        written = self._written(texts, place, sample)
        if written is None or not _agree(drawn, *written):
            _log.warning("no_form", template=data.template, cause="the engine sets the sample otherwise")
            return None
        return place

    def _place(self, texts: _Texts, sample: CertificateData, drawn: Sequence[Run]) -> _Place:
        """Reads the places off the engine's page of a sample: the number, then text whose first paragraph has two lines
        or more and is followed by another.
        """
        if len(drawn) < 4:
            raise FormError("number and text not found")
        number = drawn[0]
        heights = sorted({run.y for run in drawn[1:] if run.y != number.y}, reverse=True)
        lines = [next(run for run in drawn if run.y == height) for height in heights]
        if len(lines) < 3:
            raise FormError("a text of several lines expected")
        left = min(run.x for run in lines)
        column = Column(left, texts.width, lines[0].x - left, lines[0].size)
        length = advance_of(_filled(texts.number, sample), self._font.glyphs, self._font.advances)
        return _Place(
            number.x + length / 2000 * number.size,
            number.y,
            number.size,
            number.colour,
            column,
            heights[0],
            heights[0] - heights[1],
            heights[-2] - heights[-1],
            lines[0].colour,
            number.place,
        )

    def _written(self, texts: _Texts, place: _Place, data: CertificateData) -> tuple[Written, Written] | None:
        font = self._font
        number = _filled(texts.number, data)
        length = advance_of(number, font.glyphs, font.advances) / 1000 * place.number_size
        glyphs = tuple(font.glyphs[ord(c)] for c in number)
        head = Line(place.centre - length / 2, glyphs, (0.0,) * len(glyphs))
        lines: list[tuple[Line, float]] = []
        height = place.text_y
        for paragraph in texts.paragraphs:
            found = set_lines(_filled(paragraph, data), place.column, font.glyphs, font.advances)
            if found is None:
                return None
            for line in found:
                lines.append((line, height))
                height -= place.line
            height += place.line - place.paragraph
        return (
            Written(((head, place.number_y),), place.number_size, place.number_colour),
            Written(tuple(lines), place.column.size, place.text_colour),
        )


# One transparent pixel: where an OFD page leaves room for the seal, which the viewer draws from the seal signature.
_NO_SEAL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNgYAAAAAMAASsJTYQAAAAASUVORK5CYII="
)


def without_seal(data: CertificateData) -> CertificateData:
    """Data whose page shows no seal."""
    return replace(data, picture=_NO_SEAL)


def _about(data: CertificateData) -> About:
    return About(data.number, f"{TEMPLATES[data.template].title} {data.number}", data.issuer)


def _all_characters(texts: _Texts, data: CertificateData) -> set[str]:
    return set(_filled(texts.number, data)).union(*(_filled(parts, data) for parts in texts.paragraphs))


def _drawn(written: Written, characters: Mapping[int, str], font: Font) -> Iterator[DrawnText]:
    """Lines of a form as texts of a page."""
    # Colours of forms are operators of the engine's: grey, or red, green and blue.
    colour = drawn.colour(written.colour)
    for line, height in written.lines:
        at, offsets = 0.0, []
        for glyph, behind in zip(line.glyphs, line.behind, strict=True):
            offsets.append(round(at / 1000 * written.size, 4))
            at += font.advances[glyph] + behind
        text = "".join(characters[glyph] for glyph in line.glyphs)
        yield DrawnText(line.left, height, written.size, colour, text, tuple(offsets))


def _key(data: CertificateData, host: str) -> tuple[str, str, date, str, bytes]:
    picture = sha256(data.picture).digest() if data.picture else b""
    return data.template, data.issuer, data.issued_on, host, picture


def _agree(drawn: Sequence[Run], number: Written, text: Written) -> bool:
    """Tells whether the engine's page has these lines: each where it begins, and as wide."""
    first = {run.y: run for run in reversed(drawn)}
    if len(first) != len(number.lines) + len(text.lines) or len(drawn) > len(text.lines) + _NUMBER_RUNS:
        return False
    for written in (number, text):
        for line, height in written.lines:
            run = next((run for y, run in first.items() if abs(y - height) < _AGREES), None)
            if run is None or abs(run.x - line.left) > _AGREES:
                return False
            if written is text and abs(run.added - sum(line.behind)) * run.size > _AGREES * 1000:
                return False
    return True


def _blank(data: CertificateData, host: str, page: Page) -> bytes:
    return page(replace(data, number=forms.NUMBER_MARK), host, forms.MARK_SECONDS * 1_000_000, True)


def _marked(data: CertificateData) -> CertificateData:
    facts = {name: f"{_OPEN}{name}{_CLOSE}" for name in data.facts}
    return replace(data, number=f"{_OPEN}number{_CLOSE}", facts=facts)


def _read(described: Mapping[str, object]) -> _Texts:
    match described:
        case {"number": str(number), "paragraphs": [*paragraphs], "width": (float() | int()) as width}:
            return _Texts(_parts(number), tuple(_parts(str(text)) for text in paragraphs), float(width))
    raise FormError(f"a template describes itself otherwise: {json.dumps(described)[:200]}")


def _parts(text: str) -> tuple[str, ...]:
    return tuple(_MARK.split(text))


def _filled(parts: Sequence[str], data: CertificateData) -> str:
    """Every second part names a fact."""
    return "".join(
        part if at % 2 == 0 else data.number if part == "number" else data.facts[part] for at, part in enumerate(parts)
    )
