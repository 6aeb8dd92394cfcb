"""Pages as they look, pixel by pixel: what is blank, what can be seen through, what is apart from what."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Pixels around a place that its edges may colour.
EDGE = 1
_BYTES_A_PIXEL = 3
# Points around a new field that are blank too: nearer, what it shows would read as part of the page's text. On a large
# page, of which a screen shows less, a share of its shorter side; beside large type, a share of its height.
_APART = 12.0
_APART_ON_PAGE = 0.02
_APART_FROM_TYPE = 0.6
_HIGHEST_TYPE = 0.3
# Points of a line's breadth up to which it is a rule, and no part of a sign.
_RULE = 2.0
# How much a colour channel (0 to 255) is off the ground's where there is ink, of each strength; which share of a sign's
# ink may be lost under a seal, or have its colour, and so many pixels in any case; which share of what is around all
# ink, so many pixels wide, may be painted. Signs reach so many points beyond a place; text has less ink than so many
# pixels.
_SHADES = (12, 24, 48, 96)
_MOST_LOST = 0.1
_MOST_COLOURED = 0.5
_FEWEST_LOST = 2
_AROUND = 6
_REACH = 15.0
_MOST_PAINTED = 0.5
_MOST_INK = 100_000
# Ink that came beside printed ink (pixels around), unlike what was there and of its own tone, makes another sign of it;
# so many pixels of it in a square of so many points. A colour is hue from so much on, and lightness in steps; a tone
# that a tenth of the ink has counts.
_BESIDE = 3
_ANOTHER = 48
_MADE = 3
_SIGN = 6.0
_LEAST_SIDE = 4
_COLOURED = 40
_LIGHTER = 64
_LEAST_OF_INK = 0.1
# Points from which on a line as thin as a rule is one, and part of no sign.
_LONG = 30.0
# Pixels by which the ground of a place is found.
_SAMPLES = 10_000
_STRETCH = re.compile(rb"\x01+(?:\x00{1,3}\x01+)*")


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels, right and lower edge left out."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def wider(self, by: int, width: int, height: int) -> "Box":
        return Box(
            max(0, self.left - by), max(0, self.top - by), min(width, self.right + by), min(height, self.bottom + by)
        )


@dataclass(slots=True)
class DrawnPage:
    """A page as it looks: rows of `stride` bytes, three bytes a pixel; `scale`: pixels a point."""

    width: int
    height: int
    stride: int
    pixels: bytes
    scale: float

    def rows(self, box: Box) -> Iterator[slice]:
        for row in range(box.top, box.bottom):
            start = row * self.stride
            yield slice(start + box.left * _BYTES_A_PIXEL, start + box.right * _BYTES_A_PIXEL)

    def is_apart(self, box: Box) -> bool:
        """Whether a place is blank, and nothing near it is of a size that both would read as one."""
        if not self.is_blank(box):
            return False
        least = max(_APART * self.scale, _APART_ON_PAGE * min(self.width, self.height), EDGE)
        if not self.is_blank(box.wider(math.ceil(least), self.width, self.height)):
            return False
        return not self.has_large_type_beside(box, least)

    def has_large_type_beside(self, box: Box, least: float) -> bool:
        """Whether left or right of a place a sign is nearer than a share of its own height, whatever the place's."""
        highest = _HIGHEST_TYPE * self.height
        around = Box(
            max(0, box.left - math.ceil(_APART_FROM_TYPE * highest)),
            max(0, box.top - math.ceil(highest)),
            min(self.width, box.right + math.ceil(_APART_FROM_TYPE * highest)),
            min(self.height, box.bottom + math.ceil(highest)),
        )
        start = box.top * self.stride + box.left * _BYTES_A_PIXEL
        ground = self.pixels[start : start + _BYTES_A_PIXEL]
        width = around.right - around.left
        ink = self.unlike(around, ground, _SHADES[0]).to_bytes(around.area, "big")
        rule = _RULE * self.scale
        for step, first, end in (
            (-1, box.left - 1 - around.left, -1),
            (1, box.right - around.left, width),
        ):
            wide, high = 0, 0
            for x in range(first, end, step):
                run = _run(ink[x::width], box.top - around.top, box.bottom - around.top)
                # Lines that run on are no type, and thin ones are rules.
                wide, high = (wide + 1, max(high, run)) if 0 < run <= highest else (0, 0)
                distance = abs(x - first) + 1 - wide
                if wide > rule and distance < _APART_FROM_TYPE * high and distance >= least:
                    return True
        return False

    def is_blank(self, box: Box) -> bool:
        """Whether the place has one colour. A place without a pixel is none."""
        found = [self.pixels[each] for each in self.rows(box)]
        line = found[0][:_BYTES_A_PIXEL] * (box.right - box.left) if found else b""
        return bool(line) and all(each == line for each in found)

    def unlike(self, box: Box, colour: bytes, shade: int) -> int:
        """The pixels of a place that have another colour, one byte each."""
        place = self.place(box)
        found = 0
        for channel, value in enumerate(colour):
            other = bytes(abs(each - value) > shade for each in range(256))
            found |= int.from_bytes(place[channel::_BYTES_A_PIXEL].translate(other), "big")
        return found

    def can_be_seen_through(self, box: Box, after: "DrawnPage", *, is_drawn: bool) -> bool:
        """Whether what the place showed can be seen still: a seal lies over a text, a white sheet hides it. A look that
        draws something, and is not seen here, may hide it elsewhere.
        """
        if not box.area or self.is_blank(box):
            return True
        if is_drawn and self.place(box) == after.place(box):
            return False
        ground = self._ground(box)
        # Signs that reach beyond the place are looked at whole.
        whole = box.wider(round(_REACH * self.scale), self.width, self.height)
        shown = 0
        for shade in _SHADES:
            # Ink may come half as near to the ground as it was.
            ink = self.unlike(whole, ground, shade)
            if _is_sign_lost(ink, ink & ~after.unlike(whole, ground, shade // 2), whole, _MOST_LOST):
                return False
            shown |= ink
        if _is_sign_lost(shown, self._made_other(whole, after, shown), whole, _MOST_COLOURED):
            return False
        return not self._is_painted_around(box, after, ground) and not self._are_other_signs_made(whole, after, shown)

    def _is_painted_around(self, box: Box, after: "DrawnPage", ground: bytes) -> bool:
        """Whether letters can be told no more from what is around them: ink on ink hides them, too."""
        shown = self.unlike(box, ground, _SHADES[0])
        around = _widened(shown, box.right - box.left, _AROUND) & ~shown
        painted = (after.unlike(box, ground, _SHADES[-1]) & around).bit_count()
        return painted > _MOST_PAINTED * around.bit_count()

    def is_part_of(self, box: Box, after: "DrawnPage") -> bool:
        """Whether in a place one of two pages shows all that the other one does: a tick comes or goes."""
        ground = self._ground(box)
        was, now = (page.unlike(box, ground, _SHADES[1]) for page in (self, after))
        return not (_is_sign_lost(was, was & ~now, box, _MOST_LOST) and _is_sign_lost(now, now & ~was, box, _MOST_LOST))

    def place(self, box: Box) -> bytes:
        """Its pixels, three bytes each."""
        return b"".join(self.pixels[each] for each in self.rows(box))

    def _ground(self, box: Box) -> bytes:
        place = self.place(box)
        step = _BYTES_A_PIXEL * max(1, box.area // _SAMPLES)
        return Counter(place[at : at + _BYTES_A_PIXEL] for at in range(0, len(place), step)).most_common(1)[0][0]

    def _are_other_signs_made(self, box: Box, after: "DrawnPage", shown: int) -> bool:
        """Whether ink of the tone that printed ink has came beside it: a stroke makes an 8 of a 3."""
        width = box.right - box.left
        signs = shown & ~self._rules(box, shown)
        was, now = self.place(box), after.place(box)
        colours = (was[at * _BYTES_A_PIXEL : (at + 1) * _BYTES_A_PIXEL] for at in _set(signs, box.area))
        tones = Counter(map(_tone, colours))
        usual = {tone for tone, count in tones.items() if count >= _LEAST_OF_INK * tones.total()}
        cells: Counter[tuple[int, int]] = Counter()
        side = max(_LEAST_SIDE, round(_SIGN * self.scale))
        for at in _set(self._made_other(box, after, _widened(signs, width, _BESIDE)), box.area):
            hue, light = _tone(now[at * _BYTES_A_PIXEL : (at + 1) * _BYTES_A_PIXEL])
            if any((hue, light + step) in usual for step in (-1, 0, 1)):
                cells[at // width // side, at % width // side] += 1
        return any(count >= _MADE for count in cells.values())

    def _made_other(self, box: Box, after: "DrawnPage", pixels: int) -> int:
        """Which of the pixels have another colour than before, and not just nearly the same."""
        was, now = self.place(box), after.place(box)
        found = bytearray(box.area)
        for at in _set(pixels & _unlike(was, now), box.area):
            pixel = slice(at * _BYTES_A_PIXEL, (at + 1) * _BYTES_A_PIXEL)
            found[at] = max(abs(a - b) for a, b in zip(was[pixel], now[pixel], strict=True)) > _ANOTHER
        return int.from_bytes(found, "big")

    def _rules(self, box: Box, shown: int) -> int:
        """The ink that is long thin lines."""
        width, height = box.right - box.left, box.bottom - box.top
        ink = shown.to_bytes(box.area, "big")
        upright = b"".join(ink[x::width] for x in range(width))
        found = _lines(ink, width, self.scale)
        turned = _lines(upright, height, self.scale)
        back = b"".join(turned[y::height] for y in range(height))
        return int.from_bytes(found, "big") | int.from_bytes(back, "big")

    def without(self, boxes: Sequence[Box]) -> bytes:
        if not boxes:
            return self.pixels
        left = bytearray(self.pixels)
        for box in boxes:
            for each in self.rows(box):
                left[each] = bytes(each.stop - each.start)
        return bytes(left)


def _run(column: bytes, top: int, bottom: int) -> int:
    """The longest stretch of ink in a column that meets the rows from `top` to `bottom`; small gaps do not part it."""
    found = (m.end() - m.start() for m in _STRETCH.finditer(column) if m.end() > top and m.start() < bottom)
    return max(found, default=0)


def _widened(pixels: int, width: int, by: int) -> int:
    """A set of pixels, a byte each in rows of `width`, and those up to so many pixels around them."""
    for row in (1, width):
        left, step = by, 1
        while left:
            step = min(step, left)
            pixels |= pixels << 8 * row * step | pixels >> 8 * row * step
            left, step = left - step, step + 1
    return pixels


def _is_sign_lost(ink: int, lost: int, box: Box, most: float) -> bool:
    """Whether of some sign (pixels that touch) a larger share is gone. Of more ink than text has nothing is told."""
    if not lost:
        return False
    left, gone = set(_set(ink, box.area)), set(_set(lost, box.area))
    if len(left) > _MOST_INK:
        return True
    width = box.right - box.left
    while left:
        waiting = [left.pop()]
        size = missing = 0
        while waiting:
            at = waiting.pop()
            size, missing = size + 1, missing + (at in gone)
            x = at % width
            for row in (at - width, at, at + width):
                for near in range(row - (x > 0), row + (x < width - 1) + 1):
                    if near in left:
                        left.remove(near)
                        waiting.append(near)
        if missing > most * size and missing >= min(_FEWEST_LOST, size):
            return True
    return False


def _set(pixels: int, area: int) -> Iterator[int]:
    """The numbers of the pixels of a set; those that widening put beyond the place left out."""
    data = (pixels & (1 << 8 * area) - 1).to_bytes(area, "big")
    at = data.find(1)
    while at >= 0:
        yield at
        at = data.find(1, at + 1)


def _unlike(one: bytes, other: bytes) -> int:
    """The pixels that differ, one byte each."""
    differs = bytes((0,)) + bytes((1,)) * 255
    both = (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big").translate(differs)
    found = 0
    for channel in range(_BYTES_A_PIXEL):
        found |= int.from_bytes(both[channel::_BYTES_A_PIXEL], "big")
    return found


def _tone(colour: bytes) -> tuple[int, int]:
    """Hue (0 for none, else which channels are the strongest and the weakest) and lightness of a pixel."""
    strongest, weakest = max(colour), min(colour)
    light = sum(colour) // len(colour) // _LIGHTER
    if strongest - weakest <= _COLOURED:
        return 0, light
    return 1 + colour.index(strongest) * _BYTES_A_PIXEL + colour.index(weakest), light


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
