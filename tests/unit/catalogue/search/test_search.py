"""Search: what people type finds what they mean, in the order that helps them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalogue.search.domain.matching import Document, Field, Plan, Token, plan, rank, score, terms, tokens
from services.catalogue.search.domain.pinyin import syllables_of

ITEMS = {
    "ncr": Document(("442199806003",), "无犯罪记录证明", ("无犯罪证明",), "查询本人犯罪记录"),
    "idr": Document(("442199806004",), "居民身份证补领", (), "身份证丢失后申请补领，需提供户口簿"),
    "idx": Document(("442199806005",), "居民身份证换领", (), "到期换领", frequency=5000),
    "exam": Document(("442199806006",), "驾驶人考试预约", (), "驾驶证科目考试"),
    "hk": Document(("442199806007",), "往来港澳通行证再次签注", ("港澳台证件再次签注",)),
    "rare": Document(("442199806008",), "䶮村居住登记", ()),
    "move": Document(("442199806009",), "一键挪车"),
    "b": Document(("442199806010",), "BIM模型审查2.0"),
}


def _select(asked: Plan) -> set[str]:
    """What a store answers to a plan, from the tokens alone."""
    rows = {key: tokens(document) for key, document in ITEMS.items()}
    text_fields = {Field.NAME, Field.ALIAS, Field.GUIDE}
    found = set()
    for key, held in rows.items():
        texts = {row.term for row in held if row.field in text_fields}
        if asked.code and Token(Field.CODE, asked.code) in held:
            found.add(key)
        if any(each.terms <= texts for each in asked.alternatives):
            found.add(key)
        spelt = [row.term for row in held if row.field is Field.PINYIN]
        if any(begin <= term < end for begin, end in asked.pinyin_ranges for term in spelt):
            found.add(key)
    return found


def _find(query: str) -> list[str]:
    asked = plan(query)
    return [key for key, _ in rank(asked, ((key, ITEMS[key]) for key in _select(asked)))]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("无犯罪记录证明", "ncr"),
        ("犯罪", "ncr"),
        ("良民证", "ncr"),
        ("无犯罪证明", "ncr"),
        ("wfzjl", "ncr"),
        ("wufanzui", "ncr"),
        ("fzjl", "ncr"),
        ("442199806003", "ncr"),
        ("身份证补办", "idr"),
        ("驾照", "exam"),
        ("约考", "exam"),
        ("港澳通行证", "hk"),
        ("䶮", "rare"),
        ("移车", "move"),
        ("挪", "move"),
        ("ｂｉｍ", "b"),
        (" 无 犯罪 ", "ncr"),
        ("户口簿", "idr"),
        ("我想开一个无犯罪证明", "ncr"),
        ("怎么办理良民证？", "ncr"),
        ("身份证补办需要什么材料", "idr"),
        ("身份证丢了怎么办", "idr"),
        ("身份证丢了", "idr"),
        ("我的身份证找不到了", "idr"),
        ("身份证过期了怎么办", "idx"),
        ("wufzjl", "ncr"),
        ("wufanzuijl", "ncr"),
        ("ｗｕｆｚ ｊｌ", "ncr"),
        ("shenfzbl", "idr"),
        ("shfzhbl", "idr"),
    ],
)
def test_people_find(query: str, first: str) -> None:
    """A query leads to the item that people mean."""
    assert first == _find(query)[0]


@pytest.mark.parametrize("typed", ["wufzlj", "wuzfjl", "wwufzjl", "jianshen"])
def test_letters_that_spell_no_name_find_none(typed: str) -> None:
    """Initials and syllables stand in the order of the characters."""
    assert _find(typed) == []


@given(st.sampled_from(sorted(ITEMS)), st.data())
@settings(deadline=None)
def test_any_mixture_of_syllables_and_initials_finds_a_name(key: str, data: st.DataObject) -> None:
    """As every input method takes it: full syllables first, initials after them."""
    syllables = syllables_of(ITEMS[key].name)
    full = data.draw(st.integers(0, len(syllables)))
    typed = "".join(syllables[:full]) + "".join(each[0] for each in syllables[full:])
    if len(typed) > 1:
        assert key in _find(typed)


def test_order_of_classes() -> None:
    """Exact code > exact name > phrase in the name > alias > guide text, whatever the frequency."""
    asked = plan("442199806003 ")
    assert score(asked, ITEMS["ncr"]) > 8
    word = plan("登记")
    ordered = [
        Document(("1",), "登记"),
        Document(("2",), "居住登记办理"),
        Document(("3",), "办理", ("登记",)),
        Document(("4",), "登门记录", frequency=10),
        Document(("5",), "办理", (), "先登记再办理", frequency=1e9),
    ]
    scores = [score(word, each) for each in ordered]
    assert scores == sorted(scores, reverse=True)
    assert len(set(map(int, scores))) == len(scores)


def test_frequency_decides_among_equals() -> None:
    """Of two equal matches the one asked for more often here comes first."""
    assert _find("居民身份证")[:2] == ["idx", "idr"]


def test_nothing_finds_nothing() -> None:
    """An empty query, or one of punctuation only, asks nothing."""
    for query in ("", "  ", "，。！"):
        assert plan(query).empty
        assert _find(query) == []


def test_terms() -> None:
    """Ideographs singly, Latin words and figures whole, width and case folded."""
    assert terms("Ａ股 ABC-12 䶮·王") == {"a", "股", "abc", "12", "䶮", "王"}


@given(st.text(max_size=80))
def test_any_query_is_answered(query: str) -> None:
    """No query fails, and what scores is what the store's tokens select."""
    asked = plan(query)
    selected = _select(asked)
    for key, document in ITEMS.items():
        if score(asked, document) > 0:
            assert key in selected


@given(st.sampled_from(sorted(ITEMS)), st.data())
def test_every_piece_of_a_name_finds_it(key: str, data: st.DataObject) -> None:
    """Any two characters of a name find the item."""
    name = ITEMS[key].name
    start = data.draw(st.integers(0, len(name) - 2))
    piece = name[start : start + 2]
    if all(not mark.isascii() for mark in piece):
        assert key in _find(piece)
