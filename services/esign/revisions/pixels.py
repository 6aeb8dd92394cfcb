"""Pixels of a drawn page: colours in rows and columns, sets of pixels, and which of them touch.

A picture is an array of rows, columns and the three channels blue, green and red (0 to 255); a set of its pixels is an
array of truth values in the same rows and columns.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CHANNELS = 3
# Two ways to round levels, half a step apart. Levels differ when they differ in both.
_ROUNDINGS = tuple(((np.arange(256) + offset) // 24).astype(np.uint8) for offset in (0, 12))

Picture = NDArray[np.uint8]
Pixels = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Pixels of a set that lie side by side in a row, from above and from the left; `ends` are left out."""

    rows: Numbers
    starts: Numbers
    ends: Numbers

    def longer(self, least: int) -> "Runs":
        kept = self.ends - self.starts >= least
        return Runs(self.rows[kept], self.starts[kept], self.ends[kept])

    def filled(self, shape: tuple[int, int]) -> Pixels:
        """The set that they are."""
        found = np.zeros(shape, bool)
        for row, start, end in zip(self.rows.tolist(), self.starts.tolist(), self.ends.tolist(), strict=True):
            found[row, start:end] = True
        return found


class Apart:
    """The parts of a set of pixels that do not touch, not even across their corners: numbered from 0. With `bridged`, a
    larger set, parts that are one in that are one.
    """

    def __init__(self, pixels: Pixels, bridged: Pixels | None = None) -> None:
        self.runs = runs_of(pixels)
        self._pixels = pixels
        if bridged is None:
            self.part_of_run, self.count = _parts(self.runs, pixels.shape[1])
            return
        whole = Apart(bridged)
        number = np.zeros(bridged.shape, np.int64)
        number[whole.rows_and_columns] = whole.part_of_pixel
        names, self.part_of_run = np.unique(number[self.runs.rows, self.runs.starts], return_inverse=True)
        self.count = len(names)

    @cached_property
    def rows_and_columns(self) -> tuple[Numbers, Numbers]:
        """The row and the column of each pixel."""
        return np.divmod(np.flatnonzero(self._pixels), self._pixels.shape[1])

    @cached_property
    def part_of_pixel(self) -> Numbers:
        """The number of the part that each pixel belongs to, in the same order."""
        return np.repeat(self.part_of_run, self.runs.ends - self.runs.starts)

    @cached_property
    def sizes(self) -> Numbers:
        """Pixels of each part."""
        return np.bincount(self.part_of_pixel, minlength=self.count)

    @cached_property
    def boxes(self) -> Numbers:
        """Left, top, right and bottom of each part, the last two left out: a row for each."""
        found = np.empty((self.count, 4), np.int64)
        found[:, :2] = np.iinfo(np.int64).max
        found[:, 2:] = 0
        np.minimum.at(found[:, 0], self.part_of_run, self.runs.starts)
        np.minimum.at(found[:, 1], self.part_of_run, self.runs.rows)
        np.maximum.at(found[:, 2], self.part_of_run, self.runs.ends)
        np.maximum.at(found[:, 3], self.part_of_run, self.runs.rows + 1)
        return found

    def shares_of(self, other: Pixels) -> Numbers:
        """Pixels of each part that are in another set too."""
        return np.bincount(self.part_of_pixel[other[self.rows_and_columns]], minlength=self.count)

    def darkest(self, picture: Picture) -> Picture:
        """Finds the colour of each part that is the farthest from white: a row of channels for each."""
        colours = picture[self.rows_and_columns].astype(np.int64)
        keys = colours.sum(axis=1) << 24 | codes(colours)
        found = np.full(self.count, np.iinfo(np.int64).max)
        np.minimum.at(found, self.part_of_pixel, keys)
        return colours_of(found)


def runs_of(pixels: Pixels) -> Runs:
    height, width = pixels.shape
    # One line of all rows, with a pixel between them that is not in the set: runs begin and end by turns.
    room = width + 1
    line = np.zeros(1 + height * room, bool)
    line[1:].reshape(height, room)[:, :width] = pixels
    turns = np.flatnonzero(line[1:] != line[:-1])
    rows = turns[::2] // room
    return Runs(rows, turns[::2] - rows * room, turns[1::2] - rows * room)


def _parts(runs: Runs, width: int) -> tuple[Numbers, int]:
    """Numbers the parts: the number of each run's, and how many there are."""
    # Places in one line, with room between the rows: the runs of the row above that touch follow each other.
    room = width + 2
    above = (runs.rows - 1) * room
    first = np.searchsorted(runs.rows * room + runs.ends, above + runs.starts, "left")
    after = np.searchsorted(runs.rows * room + runs.starts, above + runs.ends, "right")
    counts = np.maximum(after - first, 0)
    below = np.repeat(np.arange(len(counts)), counts)
    beyond = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(len(below))
    part = np.arange(len(counts))
    while len(below):
        least, most = np.minimum(part[below], part[beyond]), np.maximum(part[below], part[beyond])
        if not (apart := least != most).any():
            break
        np.minimum.at(part, most[apart], least[apart])
        while ((nearer := part[part]) != part).any():
            part = nearer
        below, beyond = below[apart], beyond[apart]
    names, numbers = np.unique(part, return_inverse=True)
    return numbers, len(names)


def unlike(picture: Picture, colour: Picture, shade: int) -> Pixels:
    """The pixels that differ from a colour by more than so many levels of a channel."""
    found = np.zeros(picture.shape[:2], bool)
    for channel, level in enumerate(map(int, colour)):
        levels = picture[..., channel]
        if level - shade > 0:
            found |= levels < level - shade
        if level + shade < np.iinfo(np.uint8).max:
            found |= levels > level + shade
    return found


def changed(one: Picture, other: Picture, levels: int = 0) -> Pixels:
    """The pixels that differ by more than so many levels of a channel."""
    found = np.zeros(one.shape[:-1], bool)
    for channel in range(CHANNELS):
        found |= distance(one[..., channel], other[..., channel]) > levels
    return found


def distance(one: Picture, other: Picture) -> Picture:
    """By how many levels each channel of each pixel differs."""
    return np.maximum(one, other) - np.minimum(one, other)


def widened(pixels: Pixels, beside: int, above: int | None = None) -> Pixels:
    """A set of pixels, and those up to so many pixels around them; as many above and below as beside, if not told."""
    for turned, by in ((False, beside), (True, beside if above is None else above)):
        lines = pixels.T if turned else pixels
        steps = np.zeros((lines.shape[0], lines.shape[1] + 2 * by + 1), np.int32)
        steps[:, by + 1 : by + 1 + lines.shape[1]] = lines
        sums = np.cumsum(steps, axis=1)
        found = sums[:, 2 * by + 1 :] != sums[:, : lines.shape[1]]
        pixels = found.T if turned else found
    return pixels


def edges(picture: Picture) -> Pixels:
    """The pixels that differ from the one right of them or below."""
    height, width, _ = picture.shape
    right, below = np.ones((height, width - 1), bool), np.ones((height - 1, width), bool)
    for rounding in _ROUNDINGS:
        rounded = rounding[picture]
        right &= changed(rounded[:, 1:], rounded[:, :-1])
        below &= changed(rounded[1:], rounded[:-1])
    found = np.zeros((height, width), bool)
    found[:, :-1] |= right
    found[:-1] |= below
    return found


def codes(colours: NDArray[np.int64]) -> Numbers:
    """A number for each colour."""
    return colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]


def colours_of(numbers: Numbers) -> Picture:
    return np.stack([numbers >> shift & 0xFF for shift in (16, 8, 0)], axis=-1).astype(np.uint8)
