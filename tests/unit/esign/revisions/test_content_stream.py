"""Content streams that undo what they do, and those that do not."""

import pytest

from services.esign.domain.pdf.syntax import Census
from services.esign.revisions.domain.content_stream import keeps_to_itself

NAMES = {
    "Font": {"F1"},
    "XObject": {"Fm0"},
    "ColorSpace": {"C"},
    "Shading": {"S"},
    "Pattern": {"P"},
    "ExtGState": {"G"},
}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"% DSBlank\n",
        b"q 0 0 1 rg 0 0 40 12 re f Q",
        b"q\nBT\n/F1 9 Tf 2 4 Td (a)Tj[(b) -20 <63>]TJ T* (d) ' 0 Tr ET\nQ",
        b"/Tx BMC q 1 0 0 1 0 0 cm /Fm0 Do Q EMC",
        b"/P<</MCID 0>>BDC 0 0 m 1 1 l 2 2 3 3 4 4 c h W* n 0.5 w[2 1]0 d S EMC",
        b"/C cs .5 scn /S sh",
    ],
)
def test_what_makers_of_signatures_write_keeps_to_itself(content):
    """Texts, pictures, forms, clips inside a saved state."""
    assert keeps_to_itself(content, Census(), NAMES)


@pytest.mark.parametrize(
    "content",
    [
        b"Q",
        b"q Q Q q",
        b"q",
        b"BT ET ET",
        b"BT",
        b"BT BT ET ET",
        b"BT q ET Q",
        b"BT 0 0 1 1 re ET",
        b"0 0 1 1 re",
        b"0 0 1 1 re W",
        b"0 0 1 1 re W 0 0 1 1 re f",
        b"0 0 1 1 re q f Q",
        b"BT 7 Tr (a) Tj ET",
        b"BT /F1 9 Tf 5 Tr (a) Tj ET",
        b"BI /W 1 /H 1 ID a EI",
        b"EMC",
        b"/P BMC",
        b"(a) Tj",
        b"BX EX",
        b"1 0 d0",
        b"foo",
        b"0 0 0\0rg",
        b"q " * 40 + b"Q " * 40,
        b"/F1 9 Tf)",
        b"<</A",
        b"[ 0 0 1 rg ]",
    ],
)
def test_what_leaves_something_open_does_not(content):
    """States that were not saved or not restored, texts, paths, clips and marks that do not end, operators of no form."""
    assert not keeps_to_itself(content, Census(), NAMES)


def test_a_long_stream_is_read_once():
    """A megabyte is judged in seconds."""
    assert keeps_to_itself(b"0 0 1 rg " * 100_000, Census(), NAMES)
    for piece in (b"(", b"(\\(", b"%", b"/a", b"q "):
        assert not keeps_to_itself(piece * (1_000_000 // len(piece)) + b"\0", Census(), NAMES)
