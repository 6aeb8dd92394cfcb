"""Signs on a drawn page, which are pixels that touch: which are lost under a later look, and which it makes others.

A place is rows of pixels, three bytes each; a set of pixels holds their numbers in the place.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

_BYTES_A_PIXEL = 3
# Pixels of ink up to which a place is judged as text.
_MOST_INK = 250_000
# A sign may always lose fewer pixels than this.
_FEWEST_LOST = 2
# Levels of a colour channel (0 to 255) from which on a pixel is ink, and from which on a pixel has changed its colour.
_SEEN, _ANOTHER = 12, 48
# A colour has a hue when its channels differ by this share of what it takes from white, and when one of them is
# brighter than this level.
_OF_HUE, _DARK = 0.4, 150
# Ink of this lightness is light. Ink that is darker by so many levels does not belong to it.
_LIGHT, _DARKER = 160, 64
# Two inks differ when a channel differs by so many levels. Ink beside black differs when it is this light: red is.
_OTHER_INK, _COLOURED = 112, 70
# A sign owns the space beside it, and above and below it, by these shares of its height; at least these pixels. A
# sign higher than these points counts as that high.
_BESIDE, _ABOVE, _BESIDE_A_SEAL = 0.8, 0.25, 0.3
_NEAR, _HIGHEST = 3, 48.0
# A rule is a line of at most this breadth and at least this length, in points.
_RULE, _LONG = 2.0, 30.0
# Pixels of the breadth of a smoothed edge, and its share of what it is the edge of.
_FRINGE, _LESS_OF_WHOLE = 4, 0.3
# Pixels in which a rule that came must meet a sign to change it.
_FEWEST_OF_RULE = 3
# A row of dots is a rule too: size of a dot and step to the next in points, pixels by which steps may differ, dots in
# a row, rows in a place.
_DOT, _STRIDE, _EVEN, _FEWEST_DOTS, _MOST_LEADERS = 3.0, 8.0, 2, 6, 24
# A new field keeps off a sign by a share of its size, which counts up to these points. Above and below the share is
# smaller, except for signs that are wider than high by this factor: text may run upwards.
_LARGEST, _UPWARDS, _TURNED = 72.0, 0.35, 1.2
FARTHEST = (1 + _BESIDE) * _LARGEST
"""Points around a part in which signs are looked for."""
_NEUTRAL = -1
# Side in points of a square that has its own paper, and pixels that are read to find its colour.
_SQUARE, _SAMPLES = 12.0, 2_000
_WHITE, _LIGHTEST = b"\xff\xff\xff", 255
# Two ways to round levels, half a step apart. Levels differ when they differ in both.
_SCALES = tuple(bytes((level + offset) // 24 for level in range(256)) for offset in (0, 12))
_DIFFERS = bytes((0,)) + bytes((1,)) * 255


# Left, top, right, bottom; the last two left out.
Part = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Sign:
    """Pixels, right and lower edge left out; `ink`: the pixel that is farthest from white."""

    left: int
    top: int
    right: int
    bottom: int
    ink: bytes


def grounds_of(place: bytes, width: int, scale: float, *, has_broad_ink: bool = False) -> list[bytes]:
    """The colour of the paper in each square of a place, row by row: the most frequent one. `has_broad_ink`: what is
    darker than most squares is ink, as the strokes of large type are.
    """
    found = []
    for lines in _squares(place, width, scale):
        square = b"".join(place[each] for each in lines)
        first = square[:_BYTES_A_PIXEL]
        if square == first * (len(square) // _BYTES_A_PIXEL):
            # Most of a page is blank.
            found.append(first)
            continue
        step = _BYTES_A_PIXEL * max(1, len(square) // _BYTES_A_PIXEL // _SAMPLES)
        colours = Counter(zip(square[::step], square[1::step], square[2::step], strict=True))
        found.append(bytes(colours.most_common(1)[0][0]))
    if not has_broad_ink:
        return found
    paper = Counter(found).most_common(1)[0][0] if found else _WHITE
    return [paper if is_light(paper) and _lightness(paper) - _lightness(each) >= _DARKER else each for each in found]


def on_white(place: bytes, width: int, scale: float, grounds: list[bytes]) -> bytes:
    """A place as it were on white paper: each channel of a pixel is as far from white as it was from its ground."""
    found = bytearray(place)
    for ground, lines in zip(grounds, _squares(place, width, scale), strict=True):
        if ground == _WHITE:
            continue
        tables = [bytes(_LIGHTEST - abs(level - paper) for level in range(256)) for paper in ground]
        for each in lines:
            line = bytearray(place[each])
            for channel, table in enumerate(tables):
                line[channel::_BYTES_A_PIXEL] = line[channel::_BYTES_A_PIXEL].translate(table)
            found[each] = line
    return bytes(found)


def _squares(place: bytes, width: int, scale: float) -> Iterator[list[slice]]:
    """The lines of each square, as parts of a place."""
    side, height = max(1, round(_SQUARE * scale)), len(place) // _BYTES_A_PIXEL // width
    for top in range(0, height, side):
        for left in range(0, width, side):
            right = min(width, left + side)
            yield [
                slice((row * width + left) * _BYTES_A_PIXEL, (row * width + right) * _BYTES_A_PIXEL)
                for row in range(top, min(height, top + side))
            ]


def is_one_lost(ink: int, lost: int, area: int, width: int, most: float) -> bool:
    """Tells whether of some sign a larger share than `most` is gone. `ink`, `lost`: a byte a pixel, as numbers."""
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


def is_one_made(was: bytes, now: bytes, width: int, scale: float) -> bool:
    """Tells whether ink that came makes another sign of one that was there: it looks like its ink, and is so near to it
    that both read as one. Of places on white; `scale`: pixels a point.
    """
    old, inked = _by_hue(was), _by_hue(now)
    before = set().union(*old.values())
    area = len(was) // _BYTES_A_PIXEL
    rules = set(pixels_of(_rules(before, area, width, scale), area))
    came = {hue: {at for at in found - before if _is_another(was, now, at, _SEEN // 2)} for hue, found in inked.items()}
    if len(before - rules) + sum(map(len, came.values())) > _MOST_INK:
        return any(came.values())
    signs = [_sign(each, was, width) for found in old.values() for each in _apart(found - rules, width)]
    # What came, as it touches, whatever its hues.
    wholes = {at: whole for whole in _apart(set().union(*came.values()), width) for at in whole}
    for found in came.values():
        lines = found & set(pixels_of(_rules(found, area, width, scale), area))
        for each in (*_apart(found - lines, width), *_apart(lines, width)):
            mark = _sign(each, now, width)
            if _is_fringe(each, mark, wholes[each[0]]):
                continue
            if any(_look_alike(sign, mark) and _are_near(sign, mark, scale) for sign in signs) and (
                not lines.issuperset(each) or _touches(each, before - rules, width)
            ):
                return True
    return False


def _is_fringe(pixels: Sequence[int], mark: _Sign, whole: Sequence[int]) -> bool:
    """Tells whether it is but an edge of ink of another hue, as smoothed letters have them. `whole`: all that touches
    it.
    """
    narrow = min(mark.right - mark.left, mark.bottom - mark.top) <= _FRINGE
    return narrow and len(pixels) < _LESS_OF_WHOLE * len(whole)


def _touches(line: list[int], ink: set[int], width: int) -> bool:
    """Tells whether a line comes nearer to ink than rules do to text."""
    return len(_widened(set(line), width, _NEAR) & ink) >= _FEWEST_OF_RULE


def are_edges_lost(was: bytes, now: bytes, width: int, most: float) -> bool:
    """Tells whether of the outline of some sign a larger share than `most` is gone, whatever ground it stands on."""
    area = len(was) // _BYTES_A_PIXEL
    before, after = (_edges(place, width) for place in (was, now))
    for step in (8, 8 * width):
        after |= after << step | after >> step
    return is_one_lost(before, before & ~after, area, width, most)


def _edges(place: bytes, width: int) -> int:
    """The pixels that differ from the one right of them or below."""
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


def holds_signs(place: bytes, ground: bytes, width: int, scale: float, box: Part) -> bool:
    """Tells whether signs, and not rules alone, are in a part of a place."""
    found = _signs(place, ground, width, scale)
    return found is None or any(_overlap(sign, box) for sign in found)


def are_in_all(place: bytes, ground: bytes, width: int, scale: float, boxes: Sequence[Part]) -> bool:
    """Tells whether a sign is in each of some parts of a place."""
    found = _signs(place, ground, width, scale)
    return found is None or all(any(_overlap(sign, box) for sign in found) for box in boxes)


def is_apart(place: bytes, ground: bytes, width: int, scale: float, box: Part) -> bool:
    """Tells whether no sign is nearer to a part of a place than a share of its own size: nearer, they read as one."""
    found = _signs(place, ground, width, scale)
    if found is None:
        return False
    left, top, right, bottom = box
    for sign in found:
        size = min(max(sign.right - sign.left, sign.bottom - sign.top), _LARGEST * scale)
        is_turned = sign.right - sign.left > _TURNED * (sign.bottom - sign.top)
        beside, over = _BESIDE * size, (_BESIDE if is_turned else _UPWARDS) * size
        if (
            left - sign.right < beside
            and sign.left - right < beside
            and top - sign.bottom < over
            and sign.top - bottom < over
        ):
            return False
    return True


def _overlap(sign: _Sign, box: Part) -> int:
    width = min(sign.right, box[2]) - max(sign.left, box[0])
    height = min(sign.bottom, box[3]) - max(sign.top, box[1])
    return max(0, width) * max(0, height)


def _signs(place: bytes, ground: bytes, width: int, scale: float) -> list[_Sign] | None:
    """The signs of a place, without rules; None where it has more ink than text has."""
    area = len(place) // _BYTES_A_PIXEL
    ink = set(pixels_of(unlike(place, ground, _SEEN), area))
    if len(ink) > _MOST_INK:
        return None
    ink -= set(pixels_of(_rules(ink, area, width, scale), area))
    return _without_leaders([_sign(each, place, width) for each in _apart(ink, width)], scale)


def _without_leaders(found: list[_Sign], scale: float) -> list[_Sign]:
    """Without rows of dots and dashes, at equal steps and with nothing between, which are lines."""
    rows: dict[tuple[int, int], list[_Sign]] = {}
    for sign in found:
        if max(sign.right - sign.left, sign.bottom - sign.top) <= _DOT * scale:
            rows.setdefault((sign.top // 2, sign.bottom // 2), []).append(sign)
    runs: list[list[_Sign]] = []
    for row in rows.values():
        row.sort(key=lambda sign: sign.left)
        run = row[:1]
        for sign in row[1:] + row[:1]:
            step = sign.left - run[-1].left
            steady = len(run) == 1 or abs(step - (run[-1].left - run[-2].left)) <= _EVEN
            if 0 < step <= _STRIDE * scale and steady:
                run.append(sign)
                continue
            if len(run) >= _FEWEST_DOTS and run[-1].right - run[0].left >= _LONG * scale:
                runs.append(run)
            run = [sign]
    # Rows of dots one above the other are a raster.
    if len(runs) > _MOST_LEADERS:
        return found
    near = _STRIDE * scale
    small = [sign for row in rows.values() for sign in row]
    alone = [
        run
        for run in runs
        for own in [set(map(id, run))]
        if not any(
            id(other) not in own
            and other.left < run[-1].right
            and run[0].left < other.right
            and abs(other.top - run[0].top) < near
            for other in small
        )
    ]
    dots = {id(sign) for run in alone for sign in run}
    return [sign for sign in found if id(sign) not in dots]


def _look_alike(sign: _Sign, mark: _Sign) -> bool:
    """Tells whether ink of the one is taken for ink of the other: it has nearly its colour, or both are nearly black.
    Dark ink is no part of light ink.
    """
    if _lightness(sign.ink) >= _LIGHT and _lightness(sign.ink) - _lightness(mark.ink) >= _DARKER:
        return False
    if max(sign.ink) < _DARK and _lightness(mark.ink) < _COLOURED:
        return True
    if (_hue(sign.ink) == _NEUTRAL) is not (_hue(mark.ink) == _NEUTRAL):
        # Grey beside a seal.
        return False
    return max(abs(a - b) for a, b in zip(sign.ink, mark.ink, strict=True)) < _OTHER_INK


def is_light(colour: bytes) -> bool:
    return _lightness(colour) >= _LIGHT


def _lightness(colour: bytes) -> float:
    blue, green, red = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _are_near(sign: _Sign, mark: _Sign, scale: float) -> bool:
    highest = math.ceil(_HIGHEST * scale)
    height, share = min(sign.bottom - sign.top, highest), _BESIDE
    if sign.bottom - sign.top > highest:
        # No text is set so large; seals are.
        share = _BESIDE_A_SEAL
    beside, over = (max(_NEAR, math.ceil(each * height)) for each in (share, _ABOVE))
    return (
        mark.left - sign.right < beside
        and sign.left - mark.right < beside
        and mark.top - sign.bottom < over
        and sign.top - mark.bottom < over
    )


def made_other(was: bytes, now: bytes, ink: int) -> int:
    """Finds which pixels of the ink have another colour than before, and not just nearly the same."""
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


def _by_hue(place: bytes) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for at in pixels_of(unlike(place, _WHITE, _SEEN), len(place) // _BYTES_A_PIXEL):
        hue = _hue(place[at * _BYTES_A_PIXEL : (at + 1) * _BYTES_A_PIXEL])
        try:
            found[hue].add(at)
        except KeyError:
            found[hue] = {at}
    return found


@lru_cache(maxsize=4096)
def _hue(colour: bytes) -> int:
    """The channel that is the strongest; -1 for black, white and grey, and for what is nearly black."""
    if max(colour) < _DARK or max(colour) - min(colour) <= _OF_HUE * (_LIGHTEST - min(colour)):
        return _NEUTRAL
    return colour.index(max(colour))


def _apart(pixels: Iterable[int], width: int) -> Iterator[list[int]]:
    """The signs that some pixels are."""
    left = set(pixels)
    while left:
        sign = [left.pop()]
        for at in sign:
            for near in _around(at, width):
                if near in left:
                    left.remove(near)
                    sign.append(near)
        yield sign


def _around(at: int, width: int) -> Sequence[int]:
    """The pixels beside one, also across its corners."""
    up, down, x = at - width, at + width, at % width
    if 0 < x < width - 1:
        return up - 1, up, up + 1, at - 1, at + 1, down - 1, down, down + 1
    return [near for row in (up, at, down) for near in range(row - (x > 0), row + (x < width - 1) + 1)]


def _sign(pixels: list[int], place: bytes, width: int) -> _Sign:
    columns = [at % width for at in pixels]
    ink = min((place[at * _BYTES_A_PIXEL : (at + 1) * _BYTES_A_PIXEL] for at in pixels), key=sum)
    return _Sign(min(columns), min(pixels) // width, max(columns) + 1, max(pixels) // width + 1, ink)


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
    """Returns the pixels of ink that belong to long, thin horizontal lines. `width`: pixels a row."""
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
