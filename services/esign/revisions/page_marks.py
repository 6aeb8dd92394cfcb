"""Marks on a drawn page: what a button shows when it is ticked."""

import numpy as np

from services.esign.revisions.pixels import Apart, Numbers, Picture, unlike, widened

# Levels of a colour channel (0 to 255) from which on a pixel is ink.
_SEEN = 12
# Share of a mark that touches; how many times longer than broad the room in a frame may be, and a mark in it.
_MOST_OF_MARK, _SQUARE_FRAME, _NO_BAR = 0.9, 1.25, 2.5


def is_a_mark_in_a_frame(was: Picture, now: Picture, ground: Picture) -> bool:
    """Tells whether what came or went in a place, or near it, is one mark within a frame that stays: as broad as it is
    high, which no digit is, and the mark is no bar, which makes another sign of one.
    """
    before, after = (unlike(each, ground, _SEEN) for each in (was, now))
    # Pixels around close what smoothing leaves open at corners.
    frame = widened(before & after, 1)
    different = before != after
    mark = different & ~frame
    if not mark.any():
        return not different.any()
    inside = Apart(~frame)
    edges = inside.boxes
    height, width = frame.shape
    is_outside = (edges[:, :2] <= 0).any(axis=1) | (edges[:, 2] >= width) | (edges[:, 3] >= height)
    held = inside.shares_of(mark)
    if held[is_outside].any() or np.count_nonzero(held) != 1:
        return False
    parts = Apart(mark)
    largest = int(parts.sizes.argmax())
    return (
        bool(parts.sizes[largest] >= _MOST_OF_MARK * parts.sizes.sum())
        and _broadness(edges[int(held.argmax())]) <= _SQUARE_FRAME
        and _broadness(parts.boxes[largest]) <= _NO_BAR
    )


def _broadness(box: Numbers) -> float:
    """Tells how many times longer a box is than broad, either way."""
    sides = box[2:] - box[:2]
    return float(sides.max() / sides.min())
