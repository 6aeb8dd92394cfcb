"""A seal's picture over print is the same to readers that take its mean, that take single pixels, and that print grey."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.seal_pictures import picture_of, pictured, pixels_of
from tests.support.signed_pages import END_OF_PRICE, PRICE, outcome, page, put, rgb_profile, signed
from tests.support.update_bases import form
from tests.support.updates import Draft

PLACE = b"[10 120 190 170]"
FRAME = b"1 0 0 RG 1 w 2 2 176 14 re S "
RED = b"\xff\0\0"


def draft_over_price():
    return Draft(signed(page(PRICE, place=PLACE)))


@pytest.mark.parametrize(
    ("samples", "step", "expected"),
    [
        (16, 8, Outcome.INDETERMINATE),
        (16, 16, Outcome.INDETERMINATE),
        (8, 4, Outcome.INDETERMINATE),
        (8, 0, Outcome.VALID),
        (16, 0, Outcome.VALID),
        (24, 0, Outcome.INDETERMINATE),
    ],
)
def test_single_pixels_cover_nothing(samples, step, expected):
    """One opaque pixel in each square is a faint tint to most readers, and a red sheet to one that takes just those.

    Of more samples than printers have no reader is sure.
    """
    width, height = 180 * samples, 50 * samples
    rows = []
    for y in range(height):
        row = bytearray(width)
        if step and y % step == step // 2:
            row[step // 2 :: step] = b"\xff" * len(row[step // 2 :: step])
        if 2 <= y / samples < 4:
            row[2 * samples : 178 * samples] = b"\xff" * (176 * samples)
        rows.append(bytes(row))
    draft = draft_over_price()
    mask = draft.add(picture_of(width, height, b"".join(reversed(rows))))
    image = draft.add(picture_of(width, height, RED * (width * height), b"/SMask %d 0 R" % mask))
    resources = b"/BBox[0 0 180 50]/Resources<</XObject<</Seal %d 0 R>>>>" % image
    assert outcome(put(draft, draft.add(form(b"q 180 0 0 50 0 0 cm /Seal Do Q", resources)))) is expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (b"", Outcome.VALID),
        (b"/ProcSet[/PDF/ImageC]", Outcome.VALID),
        (b"/ColorSpace<</DefaultRGB[/ICCBased @ 0 R]>>", Outcome.INDETERMINATE),
        (b"/ColorSpace<</Other[/ICCBased @ 0 R]>>", Outcome.INDETERMINATE),
    ],
)
def test_a_seal_brings_no_colours_of_its_own(more, expected):
    """By a default space in the resources of the look red becomes black to some, and goes on with the amount."""
    draft = draft_over_price()
    wide, high, colours, opacity = pixels_of(FRAME, 180, 50)
    mask = draft.add(picture_of(wide, high, opacity))
    image = draft.add(picture_of(wide, high, colours, b"/SMask %d 0 R" % mask))
    if b"@" in more:
        more = more.replace(b"@", b"%d" % draft.add(rgb_profile(white=False)))
    resources = b"/XObject<</Seal %d 0 R>>%b" % (image, more)
    look = form(b"q 180 0 0 50 0 0 cm /Seal Do Q", b"/BBox[0 0 180 50]/Resources<<%b>>" % resources)
    assert outcome(put(draft, draft.add(look))) is expected


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        (b"0 0 .7843", Outcome.INDETERMINATE),
        (b"0 0 .8235", Outcome.INDETERMINATE),
        (b".2353 0 .7843", Outcome.INDETERMINATE),
        (b"0 0 1", Outcome.INDETERMINATE),
        (b"1 0 0", Outcome.VALID),
    ],
)
def test_dark_digits_go_on_with_black_ones(colour, expected):
    """Of a dark blue nobody sees the colour beside black; a seal's red is seen."""
    zeros = b"%b RG 1.5 w %.2f 30 5 9 re S " % (colour, END_OF_PRICE - 9)
    draft = draft_over_price()
    assert outcome(put(draft, pictured(draft, zeros, 180, 50))) is expected
