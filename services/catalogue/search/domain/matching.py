"""Search in Chinese, in two halves that any database can join: tokens stored per item, and a plan asked per query.

Every ideograph is a token of its own, so one and two characters find what they should; Latin words and digits are
tokens whole. Pinyin initials (``wfz`` → 无犯罪…) and full pinyin are stored as every suffix of a name, so that a
prefix range over the index finds them anywhere in it. The store selects candidates by tokens; ``score`` decides and
orders: exact code > name phrase > alias > guide text, raised by local frequency within a class and never across
classes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from services.catalogue.search.domain.pinyin import initials, pinyin_suffixes, spells
from services.catalogue.search.domain.synonyms import EVENTS, GROUPS
from shuniu.ideographs import is_ideograph

# A longer query is cut: nobody types it, and each character is one index probe.
MAX_QUERY = 64
# Alternatives by synonyms: beyond this the plan costs more than it finds.
_MAX_ALTERNATIVES = 8
# Guide texts are long; their distinct characters level off far below this.
_MAX_GUIDE_TOKENS = 2_000
# Texts of items come again with every query that they may answer.
_REMEMBERED = 4096
# What people say around the matter itself: 我想开一个…, 怎么办…, …需要什么材料.
_LEAD = re.compile(
    r"^(?:请问|你好|我的|我想要?|我要|帮我|怎么样?|怎样|如何|在?哪里?|去哪里?|可以|能|网上|在线)*(?:(?:申请)?办理?|开具?|申请|查询?)?(?:一?[个张份])?"
)
_TAIL = re.compile(r"(?:怎么办理?|如何办理?|在?哪里?[办开]理?|要?需?要?什么(?:材料|手续)|流程|材料|吗|呢|[??!!。])+$")
_RUN = re.compile(r"[0-9a-z]+")
_LATIN = re.compile(r"[a-z]{2,}")
_CODE = re.compile(r"[0-9a-z._\-]{6,64}")


class Field(StrEnum):
    """Place of a token in an item; the values are what the store keeps."""

    CODE = "c"
    NAME = "n"
    ALIAS = "a"
    GUIDE = "g"
    PINYIN = "p"


@dataclass(frozen=True, slots=True, order=True)
class Token:
    """One row of the token table."""

    field: Field
    term: str


@dataclass(frozen=True, slots=True)
class Document:
    """Searched parts of an item, and the frequency of its cases here (decayed count)."""

    codes: tuple[str, ...]
    name: str
    aliases: tuple[str, ...] = ()
    guide: str = ""
    frequency: float = 0.0


@dataclass(frozen=True, slots=True)
class Alternative:
    """One reading of the query: candidates hold all ``terms``; ``weight`` < 1 where a synonym replaced the person's
    word.
    """

    phrase: str
    terms: frozenset[str]
    weight: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Query for the token table.

    Candidates are the union of: items with CODE token = ``code``; for each alternative, items that hold all its terms
    in NAME, ALIAS or GUIDE; items with a PINYIN token that begins with one of ``pinyin`` (ranges of ``pinyin_ranges``),
    the first of which is what was typed. Empty strings ask nothing. A plan with no code, alternative and pinyin finds
    nothing.
    """

    text: str
    code: str
    alternatives: tuple[Alternative, ...]
    pinyin: tuple[str, ...] = ()

    @property
    def pinyin_ranges(self) -> tuple[tuple[str, str], ...]:
        return tuple((begin, begin + "{") for begin in self.pinyin)

    @property
    def empty(self) -> bool:
        return not (self.code or self.alternatives or self.pinyin)


@lru_cache(maxsize=_REMEMBERED)
def normalise(text: str) -> str:
    """One spelling for matching: NFKC, case folded, without spaces and punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(mark for mark in folded if mark.isalnum() or is_ideograph(mark))


@lru_cache(maxsize=_REMEMBERED)
def terms(text: str) -> frozenset[str]:
    """The distinct terms of a text: single ideographs, whole runs of Latin letters and digits, other letters singly."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    runs = frozenset(_RUN.findall(folded))
    return runs | {mark for mark in folded if not mark.isascii() and (mark.isalnum() or is_ideograph(mark))}


def tokens(document: Document) -> frozenset[Token]:
    """All rows that the store keeps for one item."""
    rows = {Token(Field.CODE, code.casefold()) for code in document.codes}
    rows |= {Token(Field.NAME, term) for term in terms(document.name)}
    for alias in document.aliases:
        rows |= {Token(Field.ALIAS, term) for term in terms(alias)}
    named = {row.term for row in rows}
    guide = sorted(terms(document.guide) - named)[:_MAX_GUIDE_TOKENS]
    rows |= {Token(Field.GUIDE, term) for term in guide}
    for text in (document.name, *document.aliases):
        rows |= {Token(Field.PINYIN, suffix) for suffix in pinyin_suffixes(text)}
    return frozenset(rows)


def plan(query: str, synonyms: Iterable[tuple[str, ...]] = GROUPS) -> Plan:
    """Makes the plan for what a person typed."""
    folded = unicodedata.normalize("NFKC", query[: 4 * MAX_QUERY]).casefold().strip()[:MAX_QUERY]
    code = folded if _CODE.fullmatch(folded) and any(mark.isdigit() for mark in folded) else ""
    phrase = normalise(folded)
    pinyin = (phrase, *initials(phrase)) if _LATIN.fullmatch(phrase) else ()
    alternatives: dict[str, Alternative] = {}
    for text, weight in _readings(folded, tuple(synonyms)):
        wanted = terms(text)
        if wanted and normalise(text) not in alternatives:
            alternatives[normalise(text)] = Alternative(normalise(text), wanted, weight)
    return Plan(phrase, code, tuple(alternatives.values())[:_MAX_ALTERNATIVES], pinyin)


def _readings(text: str, synonyms: tuple[tuple[str, ...], ...]) -> Iterable[tuple[str, float]]:
    yield text, 1.0
    matter = _TAIL.sub("", _LEAD.sub("", text)) or text
    if matter != text:
        yield matter, 0.9
    # Synonyms of the matter only: of a whole sentence they would use up the alternatives and find nothing.
    meant = _by_events(matter)
    if meant != matter:
        yield meant, 0.85
    yield from _by_synonyms(meant, synonyms, 0.8)


def _by_events(text: str) -> str:
    """Puts what the catalogue calls the way out in place of what happened: 身份证丢了 → 身份证补领."""
    for said, way_out in EVENTS:
        happened = next((word for word in said if word in text), "")
        if happened and way_out not in text:
            return text.replace(happened, way_out)
    return text


def _by_synonyms(text: str, synonyms: tuple[tuple[str, ...], ...], weight: float) -> Iterable[tuple[str, float]]:
    for group in synonyms:
        # The longest word of a group that occurs: 无犯罪记录证明 holds 无犯罪记录, and only the whole is replaced.
        spoken = max((word for word in group if word in text), key=len, default="")
        if spoken:
            for word in group:
                if word != spoken:
                    yield text.replace(spoken, word), weight


# Class floors; within a class the position, the share of the name and the frequency decide, all together below one
# step.
_EXACT_CODE, _EXACT_NAME, _NAME_PHRASE, _ALIAS, _NAME_TERMS, _PINYIN, _GUIDE_PHRASE, _GUIDE_TERMS = (
    8.0,
    7.0,
    6.0,
    5.0,
    4.0,
    3.0,
    2.0,
    1.0,
)


def score(asked: Plan, document: Document) -> float:
    """Scores how well an item answers; 0 means not at all. Whole part: the class; fraction: order inside it."""
    if asked.code and asked.code in {code.casefold() for code in document.codes}:
        return _EXACT_CODE + _within_class(document, 1.0)
    best = _pinyin_score(asked, document)
    name, guide = normalise(document.name), normalise(document.guide)
    aliases = tuple(normalise(alias) for alias in document.aliases)
    held = terms(document.name)
    everywhere = held.union(terms(document.guide), *map(terms, document.aliases))
    for reading in asked.alternatives:
        # The store selects by terms; scoring by phrase alone would rank what a store never offers.
        if not reading.terms <= everywhere:
            continue
        floor, fit = _match(reading, held, name, aliases, guide)
        if floor:
            best = max(best, floor + _within_class(document, fit * reading.weight))
    return best


def _match(
    reading: Alternative,
    held: frozenset[str],
    name: str,
    aliases: tuple[str, ...],
    guide: str,
) -> tuple[float, float]:
    """Class and fit of a reading whose terms all occur in the item; ``held`` are the terms of its name."""
    phrase = reading.phrase
    if phrase == name:
        return _EXACT_NAME, 1.0
    if phrase in name:
        leading = 0.3 if name.startswith(phrase) else 0.0
        return _NAME_PHRASE, 0.7 * len(phrase) / len(name) + leading
    for alias in aliases:
        if phrase in alias:
            return _ALIAS, len(phrase) / len(alias)
    if reading.terms <= held:
        return _NAME_TERMS, len(phrase) / max(len(name), 1)
    return (_GUIDE_PHRASE if phrase in guide else _GUIDE_TERMS), 0.5


def _pinyin_score(asked: Plan, document: Document) -> float:
    if not asked.pinyin:
        return 0.0
    for text in (document.name, *document.aliases):
        # The store offers what begins with one of them; which of those was meant, the syllables say.
        offered = any(suffix.startswith(asked.pinyin) for suffix in pinyin_suffixes(text))
        if offered and spells(text, asked.pinyin[0]):
            return _PINYIN + _within_class(document, 0.5)
    return 0.0


def _within_class(document: Document, fit: float) -> float:
    """0 ≤ result < 1: fit counts more than frequency, which saturates (a million cases ≈ 1)."""
    often = min(math.log10(1 + max(document.frequency, 0.0)) / 6, 1.0)
    return 0.6 * min(max(fit, 0.0), 1.0) + 0.39 * often


def rank(asked: Plan, candidates: Iterable[tuple[str, Document]]) -> list[tuple[str, float]]:
    """Ids of the candidates that answer, best first; equals in the order of their first code, so that pages are
    stable.
    """
    scored = [(score(asked, document), document.codes[:1], key) for key, document in candidates]
    return [(key, value) for value, _, key in sorted(scored, key=lambda row: (-row[0], row[1], row[2])) if value > 0]
