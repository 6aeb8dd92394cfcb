"""What is filled in under a certification: nothing after somebody approved, and a choice, a value and its look are one."""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Name, Ref
from services.esign.domain.verdict import Outcome
from tests.support.signed_pages import END_OF_PRICE, FONTS, PRICE, outcome, signed
from tests.support.update_bases import built, form
from tests.support.updates import Draft, stream

WIDGET = b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R/T(amount)/Rect[%.2f 145 %.2f 165]/DA(/F1 12 Tf 0 g)%b>>"
UNSEEN = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/F 132/Rect[0 0 0 0]/P 3 0 R>>"
BEHIND = (END_OF_PRICE, END_OF_PRICE + 40)
APART = (60, 160)
LABEL = b"BT /F1 12 Tf 12 120 Td (Shares sold:) Tj ET"


def certified(widget: bytes, text: bytes = PRICE, more: dict[int, bytes] | None = None) -> bytes:
    """A page with a form field (23) and two signature fields: of the approver (21) and of the last signer (22)."""
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[21 0 R 22 0 R 23 0 R]/SigFlags 1/DR<</Font<</F1 5 0 R>>>>"
        b"/DA(/F1 9 Tf 0 g)>>>>",
        2: b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 200 200]>>",
        3: b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>/Annots[21 0 R 22 0 R 23 0 R]>>",
        4: stream(text),
        5: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        11: b"<</Title(Contract)>>",
        21: UNSEEN % b"Buyer",
        22: UNSEEN % b"Seller",
        23: widget,
    }
    return signed(built(objects | (more or {})), certify=MDPPerm.FILL_FORMS)


def approved(pdf: bytes) -> bytes:
    draft = Draft(pdf)
    draft.edit(21).update({"V": Ref((draft.sign(), 0))})
    return draft.finished()


def last(draft: Draft) -> Outcome:
    draft.edit(22).update({"V": Ref((draft.sign(), 0))})
    return outcome(draft.finished())


def filled(pdf: bytes, value: bytes | None, drawn: bytes, **more: object) -> Outcome:
    draft = Draft(pdf)
    look = form(b"/Tx BMC q BT /F1 12 Tf 4 5 Td 0 g %b ET Q EMC" % drawn, b"/BBox[0 0 100 20]" + FONTS)
    entries = {"AP": {"N": Ref((draft.add(look), 0))}, **more}
    draft.edit(23).update(entries if value is None else {"V": value, **entries})
    return last(draft)


@pytest.mark.parametrize(("approves", "expected"), [(True, Outcome.INDETERMINATE), (False, Outcome.VALID)])
def test_nothing_is_filled_in_after_an_approval(approves: bool, expected: Outcome) -> None:
    """The approver saw a price of 1300. Three zeros in an empty field behind it would make 1300000."""
    pdf = certified(WIDGET % (*BEHIND, b"/FT/Tx"))
    assert filled(approved(pdf) if approves else pdf, b"000", b"(000) Tj") is expected


BOX = b"/FT/Btn/V/Off/AS/Off/AP<</N<</Yes 24 0 R/Off 25 0 R>>>>"
NOT = b"1.3 w 1 5 m 1 15 l 8 5 l 8 15 l S 12 5 8 10 re S 26 5 m 26 15 l 22 15 m 30 15 l S"
ZEROS = b"1.25 w 1 5 6 9 re S 9 5 6 9 re S 17 5 6 9 re S"
ZERO = b"1.25 w 1 5 6 9 re S"
TICK = b"1 w 5 10 m 9 5.5 l 15 14 l S"
FRAME = b".5 w 1 1 24 18 re S "
SQUARE = b".8 w 2 2 16 16 re S "
NULL, BAR = b"1.6 w 3 3 10 16 re S ", b"1.6 w 3 11 m 13 11 l S "
_ROUND = b"%d 10 m %d %.2f %.2f 18 10 18 c %.2f 18 %d %.2f %d 10 c %d %.2f %.2f 2 10 2 c %.2f 2 2 %.2f 2 10 c h "
CIRCLE = b".8 w " + _ROUND % (2, 2, 14.4, 5.6, 14.4, 18, 14.4, 18, 18, 5.6, 14.4, 5.6, 5.6) + b"S "
SIGN = b"BT /ZaDb 12 Tf 5.5 6 Td (4) Tj ET "
"""A tick of ZapfDingbats."""
SEVEN = b"1 w 6 15 m 14 15 l 8 5 l S"
SENTENCE = b"BT /F1 14 Tf 12 150 Td (The seller is) Tj 118 0 Td (liable.) Tj ET"


@pytest.mark.parametrize(
    ("text", "at", "on", "off", "expected"),
    [
        (PRICE, END_OF_PRICE, ZEROS, b"", Outcome.INDETERMINATE),
        (PRICE, END_OF_PRICE, ZERO, b"", Outcome.INDETERMINATE),
        (PRICE, END_OF_PRICE, FRAME + ZEROS, FRAME, Outcome.INDETERMINATE),
        (SENTENCE, 95, b"", NOT, Outcome.INDETERMINATE),
        (PRICE, END_OF_PRICE, NULL + BAR, NULL, Outcome.INDETERMINATE),
        (PRICE, END_OF_PRICE, NULL, NULL + BAR, Outcome.INDETERMINATE),
        (PRICE, END_OF_PRICE, SQUARE + BAR, SQUARE, Outcome.INDETERMINATE),
        (SENTENCE, 95, SQUARE + SIGN, SQUARE, Outcome.VALID),
        (SENTENCE, 95, CIRCLE + SIGN, CIRCLE, Outcome.VALID),
        (SENTENCE, 95, SQUARE + TICK, SQUARE, Outcome.VALID),
        (SENTENCE, 95, SQUARE + SEVEN, SQUARE, Outcome.INDETERMINATE),
        (SENTENCE, 95, CIRCLE + SIGN, SQUARE, Outcome.INDETERMINATE),
        (PRICE, END_OF_PRICE + 30, TICK, b"", Outcome.VALID),
    ],
    ids=[
        "zeros",
        "zero",
        "zeros in a frame",
        "a word that goes",
        "eight of zero",
        "zero of eight",
        "bar",
        "framed",
        "radio",
        "drawn",
        "a digit",
        "another frame",
        "apart",
    ],
)
def test_a_box_to_tick_is_one_mark_in_a_frame_or_apart(
    text: bytes, at: float, on: bytes, off: bytes, expected: Outcome
) -> None:
    """Whatever else comes to print or goes from it is a sign of its sentence."""
    box = b"/BBox[0 0 26 20]/Resources<</Font<</ZaDb 26 0 R>>>>"
    font = b"<</Type/Font/Subtype/Type1/BaseFont/ZapfDingbats>>"
    more = {24: form(on, box), 25: form(off, box), 26: font}
    draft = Draft(certified(WIDGET % (at, at + 26, BOX), text, more))
    draft.edit(23).update({"V": Name("Yes"), "AS": Name("Yes")})
    assert last(draft) is expected


@pytest.mark.parametrize("closed", [b"/Ff 1", b"/F 68", b"/F 516"])
def test_what_nobody_may_fill_in_is_not_filled_in(closed: bytes) -> None:
    """A price in a field that is read-only, or locked, is print that the certifier has not left open."""
    widget = (WIDGET % (*APART, b"/FT/Tx")).replace(b"/F 4", b"/F 4" if closed.startswith(b"/Ff") else closed)
    pdf = certified(widget.replace(b"/FT/Tx", b"/FT/Tx" + (closed if closed.startswith(b"/Ff") else b"")), LABEL)
    assert filled(pdf, b"9300", b"(9300) Tj") is Outcome.INDETERMINATE


OPTIONS = b"/FT/Ch/Ff 131072/Opt[(USD 100)(USD 900)]"


@pytest.mark.parametrize(
    ("field", "more", "expected"),
    [
        (OPTIONS, {}, Outcome.VALID),
        (OPTIONS, {"I": [0]}, Outcome.VALID),
        (OPTIONS, {"I": [1]}, Outcome.INDETERMINATE),
        (OPTIONS.replace(b"Opt[(USD 100)(USD 900)]", b"Opt[(USD 100)(USD 100)]"), {}, Outcome.INDETERMINATE),
        (OPTIONS.replace(b"USD 100", b"USD 800"), {}, Outcome.INDETERMINATE),
        (OPTIONS.replace(b"USD 100", b"USD 800").replace(b"131072", b"393216"), {}, Outcome.VALID),
        (b"/FT/Tx/MaxLen 7", {}, Outcome.VALID),
        (b"/FT/Tx/MaxLen 4", {}, Outcome.INDETERMINATE),
    ],
    ids=["chosen", "its number", "another number", "two alike", "none of them", "of one's own", "fits", "too long"],
)
def test_a_choice_has_one_text(field: bytes, more: dict[str, object], expected: Outcome) -> None:
    """Some readers go by the number of a choice, some by its text, and some cut what is longer than its field."""
    assert filled(certified(WIDGET % (*APART, field), LABEL), b"USD 100", b"(USD 100) Tj", **more) is expected


def test_the_number_of_a_choice_alone_changes_it() -> None:
    """Who goes by the number shows another amount than its picture."""
    pdf = certified(WIDGET % (*APART, OPTIONS + b"/V(USD 100)/I[0]"), LABEL)
    draft = Draft(pdf)
    draft.edit(23)["I"] = [1]
    assert last(draft) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("flags", "value", "drawn", "expected"),
    [
        (0, b"1 1/2", b"(1 1/2) Tj", Outcome.VALID),
        (0, b"1 1/2", b"(11/2) Tj", Outcome.INDETERMINATE),
        (0, b"11/2", b"(1 1/2) Tj", Outcome.INDETERMINATE),
        (4096, b"not able\nto pay", b"(not able) Tj 0 -13 Td (to pay) Tj", Outcome.VALID),
        (4096, b"not able\nto pay", b"(notable) Tj 0 -13 Td (to pay) Tj", Outcome.INDETERMINATE),
        (4096, b"notable", b"(not) Tj 0 -13 Td (able) Tj", Outcome.VALID),
        (0, b"11/2", b"(1) Tj 12 0 Td (1/2) Tj", Outcome.INDETERMINATE),
        (0, b"1 1/2", b"(1) Tj 12 0 Td (1/2) Tj", Outcome.VALID),
        (0, b"1\n1/2", b"(1 1/2) Tj", Outcome.INDETERMINATE),
        (0, b"USD 100" + b" " * 50 + b"a day", b"(USD 100 a day) Tj", Outcome.INDETERMINATE),
        (0, b"USD 100 a day", b"(USD 100 ) Tj /F1 1 Tf (a day) Tj", Outcome.INDETERMINATE),
    ],
)
def test_blanks_are_where_the_value_has_them(flags: int, value: bytes, drawn: bytes, expected: Outcome) -> None:
    """One and a half is not eleven halves."""
    look = drawn.replace(b"(", b"0 8 Td (", 1) if flags else drawn
    assert filled(certified(WIDGET % (*APART, b"/FT/Tx/Ff %d" % flags), LABEL), value, look) is expected
