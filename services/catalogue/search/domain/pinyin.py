"""Pinyin as people type it: initials, full syllables, and both in one word as every input method takes them
(``wufzjl``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

from shuniu.ideographs import is_ideograph

# Names longer than this keep pinyin of their beginning only (one row per suffix).
_MAX_PINYIN = 40
# Texts of items come again with every query that they may answer.
_REMEMBERED = 4096
# Ways to cut one query that are looked up; the longest syllables first.
_MOST_CUTS = 8
_INITIAL = re.compile(r"zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]")
# Longest first. What is no syllable does no harm: it finds no name.
_FINALS = re.compile(
    r"iang|iong|uang|ang|eng|ing|ong|ian|iao|uai|uan|ai|ei|ao|ou|an|en|er|in|un|ia|ie|iu|ua|uo|ui|ue|ve|a|o|e|i|u|v"
)


@lru_cache(maxsize=_REMEMBERED)
def syllables_of(text: str) -> tuple[str, ...]:
    """Pinyin of a name's ideographs."""
    han = "".join(mark for mark in unicodedata.normalize("NFKC", text) if is_ideograph(mark))[:_MAX_PINYIN]
    return tuple(each for each in lazy_pinyin(han, style=Style.NORMAL, errors="ignore", v_to_u=False) if each)


@lru_cache(maxsize=_REMEMBERED)
def pinyin_suffixes(text: str) -> frozenset[str]:
    """Initials and full pinyin of a name, from each of its characters to the end."""
    syllables = syllables_of(text)
    found = set()
    for start in range(len(syllables)):
        rest = syllables[start:]
        found.add("".join(each[0] for each in rest))
        found.add("".join(rest))
    return frozenset(found)


def initials(typed: str) -> tuple[str, ...]:
    """The initials of names that may be meant where syllables and initials are typed in one word."""
    found: dict[str, None] = {}
    for cut in _cuts(typed):
        # One letter is one syllable or its initial, and the text as it was typed finds that.
        if cut != typed and len(cut) > 1:
            found[cut] = None
        if len(found) == _MOST_CUTS:
            break
    return tuple(found)


def _cuts(typed: str) -> Iterator[str]:
    """Initials of each way to cut the text into syllables and single initials, the longest syllables first."""
    paths = [(0, "")]
    while paths:
        at, read = paths.pop()
        if at == len(typed):
            yield read
            continue
        initial = _INITIAL.match(typed, at)
        after = initial.end() if initial else at
        # The last is taken first; a vowel alone begins a syllable too.
        if initial:
            # z and h may be two characters' initials, or one's.
            paths.extend((end, read + typed[at]) for end in range(at + 1, after + 1))
        final = _FINALS.match(typed, after)
        if final:
            ends = range(after + 1, final.end() + 1)
            paths.extend((end, read + typed[at]) for end in ends if _FINALS.fullmatch(typed, after, end))
        if len(paths) > _REMEMBERED:
            return


def spells(text: str, typed: str) -> bool:
    """Tells whether this may have been typed for a part of the name: each character by its syllable or its initial, the
    last one also by the beginning of its syllable.
    """
    syllables = syllables_of(text)
    return any(_reads(syllables, start, typed) for start in range(len(syllables)))


def _reads(syllables: tuple[str, ...], start: int, typed: str) -> bool:
    # Places in the text that the syllables so far may have been typed up to.
    places = {0}
    for syllable in syllables[start:]:
        after = set()
        for place in places:
            rest = typed[place:]
            if syllable.startswith(rest):
                return True
            if rest.startswith(syllable):
                after.add(place + len(syllable))
            initial = _INITIAL.match(syllable)
            for short in {syllable[0], initial[0] if initial else ""} - {""}:
                if rest.startswith(short):
                    after.add(place + len(short))
        if len(typed) in after:
            return True
        if not after:
            return False
        places = after
    return False
