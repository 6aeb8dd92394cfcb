"""Both versions of a page drawn and compared: the second line."""

import pytest

from services.esign.domain.additions import Patch, Why
from services.esign.domain.second_look import Seen, Version
from services.esign.rendering import look
from tests.support.documents import body, update
from tests.support.esign import small_pdf

STREAM = b"<</Length %d>>\nstream\n%b\nendstream"


def drawn(content, before=b"", rotate=0):
    """A page with `before`, and the same page with `content` drawn behind it; where the first version ends."""
    turned = b"/Rotate %d" % rotate if rotate else b""
    pdf = small_pdf(page_entries=turned)
    pdf = update(pdf, {3: body(pdf, 3)[:-2] + b"/Contents 900 0 R>>", 900: STREAM % (len(before), before)})
    both = before + b" " + content
    return update(pdf, {900: STREAM % (len(both), both)}), len(pdf)


def seen(pdf, end, *patches):
    return look(pdf, [Version(end, patches)])


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_difference_counts_unless_it_is_in_its_place(rotate):
    """Whatever way the page is turned, the place of a field is found on it."""
    pdf, end = drawn(b"0 0 0 rg 20 30 40 10 re f", rotate=rotate)
    assert seen(pdf, end).seen is Seen.DIFFERENT
    assert seen(pdf, end, Patch(0, (20, 30, 60, 40), Why.SIGNED)).seen is Seen.SAME
    assert seen(pdf, end, Patch(0, (120, 130, 160, 140), Why.SIGNED)).seen is Seen.DIFFERENT
    assert seen(pdf, end, Patch(1, (20, 30, 60, 40), Why.SIGNED)).seen is Seen.DIFFERENT


def test_a_new_field_stands_where_the_page_was_blank():
    """Over what the signer saw it leaves the verdict open; a field that he saw may be over anything."""
    pdf, end = drawn(b"0 0 0 rg 20 30 40 10 re f", before=b"1 0 0 rg 30 32 4 4 re f")
    box = (20, 30, 60, 40)
    found = seen(pdf, end, Patch(0, box, Why.NEW))
    assert (found.seen, found.page) == (Seen.COVERED, 1)
    assert seen(pdf, end, Patch(0, box, Why.SIGNED)).seen is Seen.SAME


def test_a_hairline_and_a_faint_colour_are_differences():
    """Small is not the same."""
    for content in (b"0 0 0 RG 0.01 w 10 10 m 190 10 l S", b"0.98 0.98 0.98 rg 50 50 9 9 re f"):
        assert seen(*drawn(content)).seen is Seen.DIFFERENT


def test_what_draws_nothing_is_no_difference():
    """Another content stream with the same picture is the same page to this line."""
    assert seen(*drawn(b"q Q")).seen is Seen.SAME


def test_another_number_of_pages_is_another_document():
    """No page in particular differs."""
    pdf = small_pdf()
    more = update(pdf, {2: b"<</Type/Pages/Count 2/Kids[3 0 R 3 0 R]/MediaBox[0 0 200 200]>>"})
    assert seen(more, len(pdf)).seen is Seen.DIFFERENT


@pytest.mark.parametrize("pdf", [b"%PDF-1.7\nnothing", b""])
def test_what_cannot_be_drawn_is_unseen(pdf):
    """Never the same, never different."""
    assert seen(pdf, len(pdf)).seen is Seen.UNSEEN


def test_more_pages_than_there_is_time_for_are_unseen():
    """A thousand pages are not drawn half."""
    kids = b" ".join([b"3 0 R"] * 1000)
    pdf = update(small_pdf(), {2: b"<</Type/Pages/Count 1000/Kids[%b]/MediaBox[0 0 200 200]>>" % kids})
    assert seen(pdf, len(pdf)).seen is Seen.UNSEEN
