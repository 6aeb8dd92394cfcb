"""Measures how far a page's text goes: the advance of each sign by its font's dictionary (ISO 32000-1, 9.6 to 9.8).

Nothing of a font program is read: every reader places signs by the widths in the file.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, Name
from services.esign.revisions.domain.page.glyph_names import LATIN
from services.esign.revisions.domain.page.standard_widths import WIDTHS
from services.esign.revisions.domain.page.streams import UnclearError

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
_COURIER = (0.6, 0.6)
# Fonts of those with signs that are no letters, whatever their codes say.
_PICTURES = ("Symbol", "ZapfDingbats")


def _table(codec: str) -> Mapping[int, str]:
    found = ((code, bytes((code,)).decode(codec, "ignore")) for code in range(256))
    return {code: sign for code, sign in found if sign}


# Of the standard encoding what it has in common with ASCII.
_STANDARD_TABLE: Mapping[int, str] = {code: sign for code, sign in _table("ascii").items() if sign not in "'`"}
_TABLES: Mapping[Any, Mapping[int, str]] = {
    None: _STANDARD_TABLE,
    "StandardEncoding": _STANDARD_TABLE,
    "WinAnsiEncoding": _table("cp1252"),
    "MacRomanEncoding": _table("mac_roman"),
}
_PROGRAMS = frozenset({"FontFile", "FontFile2", "FontFile3"})
# Fonts that have the widths of a standard one, by the names that programs write.
_ALIASES: Mapping[str, str] = {
    f"{family}{cut}": f"{standard}{cuts[at]}"
    for families, standard, cuts in (
        (("Arial", "ArialMT"), "Helvetica", ("", "-Bold", "-Oblique", "-BoldOblique")),
        (
            ("TimesNewRoman", "TimesNewRomanPS", "TimesNewRomanPSMT"),
            "Times",
            ("-Roman", "-Bold", "-Italic", "-BoldItalic"),
        ),
    )
    for family in families
    for at, cuts_named in enumerate(
        (
            ("",),
            (",Bold", "-Bold", "-BoldMT"),
            (",Italic", "-Italic", "-ItalicMT"),
            (",BoldItalic", "-BoldItalic", "-BoldItalicMT"),
        )
    )
    for cut in cuts_named
}


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of a string: between which ems it moves on, whether it is white, and of how many codes and word spaces
    it is, at least and at most.
    """

    least: float
    most: float
    is_space: bool = False
    codes: tuple[int, int] = (1, 1)
    word_spaces: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Font:
    """Widths by code, between which ems; `missing`: of codes without a width, None where nobody says. `pairs`: codes
    have two bytes; `table`, or `codec` of two bytes: which letters they are, empty where that depends on the reader.
    """

    widths: Mapping[int, tuple[float, float]]
    missing: tuple[float, float] | None
    pairs: bool = False
    is_exact: bool = True
    # Codes that may be other signs than their numbers say.
    renamed: Collection[int] = ()
    # Whether a sign has a name that some readers do not know, in a font that is not in the file.
    is_odd: bool = False
    table: Mapping[int, str] = field(default_factory=dict)
    codec: str = ""

    def signs(self, text: bytes) -> Iterator[Sign]:
        """Raises UnclearError for half a code."""
        if not self.pairs:
            for code in text:
                least, most = self.widths.get(code) or self.missing or _standard(code)
                spaces = 1 if code == _SPACE else 0
                yield Sign(least, most, code in _WHITE and code not in self.renamed, word_spaces=(spaces, spaces))
            return
        if len(text) % 2 and self.is_exact:
            raise UnclearError
        for at in range(0, len(text), 2):
            if not self.is_exact:
                # Two signs of a byte each, or one.
                yield Sign(0, 2, codes=(1, 2), word_spaces=(0, 2))
                continue
            code = int.from_bytes(text[at : at + 2], "big")
            least, most = self.widths.get(code) or self.missing or (0, 0)
            yield Sign(least, most, code in _BLANK_GLYPHS)

    def letters(self, text: bytes) -> str:
        """The text that a string says to every reader. Raises UnclearError where that is not known."""
        try:
            said = text.decode(self.codec) if self.codec else "".join(self.table[code] for code in text)
        except (UnicodeDecodeError, KeyError):
            raise UnclearError from None
        if not said.replace("\xa0", " ").isprintable():
            # Some break the line there, or end the text.
            raise UnclearError
        return said


def font_of(document: Document, value: Any) -> Font | None:
    """A font by its dictionary; None when it has none that readers agree about. Raises PdfError."""
    font = document.resolve(value)
    kind = document.resolve(font.get("Subtype")) if isinstance(font, Dict) else None
    if kind == "Type0":
        return _composite(document, font)
    if kind not in {"Type1", "MMType1", "TrueType"}:
        # Signs of a Type 3 font are content streams, which may draw anywhere.
        return None
    coded, name = document.resolve(font.get("Encoding")), document.resolve(font.get("BaseFont"))
    descriptor = document.resolve(font.get("FontDescriptor"))
    is_embedded = _is_embedded(descriptor)
    table, others = _coding(document, coded)
    is_odd = not is_embedded and None in others.values()
    is_by_program = isinstance(coded, Dict) and (table is None or (is_embedded and "BaseEncoding" not in coded))
    renamed = _WHITE if is_by_program else others.keys()
    own = None if is_embedded else _own_widths(name, None if table is None else others.keys())
    # A program may draw anything for a letter, and so may fonts that a reader happens to have.
    is_said = own is not None and table is not None and not name.startswith(_PICTURES)
    said = {code: sign for code, sign in {**(table or {}), **others}.items() if sign} if is_said else {}
    first, last, listed = (document.resolve(font.get(key)) for key in ("FirstChar", "LastChar", "Widths"))
    if listed is None:
        return None if own is None else Font(*own, renamed=renamed, is_odd=is_odd, table=said)
    if type(first) is not int or not isinstance(listed, list) or last != first + len(listed) - 1:
        # Some readers know no widths then.
        return None
    widths = [document.resolve(each) for each in listed[:256]]
    missing = document.resolve(descriptor.get("MissingWidth", 0)) if isinstance(descriptor, Dict) else 0
    if not all(map(_is_number, [*widths, missing])):
        return None
    known = {first + at: (each / _UNITS, each / _UNITS) for at, each in enumerate(widths)}
    default = missing / _UNITS, missing / _UNITS
    if own is not None:
        # A reader that has the font may keep to its own widths.
        known = {
            code: _between(known.get(code, default), own[0].get(code) or own[1] or _standard(code))
            for code in range(256)
        }
    return Font(known, default, renamed=renamed, is_odd=is_odd, table=said)


def _is_embedded(descriptor: Any) -> bool:
    return isinstance(descriptor, Dict) and not _PROGRAMS.isdisjoint(descriptor.keys())


def _coding(document: Document, encoding: Any) -> tuple[Mapping[int, str] | None, Mapping[int, str | None]]:
    """Letters by code (9.6.6), None where nobody says, and those of codes that have other names; None of names that
    some readers do not know.
    """
    if not isinstance(encoding, Dict):
        return _TABLES.get(encoding) if encoding is None or isinstance(encoding, Name) else None, {}
    base, listed = document.resolve(encoding.get("BaseEncoding")), document.resolve(encoding.get("Differences", []))
    others: dict[int, str | None] = {}
    code = 0
    for member in listed if isinstance(listed, list) else [None]:
        each = document.resolve(member)
        if type(each) is int:
            code = each
        else:
            others[code] = LATIN.get(each) if isinstance(each, Name) else None
            code += 1
    return _TABLES.get(base) if base is None or isinstance(base, Name) else None, others


def _own_widths(
    name: Any, others: Collection[int] | None
) -> tuple[Mapping[int, tuple[float, float]], tuple[float, float] | None] | None:
    """Widths of a standard font by its name, and of codes that are not among them; None of any other font. `others`:
    codes that are not the letters that they usually are; None where all may be others.
    """
    if not isinstance(name, Name) or not name.startswith(_STANDARD_NAMES):
        return None
    exact = {} if others is None else WIDTHS.get(_ALIASES.get(name, name), {})
    known = {code: (width, width) for code, width in exact.items() if code not in (others or ())}
    return known, _COURIER if name.startswith("Courier") else None


def _between(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], other[0]), max(one[1], other[1])


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
    named = encoding if isinstance(encoding, Name) else ""
    if not named.endswith("-H"):
        # Downwards, or by a table of the file's own that may say so.
        return None
    if named != "Identity-H":
        # Which code is which glyph, and how long codes are, is in a table of its own.
        found = _widths(document, own.get("W"))
        if found is None or not all(0 <= width <= 1 for width in (*found.values(), default / _UNITS)):
            return None
        is_unicode = named.startswith("Uni") and ("UCS2" in named or "UTF16" in named)
        is_said = is_unicode and not _is_embedded(document.resolve(own.get("FontDescriptor")))
        codec = "utf-16-be" if is_said else ""
        return Font({}, None, pairs=True, is_exact=False, codec=codec)
    widths = _widths(document, own.get("W"))
    if widths is None:
        return None
    missing = default / _UNITS, default / _UNITS
    return Font({code: (width, width) for code, width in widths.items()}, missing, pairs=True)


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
            given = {first + step: width / _UNITS for step, width in enumerate(widths)}
            at += 2
        else:
            width = members[at + 2] if at + 2 < len(members) else None
            if type(second) is not int or not isinstance(width, int | float) or not 0 <= second - first <= _MOST_RANGES:
                return None
            given = dict.fromkeys(range(first, second + 1), width / _UNITS)
            at += 3
        # Of two widths of one code some readers take the first.
        if any(found.get(code, width) != width for code, width in given.items()):
            return None
        found.update(given)
    document.census.count(len(found))
    return found


def _standard(code: int) -> tuple[float, float]:
    sign = bytes((code,))
    return next((least, most) for shape, least, most in _STANDARD if shape.match(sign) or shape.pattern == b".")


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}
