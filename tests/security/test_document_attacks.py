"""Published attacks on signed documents, and hostile files: no path of ours ever says VALID, and none takes long.

Incremental saving, wrapping and universal forgery (Mladenov et al., 2019), shadow attacks (Mainka et al., 2021),
certification attacks (Rohlmann et al., 2021), and what malformed files add.
"""

import time
import zlib

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign import commands
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.verdict import Outcome
from services.esign.signing.domain import pades
from tests.support import documents as attack
from tests.support.esign import NOW_US, sealed, setting, small_pdf
from tests.support.verdicts import TRUST, judged, outcomes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
MOST_SECONDS = 5.0
PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<<>>%b>>"


def small():
    return pades.sign(small_pdf(), setting().seal, NOW_US)


SIGNED = {"own": small, "certificate": sealed, "foreign": attack.foreign, "certified": attack.certified}


def page_of(pdf):
    return attack.numbers(pdf, rb"/Type ?/Page\b(?!s)")[0]


def overlay(pdf, extra=b""):
    """The page drawn anew: other content, or something laid over it."""
    page = attack.body(pdf, page_of(pdf))
    return page[: page.rindex(b">>")] + b"/Contents 900 0 R" + extra + b">>"


STREAM = b"<</Length 11>>\nstream\n0 0 9 9 re f\nendstream".replace(b"/Length 11", b"/Length 12")


def content_replaced(pdf):
    return attack.update(pdf, {page_of(pdf): overlay(pdf), 900: STREAM})


def bodies_only(pdf):
    return pdf + b"%d 0 obj\n%b\nendobj\n" % (page_of(pdf), overlay(pdf))


def trailer_only(pdf):
    return pdf + b"trailer\n<</Size 999/Root 1 0 R>>\n%%EOF\n"


def old_section(pdf):
    return pdf + b"900 0 obj\n%b\nendobj\nstartxref\n%b\n%%%%EOF\n" % (
        STREAM,
        pdf[pdf.rindex(b"startxref") + 10 :].split()[0],
    )


def nothing_changed(pdf):
    return attack.update(pdf, {})


def page_removed(pdf):
    return attack.update(pdf, {}, freed=(page_of(pdf),))


def catalog_replaced(pdf):
    return attack.update(
        pdf, {900: b"<</Type/Catalog/Pages 901 0 R>>", 901: b"<</Type/Pages/Count 0/Kids[]>>"}, root=900
    )


def signature_replaced(pdf):
    number = attack.numbers(pdf, rb"/ByteRange")[0]
    return attack.update(pdf, {number: attack.body(pdf, number)})


def form_removed(pdf):
    root = attack.numbers(pdf, rb"/Type ?/Catalog")[0]
    return attack.update(pdf, {root: b"<</Type/Catalog/Pages 2 0 R>>"})


def annotation_added(pdf):
    note = b"<</Type/Annot/Subtype/FreeText/Rect[0 0 200 200]/Contents(paid)/DA(/F 9 Tf)>>"
    page = attack.body(pdf, page_of(pdf))
    listed = page.index(b"/Annots")
    at = page.index(b"[", listed) + 1
    return attack.update(pdf, {page_of(pdf): page[:at] + b"900 0 R " + page[at:], 900: note})


INCREMENTAL = [content_replaced, bodies_only, trailer_only, old_section, page_removed, catalog_replaced,
               signature_replaced, form_removed]  # fmt: skip


@pytest.mark.parametrize("document", sorted(SIGNED))
def test_the_documents_that_are_attacked_are_valid_before(document):
    """Every attack below starts from a document whose verdict is VALID; otherwise it would prove nothing."""
    assert judged(SIGNED[document](), trust=TRUST, now_us=attack.now_us()).outcome is Outcome.VALID


@pytest.mark.parametrize("document", sorted(SIGNED))
@pytest.mark.parametrize("change", INCREMENTAL)
def test_incremental_saving(document, change, tmp_path):
    """Other content, another catalog, no form: whatever a later save brings, the seal does not cover it."""
    changed = change(SIGNED[document]())
    assert Outcome.VALID not in outcomes(changed, tmp_path)


@pytest.mark.parametrize("change", [annotation_added, nothing_changed])
def test_a_certification_that_forbids_changes_forbids_these_too(change, tmp_path):
    """Level 1: not even a note, not even an empty save."""
    assert set(outcomes(change(small()), tmp_path)) == {Outcome.INVALID}


def after_gap(a, b, c, pdf):
    """Signature wrapping: the second part moves, the space between is the attacker's."""
    evil = b"/Evil" * 20
    _start, end = attack.contents(pdf)
    changed = attack.with_byte_range(pdf, lambda *_: b"[0 %d %d %d]" % (a, b + len(evil), c))
    return changed[: end + 1] + evil + changed[end + 1 :]


def inside_gap(a, b, c, pdf):
    """A second /ByteRange inside the gap, where no digest looks."""
    _start, end = attack.contents(pdf)
    evil = b">/ByteRange[0 %d %d %d]/Evil<" % (a, b, c)
    return pdf[: end - len(evil)] + evil + pdf[end:]


def before_gap(a, b, c, pdf):
    evil = b"<</Evil 1>>"
    changed = attack.with_byte_range(pdf, lambda *_: b"[0 %d %d %d]" % (a, b + len(evil), c))
    return changed[:a] + evil + changed[a:]


@pytest.mark.parametrize("document", ["own", "certificate", "foreign"])
@pytest.mark.parametrize("wrap", [after_gap, inside_gap, before_gap])
def test_signature_wrapping(document, wrap, tmp_path):
    """The gap holds the one hexadecimal string and nothing else."""
    pdf = SIGNED[document]()
    a, b, c = (int(n) for n in list(attack.BYTE_RANGE.finditer(pdf))[-1].groups())
    assert Outcome.VALID not in outcomes(wrap(a, b, c, pdf), tmp_path)


RANGES = {
    "null": lambda a, b, c: b" null",
    "empty": lambda a, b, c: b"[]",
    "nothing-signed": lambda a, b, c: b"[0 0 0 0]",
    "three": lambda a, b, c: b"[0 %d %d]" % (a, b),
    "five": lambda a, b, c: b"[0 %d %d %d 0]" % (a, b, c),
    "six": lambda a, b, c: b"[0 %d %d 9 %d %d]" % (a, b, b + 9, c - 9),
    "overlap": lambda a, b, c: b"[0 %d %d %d]" % (a, a - 10, c),
    "wider-gap": lambda a, b, c: b"[0 %d %d %d]" % (a - 20, b, c),
    "later-gap": lambda a, b, c: b"[0 %d %d %d]" % (a, b + 20, c - 20),
    "not-from-the-start": lambda a, b, c: b"[1 %d %d %d]" % (a - 1, b, c),
    "negative-start": lambda a, b, c: b"[-1 %d %d %d]" % (a, b, c),
    "negative-length": lambda a, b, c: b"[0 %d %d -%d]" % (a, b, c),
    "huge": lambda a, b, c: b"[0 %d %d 9999999999]" % (a, b),
    "huge-start": lambda a, b, c: b"[0 %d 999999999999999 1]" % a,
    "short": lambda a, b, c: b"[0 %d %d %d]" % (a, b, c - 30),
    "real": lambda a, b, c: b"[0 %d.0 %d %d]" % (a, b, c),
    "text": lambda a, b, c: b"(0 %d %d %d)" % (a, b, c),
    "reference": lambda a, b, c: b" 1 0 R",
    "swapped": lambda a, b, c: b"[%d %d 0 %d]" % (b, c, a),
}


@pytest.mark.parametrize("document", ["own", "foreign"])
@pytest.mark.parametrize("change", sorted(RANGES))
def test_byte_range_tricks(document, change, tmp_path):
    """Only one ByteRange is right for a signature: the one around its own /Contents."""
    pdf = attack.with_byte_range(SIGNED[document](), RANGES[change])
    assert Outcome.VALID not in outcomes(pdf, tmp_path)


FORGERIES = {
    "empty": lambda cms: b"",
    "zero": lambda cms: b"\0",
    "null": lambda cms: b"\x05\x00",
    # What follows is filled with zeros, so that a zero cut off would be there still.
    "cut": lambda cms: cms.rstrip(b"\0")[:-1],
    "tail": lambda cms: cms + b"\x01",
    "twice": lambda cms: cms + cms,
    "wrapped": lambda cms: b"\x30\x82" + len(cms).to_bytes(2, "big") + cms,
    "deep": lambda cms: b"\x30\x80" * 1000,
    "deep-definite": lambda cms: deep(900),
    "huge-length": lambda cms: b"\x30\x84\x7f\xff\xff\xff" + cms[4:],
    "other-type": lambda cms: cms.replace(bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010701")),
    "no-signature": lambda cms: cms[:-72] + bytes(72),
    "octet-string": lambda cms: b"\x24" + cms[1:],
}  # fmt: skip


def deep(levels):
    out = b""
    for _ in range(levels):
        size = len(out)
        out = b"\x30\x82" + size.to_bytes(2, "big") + out if size > 127 else b"\x30" + bytes((size,)) + out
    return out


@pytest.mark.parametrize("change", sorted(FORGERIES))
def test_forged_and_malformed_signatures(change, tmp_path):
    """Universal forgery and malformed encodings."""
    pdf = attack.with_cms(attack.foreign(), FORGERIES[change])
    assert Outcome.VALID not in outcomes(pdf, tmp_path)


# Shadow attacks: prepared before signing, carried out after.


def hide(signed):
    """Content was hidden under an overlay, which a later save takes away."""
    page = attack.body(signed, 3)
    return attack.update(signed, {3: page.replace(b"/Contents 10 0 R", b"/Contents 11 0 R")})


def replace(signed):
    """A field showed one value; a later save gives it another appearance."""
    return attack.update(signed, {12: STREAM.replace(b"<<", b"<</Type/XObject/Subtype/Form/BBox[0 0 200 200]")})


def hide_and_replace(signed):
    """A second set of pages lay in the file; a later save puts it in place."""
    return attack.update(signed, {2: attack.body(signed, 20)})


def fill_open_place(signed):
    """A page pointed at an object that did not exist; a later save brings it."""
    return attack.update(signed, {40: STREAM})


def pages_as_fields(signed):
    """The list of pages is the list of fields as well: a new "field" is a page."""
    field = b"<</FT/Sig/T(x)/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/Parent 2 0 R/MediaBox[0 0 200 200]>>"
    listed = attack.body(signed, 30)
    return attack.update(signed, {30: listed[:-1] + b" 900 0 R]", 900: field})


def resources_as_dss(signed):
    """The page's resources are the validation data as well, which a later save may replace."""
    return attack.update(signed, {31: b"<</XObject<</X 900 0 R>>>>", 900: STREAM})


PREPARED = {
    1: b"<</Type/Catalog/Pages 2 0 R/DSS 31 0 R>>",
    2: b"<</Type/Pages/Count 1/Kids 30 0 R>>",
    3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources 31 0 R/Contents 10 0 R/Thumb 40 0 R>>",
    10: STREAM,
    11: STREAM,
    12: STREAM.replace(b"<<", b"<</Type/XObject/Subtype/Form/BBox[0 0 200 200]"),
    20: b"<</Type/Pages/Count 1/Kids[21 0 R]>>",
    21: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<<>>/Contents 11 0 R>>",
    30: b"[3 0 R]",
    31: b"<</XObject<</Y 12 0 R>>>>",
}


@pytest.mark.parametrize(
    "attack_after", [hide, replace, hide_and_replace, fill_open_place, pages_as_fields, resources_as_dss]
)
@pytest.mark.parametrize("certify", [None, MDPPerm.FILL_FORMS, MDPPerm.ANNOTATE], ids=["approval", "P2", "P3"])
def test_shadow_attacks_on_a_foreign_signature(attack_after, certify, tmp_path):
    """A foreign product signs what was prepared; carried out later, it is not what was signed."""
    prepared = foreign_prepared(certify)
    assert judged(prepared, trust=TRUST, now_us=attack.now_us()).outcome is Outcome.VALID
    assert Outcome.VALID not in outcomes(attack_after(prepared), tmp_path)


def foreign_prepared(certify):
    return attack.foreign_sign(attack.build(PREPARED), certify=certify)


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ({}, "SHADOW_OPEN_PLACE"),
        ({3: PAGE % b"/Contents 10 0 R"}, "SHADOW_HIDDEN"),
        ({3: PAGE % b"/Annots[13 0 R]", 13: b"<</Subtype/Stamp/Rect[0 0 9 9]>>"}, "FORM_PRESENT"),
        ({1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[]>>>>"}, "FORM_PRESENT"),
        ({1: b"<</Type/Catalog/Pages 2 0 R/OCProperties<<>>>>"}, "SHADOW_VARYING"),
        ({1: b"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(1)>>>>"}, "ACTIVE_CONTENT"),
        ({3: PAGE % b"/Contents 10 0 R", 10: STREAM.replace(b"<<", b"<</F(other)")}, "SHADOW_ELSEWHERE"),
    ],
)
def test_what_hides_something_is_not_sealed(objects, reason):
    """Prepared documents are refused by name before our own seal is on them."""
    plain = {1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Count 1/Kids[3 0 R]>>", 10: STREAM}
    made = {**plain, **objects} if objects else PREPARED
    if reason not in {"SHADOW_HIDDEN", "SHADOW_OPEN_PLACE"}:
        made = {n: v for n, v in made.items() if n != 10 or b"10 0 R" in made.get(3, b"")}
    else:
        made = {**made, 11: STREAM}
    made.setdefault(3, PAGE % b"")
    with pytest.raises(DocumentUnfitError) as caught:
        pades.sign(attack.build(made), setting().seal, NOW_US)
    assert caught.value.reason == reason


def test_a_document_with_a_past_is_not_sealed():
    """Earlier versions in the file could be brought back: save it anew first."""
    pdf = attack.update(small_pdf(), {3: PAGE % b"/Rotate 90"})
    with pytest.raises(DocumentUnfitError) as caught:
        pades.sign(pdf, setting().seal, NOW_US)
    assert caught.value.reason == "SHADOW_SUPERSEDED"


# Certification attacks: what level 2 allows is signing, not drawing.


def sneaky_signature(pdf):
    """A new visible signature field over the text."""
    return attack.foreign_sign(pdf, "C", box=(0, 0, 200, 200))


def empty_field_drawn(pdf):
    """The second signer's field gets an appearance, but no signature."""
    number = attack.numbers(pdf, rb"/T ?\(B\)")[0]
    text = attack.body(pdf, number)
    return attack.update(pdf, {number: text[: text.rindex(b">>")] + b"/M(D:20260101000000Z)>>"})


def field_moved(pdf):
    number = attack.numbers(pdf, rb"/T ?\(B\)")[0]
    return attack.update(pdf, {number: attack.body(pdf, number).replace(b"70 10 120 40", b"0 0 200 200")})


@pytest.mark.parametrize("change", [annotation_added, sneaky_signature, empty_field_drawn, field_moved])
def test_certification_attacks(change, tmp_path):
    """Evil annotation and sneaky signature: level 2 lets the second signer sign, and nobody draw."""
    assert Outcome.VALID not in outcomes(change(attack.certified()), tmp_path)


def test_what_a_certification_allows_is_valid():
    """The second signer signs in the field that the first one saw; a third, invisibly."""
    both = attack.foreign_sign(attack.certified(), "B")
    assert judged(both, trust=TRUST, now_us=attack.now_us()).outcome is Outcome.VALID
    third = attack.foreign_sign(both, "C")
    assert judged(third, trust=TRUST, now_us=attack.now_us()).outcome is Outcome.VALID


@pytest.mark.parametrize("which", [0, -1])
def test_every_signature_of_a_document_counts(which, tmp_path):
    """One broken signature of two spoils the document, whichever it is."""
    both = attack.foreign_sign(attack.foreign(), "Sig2")
    start, _end = (int(n) for n in list(attack.BYTE_RANGE.finditer(both))[which].groups()[:2])
    # Far inside the CMS: the signature value lies at its end, certificates before it.
    at = start + 400
    digit = b"0" if both[at : at + 1] != b"0" else b"1"
    assert Outcome.VALID not in outcomes(both[:at] + digit + both[at + 1 :], tmp_path)


# Files that are no documents, or too much of one.


def many_objects():
    return b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n1\nendobj\n" % n for n in range(1, 10_050))


def many_revisions():
    out = bytearray(small())
    for _ in range(1000):
        previous = int(bytes(out[out.rindex(b"startxref") + 10 :]).split()[0])
        out += b"xref\n0 0\ntrailer\n<</Size 9/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (previous, len(out))
    return bytes(out)


def many_fields():
    listed = b" ".join(b"%d 0 R" % n for n in range(10, 9000))
    fields = {n: b"<</FT/Sig/T(%d)/V %d 0 R>>" % (n, n + 1) for n in range(10, 9000)}
    return attack.build({1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[%b]>>>>" % listed,
                         2: b"<</Type/Pages/Count 0/Kids[]>>", **fields})  # fmt: skip


def bomb():
    packed = zlib.compress(bytes(200 * 1024 * 1024), 9)
    return (
        b"%%PDF-1.7\n1 0 obj\n<</Type/XRef/Size 2/W[1 1 1]/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream\n"
        b"endobj\nstartxref\n9\n%%%%EOF\n" % (len(packed), packed)
    )


def bomb_in_bomb():
    inner = zlib.compress(zlib.compress(bytes(64 * 1024 * 1024), 9), 9)
    return attack.build({1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Count 0/Kids[]>>",
                         3: b"<</Filter[/FlateDecode/FlateDecode]/Type/ObjStm/N 1/First 9/Length %d>>\nstream\n%b\nendstream"
                         % (len(inner), inner)})  # fmt: skip


HOSTILE = {
    "nothing": lambda: b"",
    "text": lambda: b"hello",
    "zip": lambda: b"PK\x03\x04" + bytes(1000),
    "header": lambda: b"%PDF-1.7\n",
    "objects": many_objects,
    "revisions": many_revisions,
    "fields": many_fields,
    "bomb": bomb,
    "bomb-in-bomb": bomb_in_bomb,
    "nesting": lambda: b"%PDF-1.7\n1 0 obj\n" + b"[<<" * 3_000_000,
    "numbers": lambda: b"%PDF-1.7\n1 0 obj\n[" + b"1 2 3 [" * 2_000_000,
    "strings": lambda: b"%PDF-1.7\n1 0 obj\n" + b"((" * 5_000_000,
    "spaces": lambda: b"%PDF-1.7\n" + b" \n" * 5_000_000 + b"x",
    "hex": lambda: b"%PDF-1.7\n1 0 obj\n" + b"<" + b"0" * 15_000_000,
    "names": lambda: b"%PDF-1.7\n1 0 obj\n[" + b"/a" * 5_000_000,
    "streams": lambda: b"%PDF-1.7\n" + b"1 0 obj\n<</Length 9 0 R>>\nstream\n" * 300_000,
    "tables": lambda: b"%PDF-1.7\nxref\n" + b"0 1\n0000000000 65535 f \n" * 500_000,
    "duplicates": lambda: small_pdf().replace(b"3 0 obj\n", b"2 0 obj\n"),
    "hybrid": lambda: small_pdf().replace(b"/Root 1 0 R>>", b"/Root 1 0 R/XRefStm 9>>"),
    "circle": lambda: attack.build({1: b"2 0 R", 2: b"3 0 R", 3: b"1 0 R"}),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("hostile", sorted(HOSTILE))
def test_hostile_files_get_their_verdict_in_time(hostile, tmp_path):
    """Whatever is sent: a verdict other than VALID, in seconds, by every path."""
    pdf = HOSTILE[hostile]()
    began = time.process_time()
    found = outcomes(pdf, tmp_path)
    assert Outcome.VALID not in found
    assert time.process_time() - began < MOST_SECONDS * len(found)


def test_a_huge_sparse_file_is_not_read_to_its_end(tmp_path):
    """100 MB of nothing: the command line stops at the limit."""
    file = tmp_path / "huge.pdf"
    with file.open("wb") as out:
        out.write(small())
        out.truncate(100 * 1024 * 1024)
    began = time.process_time()
    verdict = commands.verify_file(file)
    assert (verdict.outcome, verdict.steps[0].reason) == (Outcome.INDETERMINATE, "TOO_LARGE")
    assert time.process_time() - began < MOST_SECONDS
