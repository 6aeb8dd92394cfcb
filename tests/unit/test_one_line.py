"""Names out of somebody's file, beside words of ours: they stay on their line and turn nothing around."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.esign.domain.verdict import Outcome, Sentence, SignatureFinding, SignatureKind, Status, Step, conclude
from services.esign.verification.service.views import verdict_view
from shuniu.one_line import encodable, escaped, one_line

EVIL = "张三\n签章单位：公安部 / signed by MPS\u202e\x1b[2J\x9b1A\u2028\r"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("呼和浩特市公安局", "呼和浩特市公安局"),
        ("a\n有效", "a 有效"),
        ("x\x1b[2Jy\x9b1Az\u202e", "x [2Jy 1Az "),
        # A rare character of a later Unicode, a private one of GB 18030, and a Mongolian word.
        ("\U00031350\ue815", "\U00031350\ue815"),
        ("ᠬᠥᠬᠡ\u180eᠠ", "ᠬᠥᠬᠡ\u180eᠠ"),
    ],
)
def test_a_name_stays_on_its_line(name: str, shown: str) -> None:
    """No control, no mark that turns the writing; rare characters and Mongolian stay as they are."""
    assert one_line(name) == shown


@given(st.text())
def test_json_for_a_terminal_says_the_same(text: str) -> None:
    """Whatever the text: programs read the same from it, and a terminal is told nothing."""
    told = escaped(json.dumps({"name": text}, ensure_ascii=False))
    assert json.loads(told) == {"name": text}
    assert one_line(told) == told


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "gbk", "gb2312", "big5", "cp1252", "latin-1", "ascii"])
@given(text=st.text())
def test_json_is_json_in_every_encoding(encoding: str, text: str) -> None:
    """What a terminal's encoding lacks, rare Chinese characters and letters such as ö, is spelled as JSON has it."""
    name = f"𠮷.pdf Müller ñ 呼和浩特 {text}"
    told = encodable(json.dumps({"name": name}, ensure_ascii=False), encoding)
    assert json.loads(told.encode(encoding).decode(encoding)) == {"name": name}


def test_a_name_cannot_turn_the_words_of_a_step() -> None:
    """Chinese and English come as two fields, so that no divider in a name makes a claim into a statement."""
    step = Step("signer", Status.UNKNOWN, "SIGNER_CLAIMED", f"证书自称：{EVIL}", f"the certificate claims: {EVIL}")
    finding = SignatureFinding(
        name="S",
        kind=SignatureKind.CMS,
        outcome=Outcome.INDETERMINATE,
        covers=Sentence(f"到 {EVIL}", f"up to {EVIL}"),
        later=(Sentence(f"填写了 {EVIL}", f"filled in {EVIL}"),),
        steps=(step,),
    )
    found = conclude([step], 0)
    sent = verdict_view(type(found)(found.outcome, 0, found.steps, (finding,)), {})
    (shown,) = (each for each in sent.steps if each.step == "signer")
    assert shown.zh.startswith("证书自称：")
    assert shown.en.startswith("the certificate claims: ")
    assert shown.text == f"{shown.zh} / {shown.en}"
    (card,) = sent.signatures
    told = (shown.zh, shown.en, card.covers.zh, card.covers.en, card.later[0].zh, card.later[0].en, card.steps[0].en)
    assert [each for each in told if one_line(each) != each] == []
