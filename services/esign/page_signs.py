"""Signs on a drawn page, which are pixels that touch: which are lost under a later look, and which it makes others.

A place is rows of pixels, three bytes each; a set of pixels holds their numbers in the place.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

_BYTES_A_PIXEL = 3
# A place with more ink is no text: nothing is told of it.
_MOST_INK = 250_000
# So many pixels of a sign's ink may be lost in any case.
_FEWEST_LOST = 2
# How much a colour channel (0 to 255) is off the ground's where ink is seen, and off another's where it is another;
# from which share of what a colour takes from the ground on it has a hue; up to which level it is dark all the same.
_SEEN = 24
_ANOTHER = 48
_OF_HUE = 0.4
_DARK = 150
# Levels by which dark ink is no part of light ink, and from which on ink is light.
_DARKER = 64
_LIGHT = 160
# Of the height of a sign, how far beside it and how far above and below it ink belongs to it; pixels at least; points
# up to which a sign is as high as it is.
_BESIDE, _ABOVE = 0.6, 0.25
_NEAR = 3
_HIGHEST = 48.0
# Points of a line's breadth up to which it is a rule, and no part of a sign, and of the length from which on it is one.
_RULE, _LONG = 2.0, 30.0
_FEWEST_OF_RULE = 3
_NEUTRAL = -1
_SCALES = tuple(bytes((level + offset) // 24 for level in range(256)) for offset in (0, 12))
_DIFFERS = bytes((0,)) + bytes((1,)) * 255


@dataclass(frozen=True, slots=True)
class _Sign:
    """Pixels, right and lower edge left out; `light`: the level of its darkest pixel."""

    left: int
    top: int
    right: int
    bottom: int
    light: int


def is_one_lost(ink: int, lost: int, area: int, width: int, most: float) -> bool:
    """Whether of some sign a larger share than `most` is gone. `ink`, `lost`: a byte a pixel, as numbers."""
    if not lost:
        return False
    gone = set(pixels_of(lost, area))
    left = set(pixels_of(ink, area))
    if len(left) > _MOST_INK:
        return True
    for sign in _apart(left, width):
        missing = sum(at in gone for at in sign)
        if missing > most * len(sign) and missing >= min(_FEWEST_LOST, len(sign)):
            return True
    return False


def is_one_made(was: bytes, now: bytes, ground: bytes, width: int, scale: float) -> bool:
    """Whether ink that came makes another sign of one that was there: it has its hue, and is so near to it that both
    read as one. `ground`: the colour of the place; `scale`: pixels a point.
    """
    old, inked = _by_hue(was, ground), _by_hue(now, ground)
    before = set().union(*old.values())
    area = len(was) // _BYTES_A_PIXEL
    rules = set(pixels_of(_rules(before, area, width, scale), area))
    for hue, found in inked.items():
        came = {at for at in found - before if _is_another(was, now, at, _SEEN // 2)}
        signs = old.get(hue, set()) - rules
        if not came or not signs:
            continue
        if len(came) + len(signs) > _MOST_INK:
            return True
        lines = came & set(pixels_of(_rules(came, area, width, scale), area))
        near = _widened(signs, width, _NEAR)
        if len(lines & near) >= _FEWEST_OF_RULE:
            return True
        there = [_sign(each, was, width) for each in _apart(signs, width)]
        for each in _apart(came - lines, width):
            mark = _sign(each, now, width)
            if any(_read_as_one(sign, mark, scale) for sign in there):
                return True
    return False


def are_edges_lost(was: bytes, now: bytes, width: int, most: float) -> bool:
    """Whether of the outline of some sign a larger share than `most` is gone, whatever ground it stands on."""
    area = len(was) // _BYTES_A_PIXEL
    before, after = (_edges(place, width) for place in (was, now))
    for step in (8, 8 * width):
        after |= after << step | after >> step
    return is_one_lost(before, before & ~after, area, width, most)


def _edges(place: bytes, width: int) -> int:
    """The pixels that differ from the one right of them or below. Levels are told apart by two scales that stand half a
    step apart, and differ where they do on both.
    """
    area = len(place) // _BYTES_A_PIXEL
    inner = int.from_bytes((b"\x01" * (width - 1) + b"\0") * (area // width), "big")
    found = 0
    for step, kept in ((1, inner), (width, -1)):
        shifted = place[step * _BYTES_A_PIXEL :] + place[-step * _BYTES_A_PIXEL :]
        both = -1
        for scale in _SCALES:
            both &= _unlike(place.translate(scale), shifted.translate(scale))
        found |= both & kept
    return found


def _unlike(one: bytes, other: bytes) -> int:
    """The pixels that differ, one byte each."""
    both = (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big").translate(_DIFFERS)
    found = 0
    for channel in range(_BYTES_A_PIXEL):
        found |= int.from_bytes(both[channel::_BYTES_A_PIXEL], "big")
    return found


def are_signs_by(
    boxes: Sequence[tuple[int, int, int, int]], place: bytes, ground: bytes, width: int, scale: float
) -> bool:
    """Whether signs, and not lines alone, are in or beside one of some parts of a place (left, top, right, bottom)."""
    if not boxes:
        return False
    area = len(place) // _BYTES_A_PIXEL
    ink = set(pixels_of(unlike(place, ground, _SEEN), area))
    if len(ink) > _MOST_INK:
        return True
    ink -= set(pixels_of(_rules(ink, area, width, scale), area))
    marks = [_Sign(*box, 0) for box in boxes]
    there = [_sign(each, place, width) for each in _apart(ink, width)]
    return any(_are_near(sign, mark, scale, above=0) for sign in there for mark in marks)


def _read_as_one(sign: _Sign, mark: _Sign, scale: float) -> bool:
    if sign.light >= _LIGHT and sign.light - mark.light >= _DARKER:
        return False
    return _are_near(sign, mark, scale, above=_ABOVE)


def _are_near(sign: _Sign, mark: _Sign, scale: float, *, above: float) -> bool:
    """`above`: of the sign's height, how far above and below it is near."""
    height = min(sign.bottom - sign.top, math.ceil(_HIGHEST * scale))
    beside, over = max(_NEAR, math.ceil(_BESIDE * height)), max(_NEAR, math.ceil(above * height)) if above else 0
    return (
        mark.left - sign.right < beside
        and sign.left - mark.right < beside
        and mark.top - sign.bottom < over
        and sign.top - mark.bottom < over
    )


def made_other(was: bytes, now: bytes, ink: int) -> int:
    """Which pixels of the ink have another colour than before, and not just nearly the same."""
    area = len(was) // _BYTES_A_PIXEL
    found = bytearray(area)
    for at in pixels_of(ink, area):
        found[at] = _is_another(was, now, at, _ANOTHER)
    return int.from_bytes(found, "big")


def pixels_of(ink: int, area: int) -> Iterator[int]:
    """The pixels of a number that has a byte for each."""
    data = (ink & (1 << 8 * area) - 1).to_bytes(area, "big")
    at = data.find(1)
    while at >= 0:
        yield at
        at = data.find(1, at + 1)


def unlike(place: bytes, colour: bytes, shade: int) -> int:
    """The pixels that have another colour, one byte each."""
    found = 0
    for channel, value in enumerate(colour):
        other = bytes(abs(each - value) > shade for each in range(256))
        found |= int.from_bytes(place[channel::_BYTES_A_PIXEL].translate(other), "big")
    return found


def _is_another(was: bytes, now: bytes, at: int, levels: int) -> bool:
    pixel = slice(at * _BYTES_A_PIXEL, (at + 1) * _BYTES_A_PIXEL)
    one, other = was[pixel], now[pixel]
    return one != other and max(abs(a - b) for a, b in zip(one, other, strict=True)) > levels


def _by_hue(place: bytes, ground: bytes) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for at in pixels_of(unlike(place, ground, _SEEN), len(place) // _BYTES_A_PIXEL):
        hue = _hue(place[at * _BYTES_A_PIXEL : (at + 1) * _BYTES_A_PIXEL], ground)
        found.setdefault(hue, set()).add(at)
    return found


@lru_cache(maxsize=4096)
def _hue(colour: bytes, ground: bytes) -> int:
    """The channel that is the strongest; -1 for black, white and grey, and for what is nearly black."""
    taken = [paper - level for paper, level in zip(ground, colour, strict=True)]
    if max(colour) < _DARK or max(taken) - min(taken) <= _OF_HUE * max(map(abs, taken)):
        return _NEUTRAL
    return colour.index(max(colour))


def _apart(pixels: Iterable[int], width: int) -> Iterator[list[int]]:
    """The signs that some pixels are."""
    left = set(pixels)
    while left:
        sign = [left.pop()]
        for at in sign:
            x = at % width
            for row in (at - width, at, at + width):
                for near in range(row - (x > 0), row + (x < width - 1) + 1):
                    if near in left:
                        left.remove(near)
                        sign.append(near)
        yield sign


def _sign(pixels: list[int], place: bytes, width: int) -> _Sign:
    columns = [at % width for at in pixels]
    light = min(max(place[at * _BYTES_A_PIXEL : (at + 1) * _BYTES_A_PIXEL]) for at in pixels)
    return _Sign(min(columns), min(pixels) // width, max(columns) + 1, max(pixels) // width + 1, light)


def _widened(pixels: set[int], width: int, by: int) -> set[int]:
    found: set[int] = set()
    for at in pixels:
        x = at % width
        for row in range(-by, by + 1):
            found.update(range(at + row * width - min(by, x), at + row * width + min(by, width - 1 - x) + 1))
    return found


def _rules(pixels: set[int], area: int, width: int, scale: float) -> int:
    """The pixels that are long thin lines."""
    ink = bytearray(area)
    for at in pixels:
        ink[at] = 1
    upright = b"".join(ink[x::width] for x in range(width))
    found = _lines(bytes(ink), width, scale)
    height = area // width
    turned = _lines(upright, height, scale)
    back = b"".join(turned[y::height] for y in range(height))
    return int.from_bytes(found, "big") | int.from_bytes(back, "big")


def _lines(ink: bytes, width: int, scale: float) -> bytes:
    """Of ink in rows of `width` the long runs, where they are thin."""
    long, thin = max(1, round(_LONG * scale)), max(1, math.ceil(_RULE * scale))
    runs = bytearray(len(ink))
    whole = b"\x01" * long
    for start in range(0, len(ink), width):
        row = ink[start : start + width]
        if whole in row:
            for run in re.finditer(rb"\x01{%d,}" % long, row):
                runs[start + run.start() : start + run.end()] = row[run.start() : run.end()]
    found = int.from_bytes(runs, "big")
    thick = found
    for step in range(1, thin + 1):
        thick &= found >> 8 * width * step
    for step in range(1, thin + 1):
        thick |= thick << 8 * width * step
    return (found & ~thick & (1 << 8 * len(ink)) - 1).to_bytes(len(ink), "big")
