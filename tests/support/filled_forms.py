"""A form that its maker certified so that it may be filled in, what programs fill into it, and what is said of it."""

from collections.abc import Mapping
from typing import Any

from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Name, Ref
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support.signed_pages import FONTS, PRICE, outcome
from tests.support.update_bases import built, form
from tests.support.updates import Draft, stream

WIDGET = b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R"
BOX, MARK = b"/BBox[0 0 16 16]/Resources<<>>", b"1 1 14 14 re S"
TICKED = MARK + b" 3 3 m 13 13 l S"
STATES = b"/AP<</N<</%b 26 0 R/Off 27 0 R>>>>"


def blank_form(more: bytes = b"", objects: Mapping[int, bytes] | None = None) -> bytes:
    """Certified so that it may be filled in: a text, a list, a box, two radio buttons, a text in two places, and a
    second signer's field. `more`: entries of the form; `objects`: instead of its own, or beside them.
    """
    text = b"/DA(/F1 9 Tf 0 g)/AP<</N 25 0 R>>>>"
    standing = {
        1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[20 0 R 21 0 R 22 0 R 23 0 R 30 0 R 40 0 R]"
        b"/DA(/F1 9 Tf 0 g)/DR<</Font<</F1 5 0 R>>>>%b>>>>" % more,
        2: b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 200 200]>>",
        3: b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>"
        b"/Annots[20 0 R 21 0 R 22 0 R 23 0 R 31 0 R 32 0 R 41 0 R 42 0 R]>>",
        4: stream(PRICE),
        5: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        11: b"<</Title(Form)>>",
        20: WIDGET + b"/FT/Tx/T(amount)/V()/Rect[20 8 80 24]" + text,
        21: WIDGET + b"/FT/Ch/T(kind)/Opt[(a)(b)(c)(d)(e)]/V(a)/I[0]/Rect[90 8 130 40]" + text,
        22: WIDGET + b"/FT/Btn/T(agreed)/V/Off/AS/Off/Rect[140 8 156 24]" + STATES % b"Yes" + b">>",
        23: WIDGET + b"/FT/Sig/T(later)/Rect[130 80 190 120]>>",
        25: form(b"/Tx BMC EMC", b"/BBox[0 0 60 16]" + FONTS),
        26: form(TICKED, BOX),
        27: form(MARK, BOX),
        30: b"<</FT/Btn/Ff 49152/T(choice)/V/A/Kids[31 0 R 32 0 R]>>",
        31: WIDGET + b"/Parent 30 0 R/AS/A/Rect[20 50 36 66]" + STATES % b"A" + b">>",
        32: WIDGET + b"/Parent 30 0 R/AS/Off/Rect[60 50 76 66]" + STATES % b"B" + b">>",
        40: b"<</FT/Tx/T(name)/V()/DA(/F1 9 Tf 0 g)/Kids[41 0 R 42 0 R]>>",
        41: WIDGET + b"/Parent 40 0 R/Rect[20 80 80 96]/AP<</N 25 0 R>>>>",
        42: WIDGET + b"/Parent 40 0 R/Rect[20 110 80 126]/AP<</N 25 0 R>>>>",
    }
    return attack.foreign_sign(built(standing | dict(objects or {})), "certifier", certify=MDPPerm.FILL_FORMS)


def text(draft: Draft, words: bytes = b"100") -> dict[str, Any]:
    """The look of a text field, as entries of its widget."""
    return look(draft, b"BT /F1 9 Tf 0 g 2 4 Td (%b) Tj ET" % words)


def look(draft: Draft, drawn: bytes, resources: bytes = FONTS, size: bytes = b"60 16") -> dict[str, Any]:
    """One that draws something, as programs write it."""
    shown = form(b"/Tx BMC q %b Q EMC" % drawn, b"/BBox[0 0 %b]%b" % (size, resources))
    return {"AP": {"N": Ref((draft.add(shown), 0))}}


def filled(draft: Draft, field: int = 20, words: bytes = b"100", **entries: Any) -> None:
    draft.edit(field).update({"V": words, **entries, **text(draft, words)})


def ticked(draft: Draft, **entries: Any) -> None:
    draft.edit(22).update({"V": Name("Yes"), "AS": Name("Yes"), **entries})


def finished(draft: Draft, **entries: Any) -> Outcome:
    """Signed by the second signer, whose program writes these entries, too."""
    value = draft.sign()
    draft.edit(23).update({"V": Ref((value, 0)), **entries})
    return outcome(draft.finished())
