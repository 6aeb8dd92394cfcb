"""Near a place of a later signer a page's pictures are plain rows of samples, few a point, with masks of their size."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import EVERYWHERE, ONLY_APART, here_and_apart, said
from tests.support.seal_pictures import picture_of

NAMED = b"/XObject<</I 61 0 R>>"
BESIDE = b"40 0 0 4 60 72 cm /I Do"
INSIDE = b"40 0 0 4 60 34 cm /I Do"


def picture(density, level, mask=None):
    """Of 40 points by 4, in one grey; `mask`: the size of a mask through which all is seen."""
    width, height = 40 * density, 4 * density
    seen = {} if mask is None else {62: picture_of(*mask, b"\xff" * (mask[0] * mask[1]))}
    entries = b"" if mask is None else b"/SMask 62 0 R"
    return {61: picture_of(width, height, bytes((level,)) * (width * height), entries), **seen}


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize(("density", "expected"), [(1, EVERYWHERE), (5, EVERYWHERE), (6, ONLY_APART), (20, ONLY_APART)])
def test_a_picture_has_few_samples_a_point(density, level, expected):
    """Of more some readers show the mean, and others one of many."""
    assert here_and_apart(BESIDE, NAMED, picture(density, level)) == expected


@pytest.mark.parametrize("matrix", [b"8 0 0 40", b"400 0 0 .4", b"0 40 -4 0"])
def test_a_picture_is_as_dense_as_its_smaller_side(matrix):
    """Flat, narrow or turned it has more samples a point in one direction."""
    more = picture(4, 0)
    drawn = matrix + b" 100 71 cm /I Do"
    expected = EVERYWHERE if matrix.startswith(b"0 40") else ONLY_APART
    assert here_and_apart(drawn, NAMED, more) == expected


@pytest.mark.parametrize(
    ("mask", "expected"),
    [(None, EVERYWHERE), ((40, 4), EVERYWHERE), ((80, 8), ONLY_APART), ((20, 4), ONLY_APART), ((4, 40), ONLY_APART)],
)
@pytest.mark.parametrize("level", [0, 255])
def test_a_mask_has_the_size_of_its_picture(mask, level, expected):
    """Readers scale another one in their own ways, and some leave out what they would have to scale."""
    assert here_and_apart(BESIDE, NAMED, picture(1, level, mask)) == expected


@pytest.mark.parametrize(
    ("level", "expected"), [(255, Outcome.VALID), (230, Outcome.VALID), (200, Outcome.INDETERMINATE)]
)
@pytest.mark.parametrize("mask", [None, (40, 4)])
def test_a_dark_picture_lies_below_no_blank(level, mask, expected):
    """A white sheet over it makes no paper of it; a white picture is paper itself."""
    cover = b"q " + INSIDE + b" Q 1 g 0 0 200 90 re f"
    assert said(cover, NAMED, picture(1, level, mask)) is expected
