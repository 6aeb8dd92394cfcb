"""Ideographs, against Python's tables of Unicode."""

import unicodedata

from services.catalogue.search.domain.pinyin import pinyin_suffixes
from services.identity.domain.names import check
from shuniu.ideographs import is_ideograph


def test_what_is_no_second_code_is_an_ideograph() -> None:
    """Of F900 to FAFF those twelve count that normal forms leave as they are; every ideograph that Unicode names counts."""
    for point in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000), *range(0xF900, 0xFB00), *range(0x20000, 0x33480)):
        mark = chr(point)
        if unicodedata.category(mark) == "Lo":
            assert is_ideograph(mark) == (unicodedata.normalize("NFC", mark) == mark), hex(point)
    assert sum(map(is_ideograph, map(chr, range(0xF900, 0xFB00)))) == 12


def test_both_services_read_second_codes_as_the_first() -> None:
    """A name and an item's title may be typed with a compatibility ideograph: U+F914 is 樂 (U+6A02)."""
    assert check("\uf914平").text == "樂平"
    assert pinyin_suffixes("\uf914平") == pinyin_suffixes("樂平") != frozenset()
