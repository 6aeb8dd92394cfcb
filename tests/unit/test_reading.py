"""What people read, and who is one person."""

from hypothesis import given
from hypothesis import strategies as st

from shuniu.reading import is_readable, same_person


def test_text_reads_as_it_is_stored() -> None:
    """Control characters and marks that turn the direction are refused; line ends, tabs, joiners of Mongolian and Uyghur, letters of
    scripts from right to left and rare characters are text.
    """
    turning = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
    for mark in (*turning, "\x00", "\x07", "\x1b", "\x7f", "\x85", "\ud800"):
        assert not is_readable(f"a{mark}b"), hex(ord(mark))
    for text in ("", "一\r\n二\t三", "ᠮᠣᠩᠭᠣᠯ\u180e\u200d", "ئۇيغۇر", "𱁬明", "a\u200fb", "😀"):
        assert is_readable(text), text


def test_spellings_of_one_person() -> None:
    """Width, case, blanks and hyphens aside; other digits and letters are others."""
    assert (
        len({same_person(text) for text in ("Zhang-01", "zhang01", "ＺＨＡＮＧ　０１", "zhang_01", " zhang 01 ")}) == 1
    )
    assert len({same_person(text) for text in ("zhang01", "zhang10", "zhang1", "张01", "-", "--")}) == 6


@given(st.text(max_size=40))
def test_the_form_is_its_own_form(text: str) -> None:
    """Nothing is left to fold."""
    assert same_person(same_person(text)) == same_person(text)
