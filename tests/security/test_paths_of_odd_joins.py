"""Paths beside a place have no corner, area or picture that only some readers paint."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import EVERYWHERE, NOWHERE, ONLY_APART, PROFILE, WHITE, here_and_apart, said
from tests.support.seal_pictures import picture_of

UNSURE = b"/E CS 0 0 0 SCN "
TURN = b"%b w 100 130 m 101 88 l 102 130 l S"
"""A line that turns back above the place, in an angle of three degrees."""


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(b"100 M", NOWHERE), (b"10.01 M", NOWHERE), (b".5 M", NOWHERE), (b"10 M", EVERYWHERE), (b"1 M", EVERYWHERE)],
)
def test_corners_reach_no_farther_than_usual(limit, expected):
    """Beyond the limit that pens begin with a corner reaches anywhere; below one there is none."""
    assert here_and_apart(limit + b" 100 71 20 6 re S") == expected


@pytest.mark.parametrize(("limit", "expected"), [(b"100", Outcome.INDETERMINATE), (b"10", Outcome.VALID)])
def test_a_graphics_state_sets_no_other_limit(limit, expected):
    """It has an entry for it."""
    state = b"/ExtGState<</A<</ML %b>>>>" % limit
    assert said(b"q /A gs 1 w 100 110 20 6 re S Q", state) is expected


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (UNSURE + TURN % b"6", Outcome.INDETERMINATE),
        (UNSURE + TURN % b".5", Outcome.VALID),
        (UNSURE + b"6 w 100 130 m 100 88 l S", Outcome.VALID),
        (b"0 G " + TURN % b"6", Outcome.INDETERMINATE),
        (b"0 G " + TURN % b".5", Outcome.VALID),
        (b"0 G 12 w 100 110 20 20 re S", Outcome.VALID),
        (b"0 G 12 w 60 110 m 80 130 l 100 110 l S", Outcome.VALID),
    ],
    ids=["unsure", "unsure-thin", "unsure-straight", "black", "black-thin", "box", "corner"],
)
def test_a_sharp_corner_reaches_beyond_its_line(drawn, expected):
    """Near the limit some readers mitre it, and others cut it off; a spike would stand in the place."""
    assert said(b"q 10 M " + drawn + b" Q", WHITE, PROFILE) is expected


def spur(at):
    return b"%d 72 l %d 77 l %.2f 72 l " % (at, at, at + 0.01)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (b"100 71 m 106 77 l 106.01 77 l h f", ONLY_APART),
        (b"100 71 m 106 77 l 107 77 l h f", EVERYWHERE),
        (b"100 71 m 106 77 l 106.3 77 l 100.3 71 l h f", EVERYWHERE),
        (b"100 71 m 106 77 l 106.1 77 l 100.1 71 l h f", ONLY_APART),
        (b"20 71 m 20 72 l " + b"".join(map(spur, range(40, 160, 10))) + b"180 72 l 180 71 l h f", ONLY_APART),
        (b"20 71 m 20 72 l 180 72 l 180 71 l h f", EVERYWHERE),
        (b"100 71 m 106 77 l 100 71 l f", ONLY_APART),
    ],
    ids=["slanted", "triangle", "slanted-line", "thin-line", "spurs", "rule", "back"],
)
def test_an_area_has_some_breadth_everywhere(drawn, expected):
    """However it is turned: of slivers, and of spurs of a broad area, some readers paint pixels, and others nothing."""
    assert here_and_apart(b"0 g " + drawn) == expected


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (b"100 71 6 6 re 110 71 6 6 re f", EVERYWHERE),
        (b"100 71 6 6 re 106 71 6 6 re f", EVERYWHERE),
        (b"100 71 6 6 re 103 71 6 6 re f", ONLY_APART),
        (b"100 71 6 6 re 100 71 6 6 re f*", ONLY_APART),
        (b"100 71 6 6 re 100.01 71 6 6 re f*", ONLY_APART),
        (b"100 71 m 106 71 l 106 77 l 100 77 l h 100.01 71 m 100.01 77 l 106.01 77 l 106.01 71 l h f", ONLY_APART),
        (b"100 71 20 6 re 101 72 18 4 re f*", EVERYWHERE),
        (b"100 71 m 120 71 l 120 77 l 100 77 l h 101 72 m 101 76 l 119 76 l 119 72 l h f", EVERYWHERE),
        (b"100 71 20 6 re 100.1 71.1 19.8 5.8 re f*", ONLY_APART),
        (b"100 71 m 110 77 l 120 71 l h 105 72 10 1 re f*", ONLY_APART),
        (b"100 71 20 6 re 101 72 m 101 76 110 76 119 76 c h f*", ONLY_APART),
        (b"1 g 100 71 6 6 re 103 71 6 6 re f", EVERYWHERE),
        (b"100 71 6 6 re 103 71 6 6 re S", EVERYWHERE),
    ],
    ids=[
        "apart", "side-by-side", "over-another", "twice", "nearly-twice", "wound-back", "frame", "wound-frame",
        "thin-frame", "triangle", "curve", "white", "lines",
    ],
)  # fmt: skip
def test_areas_of_one_path_are_not_in_each_others_way(drawn, expected):
    """What is left of two depends on how they are wound, and may be thinner than some draw; a frame is common."""
    assert here_and_apart(b"0 g " + drawn) == expected


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (b"6 0 0 6 100 71", EVERYWHERE),
        (b"0 6 -6 0 106 71", EVERYWHERE),
        (b"3 3 3.01 3 100 71", ONLY_APART),
        (b"4 4 -4 4 104 71", ONLY_APART),
    ],
    ids=["upright", "turned", "line", "slanted"],
)
def test_a_picture_stands_upright(matrix, expected):
    """Of one that is pressed into a slanted line some readers draw nothing, and at a slant its edges are theirs."""
    picture = {61: picture_of(1, 1, bytes(3))}
    assert here_and_apart(matrix + b" cm /Im Do", b"/XObject<</Im 61 0 R>>", picture) == expected
