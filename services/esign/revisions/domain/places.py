"""Places on a page: upright boxes, and the matrices that move them (ISO 32000-1, 8.3.4)."""

from collections.abc import Sequence
from math import hypot
from typing import Any, TypeGuard

Rectangle = tuple[float, float, float, float]
SLANT = 1e-3
"""Share of a side by which what is upright may lean."""
_EVEN, _NUMBERS = 0.85, 6
Matrix = tuple[float, float, float, float, float, float]


def is_matrix(value: Any) -> TypeGuard[Sequence[float]]:
    """Tells whether a value of a document is six numbers, none of them indirect."""
    return isinstance(value, list) and len(value) == _NUMBERS and all(type(each) in {int, float} for each in value)


def times(one: Matrix, other: Matrix) -> Matrix:
    """The matrix that does `one`, then `other` (ISO 32000-1, 8.3.4)."""
    a, b, c, d, e, f = one
    p, q, r, s, t, u = other
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)


def at(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def factor(matrix: Matrix) -> float:
    return float(max(map(abs, matrix[:4])))


def least(matrix: Matrix) -> float:
    """By how much a matrix enlarges what it enlarges least."""
    a, b, c, d = matrix[:4]
    largest = max(hypot(a, b), hypot(c, d))
    return abs(a * d - b * c) / largest if largest else 0.0


def evenness(matrix: Matrix) -> float:
    """From 1, where a matrix turns, mirrors and enlarges alike in both directions, to 0, where nothing has an area."""
    a, b, c, d = matrix[:4]
    largest = max(hypot(a, b), hypot(c, d))
    return abs(a * d - b * c) / largest**2 if largest else 0.0


def is_even(matrix: Matrix) -> bool:
    """Tells whether a matrix enlarges alike in both directions, or nearly."""
    return evenness(matrix) >= _EVEN


def is_upright(matrix: Matrix) -> bool:
    """Tells whether a matrix makes upright boxes of upright boxes."""
    a, b, c, d = map(abs, matrix[:4])
    return max(b, c) <= SLANT * max(a, d) or max(a, d) <= SLANT * max(b, c)


def around(points: Sequence[tuple[float, float]]) -> Rectangle:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def moved(box: Rectangle, matrix: Matrix) -> Rectangle:
    """The upright box around what a matrix makes of one."""
    x1, y1, x2, y2 = box
    return around([at(matrix, x, y) for x in (x1, x2) for y in (y1, y2)])


def size(box: Rectangle) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


def wider(box: Rectangle, by: float) -> Rectangle:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def within(one: Rectangle, other: Rectangle) -> Rectangle:
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def meet(one: Rectangle, other: Rectangle) -> bool:
    met = within(one, other)
    return met[0] <= met[2] and met[1] <= met[3]


def is_in(one: Rectangle, other: Rectangle) -> bool:
    return within(one, other) == one
