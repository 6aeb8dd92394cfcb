"""How far a page's text goes: the advance of each sign by its font's dictionary (ISO 32000-1, 9.6 to 9.8).

Nothing of a font program is read: every reader places signs by the widths in the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, Name
from services.esign.revisions.domain.page.standard_widths import WIDTHS

_SPACE = 0x20
# Space, and what rows of leaders are made of: hyphen, full stop, underline.
_WHITE = frozenset({_SPACE, 0x2D, 0x2E, 0x5F})
# Glyph numbers that are white in what makers embed: TrueType's second blank one and its space, Adobe's space.
_BLANK_GLYPHS = frozenset({1, 3, _SPACE})
_UNITS = 1000.0
# Table 117.
_DW2 = [880, -1000]
_MOST_RANGES = 20_000
# Advances of the standard fonts, of which files need not say widths, lie between these: small letters and figures,
# wide small letters, the rest.
_STANDARD = (
    (re.compile(rb"[a-ln-vx-z0-9 .,:;!'()\[\]/\\|-]"), 0.18, 0.67),
    (re.compile(rb"[mw]"), 0.55, 0.95),
    (re.compile(rb"."), 0.18, 1.05),
)
_STANDARD_NAMES = ("Helvetica", "Courier", "Times", "Arial", "Symbol", "ZapfDingbats")
_COURIER = 0.6
_PLAIN_CODES = frozenset({"WinAnsiEncoding", "MacRomanEncoding", "StandardEncoding"})


@dataclass(frozen=True, slots=True)
class Sign:
    """One code of a string: between which ems it moves on, and whether it is white."""

    least: float
    most: float
    is_space: bool = False
    is_word_space: bool = False


@dataclass(frozen=True, slots=True)
class Font:
    """Widths by code; `pairs`: codes have two bytes; `missing`: of codes without a width, None where nobody says."""

    widths: dict[int, float]
    missing: float | None
    pairs: bool = False
    is_exact: bool = True
    is_vertical: bool = False
    # Whether codes are other signs than their numbers say.
    is_renamed: bool = False

    def signs(self, text: bytes) -> Iterator[Sign]:
        if self.pairs:
            for at in range(0, len(text), 2):
                code = int.from_bytes(text[at : at + 2], "big")
                width = self.widths.get(code, self.missing or 0)
                if self.is_exact:
                    yield Sign(width, width, code in _BLANK_GLYPHS)
                else:
                    # Two signs of a byte each, or one.
                    yield Sign(0, 2 * width)
            return
        for code in text:
            found = self.widths.get(code, self.missing)
            least, most = _standard(code) if found is None else (found, found)
            yield Sign(least, most, code in _WHITE and not self.is_renamed, code == _SPACE)


def font_of(document: Document, value: Any) -> Font | None:
    """A font by its dictionary; None when it has none that readers agree about. Raises PdfError."""
    font = document.resolve(value)
    kind = document.resolve(font.get("Subtype")) if isinstance(font, Dict) else None
    if kind == "Type0":
        return _composite(document, font)
    if kind not in {"Type1", "MMType1", "TrueType"}:
        # Signs of a Type 3 font are content streams, which may draw anywhere.
        return None
    unit, renamed = 1 / _UNITS, isinstance(document.resolve(font.get("Encoding")), Dict)
    first, listed = document.resolve(font.get("FirstChar", 0)), document.resolve(font.get("Widths"))
    if listed is None:
        name = document.resolve(font.get("BaseFont"))
        if not isinstance(name, Name) or not name.startswith(_STANDARD_NAMES):
            return None
        coded = document.resolve(font.get("Encoding"))
        exact = WIDTHS.get(name, {}) if coded is None or coded in _PLAIN_CODES else {}
        return Font(dict(exact), _COURIER if name.startswith("Courier") else None, is_renamed=renamed)
    if type(first) is not int or not isinstance(listed, list):
        return None
    widths = [document.resolve(each) for each in listed[:256]]
    descriptor = document.resolve(font.get("FontDescriptor"))
    missing = document.resolve(descriptor.get("MissingWidth", 0)) if isinstance(descriptor, Dict) else 0
    if not all(map(_is_number, [*widths, missing])):
        return None
    known = {first + at: each * unit for at, each in enumerate(widths)}
    return Font(known, missing * unit, is_renamed=renamed)


def _composite(document: Document, font: Dict) -> Font | None:
    descendants = document.resolve(font.get("DescendantFonts"))
    own = document.resolve(descendants[0]) if isinstance(descendants, list) and len(descendants) == 1 else None
    if not isinstance(own, Dict):
        return None
    encoding = document.resolve(font.get("Encoding"))
    default = document.resolve(own.get("DW", _UNITS))
    if not _is_number(default):
        return None
    if "W2" in own or document.resolve(own.get("DW2", _DW2)) != _DW2:
        # Written downwards its signs stand anywhere.
        return None
    named = encoding if isinstance(encoding, Name) else None
    vertical = named is not None and named.endswith("V")
    if named not in {"Identity-H", "Identity-V"}:
        # Which code is which glyph, and how long codes are, is in a table of its own.
        found = _widths(document, own.get("W"))
        if found is None or not all(0 <= width <= 1 for width in (*found.values(), default / _UNITS)):
            return None
        return Font({}, 1, pairs=True, is_exact=False, is_vertical=vertical)
    widths = _widths(document, own.get("W"))
    return None if widths is None else Font(widths, default / _UNITS, pairs=True, is_vertical=vertical)


def _widths(document: Document, value: Any) -> dict[int, float] | None:
    """The array W (9.7.4.3): `first [w …]` and `first last w`."""
    listed = document.resolve(value) if value is not None else []
    if not isinstance(listed, list):
        return None
    found: dict[int, float] = {}
    members = [document.resolve(each) for each in listed]
    at = 0
    while at < len(members):
        first, second = members[at], members[at + 1] if at + 1 < len(members) else None
        if type(first) is not int or len(found) > _MOST_RANGES:
            return None
        if isinstance(second, list):
            widths = [document.resolve(each) for each in second]
            if not all(map(_is_number, widths)):
                return None
            found.update((first + step, width / _UNITS) for step, width in enumerate(widths))
            at += 2
            continue
        width = members[at + 2] if at + 2 < len(members) else None
        if type(second) is not int or not isinstance(width, int | float) or not 0 <= second - first <= _MOST_RANGES:
            return None
        found.update(dict.fromkeys(range(first, second + 1), width / _UNITS))
        at += 3
    document.census.count(len(found))
    return found


def _standard(code: int) -> tuple[float, float]:
    sign = bytes((code,))
    return next((least, most) for shape, least, most in _STANDARD if shape.match(sign) or shape.pattern == b".")


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}
