"""What a page draws in a place, by its content and its resources wherever those stand."""

import pytest

from services.esign.domain.pdf.document import Document
from services.esign.revisions.domain.page import ink
from services.esign.revisions.domain.page.paths import Path, is_usual_dash
from services.esign.revisions.domain.page.streams import UnclearError
from tests.support.signed_pages import FONTS, LETTERS, page, rgb_profile
from tests.support.update_bases import form

PLACE = (10.0, 20.0, 190.0, 70.0)
INHERITED = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Annots[22 0 R]>>"
SPACES = b"/ColorSpace<</E[/ICCBased 60 0 R]>>"
DIRECT, REFERENCE = b"<</Font<</F1 5 0 R>>%b>>", b"50 0 R"


def found(content, resources=b"", more=None):
    """The ink of a page in the place; its resources stand in it, and in an object of their own."""
    objects = {60: rgb_profile(white=True), 50: DIRECT % resources, **(more or {})}
    said = []
    for written in (DIRECT % resources, REFERENCE):
        objects[3] = INHERITED[:-2] + b"/Resources " + written + b">>"
        document = Document(page(content, more=objects))
        ((_, value),) = document.pages()
        said.append(ink.ink_of(document, value, value.get("Resources"), PLACE, 0, tuple))
    assert said[0] == said[1]
    return said[0]


def test_resources_that_are_a_reference_are_followed():
    """What a page names is found in an object of its own as in the page itself."""
    text = found(b"BT /F1 12 Tf 60 40 Td (NOT) Tj ET")
    assert text is not None
    assert len(text.signs) == 3
    assert found(b"/E cs 0 0 0 scn " + LETTERS + b"f", SPACES) is None
    drawn = {61: form(b"BT /F1 12 Tf 60 40 Td (NOT) Tj ET", b"/BBox[0 0 200 200]" + FONTS)}
    inside = found(b"/X Do", b"/XObject<</X 61 0 R>>", drawn)
    assert inside is not None
    assert inside.signs == text.signs


def test_what_no_resources_have_is_not_followed():
    """A form of that name may be somewhere else."""
    assert found(b"/X Do") is None
    assert found(b"/E sh") is None


@pytest.mark.parametrize(
    ("content", "is_followed"),
    [
        (b"0 g 20 30 10 10 re f", True),
        (b"0 g 20 30 10 10 re 1 g f", False),
        (b"0 g 20 30 10 10 re q f Q", False),
        (b"f", False),
        (b"n", True),
        (b"0 0 0 1 k 20 30 10 10 re f", True),
        (b"1 0 0 0 k 20 30 10 10 re f", False),
        (b"/DeviceRGB cs 0 0 0 sc 20 30 10 10 re f", True),
        (b"/DeviceRGB cs 0 0 sc 20 30 10 10 re f", False),
        (b"/DeviceRGB cs 20 30 10 10 re f", False),
        (b"/DeviceRGB cs 20 130 10 10 re f", True),
    ],
)
def test_a_path_is_followed_where_all_readers_draw_it(content, is_followed):
    """Between its beginning and its painting is nothing, and its colour has the parts of its space."""
    assert (found(content) is not None) is is_followed


IDENTITY = (1, 0, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("parts", "has_points"),
    [
        ([(b"m", [1, 1]), (b"l", [9, 1])], False),
        ([(b"m", [1, 1])], True),
        ([(b"m", [1, 1]), (b"h", [])], True),
        ([(b"m", [1, 1]), (b"l", [1, 1])], True),
        ([(b"m", [1, 1]), (b"c", [1, 1, 1, 1, 1, 1])], True),
        ([(b"re", [1, 1, 0, 0])], True),
        ([(b"re", [1, 1, 5, 0])], False),
        ([(b"m", [1, 1]), (b"h", []), (b"m", [1, 1]), (b"l", [9, 1])], True),
        ([(b"m", [1, 1]), (b"l", [9, 1]), (b"m", [1, 1])], True),
    ],
)
def test_a_part_of_a_path_without_a_length_is_a_point(parts, has_points):
    """Wherever in the path it is."""
    path = Path()
    for operator, numbers in parts:
        path.extend(operator, numbers, IDENTITY)
    assert path.has_points is has_points


def test_a_path_begins_with_a_place():
    """To some readers it begins at the corner of the page."""
    with pytest.raises(UnclearError):
        Path().extend(b"l", [1, 1], IDENTITY)


@pytest.mark.parametrize(
    ("dashes", "phase", "is_usual"),
    [
        ([], 0, True),
        ([3], 0, True),
        ([3], 3, False),
        ([3, 2], 4, True),
        ([3, 2], 5, False),
        ([0.5, 2], 0, True),
        ([0.4, 1], 0, False),
        ([1, 5], 0, False),
        ([3, 2, 1], 0, False),
        ([], 1, False),
    ],
)
def test_usual_dashes(dashes, phase, is_usual):
    """One or two numbers, no dash of nothing, and a phase within them."""
    assert is_usual_dash(dashes, phase) is is_usual
