"""Identity numbers in free text."""

import pytest

from services.exchange.domain.identity_numbers import holds_identity_number


@pytest.mark.parametrize(
    "text",
    [
        "11010519491231002X",
        "11010519491231002x",
        "before11010519491231002Xafter",
        "1101 0519 4912 3100 2x",
        "110105-19491231-002X",
        "１１０１０５１９４９１２３１００２Ｘ",
        "1101051949\u200b1231002X",
        "810000199408230021",
        "830000199201300022",
        "911124198108030024",
        "932682198501010017",
        "110105491231002",
        "1" * 5 + "11010519491231002X" + "2" * 7,
    ],
)
def test_numbers_are_found_however_they_are_written(text):
    """Case, width, grouping and surroundings hide nothing."""
    assert holds_identity_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "13800138000",
        "110105194912310021",
        "911124198108030028",
        "110105194913310027",
        "2026-11-21 12:34:56.123456",
        "12441500196720244T",
        "12441500196720244T3152009001000202611210001",
        "6222021234567890123",
        "0471-1234567",
        "张三于2026年11月21日申请",
    ],
)
def test_other_numbers_are_left_alone(text):
    """Telephones, bank cards, credit codes, case codes, times and numbers with a wrong check character."""
    assert not holds_identity_number(text)
