"""What a signature leaves unsigned is its own value and nothing else, and it is left out in one place alone."""

import re
import tempfile
from pathlib import Path

import pytest

from services.esign.certification.domain.trust import Trust
from services.esign.domain.digests import SM3
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.verdict import Outcome
from services.esign.ses.domain import values as ses
from services.esign.signing.domain import multisign, pades
from tests.support import documents as attack
from tests.support import foreign_cms, gapped, sm
from tests.support.esign import NOW_US, setting
from tests.support.gapped import GAP, HOLE, ROOM, Layout, says
from tests.support.lawful import judging
from tests.support.multisign import FIELDS
from tests.support.multisign import signed as signed_by
from tests.support.update_bases import base, built, rich
from tests.support.updates import stream
from tests.support.verdicts import TRUST, judged

RANGE = re.compile(rb"/ByteRange ?\[ ?0 (\d+) (\d+) (\d+)")


def coverage(pdf, **asked):
    """The outcome, and what the step coverage said."""
    verdict = judged(pdf, **{"trust": TRUST, "now_us": attack.now_us(), **asked})
    return verdict.outcome, next(step.reason for step in verdict.steps if step.step == "coverage")


VALID = (Outcome.VALID, "WHOLE_FILE")
ELSEWHERE = (Outcome.INDETERMINATE, "GAP_ELSEWHERE")
SHARED = (Outcome.INDETERMINATE, "GAP_SHARED")


@pytest.mark.parametrize(
    "made",
    [
        lambda: gapped.in_one_piece()[0].signed(gapped.in_one_piece()[1]),
        lambda: pades.sign(built(rich()), setting().seal, NOW_US),
        lambda: signed_by(signed_by(multisign.prepare(built(rich()), FIELDS), "甲方"), "乙方"),
        lambda: attack.foreign_sign(attack.foreign_sign(attack.with_fields(built(rich()), "A", "B"), "A"), "B"),
    ],
)
def test_an_honest_document_has_one_gap(made):
    """Signed at once, sealed, by two signers."""
    assert coverage(made())[0] is Outcome.VALID


@pytest.mark.parametrize(
    "name",
    [
        "linearised",
        "linearised, object streams",
        "hybrid",
        "hybrid, packed",
        "offsets at white space",
        "no line end behind the end",
        "CRLF",
    ],
)
def test_a_document_of_another_layout_has_one_gap(name):
    """Its table in front, in two halves, offsets at white space before the objects."""
    assert judging.objections(judging.verdict(base(name))) == []


def test_a_document_that_begins_at_its_front_has_one_gap():
    """A linearised one that was written with its signature at once: its last table stands before the gap."""
    made = Layout()
    first = len(made.data)
    made.data += b" " * 400 + b"\n"
    made.usual()
    made.add(4, says(b"The debt is paid"))
    made.add(6, gapped.FIELD % 7)
    place = made.signature(7)
    table = Layout()
    table.data = bytearray()
    table.table({number: at for number, at in made.at.items() if isinstance(number, int)})
    made.data[first : first + len(table.data)] = table.data
    made.end(first)
    made.fill(place)
    assert coverage(made.signed(place)) == VALID


def inside_a_picture(*, shared):
    """A signature's object inside the bytes of a picture, or behind it; the signed bytes and where the gap belongs."""
    made = Layout()
    made.usual()
    page = gapped.PAGE.replace(b"/Font", b"/XObject<</Im 8 0 R>>/Font")
    made.add(3, page)
    made.add(4, stream(b"BT /F1 18 Tf 20 150 Td (The debt is paid) Tj ET q 260 0 0 50 20 60 cm /Im Do Q"))
    made.add(6, gapped.FIELD % 7)
    head = b"8 0 obj\n<</Type/XObject/Subtype/Image/Width 100/Height 120/BitsPerComponent 8/ColorSpace/DeviceGray"
    made.at[8] = len(made.data)
    made.data += head + b"/Length 12000>>\nstream\n"
    begun = len(made.data)
    if shared:
        place = made.signature(7)
        made.data += b" " * (12000 - GAP - (len(made.data) - begun))
    else:
        made.data += b" " * 12000
    made.data += b"\nendstream\nendobj\n"
    if not shared:
        place = made.signature(7)
    made.finish(place)
    return made, place


def test_the_gap_is_no_part_of_a_picture():
    """Digits that nobody signed are pixels where a picture reaches over the signature's object."""
    made, place = inside_a_picture(shared=True)
    assert coverage(made.signed(place)) == SHARED
    value = gapped.value_over(bytes(made.data))
    forged = gapped.with_unsigned(value, b"\xff" * 600)
    assert coverage(gapped.with_value(bytes(made.data), place, forged)) == SHARED
    made, place = inside_a_picture(shared=False)
    assert coverage(made.signed(place)) == VALID


def test_what_is_passed_over_in_the_gap_is_nothing_elsewhere():
    """The same attribute in a gap that belongs to the signature alone changes nothing."""
    made, place = gapped.in_one_piece()
    value = gapped.with_unsigned(gapped.value_over(bytes(made.data)), b"\xff" * 600)
    assert coverage(gapped.with_value(bytes(made.data), place, value)) == VALID


def with_picture(length):
    """A document whose picture of ten bytes states a length."""
    entries = b"/Type/XObject/Subtype/Image/Width 80/Height 300/BitsPerComponent 8/ColorSpace/DeviceGray"
    picture = b"<<%b/Length %b>>\nstream\n%b\nendstream" % (entries, length, b" " * 10)
    return built(rich(more={7: picture, 30: b"30000", 31: b"10"}))


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (b"10", VALID),
        (b"10 ", VALID),
        (b"30000", SHARED),
        (b"24000", SHARED),
        (b"9999999", SHARED),
        (b"30 0 R", SHARED),
        (b"31 0 R", VALID),
    ],
)
def test_no_length_reaches_into_a_later_gap(length, expected):
    """Readers that go by /Length take what the signer writes later for the picture's bytes."""
    assert coverage(attack.foreign_sign(with_picture(length))) == expected


@pytest.mark.parametrize("extra", [b" ", b"\t" * 900, b"\n\n", bytes(3000)])
def test_white_space_behind_the_end_may_be_content(extra):
    """Where something states a length that ends there it is; one line end is nobody's."""
    signed = attack.foreign_sign(with_picture(b"10"))
    assert coverage(signed + extra)[0] is Outcome.INDETERMINATE
    assert coverage(signed + b"\n") == VALID
    reaching = attack.foreign_sign(with_picture(b"%d" % (len(signed) + 500)))
    assert coverage(reaching)[0] is Outcome.INDETERMINATE
    assert coverage(reaching + extra)[0] is Outcome.INDETERMINATE


def two_places():
    """Signed bytes in which the gap fits in two places; both documents."""
    made = Layout()
    made.usual()
    first = made.signature(7)

    def block(words, value):
        text = (b"4 0 obj\n%b\nendobj\n" % says(words)).ljust(200)
        return text + (b"6 0 obj\n%b\nendobj\n" % (gapped.FIELD % value)).ljust(200)

    moved = len(made.data) + GAP
    made.data += block(b"The debt is paid", 7)
    made.until(moved)
    made.data += block(b"PAY 9,000,000 NOW", 9)
    made.at |= {4: moved, 6: moved + 200}
    second = made.signature(9)
    made.data += b" \n"
    start = len(made.data) + GAP
    made.table({number: at for number, at in made.at.items() if isinstance(number, int)})
    made.end(start)
    made.fill(first)
    made.fill(second)
    return made.signed(first), made.signed(second)


def test_the_gap_does_not_move():
    """The same signed bytes with their gap elsewhere are another document."""
    for document in two_places():
        assert coverage(document) == ELSEWHERE


def two_ranges():
    """One signature, whose range is an object of its own: for a gap, and for a longer one; both documents."""
    made, longer = Layout(), ROOM + 4000
    made.usual()
    made.add(6, gapped.FIELD % 7)
    made.add(4, says(b"The debt is paid"), "good")
    made.add(4, says(b"PAY 9,000,000 NOW"), "other")
    made.add(8, HOLE, "short")
    made.add(8, HOLE, "long")
    place = made.signature(7, b" 8 0 R")
    start = len(made.data) + longer + 2
    rows = {number: made.at[number] for number in (1, 2, 3, 5, 6, 7)}
    made.table({**rows, 4: made.at["other"], 8: made.at["long"]})
    made.until(start - GAP)
    made.table({**rows, 4: made.at["good"], 8: made.at["short"]})
    made.end(start)
    made.fill(place)
    made.fill(place, longer + 2)
    return made.signed(place), made.signed(place, longer)


def test_the_range_stands_in_the_dictionary():
    """One that is an object of its own is another where the gap grew."""
    for document in two_ranges():
        assert coverage(document) == ELSEWHERE


def about(text):
    """A document that holds a text which nothing draws, signed; the text may state the length of what is signed."""
    size = 0
    for _ in range(3):
        objects = rich()
        objects[30] = b"<</Note(none)>>"
        pdf = built(objects).replace(b"%\xe2\xe3\xcf\xd3\n", b"%\xe2\xe3\xcf\xd3\n%" + text(size) + b"\n", 1)
        pdf = shifted(pdf, len(text(size)) + 2)
        signed = attack.foreign_sign(pdf)
        start, _end, rest = map(int, RANGE.findall(signed)[-1])
        size = start + rest
    return signed


def shifted(pdf, by):
    """The offsets of a document into whose beginning something was put."""
    at = pdf.index(b"xref\n")
    rows = re.sub(rb"(\d{10}) 00000 n", lambda row: b"%010d 00000 n" % (int(row[1]) + by), pdf[at:])
    start = int(re.search(rb"startxref\n(\d+)", rows)[1])
    return pdf[:at] + rows.replace(b"startxref\n%d" % start, b"startxref\n%d" % (start + by))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (lambda size: b"how /ByteRange is read", VALID),
        (lambda size: b"(/ByteRange) and /ByteRange, say", VALID),
        (lambda size: b"/ByteRange[0 500 9000 %08d]" % (size - 500), ELSEWHERE),
        (lambda size: b"/ByteRange [ 0 500 9000 %08d ]" % (size - 500), ELSEWHERE),
        (lambda size: b"/ByteRange[0 500 9000 %08d]" % (size - 501), VALID),
        (lambda size: b"/ByteRange 30 0 R", ELSEWHERE),
        (lambda size: b"/ByteRange%x", ELSEWHERE),
        (lambda size: b"/ByteRange[0 500 9000 1 2]", ELSEWHERE),
    ],
)
def test_another_range_that_fits_leaves_the_verdict_open(text, expected):
    """Wherever it stands; who writes about the word, or has a range of an earlier version, is read as before."""
    assert coverage(about(text)) == expected


def file_and_document():
    """A file that is a document, and a place in it where a value makes it another."""
    made = Layout()
    made.add(1, b"<</Type/Catalog/Pages 2 0 R>>", "plain")
    made.usual()
    made.add(6, gapped.FIELD % 7)
    made.add(4, says(b"The debt is paid"), "good")
    made.add(4, says(b"PAY 9,000,000 NOW"), "other")
    place = made.signature(7)
    start = len(made.data) + 16002
    made.table({**{number: made.at[number] for number in (1, 2, 3, 5, 6, 7)}, 4: made.at["other"]})
    made.until(start)
    made.table({1: made.at["plain"], 2: made.at[2], 3: made.at[3], 5: made.at[5], 4: made.at["good"]})
    made.end(start)
    made.fill(place, 16002)
    return bytes(made.data), place


def test_a_signed_file_is_no_signature_inside_another(monkeypatch):
    """A detached signature of a file, put into the file, would make another document of it."""
    file, place = file_and_document()
    monkeypatch.setattr(foreign_cms, "CONTENT", file)
    with tempfile.TemporaryDirectory() as folder:
        detached = foreign_cms.openssl(Path(folder), "p256")
    trusted = {"trust": Trust((setting().root.certificate,))}
    assert coverage(gapped.with_value(file, place, detached, 16000), **trusted) == ELSEWHERE
    beside = ses.sign(sm.eseal(), sm.sm_setting().seal, SM3.of(file), "contract.pdf", NOW_US)
    asked = {"trust": Trust(tuple(root.parsed for root in sm.trust().roots)), "sm": sm.trust}
    assert coverage(gapped.with_value(file, place, beside, 16000), now_us=NOW_US + 1, **asked) == ELSEWHERE


@pytest.mark.parametrize(
    ("more", "listed", "expected"),
    [
        (b"", b"", VALID),
        (b"/Prop_Build<</App<</Name/Maker>>>>/Location(Hohhot)", b"", VALID),
        (b"/Subtype/FreeText/Rect[10 10 290 190]/F 4/DA(/F1 14 Tf 0 g)", b" 7 0 R", None),
        (b"/Subtype/Text/Rect[10 10 30 30]", b" 7 0 R", None),
        (b"/Subtype/FreeText/Rect[10 10 290 190]/F 4/DA(/F1 14 Tf 0 g)", b"", None),
    ],
)
def test_a_signature_is_nothing_else(more, listed, expected):
    """As an annotation its unsigned value is a text that readers show."""
    made = Layout()
    made.usual()
    made.add(3, gapped.PAGE.replace(b"6 0 R]", b"6 0 R%b]" % listed))
    made.add(4, says(b"The debt is paid"))
    made.add(6, gapped.FIELD % 7)
    place = made.signature(7, more=gapped.STATED + more)
    made.finish(place)
    found = coverage(made.signed(place))
    assert found == expected if expected else found == (Outcome.INDETERMINATE, "SIGNATURE_SHARED")


@pytest.mark.parametrize("text", [b"/ByteRange", b"/ByteRange[0 500 9000 1]", b"<</ByteRange[0 1 2 3]/Contents>>"])
def test_nothing_is_sealed_that_holds_a_part_of_a_signature(text):
    """The hub's own value could be put there, and its table would lead to what lies in a picture."""
    objects = rich()
    objects[4] = stream(b"q Q %" + text)
    with pytest.raises(DocumentUnfitError) as refused:
        pades.sign(built(objects), setting().seal, NOW_US)
    assert "SHADOW_ELSEWHERE" in str(refused.value)
    objects[4] = stream(b"q Q %" + text.replace(b"/ByteRange", b"/Range"))
    assert coverage(pades.sign(built(objects), setting().seal, NOW_US)) == VALID
