"""Names: rare characters, the middle dot, other scripts, and what is no name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.domain.names import PersonNameError, Script, check, mask


def _reasons(name: str) -> set[str]:
    with pytest.raises(PersonNameError) as caught:
        check(name)
    return {violation.reason for violation in caught.value.violations}


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("王小明", Script.CHINESE),
        ("刘䶮", Script.CHINESE),
        ("赵㛃", Script.CHINESE),
        ("孙𬭎", Script.CHINESE),
        ("〇一", Script.CHINESE),
        ("迪丽热巴·迪力木拉提", Script.CHINESE),
        ("乌兰·图雅·其其格", Script.CHINESE),
        ("John Smith", Script.OTHER),
        ("María-José O’Neill Jr.", Script.OTHER),
        ("SMITH, JOHN", Script.OTHER),
        ("Иван Петров", Script.OTHER),
        ("ᠪᠠᠭᠠᠲᠤᠷ", Script.OTHER),
    ],
)
def test_names_of_people(name: str, script: Script) -> None:
    """A real kind of name is accepted unchanged."""
    assert (name, script) == (check(name).text, check(name).script)


@pytest.mark.parametrize("dot", ["•", "‧", "・", "⋅", "∙", "･", "⸱", "ꞏ", ".", "．", "﹒"])
def test_one_middle_dot(dot: str) -> None:
    """Whatever dot a keyboard gives, the name has one spelling."""
    assert check("古丽·买买提") == check(f"古丽{dot}买买提")


def test_composed_form() -> None:
    """A decomposed accent and a composed one are one name."""
    assert check("José") == check("Jose\u0301")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "NAME_MISSING"),
        ("   ", "NAME_MISSING"),
        ("王", "NAME_LENGTH"),
        ("王" * 51, "NAME_LENGTH"),
        ("a" * 101, "NAME_LENGTH"),
        ("a" * 10_000, "NAME_LENGTH"),
        ("王 明", "NAME_SPACE"),
        (" 王明", "NAME_SPACE"),
        ("John  Smith", "NAME_SPACE"),
        ("王\u3000明", "NAME_SPACE"),
        ("王\u200b明", "NAME_CONTROL"),
        ("王明\x00", "NAME_CONTROL"),
        ("\u202e明王", "NAME_CONTROL"),
        ("王\ue5cf", "NAME_PRIVATE_CHARACTER"),
        ("王1", "NAME_CHARACTER"),
        ("王明<script>", "NAME_CHARACTER"),
        ("·王明", "NAME_DOT"),
        ("古丽··买买提", "NAME_DOT"),
        ("Ｊｏｈｎ", "NAME_NOT_HALF_WIDTH"),
        ("John3", "NAME_CHARACTER"),
        ("---", "NAME_MISSING"),
        ("😀😀", "NAME_CHARACTER"),
    ],
)
def test_no_name(name: str, reason: str) -> None:
    """What is no name is refused with the reason that tells what to mend."""
    assert reason in _reasons(name)


@given(st.text(max_size=120))
def test_any_text_is_answered(name: str) -> None:
    """No input makes the rules fail otherwise; what is accepted is NFC and reads back to itself."""
    try:
        found = check(name)
    except PersonNameError:
        return
    assert unicodedata.is_normalized("NFC", found.text)
    assert found == check(found.text)
    assert found.text not in repr(found) or len(found.text) < 2


def test_mask() -> None:
    """Others see the last character only."""
    assert mask("王小明") == "**明"
    assert mask("𬭎") == "*"
