"""Near a place of a later signer a page has only paths that every reader draws alike; elsewhere it has what it likes."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import EVERYWHERE, ONLY_APART, STRIP, here_and_apart, said
from tests.support.signed_pages import LETTERS, STROKES


def pieces(count):
    """A path of so many rectangles."""
    return b"".join(b"%.2f 72 .3 4 re " % (20 + at / 10) for at in range(count))


def strokes(count):
    """A path of so many lines of 160 points, drawn by a thin pen: at its ends it turns back."""
    return b".3 w 20 73 m " + b"180 73 l 20 73 l " * (count // 2)


@pytest.mark.parametrize(
    "drawn",
    [b"100 71 .05 6 re f", b"100 73 30 .05 re f", b"100 71 20 6 re 130 71 .05 6 re f", b".1 w 100 71 m 100 77 l S"],
    ids=["upright", "level", "one-of-two", "pen"],
)
def test_a_sliver_is_not_drawn_by_all(drawn):
    """Some readers leave out what is thinner than a pixel, others make a pixel of it."""
    assert here_and_apart(drawn) == ONLY_APART


@pytest.mark.parametrize("drawn", [b"100 71 1 6 re f", b".5 w 100 71 m 100 77 l S", b"0 w 100 71 m 100 77 l S"])
def test_a_usual_line_is_drawn_by_all(drawn):
    """A pen of no breadth is the thinnest line that there is."""
    assert here_and_apart(drawn) == EVERYWHERE


@pytest.mark.parametrize(
    "clip",
    [
        b"100 71 m 100 77 120 77 120 71 c h",
        b"100 71 m 120 71 l 110 77 l h",
        b"100 71 10 6 re 112 71 8 6 re",
        b"100 71 .1 6 re",
        b".7 .7 -.7 .7 100 71 cm 0 0 4 4 re",
    ],
    ids=["curve", "corners", "two", "thin", "turned"],
)
def test_a_clip_is_one_upright_box(clip):
    """Of its curves and slants some readers cut with the pixel, others with the box around; of many with none."""
    assert here_and_apart(clip + b" W n 0 g -200 -200 500 500 re f") == ONLY_APART


def test_a_clip_that_is_a_box_cuts_alike():
    """What is beyond it is drawn nowhere."""
    assert here_and_apart(STRIP + b"W n 0 g 110 73 9 3 re f") == EVERYWHERE


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (pieces(1000), EVERYWHERE),
        (pieces(1001), ONLY_APART),
        (strokes(600), EVERYWHERE),
        (strokes(640), ONLY_APART),
    ],
    ids=["pieces", "more-pieces", "length", "more-length"],
)
def test_a_path_has_room_in_every_reader(path, expected):
    """Some draw nothing of a path that is longer than their tables."""
    assert here_and_apart(path + b"S") == expected


@pytest.mark.parametrize("colour", [b"1.5 g", b"-1 g", b"255 255 255 rg", b"0 -1 0 rg", b"0 0 0 100 k"])
@pytest.mark.parametrize("paint", ["fill", "stroke"])
def test_a_colour_has_numbers_from_nought_to_one(colour, paint):
    """Some take a larger one for the largest, others for its remainder, or keep the colour that was before."""
    drawn = colour + b" " + STRIP + b"f" if paint == "fill" else colour.upper() + b" 100 74 m 120 74 l S"
    assert here_and_apart(drawn) == ONLY_APART


@pytest.mark.parametrize("colour", [b"1 g", b"0 g", b"1 0 1 rg", b"0 0 0 .9 k"])
def test_the_ends_of_the_range_are_colours(colour):
    """White, black, a colour of the screen, black ink."""
    assert here_and_apart(colour + b" " + STRIP + b"f") == EVERYWHERE


@pytest.mark.parametrize(
    ("matrix", "line", "expected"),
    [
        (b"1 0 0 .2 0 0 cm", b"100 357 m 120 380 l", ONLY_APART),
        (b"5 0 0 1 0 0 cm", b"20 75 m 24 76 l", ONLY_APART),
        (b"1 0 .8 1 0 0 cm", b"40 72 m 60 76 l", ONLY_APART),
        (b"2 0 0 2 0 0 cm", b"50 36 m 60 38 l", EVERYWHERE),
        (b"0 1 -1 0 0 0 cm", b"72 -100 m 76 -120 l", EVERYWHERE),
        (b"1 0 0 -1 0 0 cm", b"100 -72 m 120 -76 l", EVERYWHERE),
    ],
    ids=["flat", "broad", "slanted", "larger", "turned", "mirrored"],
)
def test_a_pen_is_as_broad_as_it_is_high(matrix, line, expected):
    """Under an uneven matrix some readers draw with a flat pen, others with a round one."""
    assert here_and_apart(matrix + b" 1 w " + line + b" S") == expected


@pytest.mark.parametrize("cover", [b"1 g 0 0 200 90 re f", b"1 G 200 w 0 45 m 200 45 l S"])
@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (b"0 g " + LETTERS + b"f", Outcome.INDETERMINATE),
        (b".5 g " + LETTERS + b"f", Outcome.INDETERMINATE),
        (b"0 G 3 w " + STROKES + b"S", Outcome.INDETERMINATE),
        (b"0 G 3 w 60 30 m 60 60 100 60 100 30 c S", Outcome.INDETERMINATE),
        (b"BT /F1 14 Tf 60 40 Td (NOT) Tj ET", Outcome.INDETERMINATE),
        (b"1 g " + LETTERS + b"f", Outcome.VALID),
        (b"1 G 3 w " + STROKES + b"S", Outcome.VALID),
        (b"0 g " + LETTERS + b"n", Outcome.VALID),
    ],
    ids=["areas", "grey", "lines", "curve", "text", "white-areas", "white-lines", "unpainted"],
)
def test_nothing_dark_lies_below_white(drawn, cover, expected):
    """A place that is blank because something white lies over its print is blank to nobody who leaves that out."""
    assert said(b"q " + drawn + b" Q " + cover) is expected
