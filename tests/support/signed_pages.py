"""Pages that a first signer signed, with a place for a second one, and what he puts into it."""

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO

from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support.update_bases import built, form
from tests.support.updates import Draft, stream
from tests.support.verdicts import TRUST, judged

FONTS = b"/Resources<</Font<</F1 5 0 R>>>>"
PRICE = b"BT /F1 14 Tf 12 150 Td (Price: USD 1300) Tj ET "
END_OF_PRICE = 12 + (667 + 333 + 222 + 500 + 556 + 278 + 278 + 722 + 667 + 722 + 278 + 4 * 556) * 14 / 1000
PLACE = b"[10 20 190 70]"
LETTERS = (
    b"60 30 5 30 re 80 30 5 30 re 60 30 25 5 re 95 30 5 30 re 95 30 25 5 re 95 55 25 5 re "
    b"120 30 5 30 re 120 55 25 5 re "
)
"""In the place."""
STROKES = b"60 30 m 60 48 l 80 30 m 80 48 l 100 42 m 100 60 l 120 60 l "
ABOVE = b"1 0 0 1 0 90 cm "
"""Takes what is drawn in the place out of it."""
COVER = b"1 1 1 rg 0 0 180 50 re f 0 g BT /F1 8 Tf 2 2 Td (Signed by B) Tj ET"
"""A look that leaves nothing to be seen of what is below."""
_WIDGET = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/F %d/Rect%b/P 3 0 R"


def page(
    content: bytes,
    resources: bytes = b"",
    more: Mapping[int, bytes] | None = None,
    *,
    entries: bytes = b"",
    tree: bytes = b"",
    annotations: bytes = b"",
    place: bytes = PLACE,
) -> bytes:
    """One page of 200 points, not signed yet; `entries` of the page, `tree`: of the tree of pages."""
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R]/SigFlags 1/DA(/F1 9 Tf 0 g)>>>>",
        2: b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 200 200]%b>>" % tree,
        3: b"<</Type/Page/Parent 2 0 R/Contents 4 0 R%b/Resources<</Font<</F1 5 0 R>>%b>>/Annots[%b 22 0 R]>>"
        % (entries, resources, annotations),
        4: stream(content),
        5: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        11: b"<</Title(Contract)>>",
        22: _WIDGET % (b"Second", 4, place) + b">>",
    }
    return built(objects | dict(more or {}))


def signed(pdf: bytes, *, certify: MDPPerm | None = None) -> bytes:
    """By the first signer, who sees no sign of his own signature."""
    return attack.foreign_sign(pdf, "First", certify=certify)


def outcome(pdf: bytes) -> Outcome:
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


def covered(pdf: bytes, look: bytes = COVER, size: bytes = b"180 50") -> Outcome:
    """What is said once the second signer has put a look over the place of a document that is not signed yet."""
    draft = Draft(signed(pdf))
    return outcome(put(draft, draft.add(form(look, b"/BBox[0 0 %b]" % size + FONTS))))


def put(draft: Draft, look: int, field: int = 22) -> bytes:
    """The document as the second signer signs it by that look."""
    value = draft.sign()
    draft.edit(field).update({"V": Ref((value, 0)), "AP": {"N": Ref((look, 0))}})
    return draft.finished()


def put_new(draft: Draft, look: int, place: bytes) -> bytes:
    """The document as a third signer signs it in a field that he brings along."""
    value = draft.sign()
    field = _WIDGET % (b"Third", 132, place) + b"/V %d 0 R/AP<</N %d 0 R>>>>" % (value, look)
    draft.put_field(draft.add(field), 0)
    return draft.finished()


def signed_later(draft: Draft) -> bytes:
    """The document as a second signer signs it out of sight."""
    draft.put_field(draft.add(_WIDGET % (b"Later", 132, b"[0 0 0 0]") + b"/V %d 0 R>>" % draft.sign()), 0)
    return draft.finished()


_SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
_WHITE, _NOTHING = (0.9642, 1.0, 0.8249), ((0.0, 0.0, 0.0),) * 3


def _fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def _profile(space: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """An ICC profile (ICC.1:2001-04, 6)."""
    filled = {key: tag + bytes(-len(tag) % 4) for key, tag in tags.items()}
    at, table, body = 132 + 12 * len(filled), BytesIO(), b""
    for key, tag in filled.items():
        table.write(key + struct.pack(">II", at + len(body), len(tag)))
        body += tag
    head = struct.pack(">I", at + len(body)) + b"lcms\2@\0\0mntr" + space + b"XYZ "
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acspAPPL" + bytes(4) + b"none" * 2 + bytes(12)
    return (head + _fixed(*_WHITE)).ljust(128, b"\0") + struct.pack(">I", len(filled)) + table.getvalue() + body


def _described(more: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"none\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"x\0",
        b"wtpt": b"XYZ " + bytes(4) + _fixed(*_WHITE),
        **more,
    }


def _curve(*levels: int) -> bytes:
    return b"curv" + struct.pack(">II", 0, len(levels)) + b"".join(struct.pack(">H", each) for each in levels)


def rgb_profile(*, white: bool) -> bytes:
    """The stream of a profile in which every colour is white, or black."""
    columns = zip((b"rXYZ", b"gXYZ", b"bXYZ"), _SRGB if white else _NOTHING, strict=True)
    curve = _curve(65535, 65535) if white else _curve()
    tags = {key: b"XYZ " + bytes(4) + _fixed(*column) for key, column in columns}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    data = zlib.compress(_profile(b"RGB ", _described(tags)))
    return stream(data, b"/N 3/Alternate/DeviceRGB/Filter/FlateDecode")


def gray_profile() -> bytes:
    """The stream of a profile in which every grey is white."""
    data = zlib.compress(_profile(b"GRAY", _described({b"kTRC": _curve(65535, 65535)})))
    return stream(data, b"/N 1/Filter/FlateDecode")
