"""Both versions of a page drawn and compared: the second line."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import PdfError
from services.esign.revisions import rendering
from services.esign.revisions.domain.additions import Patch, Why
from services.esign.revisions.domain.second_look import Seen, Version
from services.esign.revisions.rendering import look
from tests.support.documents import body, update
from tests.support.esign import small_pdf

STREAM = b"<</Length %d>>\nstream\n%b\nendstream"


WIDGET = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(A)/F 4/P 3 0 R/Rect[20 30 60 60]>>"


def drawn(content, before=b"", rotate=0, *, has_field=False):
    """A page with `before`, and the same page with `content` drawn behind it; where the first version ends. It may have
    a field without a look.
    """
    turned = b"/Rotate %d" % rotate if rotate else b""
    pdf = small_pdf(page_entries=turned)
    page, bodies = body(pdf, 3)[:-2] + b"/Contents 900 0 R", {900: STREAM % (len(before), before)}
    if has_field:
        root = Document(pdf).trailer["Root"][0]
        bodies |= {901: WIDGET, root: body(pdf, root)[:-2] + b"/AcroForm<</Fields[901 0 R]>>>>"}
        page += b"/Annots[901 0 R]"
    pdf = update(pdf, bodies | {3: page + b">>"})
    both = before + b" " + content
    return update(pdf, {900: STREAM % (len(both), both)}), len(pdf)


def pages_of(pdf):
    try:
        return len(Document(pdf).pages())
    except PdfError:
        return 1


def seen(pdf, end, *patches):
    return look(pdf, [Version(end, patches, pages_of(pdf))])


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_difference_counts_unless_it_is_in_its_place(rotate):
    """Whatever way the page is turned, the place of a field is found on it."""
    pdf, end = drawn(b"0 0 0 rg 20 30 40 10 re f", rotate=rotate)
    assert seen(pdf, end).seen is Seen.DIFFERENT
    assert seen(pdf, end, Patch(0, (20, 30, 60, 40), Why.SIGNED)).seen is Seen.SAME
    assert seen(pdf, end, Patch(0, (120, 130, 160, 140), Why.SIGNED)).seen is Seen.DIFFERENT
    assert seen(pdf, end, Patch(1, (20, 30, 60, 40), Why.SIGNED)).seen is Seen.DIFFERENT


RED, RING = b"1 0 0 rg 30 32 4 4 re f ", b"0 0 1 RG 2 w 22 31 36 8 re S"


def test_a_new_field_stands_where_the_page_was_blank():
    """Over what the signer saw it leaves the verdict open; so it does beside it, where both would read as one."""
    for box in ((20, 30, 60, 40), (38, 30, 60, 40)):
        found = seen(*drawn(b"0 0 0 rg %d 30 %d 10 re f" % (box[0], 60 - box[0]), before=RED), Patch(0, box, Why.NEW))
        assert (found.seen, found.page) == (Seen.COVERED, 1)
    assert seen(*drawn(b"0 0 0 rg 50 30 10 10 re f", before=RED), Patch(0, (50, 30, 60, 40), Why.NEW)).seen is Seen.SAME


@pytest.mark.parametrize("height", [0.01, 0.1, 0.5, 0.9, 1.3])
@pytest.mark.parametrize("at", [33, 33.3, 33.5, 33.9])
def test_a_new_field_thinner_than_a_pixel_hides_something_too(height, at):
    """A line through a word is no blank space."""
    pdf, end = drawn(b"0 0 0 rg 20 %g 40 %g re f" % (at, height), before=RED)
    assert seen(pdf, end, Patch(0, (20, at, 60, at + height), Why.NEW)).seen is Seen.COVERED


def test_a_field_that_the_signer_saw_may_be_over_anything_that_stays_to_be_seen():
    """A ring over a text is a seal; a sheet over it, dark or bright, hides it. Without a look nothing says what the
    signer saw there: some readers draw over a field that waits for its signature.
    """
    patch = Patch(0, (20, 30, 60, 60), Why.SIGNED, draws=True)
    assert seen(*drawn(RING, before=RED, has_field=True), patch).seen is Seen.SAME
    bare = Patch(0, (20, 30, 60, 60), Why.SIGNED)
    assert seen(*drawn(b"", before=RED), bare).seen is Seen.COVERED
    assert seen(*drawn(b"", before=b""), bare).seen is Seen.SAME
    for hidden in (
        b"1 0 0 rg 20 30 22 10 re f",
        b"1 g 20 30 40 10 re f",
        b"0 0 0 rg 20 30 40 10 re f",
        b"1 g 30 30 8 10 re f 0 g 40 32 4 4 re f",
    ):
        assert seen(*drawn(hidden, before=RED, has_field=True), patch).seen is Seen.COVERED
    assert seen(*drawn(b"0 0 0 rg 20 30 40 10 re f"), bare).seen is Seen.SAME


def test_signatures_together_take_half_of_a_page_at_most():
    """Four quarters would be another page."""
    quarters = [
        Patch(0, (100 * (n % 2), 100 * (n // 2), 100 * (n % 2) + 99, 100 * (n // 2) + 99), Why.SIGNED) for n in range(4)
    ]
    pdf, end = drawn(b"0 0 0 rg 20 30 40 10 re f")
    assert seen(pdf, end, *quarters[:2]).seen is Seen.SAME
    assert seen(pdf, end, *quarters).seen is Seen.COVERED


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
    assert look(more, [Version(len(pdf), (), 2)]).seen is Seen.DIFFERENT


def test_who_finds_other_pages_has_not_seen_these():
    """A renderer that finds none, or fewer than the reader, says nothing of how they look."""
    pdf, end = drawn(b"")
    assert look(pdf, [Version(end, (), 1)]).seen is Seen.SAME
    assert look(pdf, [Version(end, (), 2)]).seen is Seen.UNSEEN


@pytest.mark.parametrize("pdf", [b"%PDF-1.7\nnothing", b""])
def test_what_cannot_be_drawn_is_unseen(pdf):
    """Never the same, never different."""
    assert seen(pdf, len(pdf)).seen is Seen.UNSEEN


def test_more_pages_than_there_is_time_for_are_unseen():
    """A thousand pages are not drawn half, and it is said that it is their number."""
    kids = b" ".join([b"3 0 R"] * 1000)
    pdf = update(small_pdf(), {2: b"<</Type/Pages/Count 1000/Kids[%b]/MediaBox[0 0 200 200]>>" % kids})
    assert look(pdf, [Version(len(pdf), (), 1000)]).seen is Seen.TOO_MANY


def test_other_threads_take_nothing_of_the_time_to_draw(monkeypatch):
    """The budget is of this thread's processor time, whatever the rest of the process is doing."""
    hours = itertools.count(0, 3600)
    monkeypatch.setattr(rendering.time, "process_time", lambda: float(next(hours)))
    assert seen(*drawn(b"q Q")).seen is Seen.SAME


@pytest.mark.parametrize("wrong", [0, 1, 2, 3])
def test_a_difference_that_is_seen_once_is_none(wrong, monkeypatch):
    """A page that one drawing of four leaves empty is not drawn alike twice: unseen, whichever of them it was."""
    page = b"0 0 0 rg 20 30 40 10 re f"
    pdf, end = drawn(b"", before=page)
    empty, _ = drawn(b"")
    real, calls = rendering._drawn, []

    def drawing(document, number, pixels, patches=()):
        calls.append(number)
        # The first look, the version before, and then one more of those that are drawn alone.
        if len(calls) in (2, 3 + wrong):
            with rendering._opened(empty) as other:
                return real(other, number, pixels, patches)
        return real(document, number, pixels, patches)

    monkeypatch.setattr(rendering, "_drawn", drawing)
    assert seen(pdf, end).seen is Seen.UNSEEN
    assert len(calls) > 2


def test_memory_that_cannot_be_kept_back_leaves_a_difference_unseen(monkeypatch):
    """Without it nobody knows whether the page or the memory is what differs."""
    pdf, end = drawn(b"0 0 0 rg 20 30 40 10 re f")
    monkeypatch.setattr(rendering, "_RESERVE", 1 << 60)
    assert seen(pdf, end).seen is Seen.UNSEEN


def test_a_process_that_is_forked_while_another_thread_draws_can_draw():
    """Forking waits for the drawing: the child finds lock and renderer at rest."""
    pdf, end = drawn(b"q Q", before=b"0 0 0 rg 20 30 40 10 re f " * 2000)
    over = threading.Event()

    def draw():
        while not over.is_set():
            seen(pdf, end)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)
                os._exit(seen(pdf, end).seen is not Seen.SAME)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        over.set()
        thread.join()


ENDING = """
import sys, threading
from services.esign.revisions.domain.second_look import Version
from services.esign.revisions.rendering import look

pdf = sys.stdin.buffer.read()
begun = threading.Event()

def draw():
    while True:
        look(pdf, [Version(len(pdf), (), 40)])
        begun.set()

threading.Thread(target=draw, daemon=True).start()
begun.wait()
"""


def test_the_interpreter_may_end_while_a_thread_draws():
    """A daemon thread that draws on does not find the library gone."""
    kids = b" ".join([b"3 0 R"] * 40)
    pdf, _ = drawn(b"0 0 0 rg 20 30 40 10 re f " * 1500)
    pdf = update(pdf, {2: b"<</Type/Pages/Count 40/Kids[%b]/MediaBox[0 0 200 200]>>" % kids})
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", ENDING], input=pdf, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, check=False
        )
        assert run.returncode == 0
