"""Signs on a drawn page, which are pixels that touch: which are lost under a later look, and which it makes others.

A place is the picture of a part of a page; `scale` is pixels a point.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.esign.revisions.pixels import (
    CHANNELS,
    Apart,
    Numbers,
    Picture,
    Pixels,
    changed,
    codes,
    colours_of,
    distance,
    edges,
    runs_of,
    unlike,
    widened,
)

# Pixels of ink up to which a place is judged as text.
_MOST_INK = 250_000
# A sign may always lose fewer pixels than this. A letter has at most so much ink, in square points: one of 24 points.
_FEWEST_LOST, _LETTER = 2, 80.0
# Levels of a colour channel (0 to 255) from which on a pixel is ink, and from which on it may be faint print.
_SEEN, _FAINT = 12, 6
# A colour has a hue when its channels differ by this share of what it takes from white, and when one of them is
# brighter than this level.
_OF_HUE, _DARK = 0.4, 150
# Ink of this lightness is light. Ink that is darker by so many levels does not belong to it.
_LIGHT, _DARKER = 160, 64
# Two inks differ when a channel differs by so many levels. Ink beside black differs when it is this light: red is.
_OTHER_INK, _OTHER_THAN_GREY, _COLOURED = 112, 64, 70
# A sign owns the space beyond its ends in the direction in which it runs, and to its sides, by these shares of its
# size; at least these points. One that is larger than these points counts as that large, and as a seal.
_ALONG, _ACROSS, _ALONG_A_SEAL = 0.8, 0.25, 0.3
_LEAST_ALONG, _LEAST_ACROSS, _LARGEST_PRINT = 12.0, 6.0, 48.0
# A line whose signs stand in cells goes on from cell to cell: so many points beside an upright rule.
_ALONG_CELLS = 36.0
# Points that keep off the rules of such cells.
_OFF_BARS = 2.0
# Points of a page's shorter side from which on all type is larger: viewers show a slide as large as a sheet.
_SHEET = 600.0
# Signs of a line that runs upwards have gaps up to these points, and the line is longer than broad by this factor.
_GAP, _LONGER = 2.0, 1.5
# A rule is a line of at most this breadth and at least this length, in points.
_RULE, _LONG = 2.0, 30.0
# Pixels in which a rule that came must meet a sign to change it, and pixels around it.
_FEWEST_OF_RULE, _NEAR = 3, 3
# A row of dots or dashes is a rule too: size of a dot, breadth and length of a dash and step to the next in points,
# pixels by which steps may differ, dots in a row, rows in a place. No letter that can be read is as small.
_DOT, _DASH, _DASHES, _STRIDE, _EVEN, _FEWEST_DOTS, _MOST_LEADERS = 1.6, 0.9, 3.0, 8.0, 2, 6, 24
# A new field keeps off a sign by a share of its size, which counts up to these points. Above and below the share is
# smaller, except for signs that are wider than high by this factor: text may run upwards.
_LARGEST, _UPWARDS, _TURNED = 72.0, 0.35, 1.2
FARTHEST = (1 + _ALONG) * _LARGEST
"""Points around a part in which signs are looked for."""
_NEUTRAL = -1
# Side in points of a square that has its own paper.
_SQUARE = 12.0
_LIGHTEST = 255
WHITE: Picture = np.full(CHANNELS, _LIGHTEST, np.uint8)
# Shares of blue, green and red in how light a colour is.
_LIGHTNESS = (0.114, 0.587, 0.299)
# Marks, and signs, that are held against each other at once.
_AT_ONCE, _SIGNS_AT_ONCE = 256, 4096


# Left, top, right, bottom; the last two left out.
Part = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Sign:
    """Pixels, right and lower edge left out."""

    left: int
    top: int
    right: int
    bottom: int


def grounds_of(place: Picture, scale: float, *, has_broad_ink: bool = False) -> Picture:
    """The colour of the paper in each square of a place: the most frequent one. `has_broad_ink`: what is darker than
    most squares is ink, as the strokes of large type are.
    """
    side = _side(scale)
    height, width, _ = place.shape
    rows, columns = -(-height // side), -(-width // side)
    # What the last squares lack has a code that no colour has.
    inside = np.full((rows * side, columns * side), -1, np.int64)
    inside[:height, :width] = codes(place.astype(np.int64))
    squares = inside.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(rows * columns, side * side)
    found = squares[:, 0].copy()
    # Most of a page is blank.
    mixed = (squares != squares[:, :1]).any(axis=1)
    found[mixed] = _most_frequent(squares[mixed])
    grounds = colours_of(found)
    if has_broad_ink:
        paper = colours_of(_most_frequent(found[np.newaxis]))[0]
        lightness = lightness_of(paper)
        if lightness >= _LIGHT:
            grounds[lightness - lightness_of(grounds) >= _DARKER] = paper
    return grounds.reshape(rows, columns, CHANNELS)


def most_frequent(place: Picture) -> Picture:
    """The colour that a place has most often."""
    found: Picture = colours_of(_most_frequent(codes(place.reshape(1, -1, CHANNELS).astype(np.int64))))[0]
    return found


def _most_frequent(lines: Numbers) -> Numbers:
    """The number that each line has most often; numbers below 0 do not count. Of several the greatest."""
    count, length = lines.shape
    ordered = np.sort(lines, axis=1).ravel()
    begins = np.empty(ordered.shape, bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    begins[::length] = True
    (starts,) = np.nonzero(begins)
    times = np.diff(starts, append=len(ordered))
    numbers = ordered[starts]
    times[numbers < 0] = 0
    best = np.zeros(count, np.int64)
    np.maximum.at(best, starts // length, times << 24 | np.maximum(numbers, 0))
    return best & 0xFFFFFF


def on_white(place: Picture, scale: float, grounds: Picture) -> Picture:
    """A place as it were on white paper: each channel of a pixel is as far from white as it was from its ground."""
    side = _side(scale)
    ground = grounds.repeat(side, axis=0).repeat(side, axis=1)[: place.shape[0], : place.shape[1]]
    found: Picture = _LIGHTEST - distance(place, ground)
    return found


def _side(scale: float) -> int:
    return max(1, round(_SQUARE * scale))


def is_one_lost(ink: Pixels, lost: Pixels, most: float, scale: float) -> bool:
    """Tells whether of some sign a larger share than `most` is gone. Letters that touch a rule, or each other, are no
    larger for that: they are looked at without what is longer than letters are, and no sign counts as larger than one.
    """
    if not lost.any():
        return False
    if np.count_nonzero(ink) > _MOST_INK:
        return True
    long = max(1, round(_LONG * scale))
    letters = ink & ~runs_of(ink).longer(long).filled(ink.shape) & ~runs_of(ink.T).longer(long).filled(ink.T.shape).T
    for pixels, largest in ((ink, math.inf), (letters, _LETTER * scale * scale)):
        signs = Apart(pixels)
        missing = signs.shares_of(lost & pixels)
        is_much = missing > most * np.minimum(signs.sizes, largest)
        if (is_much & (missing >= np.minimum(_FEWEST_LOST, signs.sizes))).any():
            return True
    return False


def goes_on(was: Picture, now: Picture, scale: float, page: float) -> bool:
    """Tells whether ink that came is so near to a sign that was there that both read as one, whatever their inks. Of
    places on white; `page`: points of the shorter side of their page.
    """
    text, came = _text_and_came(was, now, scale)
    if _is_too_much(text, came):
        return True
    marks, scale = Apart(came).boxes, scale * max(1.0, page / _SHEET)
    upright = Apart(_lines(unlike(was, WHITE, _FAINT).T, scale).T).boxes
    is_in_cells = _are_between(marks, upright, round(_ALONG_CELLS * scale))
    by = round(_OFF_BARS * scale)
    if is_in_cells and any(len(which) for which, _ in _reached(marks, upright + np.array((-by, -by, by, by)))):
        # Bars between bars make another barcode.
        return True
    around = _surroundings(text, scale, least=_ALONG_CELLS if is_in_cells else _LEAST_ALONG)
    return any(len(which) for which, _ in _reached(marks, around))


def _are_between(marks: Numbers, upright: Numbers, reach: int) -> bool:
    """Tells whether some mark has a rule on either side within so many pixels: it stands in a cell."""
    left, right = (np.zeros(len(marks), bool) for _ in range(2))
    for which, of in _reached(marks, upright + np.array((-reach, 0, reach, 0))):
        is_left = upright[of, 0] + upright[of, 2] < marks[which, 0] + marks[which, 2]
        left[which[is_left]] = True
        right[which[~is_left]] = True
    return bool((left & right).any())


def is_one_made(was: Picture, now: Picture, scale: float) -> bool:
    """Tells whether a seal makes another sign of one that was there: it looks like its ink, and is so near to it that
    both read as one. Of places on white.
    """
    text, came = _text_and_came(was, now, scale)
    if _is_too_much(text, came):
        return True
    hues = list(_by_hue(text, was))
    around = np.concatenate(
        [np.empty((0, 4), np.int64), *(_surroundings(hue, scale, least=_LEAST_ALONG) for hue in hues)]
    )
    inks = np.concatenate(
        [
            np.empty((0, CHANNELS), np.uint8),
            *(parts.darkest(was) for hue in hues for parts in (Apart(hue), _turned_lines(hue, scale))),
        ]
    )
    for found in _by_hue(came, now):
        lines = found & _rules(found, scale)
        for pixels in (found & ~lines, lines):
            marks = Apart(pixels)
            own = marks.darkest(now)
            near = np.zeros(marks.count, bool)
            for which, of in _reached(marks.boxes, around):
                near[which[_look_alike(inks[of], own[which])]] = True
            # Rules come nearer to text than signs do.
            if near.any() and (
                pixels is not lines or any(_touches(marks, each, text) for each in np.flatnonzero(near).tolist())
            ):
                return True
    return False


def _text_and_came(was: Picture, now: Picture, scale: float) -> tuple[Pixels, Pixels]:
    """Finds the print that was there, and the ink that came: what is written on rules came as well."""
    text = _print(unlike(was, WHITE, _SEEN), scale)
    return text, unlike(now, WHITE, _SEEN) & ~text & changed(was, now, _SEEN // 2)


def _is_too_much(text: Pixels, came: Pixels) -> bool:
    return bool(came.any()) and bool(np.count_nonzero(text) + np.count_nonzero(came) > _MOST_INK)


def _turned_lines(pixels: Pixels, scale: float) -> "Apart":
    """Parts with small gaps above each other as one: lines of print that runs upwards or down, among others."""
    return Apart(pixels, widened(pixels, 0, math.ceil(_GAP * scale / 2)))


def _touches(lines: Apart, number: int, ink: Pixels) -> bool:
    """Tells whether a line comes nearer to ink than rules do to text."""
    own = lines.part_of_pixel == number
    rows, columns = (each[own] for each in lines.rows_and_columns)
    top, left = max(0, rows.min() - _NEAR), max(0, columns.min() - _NEAR)
    around = ink[top : rows.max() + _NEAR + 1, left : columns.max() + _NEAR + 1]
    line = np.zeros(around.shape, bool)
    line[rows - top, columns - left] = True
    return int(np.count_nonzero(widened(line, _NEAR) & around)) >= _FEWEST_OF_RULE


def are_edges_lost(was: Picture, now: Picture, most: float, scale: float) -> bool:
    """Tells whether of the outline of some sign a larger share than `most` is gone, whatever ground it stands on."""
    before = edges(was)
    return is_one_lost(before, before & ~widened(edges(now), 1), most, scale)


def is_erased(was: Picture, now: Picture, scale: float) -> bool:
    """Tells whether something that was there, rules included, is gone: of places on white."""
    strength, left = (np.int64(_LIGHTEST) - each.min(axis=-1) for each in (was, now))
    lost = (strength > _SEEN) & (2 * left < strength)
    # Smoothing differs at edges.
    return bool(np.count_nonzero(lost) > _FEWEST_LOST * max(1.0, scale))


def holds_signs(place: Picture, ground: Picture, scale: float, box: Part) -> bool:
    """Tells whether signs, and not rules alone, are in a part of a place."""
    found = _signs(place, ground, scale, _FAINT)
    return found is None or any(_overlap(sign, box) for sign in found)


def are_in_all(place: Picture, ground: Picture, scale: float, boxes: Sequence[Part]) -> bool:
    """Tells whether a sign is in each of some parts of a place."""
    found = _signs(place, ground, scale)
    return found is None or all(any(_overlap(sign, box) for sign in found) for box in boxes)


def is_apart(place: Picture, ground: Picture, scale: float, box: Part) -> bool:
    """Tells whether every sign keeps off a part of a place by 0.8 of its size beside it, and by less above and below:
    nearer, both read as one.
    """
    found = _signs(place, ground, scale)
    if found is None:
        return False
    left, top, right, bottom = box
    for sign in found:
        width, height = sign.right - sign.left, sign.bottom - sign.top
        size = min(max(width, height), _LARGEST * scale)
        is_turned = width > _TURNED * height
        beside, over = _ALONG * size, (_ALONG if is_turned else _UPWARDS) * size
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


def _signs(place: Picture, ground: Picture, scale: float, seen: int = _SEEN) -> list[_Sign] | None:
    """The signs of a place, without rules; None where it has more ink than text has."""
    ink = unlike(place, ground, seen)
    if np.count_nonzero(ink) > _MOST_INK:
        return None
    return [_Sign(*box) for box in Apart(_print(ink, scale)).boxes.tolist()]


def _print(ink: Pixels, scale: float) -> Pixels:
    """Ink without rules: neither long thin lines nor rows of dots and dashes."""
    found = ink & ~_rules(ink, scale)
    parts = Apart(found)
    leaders = np.zeros(parts.count, bool)
    leaders[_leaders(parts.boxes, scale)] = True
    rows, columns = parts.rows_and_columns
    gone = leaders[parts.part_of_pixel]
    found[rows[gone], columns[gone]] = False
    return found


def _leaders(boxes: Numbers, scale: float) -> list[int]:
    """The parts that are dots and dashes in rows, at equal steps and with nothing between: `boxes` of all parts."""
    sides = boxes[:, 2:] - boxes[:, :2]
    # Smoothed edges add a pixel each.
    dot, dash, dashes = (each * scale + 2 for each in (_DOT, _DASH, _DASHES))
    small = (sides.max(axis=1, initial=0) <= dot) | ((sides[:, 0] <= dashes) & (sides[:, 1] <= dash))
    rows: dict[tuple[int, int], list[int]] = {}
    left = boxes[:, 0].tolist()
    top = boxes[:, 1].tolist()
    right = boxes[:, 2].tolist()
    bottom = boxes[:, 3].tolist()
    dots = np.flatnonzero(small).tolist()
    for part in dots:
        rows.setdefault((top[part] // 2, bottom[part] // 2), []).append(part)
    runs: list[list[int]] = []
    for row in rows.values():
        row.sort(key=left.__getitem__)
        run = row[:1]
        for part in row[1:] + row[:1]:
            step = left[part] - left[run[-1]]
            steady = len(run) == 1 or abs(step - (left[run[-1]] - left[run[-2]])) <= _EVEN
            if 0 < step <= _STRIDE * scale and steady:
                run.append(part)
                continue
            if len(run) >= _FEWEST_DOTS and right[run[-1]] - left[run[0]] >= _LONG * scale:
                runs.append(run)
            run = [part]
    # Rows of dots one above the other are a raster.
    if len(runs) > _MOST_LEADERS:
        return []
    near = _STRIDE * scale
    return [
        part
        for run in runs
        for own in [set(run)]
        if not any(
            other not in own
            and left[other] < right[run[-1]]
            and left[run[0]] < right[other]
            and abs(top[other] - top[run[0]]) < near
            for other in dots
        )
        for part in run
    ]


def _reached(marks: Numbers, around: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Finds the numbers of marks and of surroundings that meet, as pairs: boxes in pixels."""
    # From above, so that few signs are near to those that are looked at together.
    order = np.argsort(marks[:, 1])
    for start in range(0, len(order), _AT_ONCE):
        now = order[start : start + _AT_ONCE]
        boxes = marks[now]
        (reached,) = np.nonzero((around[:, 1] < boxes[:, 3].max()) & (boxes[:, 1].min() < around[:, 3]))
        for at in range(0, len(reached), _SIGNS_AT_ONCE):
            some = reached[at : at + _SIGNS_AT_ONCE]
            which, of = np.nonzero(
                (boxes[:, np.newaxis, :2] < around[some, 2:]).all(axis=2)
                & (around[some, :2] < boxes[:, np.newaxis, 2:]).all(axis=2)
            )
            yield now[which], some[of]


def _surroundings(text: Pixels, scale: float, *, least: float) -> Numbers:
    """Parts of a place in which ink is near to a sign: a row for each part that touches, then for each line that is
    turned. `least`: points along a line that are near.
    """
    found = []
    leasts = (least * scale, _LEAST_ACROSS * scale)
    largest = _LARGEST_PRINT * scale
    for parts, is_turned in ((Apart(text), False), (_turned_lines(text, scale), True)):
        sides = parts.boxes[:, 2:] - parts.boxes[:, :2]
        sizes = sides[:, 0 if is_turned else 1]
        # No text is set larger; seals are.
        share = np.where(sizes > largest, _ALONG_A_SEAL, _ALONG)
        along, across = (
            np.ceil(np.maximum(each * np.minimum(sizes, largest), fewest)).astype(np.int64)
            for each, fewest in zip((share, _ACROSS), leasts, strict=True)
        )
        if is_turned:
            # What is no line says nothing of a direction.
            is_line = sides[:, 1] > _LONGER * sides[:, 0]
            along, across = np.where(is_line, across, 0), np.where(is_line, along, 0)
        found.append(parts.boxes + np.stack((-along, -across, along, across), axis=1))
    return np.concatenate(found)


def _look_alike(signs: Picture, marks: Picture) -> NDArray[np.bool_]:
    """Tells of pairs of inks whether a seal's is taken for the sign's: they have nearly one colour, or both are nearly
    black. Dark ink is no part of light ink, nor grey of a seal.
    """
    own, others = lightness_of(signs), lightness_of(marks)
    is_dark_on_light = (own >= _LIGHT) & (own - others >= _DARKER)
    are_black = (signs.max(axis=-1) < _DARK) & (others < _COLOURED)
    are_neutral = _hues(signs) == _NEUTRAL, _hues(marks) == _NEUTRAL
    # Where a hue begins is no difference that people see: an ink beside a grey one is another only by its distance.
    furthest = distance(signs, marks).max(axis=-1)
    have_one_colour = furthest < np.where(are_neutral[0] == are_neutral[1], _OTHER_INK, _OTHER_THAN_GREY)
    found: NDArray[np.bool_] = ~is_dark_on_light & (are_black | have_one_colour)
    return found


def is_light(colour: Picture) -> bool:
    return bool(lightness_of(colour) >= _LIGHT)


def lightness_of(colours: Picture) -> NDArray[np.float64]:
    """From 0 to 255."""
    found = np.zeros(colours.shape[:-1])
    for channel, share in enumerate(_LIGHTNESS):
        found += colours[..., channel] * share
    return found


def _by_hue(pixels: Pixels, picture: Picture) -> Iterator[Pixels]:
    """The pixels of each hue that there is."""
    rows, columns = np.divmod(np.flatnonzero(pixels), pixels.shape[1])
    hues = _hues(picture[rows, columns])
    for hue in np.unique(hues):
        found = np.zeros(pixels.shape, bool)
        own = hues == hue
        found[rows[own], columns[own]] = True
        yield found


def _hues(colours: Picture) -> Numbers:
    """The channel that is the strongest; -1 for black, white and grey, and for what is nearly black."""
    most, least = colours.max(axis=-1).astype(np.int64), colours.min(axis=-1).astype(np.int64)
    is_neutral = (most < _DARK) | (most - least <= _OF_HUE * (_LIGHTEST - least))
    return np.where(is_neutral, _NEUTRAL, colours.argmax(axis=-1))


def _rules(pixels: Pixels, scale: float) -> Pixels:
    """The pixels that are long thin lines."""
    return _lines(pixels, scale) | _lines(pixels.T, scale).T


def _lines(pixels: Pixels, scale: float) -> Pixels:
    """The pixels that belong to long, thin horizontal lines."""
    long, thin = max(1, round(_LONG * scale)), max(1, math.ceil(_RULE * scale))
    found = runs_of(pixels).longer(long).filled(pixels.shape)
    # Of what is thicker, the lowest row of each piece that is too thick; then all of its rows.
    lowest = found.copy()
    for step in range(1, thin + 1):
        lowest[step:] &= found[:-step]
        lowest[:step] = False
    thick = lowest.copy()
    for step in range(1, thin + 1):
        thick[:-step] |= lowest[step:]
    return found & ~thick
