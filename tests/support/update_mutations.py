"""What one update of a signed document may hold: lawful things, forgeries, and what no writer ever wrote.

Each mutation changes a `Draft` by dice; those in `LAWFUL` are what signing needs and change no page.
"""

import random
import re
import zlib
from collections.abc import Callable

from services.esign.domain.pdf.document import Place
from services.esign.domain.pdf.syntax import Name, Ref
from tests.support.update_bases import XMP, form
from tests.support.updates import Draft, Raw, copied, stream, text

Dice = random.Random
Mutation = Callable[[Dice, Draft], None]
LAWFUL: dict[str, Mutation] = {}
UNLAWFUL: dict[str, Mutation] = {}
_INK = b"0 .1 .8 rg -500 -500 2000 2000 re f"
_DRAWN = (_INK, b"q 0 0 1 rg 2 2 12 12 re f Q", b"1 0 0 RG 3 w 0 0 m 400 400 l S", b"BT /F1 30 Tf 0 5 Td (X) Tj ET")
_NOTHING = (b"", b"% nothing\n", b" \n\t ", b"%a\r%b\n")
_EMPTY_LOOKING = (
    b"q Q",
    b"/Tx BMC EMC",
    b"1 g",
    b"% x\n0 0 0 0 re f",
    b"%\x0c0 0 200 200 re f",
    b"%\x000 0 200 200 re f",
)


def lawful(mutation: Mutation) -> Mutation:
    LAWFUL[mutation.__name__] = mutation
    return mutation


def unlawful(mutation: Mutation) -> Mutation:
    UNLAWFUL[mutation.__name__] = mutation
    return mutation


# Pieces.


def content_of(draft: Draft, at: int = 0) -> int:
    """Number of a page's first content stream."""
    page = draft.document.value(draft.pages()[at])
    contents = draft.document.resolve(page.get("Contents"))
    if isinstance(contents, list) and contents:
        return int(contents[0][0])
    ref = page.get("Contents")
    return int(ref[0]) if isinstance(ref, Ref) else 0


def payload(draft: Draft) -> bytes:
    """Data in which a reader that repairs a file finds another content of the first page."""
    return b"\nendstream\nendobj\n%d 0 obj\n%b\nendobj\n" % (content_of(draft), stream(_INK))


def _any_number(dice: Dice, draft: Draft) -> int:
    return dice.choice([n for n, entry in draft.document.entries.items() if entry.place])


def _streams(draft: Draft) -> list[int]:
    """Numbers of the streams that may be drawn."""
    found = []
    for number, entry in draft.document.entries.items():
        holder = draft.document.object(number) if entry.place == Place.IN_FILE else None
        if holder is not None and holder.stream and holder.value.get("Type") not in {"XRef", "ObjStm"}:
            found.append(number)
    return found


def _number(dice: Dice, value: float) -> bytes:
    """A number, oddly spelt now and then."""
    if dice.random() < 0.85:
        return b"%g" % value
    return dice.choice(
        (b"%.3f" % value, b"+%g" % abs(value), b"%012.4f" % abs(value), b"%d." % value, b"-0", b"00%d" % abs(value))
    )


def rectangle(dice: Dice, draft: Draft) -> bytes:
    """A /Rect of any kind, sound or not."""
    kinds = (
        (0, 0, 0, 0), (50, 50, 50, 50), (0, 100, 200, 100), (100, 0, 100, 200), (0, 100, 200, 100.001), (-50, -50, 20, 20),
        (500, 500, 600, 600), (0, 0, 200, 200), (120, 100, 180, 140), (60, 30, 110, 55), (110, 55, 60, 30), (10, 140, 150, 175),
        (0, 0, 595, 842), (300, 20, 400, 60), (130, 85, 190, 95), (0, 0, 1e-7, 1e-7), (150, 185, 260, 260), (80, 100, 118, 118),
    )  # fmt: skip
    box = dice.choice(kinds)
    if dice.random() < 0.3:
        x, y = dice.uniform(-20, 180), dice.uniform(-20, 180)
        box = (x, y, x + dice.uniform(0, 60), y + dice.uniform(0, 60))
    parts = [_number(dice, each) for each in box]
    roll = dice.random()
    if roll < 0.04:
        parts[dice.randrange(4)] = b"%d 0 R" % draft.add(b"%g" % dice.choice(box))
    elif roll < 0.06:
        parts.append(b"5")
    elif roll < 0.08:
        parts.pop()
    listed = b"[" + b" ".join(parts) + b"]"
    return b"%d 0 R" % draft.add(listed) if dice.random() < 0.05 else listed


def _bounds(dice: Dice, draft: Draft) -> bytes:
    kinds: tuple[bytes, ...] = (
        b"/BBox[0 0 40 40]", b"/BBox[0 0 40 40]", b"/BBox[0 0 200 200]", b"", b"/BBox[0 0 0 0]", b"/BBox[0 0 1e3 1]",
        b"/BBox[0 0 .0000001 .0000001]", b"/BBox[-1000000 -1000000 1000000 1000000]", b"/BBox[40 40 0 0]", b"/BBox[0 0 100000000 9]",
        b"/BBox[0 0 40]", b"/BBox null", b"/BBox[1000000 1000000 1000000.01 1000000.01]", b"/BBox(x)",
    )  # fmt: skip
    if dice.random() < 0.06:
        return b"/BBox %d 0 R" % draft.add(b"[0 0 40 40]")
    return dice.choice(kinds)


def _matrix(dice: Dice, draft: Draft) -> bytes:
    kinds: tuple[bytes, ...] = (
        b"", b"", b"", b"/Matrix[1 0 0 1 0 0]", b"/Matrix[20 0 0 20 0 0]", b"/Matrix[0 1 -1 0 0 0]", b"/Matrix[.7 .7 -.7 .7 0 0]",
        b"/Matrix[0 0 0 0 0 0]", b"/Matrix[1 1 1 1 0 0]", b"/Matrix[.0001 0 0 .0001 0 0]", b"/Matrix[1 0 0 1 -5000 -5000]",
        b"/Matrix[-1 0 0 -1 0 0]", b"/Matrix[1 0 0]", b"/Matrix[1000000 999999 999999 999998 0 0]", b"/Matrix null",
    )  # fmt: skip
    if dice.random() < 0.05:
        return b"/Matrix %d 0 R" % draft.add(b"[1 0 0 1 0 0]")
    return dice.choice(kinds)


def _looks(dice: Dice) -> bytes:
    roll = dice.random()
    return dice.choice(_DRAWN if roll < 0.6 else _NOTHING if roll < 0.8 else _EMPTY_LOOKING)


def appearance(dice: Dice, draft: Draft) -> bytes:
    """A stream that may be an appearance, its number as a reference."""
    data, entries = _looks(dice), _bounds(dice, draft) + _matrix(dice, draft)
    roll = dice.random()
    if roll < 0.2:
        data, entries = zlib.compress(data), entries + b"/Filter/FlateDecode"
    elif roll < 0.25:
        entries += dice.choice((b"/F(other.pdf)", b"/Filter/ASCIIHexDecode", b"/OC 9 0 R", b"/Group<</S/Transparency/K true>>",
                                b"/Filter[/FlateDecode/FlateDecode]", b"/Resources<</ExtGState<</X<</BM/Difference>>>>>>"))  # fmt: skip
    body = stream(data, b"/Type/XObject/Subtype/Form" + entries)
    if dice.random() < 0.05:
        body = re.sub(rb"/Length \d+", b"/Length %d 0 R" % draft.add(b"%d" % len(data)), body)
    return b"%d 0 R" % draft.add(body)


def _states(dice: Dice, draft: Draft) -> bytes:
    """A dictionary of appearances, or nothing."""
    roll = dice.random()
    if roll < 0.2:
        return b""
    if roll < 0.75:
        return b"/AP<</N %b>>" % appearance(dice, draft)
    if roll < 0.8:
        return b"/AP<</N<</On %b/Off %b>>>>/AS/On" % (appearance(dice, draft), appearance(dice, draft))
    if roll < 0.87:
        return b"/AP<</N %b/D %b/R %b>>" % tuple(appearance(dice, draft) for _ in range(3))
    if roll < 0.92:
        return b"/AP %d 0 R" % draft.add(b"<</N %b>>" % appearance(dice, draft))
    # What is drawn elsewhere already.
    return b"/AP<</N %d 0 R>>" % dice.choice(_streams(draft))


def _extras(dice: Dice) -> bytes:
    if dice.random() < 0.75:
        return b""
    return dice.choice(
        (
            b"/MK<<>>", b"/MK<</BG[1 0 0]>>", b"/MK<</BC[1 0 0]/R 90>>", b"/Border[0 0 9]", b"/BS<</W 9/S/S>>", b"/OC 9 0 R",
            b"/DA(/F1 40 Tf 1 0 0 rg)", b"/A<</S/URI/URI(http://x.example)>>", b"/AA<<>>", b"/TU(tip)", b"/NM(x)", b"/Q 2",
            b"/C[1 0 0]", b"/Contents(x)", b"/H/P", b"/Lock<</Action/All>>", b"/SV<<>>", b"/StructParent 9", b"/Ff 1", b"/Extra 5",
            b"/BMC/x", b"/PMD 3 0 R", b"/DR<</Font<<>>>>",
        )
    )  # fmt: skip


_FLAGS = (4, 4, 4, 132, 132, 0, 2, 6, 20, 36, 12, 260, 1, 68, 644)


def _value(dice: Dice, draft: Draft) -> bytes:
    """What a field of a signature holds."""
    roll = dice.random()
    if roll < 0.35 or draft.signature:
        return b""
    if roll < 0.6:
        return b"/V %d 0 R" % draft.sign(timestamp=True)
    if roll < 0.9:
        return b"/V %d 0 R" % draft.sign()
    if roll < 0.95:
        return b"/V %d 0 R" % draft.add(b"<</Type/Sig/Filter/X/Contents<00>/ByteRange[0 1 2 3]>>")
    return b"/V %d 0 R" % _any_number(dice, draft)


def _fields(draft: Draft) -> list[int]:
    """Numbers of the form's fields."""
    from services.esign.domain.pdf import signatures

    return [ref[0] for ref, _, _ in signatures.fields(draft.document)]


def _field_names(draft: Draft) -> list[bytes]:
    return [text(value["T"]) for number in _fields(draft) if "T" in (value := draft.document.value(number))]


# Lawful.


@lawful
def validation_data(dice: Dice, draft: Draft) -> None:
    draft.store(*(dice.randbytes(dice.randrange(1, 400)) for _ in range(dice.randrange(1, 4))))


@lawful
def document_timestamp(dice: Dice, draft: Draft) -> None:
    if not draft.signature:
        number = draft.sign(timestamp=True)
        page = draft.pages()[0]
        listed = dice.random() < 0.5
        body = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Stamp%d)/F 132/Rect[0 0 0 0]/P %d 0 R/V %d 0 R>>" % (
            number,
            page,
            number,
        )
        draft.put_field(draft.add(body), *((0,) if listed else ()))


@lawful
def rewritten_unchanged(dice: Dice, draft: Draft) -> None:
    for _ in range(dice.randrange(1, 4)):
        number = _any_number(dice, draft)
        value = draft.document.value(number)
        if not (isinstance(value, dict) and (value.get("Type") in {"XRef", "ObjStm", "Sig"} or "ByteRange" in value)):
            draft.edit(number)


@lawful
def saved_when(dice: Dice, draft: Draft) -> None:
    info = draft.document.trailer.get("Info")
    if isinstance(info, Ref):
        draft.edit(info[0])["ModDate"] = b"D:20260602040000Z"


@lawful
def metadata_saved_when(dice: Dice, draft: Draft) -> None:
    metadata = draft.document.catalog().get("Metadata")
    if isinstance(metadata, Ref) and (holder := draft.document.object(metadata[0])) and holder.stream:
        was = draft.document.stream_of(holder)
        draft.bodies[metadata[0]] = stream(
            re.sub(rb"(<xmp:ModifyDate>)[^<]*", rb"\g<1>2026-07-01T00:00:00Z", was), b"/Type/Metadata/Subtype/XML"
        )


@lawful
def signed_unseen(dice: Dice, draft: Draft) -> None:
    if not draft.signature:
        number = draft.sign()
        look = b"/AP<</N %d 0 R>>" % draft.add(form(b"")) if dice.random() < 0.5 else b""
        body = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(S%d)/F 132/Rect[0 0 0 0]/P %d 0 R%b/V %d 0 R>>" % (
            number,
            draft.pages()[0],
            look,
            number,
        )
        draft.put_field(draft.add(body), 0)


@lawful
def signed_on_blank_space(dice: Dice, draft: Draft) -> None:
    if not draft.signature:
        number = draft.sign()
        x, y = dice.choice(((130, 85), (90, 30), (150, 30)))
        look = draft.add(form(dice.choice(_DRAWN)))
        body = (
            b"<</Type/Annot/Subtype/Widget/FT/Sig/T(S%d)/F 132/Rect[%d %d %d %d]/P %d 0 R/AP<</N %d 0 R>>/V %d 0 R>>"
            % (number, x, y, x + 40, y + 12, draft.pages()[0], look, number)
        )
        draft.put_field(draft.add(body), 0)


def _empty_signature_fields(draft: Draft) -> list[int]:
    return [n for n in _fields(draft) if (v := draft.document.value(n)).get("FT") == "Sig" and v.get("V") is None]


@lawful
def signed_where_prepared(dice: Dice, draft: Draft) -> None:
    waiting = _empty_signature_fields(draft)
    if waiting and not draft.signature:
        field = draft.edit(dice.choice(waiting))
        field["V"] = Ref((draft.sign(), 0))
        field["AP"] = {"N": Ref((draft.add(form(dice.choice(_DRAWN))), 0))}


@lawful
def commented(dice: Dice, draft: Draft) -> None:
    draft.between = b"%iText-Core-7.2.5\n"


@lawful
def white_space(dice: Dice, draft: Draft) -> None:
    draft.head += dice.choice((b"\n", b" \n", b"\r\n\r\n"))
    draft.tail = dice.choice((b"", b"\n", b"\r\n", b"\n\n  \n"))


@lawful
def version(dice: Dice, draft: Draft) -> None:
    draft.root()["Version"] = Name(dice.choice(("1.7", "2.0")))


@lawful
def extensions(dice: Dice, draft: Draft) -> None:
    draft.root()["Extensions"] = {"ADBE": {"BaseVersion": Name("1.7"), "ExtensionLevel": 8}}


@lawful
def as_stream(dice: Dice, draft: Draft) -> None:
    draft.form = "stream"


@lawful
def in_object_stream(dice: Dice, draft: Draft) -> None:
    """Objects unchanged, in an object stream."""
    for _ in range(dice.randrange(1, 4)):
        number = _any_number(dice, draft)
        holder, value = draft.document.object(number), draft.document.value(number)
        if (holder is None or holder.stream is None) and not (isinstance(value, dict) and "ByteRange" in value):
            draft.packed[number] = text(draft.edit(number))


@lawful
def filled_in(dice: Dice, draft: Draft) -> None:
    """Form fields filled in as their kinds want it."""
    for number in _fields(draft):
        value = draft.document.value(number)
        if value.get("FT") == "Tx" and dice.random() < 0.7:
            look = form(b"/Tx BMC q BT /F1 9 Tf 2 4 Td (7) Tj ET Q EMC", b"/BBox[0 0 60 16]/Resources<</Font<<>>>>")
            draft.edit(number).update({"V": b"7", "AP": {"N": Ref((draft.add(look), 0))}})
        elif value.get("FT") == "Btn":
            draft.edit(number).update({"V": Name("Yes"), "AS": Name("Yes")})


# Unlawful, or unlawful now and then.


@unlawful
def new_field(dice: Dice, draft: Draft) -> None:
    kind = b"Sig" if dice.random() < 0.85 else dice.choice((b"Tx", b"Btn", b"Ch"))
    number = draft.reserve()
    clash = _field_names(draft)
    name = dice.choice(clash) if clash and dice.random() < 0.06 else b"(N%d)" % number
    pages = tuple(at for at in range(len(draft.pages())) if dice.random() < (0.9 if at == 0 else 0.08))
    draft.bodies[number] = b"<</Type/Annot/Subtype/Widget/FT/%b/T%b/F %d/Rect %b/P %d 0 R%b%b%b>>" % (
        kind,
        name,
        dice.choice(_FLAGS),
        rectangle(dice, draft),
        draft.pages()[0],
        _states(dice, draft),
        _value(dice, draft),
        _extras(dice),
    )
    draft.put_field(number, *pages, in_form=dice.random() < 0.9)


@unlawful
def new_field_with_kids(dice: Dice, draft: Draft) -> None:
    number, kid = draft.reserve(), draft.reserve()
    look = b"/Subtype/Widget/F 4/Rect %b%b" % (rectangle(dice, draft), _states(dice, draft))
    own = look if dice.random() < 0.4 else b""
    above = b"/Parent %d 0 R" % dice.choice((kid, number)) if dice.random() < 0.05 else b""
    kids = b"%d 0 R" % kid * dice.choice((1, 1, 1, 2))
    body = b"<</FT/Sig/T(K%d)/Kids[%b]%b%b%b>>" % (number, kids, own, _value(dice, draft), above)
    draft.bodies[number] = body
    seen = look if dice.random() < 0.5 else b"/Subtype/Widget/F 4/Rect[0 0 0 0]"
    draft.bodies[kid] = b"<</Type/Annot%b/Parent %d 0 R%b>>" % (seen, number, _extras(dice))
    draft.put_field(number)
    for each in (number, kid):
        if dice.random() < 0.7:
            draft.put_field(each, 0, in_form=False)


@unlawful
def standing_field_signed(dice: Dice, draft: Draft) -> None:
    waiting = _empty_signature_fields(draft) or _fields(draft)
    if waiting:
        field = draft.edit(dice.choice(waiting))
        states = _states(dice, draft)
        if states:
            field["AP"] = Raw(re.sub(rb"/AS/On$", b"", states)[3:])
        if value := _value(dice, draft):
            field["V"] = Raw(value[2:])
        if dice.random() < 0.2:
            field["F"] = dice.choice(_FLAGS)
        if dice.random() < 0.1:
            field["Rect"] = Raw(rectangle(dice, draft))


@unlawful
def standing_look_rewritten(dice: Dice, draft: Draft) -> None:
    """An appearance drawn anew under its old number."""
    for number in _fields(draft):
        states = draft.document.resolve(draft.document.value(number).get("AP"))
        if isinstance(states, dict) and isinstance(states.get("N"), Ref) and dice.random() < 0.6:
            draft.bodies[states["N"][0]] = form(_looks(dice), _bounds(dice, draft) + _matrix(dice, draft))


@unlawful
def filled_badly(dice: Dice, draft: Draft) -> None:
    fields = _fields(draft)
    if fields:
        field = draft.edit(dice.choice(fields))
        key, value = dice.choice(
            (
                ("V", b"(999)"), ("V", b"/Yes"), ("AS", b"/Yes"), ("DA", b"(/F1 40 Tf 1 0 0 rg)"), ("MK", b"<</BG[1 0 0]>>"),
                ("Rect", b"[0 0 190 190]"), ("F", b"2"), ("Ff", b"1"), ("Ff", b"4096"), ("Q", b"2"), ("MaxLen", b"1"), ("Opt", b"[(c)]"),
                ("RV", b"(<p>x</p>)"), ("DV", b"(x)"), ("Parent", b"3 0 R"), ("OC", b"9 0 R"), ("T", b"(other)"), ("I", b"[1]"),
            )
        )  # fmt: skip
        field[key] = Raw(value)
        if dice.random() < 0.5:
            field["AP"] = Raw(b"<</N %b>>" % appearance(dice, draft))


_ANNOTATIONS = (
    b"FreeText", b"Square", b"Stamp", b"Highlight", b"Text", b"Link", b"Ink", b"Redact", b"Popup", b"Watermark", b"FileAttachment",
    b"Line", b"StrikeOut", b"Caret", b"Widget", b"PrinterMark", b"Projection", b"Screen", b"3D", b"Nothing",
)  # fmt: skip


@unlawful
def annotation(dice: Dice, draft: Draft) -> None:
    body = b"<</Type/Annot/Subtype/%b/Rect %b/F %d/Contents(no)/DA(/F1 20 Tf)/C[1 0 0]%b%b>>" % (
        dice.choice(_ANNOTATIONS),
        rectangle(dice, draft),
        dice.choice(_FLAGS),
        _states(dice, draft),
        _extras(dice),
    )
    draft.put_field(draft.add(body), dice.randrange(2), in_form=False)


@unlawful
def standing_annotation(dice: Dice, draft: Draft) -> None:
    page = draft.document.value(draft.pages()[0])
    listed = draft.document.resolve(page.get("Annots"))
    if isinstance(listed, list) and listed:
        ref = dice.choice(listed)
        roll = dice.random()
        if roll < 0.3:
            found = draft.edit(ref[0])
            found.update({"F": dice.choice(_FLAGS)} if roll < 0.1 else {"Rect": [5, 5, 150, 190]})
        elif roll < 0.5:
            draft.freed[ref[0]] = 1
        elif roll < 0.7:
            draft.part(draft.page(), "Annots", []).remove(ref)
        else:
            draft.part(draft.page(), "Annots", []).append(ref)


@unlawful
def page_content(dice: Dice, draft: Draft) -> None:
    page = draft.page(dice.randrange(2))
    more = Ref((draft.add(stream(_looks(dice))), 0))
    standing = page.get("Contents")
    roll = dice.random()
    if roll < 0.3:
        page["Contents"] = more
    elif roll < 0.7 and isinstance(standing, Ref):
        page["Contents"] = [standing, more] if roll < 0.5 else [more, standing]
    elif roll < 0.8:
        page["Contents"] = [standing] if not isinstance(standing, list) else standing[:-1]
    elif number := content_of(draft):
        draft.bodies[number] = stream(_looks(dice))


@unlawful
def page_entry(dice: Dice, draft: Draft) -> None:
    key, value = dice.choice(
        (
            ("Rotate", b"90"), ("Rotate", b"0"), ("MediaBox", b"[0 0 150 150]"), ("CropBox", b"[20 20 190 190]"), ("UserUnit", b"2"),
            ("Group", b"<</S/Transparency/CS/DeviceCMYK>>"), ("Tabs", b"/S"), ("Resources", b"<<>>"), ("Trans", b"<</S/Fade>>"), ("Dur", b"1"),
            ("AA", b"<<>>"), ("ArtBox", b"[0 0 9 9]"), ("TrimBox", b"[0 0 9 9]"), ("BleedBox", b"[0 0 9 9]"), ("Metadata", b"12 0 R"),
            ("StructParents", b"1"), ("VP", b"[]"), ("Thumb", b"7 0 R"), ("B", b"[]"), ("PieceInfo", b"<<>>"), ("Type", b"/Template"),
            ("Parent", b"1 0 R"), ("SeparationInfo", b"<<>>"), ("LastModified", b"(D:2026)"), ("Contents", b"null"), ("AF", b"[]"),
        )
    )  # fmt: skip
    draft.page(dice.randrange(2))[key] = Raw(value)


@unlawful
def page_tree(dice: Dice, draft: Draft) -> None:
    pages = draft.document.catalog()["Pages"]
    tree = draft.edit(pages[0])
    roll = dice.random()
    if roll < 0.2:
        tree["Kids"] = tree["Kids"][::-1]
    elif roll < 0.35:
        tree["Kids"] = tree["Kids"] * 2
    elif roll < 0.5:
        copy = {**copied(draft.document.value(draft.pages()[0])), "Contents": Ref((draft.add(stream(_INK)), 0))}
        tree["Kids"][0] = Ref((draft.add(text(copy)), 0))
    elif roll < 0.6:
        tree["Count"] = dice.choice((0, 1, 5, -1))
    elif roll < 0.8:
        key, value = dice.choice(
            (("MediaBox", b"[0 0 100 100]"), ("Rotate", b"180"), ("CropBox", b"[9 9 99 99]"), ("Resources", b"<<>>"))
        )
        tree[key] = Raw(value)
    elif roll < 0.9:
        tree["Kids"] = tree["Kids"][:-1]
    else:
        draft.root()["Pages"] = Ref((draft.add(text(tree)), 0))


@unlawful
def catalog(dice: Dice, draft: Draft) -> None:
    inner = draft.add(b"<</S/GoTo/D[3 0 R/Fit]>>")
    key, value = dice.choice(
        (
            ("OCProperties", b"<</OCGs[]/D<<>>>>"), ("Names", b"<</EmbeddedFiles<</Names[]>>>>"), ("OpenAction", b"%d 0 R" % inner),
            ("AA", b"<</WC %d 0 R>>" % inner), ("PageLabels", b"<</Nums[0<</S/r>>]>>"), ("PageMode", b"/UseOutlines"), ("Outlines", b"<<>>"),
            ("ViewerPreferences", b"<</HideToolbar true>>"), ("Lang", b"(zh)"), ("Perms", b"<<>>"), ("Legal", b"<<>>"), ("Dests", b"<<>>"),
            ("MarkInfo", b"<</Marked true>>"), ("StructTreeRoot", b"<<>>"), ("Collection", b"<<>>"), ("NeedsRendering", b"true"),
            ("URI", b"<</Base(http://x.example)>>"), ("Threads", b"[]"), ("AF", b"[]"), ("Version", b"/9.9"), ("Version", b"(1.7)"),
            ("Extensions", b"<</X %d 0 R>>" % content_of(draft)), ("Extensions", b"<</X<</BaseVersion %d 0 R>>>>" % inner), ("Type", b"/X"),
            ("Requirements", b"[]"), ("OutputIntents", b"[]"), ("SpiderInfo", b"<<>>"), ("AcroForm", b"<<>>"), ("DPartRoot", b"<<>>"),
        )
    )  # fmt: skip
    draft.root()[key] = Raw(value)


@unlawful
def renumbered(dice: Dice, draft: Draft) -> None:
    """Catalog, information or form under another number, changed now and then."""
    key = dice.choice(("Root", "Root", "Info"))
    ref = draft.document.trailer.get(key)
    if isinstance(ref, Ref):
        value = copied(draft.root() if key == "Root" else draft.document.value(ref[0]))
        if dice.random() < 0.3:
            value[dice.choice(("Title", "Lang", "PageMode", "Author"))] = b"other"
        draft.trailer[key] = b"%d 0 R" % draft.add(text(value))


@unlawful
def information(dice: Dice, draft: Draft) -> None:
    ref = draft.document.trailer.get("Info")
    if isinstance(ref, Ref):
        key, value = dice.choice((("Title", b"(Many records)"), ("Author", b"(me)"), ("Producer", b"(x)"), ("ModDate", b"3 0 R"),
                                  ("Subject", b"(x)"), ("Trapped", b"/True"), ("ModDate", b"<</A 1>>")))  # fmt: skip
        draft.edit(ref[0])[key] = Raw(value)


@unlawful
def metadata(dice: Dice, draft: Draft) -> None:
    ref = draft.document.catalog().get("Metadata")
    change = dice.choice(
        (
            (b"No record<", b"Many records<"), (b"No record", b'No record pdf:Producer="many"'), (b"maker", b"other"), (b"x-default", b"zh"),
            (b"No record", b"No <pdf:Producer>many</pdf:Producer> record"), (b"<dc:title>", b"<!--<pdf:Producer>--></pdf:Producer><dc:title>"),
        )
    )  # fmt: skip
    if isinstance(ref, Ref):
        entries = dice.choice(
            (b"/Type/Metadata/Subtype/XML",) * 4 + (b"/Type/XObject/Subtype/Form", b"/Type/Metadata/Subtype/XML/F(x)")
        )
        draft.bodies[ref[0]] = stream(XMP.replace(*change), entries)


@unlawful
def form_entry(dice: Dice, draft: Draft) -> None:
    acro_form = draft.acro_form()
    font = draft.add(b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>")
    key, value = dice.choice(
        (
            ("NeedAppearances", b"true"), ("DA", b"(/F1 40 Tf 1 0 0 rg)"), ("DR", b"<</Font<</F1 %d 0 R>>>>" % font), ("SigFlags", b"0"),
            ("DR", b"<</Font<</F1 5 0 R/New %d 0 R>>>>" % font), ("XFA", b"(<x/>)"), ("CO", b"[]"), ("Q", b"2"), ("SigFlags", b"7"),
            ("Fields", b"[]"), ("DR", b"<<>>"), ("DR", b"<</Font<</F1 5 0 R>>/XObject<</Fm 8 0 R>>>>"), ("SigFlags", b"3"),
        )
    )  # fmt: skip
    acro_form[key] = Raw(value)
    if dice.random() < 0.3:
        draft.bodies[5] = b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>"


@unlawful
def store(dice: Dice, draft: Draft) -> None:
    """Validation data with what is none."""
    number = draft.store(payload(draft))[0]
    dss = draft.part(draft.root(), "DSS", {})
    drawn = dice.choice(_streams(draft))
    key, value = dice.choice(
        (
            ("Certs", b"[%d 0 R]" % drawn), ("CRLs", b"[%d 0 R]" % drawn), ("VRI", b"<</AA<</TU %d 0 R>>>>" % drawn),
            ("VRI", b"<</AA<</Cert[%d 0 R]/TS %d 0 R>>>>" % (number, drawn)), ("X", b"1"), ("Certs", b"[(x)]"), ("VRI", b"<</Type/VRI>>"),
            ("OCSPs", b"[%d 0 R]" % draft.add(stream(_INK, b"/Subtype/Form/BBox[0 0 9 9]"))), ("VRI", b"<</AA<</TU 3 0 R>>>>"),
            ("Certs", b"%d 0 R" % draft.pages()[0]), ("VRI", b"<</AA %d 0 R>>" % draft.pages()[0]), ("Type", b"%d 0 R" % drawn),
        )
    )  # fmt: skip
    dss[key] = Raw(value)
    if dice.random() < 0.5:
        draft.bodies[drawn] = stream(_looks(dice))


@unlawful
def stream_entries(dice: Dice, draft: Draft) -> None:
    """The bytes of a stream as they were, its dictionary otherwise."""
    value = draft.edit(dice.choice(_streams(draft)))
    key, new = dice.choice((("Filter", b"null"), ("Filter", b"/ASCIIHexDecode"), ("DecodeParms", b"<</Predictor 12>>"), ("Matrix", b"[2 0 0 2 0 0]"),
                            ("BBox", b"[0 0 5 5]"), ("Width", b"1"), ("ColorSpace", b"/DeviceBGR"), ("Decode", b"[1 0 1 0 1 0]"), ("F", b"(x.pdf)"),
                            ("Length", b"%d 0 R" % draft.add(b"%d" % int(value.get("Length", 0) if isinstance(value.get("Length"), int) else 0)))))  # fmt: skip
    value[key] = Raw(new)


@unlawful
def any_object(dice: Dice, draft: Draft) -> None:
    """Some object rewritten with something changed."""
    number = _any_number(dice, draft)
    value = draft.document.value(number)
    if isinstance(value, dict) and value and value.get("Type") not in {"XRef", "ObjStm"}:
        changed = draft.edit(number)
        key = dice.choice(list(changed))
        roll = dice.random()
        if roll < 0.3:
            del changed[key]
        elif roll < 0.6:
            changed[key] = dice.choice((0, Name("X"), b"x", [1, 2], {}, Ref((number, 0)), Ref((content_of(draft), 0))))
        else:
            changed[dice.choice(("AP", "V", "M", "F", "AS", "I", "DA", "FT", "Kids", "New"))] = dice.choice(
                (1, b"x", [], {}, Name("Y"))
            )
    elif not isinstance(value, dict):
        draft.put(number, dice.choice((1, [], b"x", Name("DeviceRGB"))))


@unlawful
def junk_object(dice: Dice, draft: Draft) -> None:
    draft.add(
        dice.choice(
            (
                b"<</A 1>>",
                form(_INK),
                b"(x)",
                b"[]",
                b"<</Type/Font>>",
                b"<</Type/XRef>>",
                stream(b"x", b"/Type/ObjStm/N 0/First 0"),
            )
        )
    )


@unlawful
def freed(dice: Dice, draft: Draft) -> None:
    draft.freed[_any_number(dice, draft)] = dice.choice((0, 1, 65535))


@unlawful
def never_used(dice: Dice, draft: Draft) -> None:
    draft.freed[draft.reserve()] = 1


@unlawful
def generation(dice: Dice, draft: Draft) -> None:
    number = _any_number(dice, draft)
    if number not in _fields(draft):
        draft.edit(number)
        draft.generations[number] = dice.choice((1, 2, 65535))


@unlawful
def reference_generation(dice: Dice, draft: Draft) -> None:
    page = draft.page()
    key = dice.choice(list(page))
    if isinstance(page[key], Ref):
        page[key] = Ref((page[key][0], 1))


@unlawful
def entry_elsewhere(dice: Dice, draft: Draft) -> None:
    """A row that points at another object, into a stream, or at where the object stands already."""
    entries = {n: e for n, e in draft.document.entries.items() if e.place == Place.IN_FILE}
    number, other = dice.choice(list(entries)), dice.choice(list(entries))
    where = dice.choice(
        (
            entries[number].a,
            entries[other].a,
            entries[number].a + 1,
            max(1, entries[number].a - 1),
            len(draft.base) + 40,
        )
    )
    rows = draft.hidden_rows if dice.random() < 0.4 else draft.rows
    rows[number] = (1, where, entries[number].b if dice.random() < 0.8 else 1)


@unlawful
def hybrid(dice: Dice, draft: Draft) -> None:
    draft.form = "hybrid"
    draft.store(payload(draft))
    number = _any_number(dice, draft)
    entry = draft.document.entries[number]
    roll = dice.random()
    if roll < 0.4:
        draft.hidden_rows[number] = (entry.place, entry.a, entry.b)
        if dice.random() < 0.7:
            draft.rows[number] = (0, 0, dice.choice((0, 1, 65535)))
    elif roll < 0.6:
        draft.companion = dice.choice(
            (b"/Prev %d" % draft.document.startxref, b"/Prev 20", b"/Root 3 0 R", b"/Encrypt 3 0 R", b"/F/Crypt")
        )
    elif roll < 0.7:
        draft.trailer["XRefStm"] = b"%d" % dice.choice((0, draft.document.startxref, 10**6))


@unlawful
def wide_rows(dice: Dice, draft: Draft) -> None:
    """Rows of four parts, of which most readers read three."""
    draft.form = "stream"
    numbers = draft.store(payload(draft))
    listed = [n for n, e in draft.document.entries.items() if e.place == Place.IN_FILE]
    for number in dice.sample(listed, min(3, len(listed))):
        entry = draft.document.entries[number]
        draft.rows[number] = (1, entry.a, entry.b)
    # Objects come one after another: the payload's is near the beginning of the update.
    draft.wide = {n: (1, len(draft.base) + dice.randrange(400), 0) for n in (*listed, *numbers)}


@unlawful
def size(dice: Dice, draft: Draft) -> None:
    draft.store(payload(draft))
    draft.trailer["Size"] = dice.choice((b"", b"0", b"-1", b"3", b"99999999", b"2147483648", b"(x)", b"9.5", b"5 0 R"))


@unlawful
def trailer(dice: Dice, draft: Draft) -> None:
    key, value = dice.choice(
        (
            ("Prev", b"0"), ("Prev", b""), ("Prev", b"%d" % len(draft.base)), ("ID", b"[<00><00>]"), ("ID", b""), ("Info", b""), ("Root", b"3 0 R"),
            ("Info", b"%d 0 R" % draft.pages()[0]), ("Encrypt", b"3 0 R"), ("X", b"1"), ("Root", b"1 1 R"), ("Info", b"11 1 R"), ("XRefStm", b"20"), ("Type", b"/X"),
            ("DocChecksum", b"/x"), ("Prev", b"%d.0" % draft.document.startxref), ("Length", b"5"), ("Filter", b"/X"), ("W", b"[1 4 2]"),
        )
    )  # fmt: skip
    draft.trailer[key] = value


@unlawful
def object_stream(dice: Dice, draft: Draft) -> None:
    """An object stream that readers read differently."""
    in_object_stream(dice, draft)
    in_object_stream(dice, draft)
    roll = dice.random()
    if roll < 0.4:
        draft.index_shift = dice.choice((1, 2))
    elif roll < 0.6:
        draft.gap = dice.choice((b"", b"0", b"/"))
    else:
        draft.container = dice.choice(
            (
                b"/Extends %d 0 R" % _any_number(dice, draft),
                b"/F/ASCIIHexDecode",
                b"/DP<<>>",
                b"/DecodeParms<</Predictor 2>>",
                b"/X 1",
            )
        )


@unlawful
def section_number(dice: Dice, draft: Draft) -> None:
    """The cross-reference stream bears the number of another object."""
    draft.form = "stream"
    number = _any_number(dice, draft)
    draft.section_number = number
    entry = draft.document.entries[number]
    if dice.random() < 0.6:
        draft.hidden_rows[number] = (entry.place, entry.a, entry.b)


@unlawful
def huge_number(dice: Dice, draft: Draft) -> None:
    number = dice.choice((8388608, 9000000, 2147483647, 9999999999))
    draft.bodies[number] = stream(payload(draft))
    draft.part(draft.part(draft.root(), "DSS", {}), "Certs", []).append(Ref((number, 0)))


@unlawful
def rows_otherwise(dice: Dice, draft: Draft) -> None:
    draft.store(payload(draft))
    draft.row = dice.choice(
        (
            b"%010d %05d %b\n",
            b"%d %d %b \n",
            b"%010d %05d %b\r",
            b"%010d %05d %b\r\n",
            b"%09d %05d %b  \n",
            b" %010d %05d %b\n",
        )
    )


@unlawful
def stray_bytes(dice: Dice, draft: Draft) -> None:
    junk = dice.choice(
        (
            b"junk\n",
            b"%c\n",
            b"% 4 0 obj\n",
            b"\x00\x00",
            b"%%EOF\n",
            b"%PDF-1.4\n",
            b"startxref\n9\n%%EOF\n",
            b"\x0c\n",
            payload(draft)[18:],
        )
    )
    where = dice.choice(("head", "between", "before_section", "tail"))
    setattr(draft, where, getattr(draft, where) + junk)


@unlawful
def startxref(dice: Dice, draft: Draft) -> None:
    draft.before_section = dice.choice((b"\n\n\n\n", b"    ", b"%abc\n"))
    draft.startxref = dice.choice((-1, -2, -4, 1, 5))


@unlawful
def payload_in_text(dice: Dice, draft: Draft) -> None:
    """What a reader that repairs would take for an object, in a string or a stream; and a reason to repair."""
    data = payload(draft)
    roll = dice.random()
    if roll < 0.4:
        draft.store(data)
    elif roll < 0.7:
        escaped = re.sub(rb"([()\\])", rb"\\\1", data)
        draft.root()["Extensions"] = {"ADBE": {"BaseVersion": Name("1.7"), "URL": Raw(b"(%b)" % escaped)}}
    else:
        if not draft.signature:
            number = draft.sign(timestamp=True, entries=b"/Reason(%b)" % data)
            field = draft.add(b"<</FT/Sig/T(P%d)/Subtype/Widget/F 132/Rect[0 0 0 0]/V %d 0 R>>" % (number, number))
            draft.put_field(field)


@unlawful
def length_elsewhere(dice: Dice, draft: Draft) -> None:
    """A length that the signed version has as an object of its own is another now."""
    lengths = [
        value["Length"][0]
        for number in draft.document.entries
        if isinstance(value := draft.document.value(number), dict) and isinstance(value.get("Length"), Ref)
    ]
    if lengths:
        draft.bodies[dice.choice(lengths)] = b"%d" % dice.randrange(200)


@unlawful
def subsection_from_one(dice: Dice, draft: Draft) -> None:
    """A table whose first row is of object 1 and free: many readers take it for object 0 and move all rows."""
    draft.store(payload(draft))
    draft.form, draft.one_subsection = "table", True
    if dice.random() < 0.7:
        draft.freed[1] = 65535


@unlawful
def look_for_fields(dice: Dice, draft: Draft) -> None:
    """A default look and a font for fields that have none of their own."""
    shape = draft.add(stream(b"1000 0 d0 0 0 1000 1000 re f"))
    font = draft.add(
        b"<</Type/Font/Subtype/Type3/FontBBox[0 0 1000 1000]/FontMatrix[.001 0 0 .001 0 0]/FirstChar 48/LastChar 49"
        b"/Widths[1000 1000]/Encoding<</Differences[48/a/b]>>/CharProcs<</a %d 0 R/b %d 0 R>>/Resources<<>>>>"
        % (shape, shape)
    )
    acro_form = draft.acro_form()
    if dice.random() < 0.6:
        acro_form.setdefault("DA", b"/New 20 Tf 0 g")
    if dice.random() < 0.6:
        acro_form.setdefault("DR", {"Font": {"New": Ref((font, 0))}})


@unlawful
def reference_for_an_object(dice: Dice, draft: Draft) -> None:
    """An object that is nothing but a reference to a copy of what it was, which the signature's dictionary names."""
    number = _any_number(dice, draft)
    if not draft.signature:
        copy = draft.add(draft.body(number, draft.document.value(number)))
        draft.bodies[number] = b"%d 0 R" % copy
        signed = draft.sign(timestamp=True, entries=b"/Prop_Build %d 0 R" % copy)
        draft.put_field(draft.add(b"<</Subtype/Widget/FT/Sig/T(R%d)/F 132/Rect[0 0 0 0]/V %d 0 R>>" % (signed, signed)))
