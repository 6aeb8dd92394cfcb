"""Attacks on what may lawfully follow a signature: validation data, document timestamps, further signers and locks.

Each starts from a document that is VALID and adds something under the name of what is allowed; no path ever says VALID.
"""

import re
import time
import zlib
from collections.abc import Callable
from functools import cache
from hashlib import sha256

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.certification.domain.validation_data import ValidationData
from services.esign.domain import der
from services.esign.domain.pdf.writer import Update
from services.esign.domain.verdict import Outcome
from services.esign.signing.domain import long_term as longterm
from services.esign.signing.domain import multisign
from services.esign.signing.domain.multisign import Field, Lock, LockAction
from tests.support import documents as attack
from tests.support.esign import NOW_US, setting, small_pdf
from tests.support.longterm import long_term, renewed, stamped
from tests.support.multisign import FIELDS, both, closed, signed, token
from tests.support.verdicts import TRUST, judged, outcomes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
STREAM = b"<</Length 16>>\nstream\n0\x0e\x04\x0c0 0 9 9 re f\nendstream"
FORM = b"<</Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<<>>/Length 12>>\nstream\n0 0 9 9 re f\nendstream"


@cache
def first() -> bytes:
    """Certified by the first of two signers: the second one's field is open."""
    return signed(multisign.prepare(small_pdf(), FIELDS), "甲方")


@cache
def archived() -> bytes:
    """Forbids every change, with validation data and a document timestamp."""
    return renewed(long_term())


DOCUMENTS = {"stamped": stamped, "long-term": long_term, "archived": archived, "first": first, "both": both, "closed": closed}  # fmt: skip


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_the_documents_that_are_attacked_are_valid_before(document):
    """Otherwise the attacks would prove nothing."""
    assert judged(DOCUMENTS[document](), trust=TRUST, now_us=attack.now_us()).outcome is Outcome.VALID


def number(pdf: bytes, pattern: bytes) -> int:
    return attack.numbers(pdf, pattern)[-1]


def catalog(pdf: bytes, extra: bytes, objects: dict[int, bytes] | None = None) -> bytes:
    """One more revision whose catalog has `extra`, in place of a store that is there."""
    root = number(pdf, rb"/Type ?/Catalog")
    text = attack.body(pdf, root)
    if b"/DSS" in text and b"/DSS" in extra:
        at = text.index(b"/DSS")
        text = text[:at] + b"/Old" + text[at + 4 :]
    return attack.update(pdf, {root: text[: text.rindex(b">>")] + extra + b">>", **(objects or {})})


def page(pdf: bytes) -> tuple[int, bytes]:
    at = number(pdf, rb"/Type ?/Page\b(?!s)")
    return at, attack.body(pdf, at)


def with_page(pdf: bytes, extra: bytes, objects: dict[int, bytes]) -> bytes:
    at, text = page(pdf)
    return attack.update(pdf, {at: text[: text.rindex(b">>")] + extra + b">>", **objects})


# Smuggled as validation data.


def store_and_page(pdf):
    """A store, and with it the page drawn anew."""
    at, text = page(pdf)
    return catalog(pdf, b"/DSS<</Certs[900 0 R]>>", {900: STREAM, at: text[:-2] + b"/Contents 900 0 R>>"})


def store_and_pages(pdf):
    """A store, and other pages in the catalog."""
    root = number(pdf, rb"/Type ?/Catalog")
    text = attack.body(pdf, root).replace(b"/Pages", b"/Was").replace(b"/Old", b"/Was2")
    return attack.update(
        pdf, {root: text[:-2] + b"/DSS<</Certs[902 0 R]>>/Pages 900 0 R>>", 900: b"<</Type/Pages/Count 0/Kids[]>>", 902: STREAM}
    )  # fmt: skip


def store_of_something_else(pdf):
    """A store that holds what no store holds."""
    return catalog(pdf, b"/DSS<</Certs[900 0 R]/Pages 901 0 R>>", {900: STREAM, 901: b"<</Type/Page>>"})


def store_that_is_a_list(pdf):
    return catalog(pdf, b"/DSS[900 0 R]", {900: STREAM})


def store_over_content(pdf):
    """An object that is there already becomes "a certificate", with other content."""
    at = page(pdf)[0]
    return catalog(pdf, b"/DSS<</Certs[%d 0 R]>>" % at, {at: FORM})


def store_with_luggage(pdf):
    """Beside the store objects that belong to nothing yet: prepared for a later revision."""
    return catalog(pdf, b"/DSS<</Certs[900 0 R]>>", {900: STREAM, 901: FORM})


def store_and_script(pdf):
    script = b"<</S/JavaScript/JS(app.alert\\(1\\))>>"
    return catalog(pdf, b"/DSS<</Certs[900 0 R]>>/OpenAction 901 0 R", {900: STREAM, 901: script})


def store_and_note(pdf):
    at, text = page(pdf)
    note = b"<</Type/Annot/Subtype/FreeText/Rect[0 0 200 200]/Contents(paid)/DA(/F 9 Tf)>>"
    where = text.index(b"/Annots") + len(b"/Annots")
    opened = text.index(b"[", where) + 1
    return catalog(
        pdf, b"/DSS<</Certs[900 0 R]>>", {900: STREAM, 901: note, at: text[:opened] + b"901 0 R " + text[opened:]}
    )


def metadata_too(pdf):
    """Where every change is forbidden, the description is no validation data either."""
    return catalog(
        pdf,
        b"/DSS<</Certs[900 0 R]>>/Metadata 901 0 R",
        {900: STREAM, 901: STREAM.replace(b"<<", b"<</Type/Metadata/Subtype/XML")},
    )


STORES = [store_and_page, store_and_pages, store_of_something_else, store_that_is_a_list, store_over_content,
          store_and_script, store_and_note]  # fmt: skip


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
@pytest.mark.parametrize("change", STORES)
def test_nothing_is_smuggled_in_as_validation_data(document, change, tmp_path):
    """A store excuses itself and what it holds, nothing beside it."""
    assert Outcome.VALID not in outcomes(change(DOCUMENTS[document]()), tmp_path)


@pytest.mark.parametrize("document", ["stamped", "long-term", "archived"])
@pytest.mark.parametrize("change", [store_with_luggage, metadata_too])
def test_where_every_change_is_forbidden_only_validation_data_come(document, change, tmp_path):
    """P = 1: no luggage, no metadata."""
    assert set(outcomes(change(DOCUMENTS[document]()), tmp_path)) == {Outcome.INVALID}


def test_a_description_may_say_when_it_was_written_and_nothing_else(tmp_path):
    """P = 1: metadata written anew with validation data keep everything but dates and producer."""
    signed_pdf = attack.foreign_sign(small_pdf(), certify=MDPPerm.NO_CHANGES)
    at = number(signed_pdf, rb"/Subtype ?/XML")
    kept = attack.foreign_store(signed_pdf, [setting().ca.der], [])
    assert judged(kept, trust=TRUST, now_us=attack.now_us()).outcome is Outcome.VALID
    text = attack.body(kept, at)
    for old, new in ((b"<rdf:RDF", b"<!-- paid --><rdf:RDF"), (b"pdf:Producer=", b"pdf:Keywords=")):
        assert old in text
        changed = text.replace(old, new)
        size = len(changed[changed.index(b"stream") + 7 : changed.rindex(b"\nendstream")])
        changed = re.sub(rb"/Length \d+", b"/Length %d" % size, changed)
        assert Outcome.VALID not in outcomes(
            catalog(signed_pdf, b"/DSS<</Certs[900 0 R]>>", {900: STREAM, at: changed}), tmp_path
        )


# False document timestamps.


def stamp(pdf: bytes, field: bytes, value: bytes, cms: Callable[[bytes], bytes], extra: dict[int, bytes] | None = None):
    """A revision with a field of `field` and a signature dictionary of `value`, `cms` made over its digest."""
    document = attack.read(pdf)
    update = Update(document)
    signature = update.reserve()
    widget = update.add(b"<</Type/Annot/Subtype/Widget/FT/Sig/F 132%b/V %d 0 R>>" % (field, signature))
    root = document.trailer["Root"][0]
    text = attack.body(pdf, root)
    at = text.index(b"/Fields") + len(b"/Fields")
    opened = text.index(b"[", at) + 1
    update.put(root, text[:opened] + b"%d 0 R " % widget + text[opened:])
    # A list of fields grows at its end only; the new one is put there.
    listed = text[opened : text.index(b"]", opened)]
    update.put(root, text[:opened] + listed + b" %d 0 R" % widget + text[text.index(b"]", opened) :])
    for each, body in (extra or {}).items():
        update.put(each, body)
    step = multisign.Prepared.around(update, signature, value, 6000, multisign.SHA256)
    return step.finish(cms(step.digest))


INVISIBLE = b"/T(Stamp)/Rect[0 0 0 0]"
SEAL = setting().seal.cms


def of_another(pdf):
    return stamp(pdf, INVISIBLE, multisign.TIMESTAMP, lambda _: token(sha256(b"else").digest()))


def of_a_seal(pdf):
    """The seal's own signature where a token should be."""
    return stamp(pdf, INVISIBLE, multisign.TIMESTAMP, SEAL.sign)


def without_token(pdf):
    return stamp(pdf, INVISIBLE, multisign.TIMESTAMP, lambda _: b"\x30\x00")


def visible(pdf):
    return stamp(pdf, b"/T(Stamp)/Rect[0 0 200 200]", multisign.TIMESTAMP, token)


def with_action(pdf):
    action = b"/AA<</PO<</S/URI/URI(http://evil.example)>>>>"
    return stamp(pdf, INVISIBLE + action, multisign.TIMESTAMP, token)


def certifying(pdf):
    reference = b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</P 3/V/1.2>>>>]"
    return stamp(pdf, INVISIBLE, multisign.TIMESTAMP + reference, token)


def named_as_another(pdf):
    """A second field under the name of one that is there."""
    names = [f.name for f in multisign.fields_of(pdf)]
    return stamp(
        pdf, b"/T<FEFF%b>/Rect[0 0 0 0]" % names[0].encode("utf-16-be").hex().encode(), multisign.TIMESTAMP, token
    )


def with_wrong_kind(pdf):
    """A token under the kind of a signature."""
    value = b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached"
    return stamp(pdf, INVISIBLE, value, token)


def without_type(pdf):
    return stamp(pdf, INVISIBLE, b"<</Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161", token)


def with_page_drawn(pdf):
    at, text = page(pdf)
    return stamp(pdf, INVISIBLE, multisign.TIMESTAMP, token, {at: text[:-2] + b"/Rotate 180>>"})


def taken_from_another(pdf):
    """The last revision of another document, moved here: its offsets fit, its imprint does not."""
    other = renewed(pdf.replace(b"/Name", b"/NamE", 1))
    return pdf + other[len(pdf) :]


STAMPS = [of_another, of_a_seal, without_token, visible, with_action, certifying, named_as_another, with_wrong_kind,
          with_page_drawn, taken_from_another]  # fmt: skip


def test_the_tool_of_these_attacks_makes_good_timestamps_too():
    """What makes them bad is what is changed, nothing else; one that says what it is by /SubFilter alone is one."""
    for document in ("stamped", "archived"):
        for good in (
            stamp(DOCUMENTS[document](), INVISIBLE, multisign.TIMESTAMP, token),
            without_type(DOCUMENTS[document]()),
        ):
            assert judged(good, trust=TRUST, now_us=attack.now_us()).outcome is Outcome.VALID


@pytest.mark.parametrize("document", ["stamped", "archived", "closed"])
@pytest.mark.parametrize("change", STAMPS)
def test_false_document_timestamps(document, change, tmp_path):
    """A document timestamp is over this document, by a timestamp authority, invisible, and nothing else."""
    assert Outcome.VALID not in outcomes(change(DOCUMENTS[document]()), tmp_path)


def test_a_further_signature_under_a_certification_that_forbids_it():
    """P = 1 lets timestamps come, not signers."""
    value = b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:20260601040000Z)"
    for document in ("stamped", "archived"):
        further = stamp(DOCUMENTS[document](), INVISIBLE, value, SEAL.sign)
        assert judged(further, trust=TRUST, now_us=attack.now_us()).outcome is Outcome.INVALID


# P = 2 and locks.


def field(pdf: bytes, name: str) -> int:
    found = b"/T ?<FEFF%b>" % name.encode("utf-16-be").hex().upper().encode()
    return number(pdf, found)


def redrawn(pdf):
    """The first signer's field gets another appearance."""
    at = field(pdf, "甲方")
    text = attack.body(pdf, at)
    start = text.index(b"/AP")
    return attack.update(pdf, {at: text[:start] + b"/AP<</N 900 0 R>>/Was" + text[start + 3 :], 900: FORM})


def picture_replaced(pdf):
    """Not the field, but the form that it shows."""
    return attack.update(pdf, {number(pdf, rb"/Subtype ?/Form.*Seal Do"): FORM})


def image_replaced(pdf):
    return attack.update(pdf, {number(pdf, rb"/Subtype ?/Image"): FORM})


def moved(pdf):
    at = field(pdf, "乙方")
    return attack.update(pdf, {at: attack.body(pdf, at).replace(b"/Rect", b"/Rect[0 0 200 200]/Was", 1)})


def lock_removed(pdf):
    at = field(pdf, "乙方")
    return attack.update(pdf, {at: attack.body(pdf, at).replace(b"/Lock", b"/Luck")})


def lock_loosened(pdf):
    at = number(pdf, rb"/SigFieldLock")
    return attack.update(pdf, {at: b"<</Type/SigFieldLock/Action/Include/Fields[(none)]>>"})


def renamed(pdf):
    at = field(pdf, "乙方")
    return attack.update(pdf, {at: attack.body(pdf, at).replace(b"/T", b"/TU(x)/T", 1)})


def text_field_added(pdf):
    added = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(sum)/V(100)/Rect[0 0 0 0]>>"
    root = number(pdf, rb"/Type ?/Catalog")
    text = attack.body(pdf, root)
    at = text.index(b"]", text.index(b"/Fields"))
    return attack.update(pdf, {root: text[:at] + b" 900 0 R" + text[at:], 900: added})


def appearances_wanted(pdf):
    """Readers are told to draw the fields anew."""
    root = number(pdf, rb"/Type ?/Catalog")
    return attack.update(pdf, {root: attack.body(pdf, root).replace(b"/SigFlags", b"/NeedAppearances true/SigFlags")})


def certified_anew(pdf):
    """Another signature is called the certification."""
    root = number(pdf, rb"/Type ?/Catalog")
    text = attack.body(pdf, root)
    other = number(pdf, rb"/ByteRange")
    at = text.index(b"/DocMDP")
    return attack.update(pdf, {root: text[:at] + b"/DocMDP %d 0 R/Was" % (other + 1) + text[at + 7 :]})


@pytest.mark.parametrize("document", ["first", "both", "closed"])
@pytest.mark.parametrize(
    "change",
    [redrawn, picture_replaced, image_replaced, moved, lock_removed, lock_loosened, renamed, text_field_added,
     appearances_wanted, certified_anew],
)  # fmt: skip
def test_what_signing_may_change_is_used_for_nothing_else(document, change, tmp_path):
    """Level 2 lets the second signer sign; it lets nobody redraw, move, unlock, rename or add."""
    assert Outcome.VALID not in outcomes(change(DOCUMENTS[document]()), tmp_path)


@pytest.mark.parametrize("action", [LockAction.ALL, LockAction.INCLUDE, LockAction.EXCLUDE])
def test_a_locked_field_that_is_signed_all_the_same_is_found(action, monkeypatch, tmp_path):
    """The second signer's product does not look at locks: the verdict does, and says which rule was broken."""
    listed = {LockAction.ALL: (), LockAction.INCLUDE: ("乙方",), LockAction.EXCLUDE: ("甲方",)}[action]
    fields = (Field("甲方", lock=Lock(action, listed)), Field("乙方"))
    one = signed(multisign.prepare(small_pdf(), fields), "甲方", appearance=None)
    monkeypatch.setattr("services.esign.revisions.domain.field_locks.locks_field", lambda *_: False)
    two = signed(one, "乙方", appearance=None)
    assert set(outcomes(two, tmp_path)) == {Outcome.INVALID}
    steps = judged(two, trust=TRUST, now_us=attack.now_us()).steps
    assert next(s.reason for s in steps if s.step == "changes") == "LOCKED"


def test_a_lock_holds_however_its_names_are_written(monkeypatch):
    """A field named in one encoding, locked in another; and a lock that only the field states, not the signature."""
    pdf = attack.with_form()
    one = signed(
        multisign.prepare(pdf, [Field("甲方", lock=Lock(LockAction.INCLUDE, ("Theirs",)))]), "甲方", appearance=None
    )
    monkeypatch.setattr("services.esign.revisions.domain.field_locks.locks_field", lambda *_: False)
    two = signed(one, "Theirs", appearance=None)
    assert judged(two, trust=TRUST, now_us=attack.now_us()).outcome is Outcome.INVALID
    monkeypatch.setattr(multisign, "_field_transform", lambda *_: b"")
    fields = (Field("甲方", lock=Lock(LockAction.ALL)), Field("乙方"))
    bare = signed(multisign.prepare(small_pdf(), fields), "甲方", appearance=None)
    assert b"FieldMDP" not in bare
    two = signed(bare, "乙方", appearance=None)
    assert judged(two, trust=TRUST, now_us=attack.now_us()).outcome is Outcome.INVALID


# Wrapping, with several signatures in the file.


def widened(pdf: bytes, which: int) -> bytes:
    """The gap of one signature made wider by its neighbour's bytes."""
    found = list(attack.BYTE_RANGE.finditer(pdf))[which]
    a, b, c = (int(n) for n in found.groups())
    text = b"/ByteRange[0 %d %d %d]" % (a - 9, b, c)
    return pdf[: found.start()] + text.ljust(len(found[0])) + pdf[found.end() :]


def shared(pdf: bytes, which: int) -> bytes:
    """One signature's range is the other's."""
    all_found = list(attack.BYTE_RANGE.finditer(pdf))
    found, other = all_found[which], all_found[which - 1]
    return pdf[: found.start()] + other[0].strip().ljust(len(found[0])) + pdf[found.end() :]


def swapped(pdf: bytes, which: int) -> bytes:
    """One signature's CMS in the place of the other's."""
    spans = [(int(m[1]), int(m[2])) for m in attack.BYTE_RANGE.finditer(pdf)]
    (a, b), (c, d) = spans[which], spans[which - 1]
    digits = pdf[c + 1 : d - 1].rstrip(b"0")
    return pdf[: a + 1] + digits[: b - a - 2].ljust(b - a - 2, b"0") + pdf[b - 1 :]


@pytest.mark.parametrize("document", ["archived", "both", "closed"])
@pytest.mark.parametrize("change", [widened, shared, swapped])
@pytest.mark.parametrize("which", [0, 1])
def test_wrapping_of_each_signature(document, change, which, tmp_path):
    """Whichever of several signatures or timestamps is bent, the document is not valid."""
    assert Outcome.VALID not in outcomes(change(DOCUMENTS[document](), which), tmp_path)


@pytest.mark.parametrize("document", ["archived", "closed"])
def test_incremental_saving_behind_a_document_timestamp(document, tmp_path):
    """The last timestamp is no free pass for what comes behind it."""
    pdf = DOCUMENTS[document]()
    for changed in (
        attack.update(pdf, {}) if document == "archived" else with_page(pdf, b"/Rotate 90", {}),
        with_page(pdf, b"/Contents 900 0 R", {900: STREAM}),
        attack.update(pdf, {}, freed=(page(pdf)[0],)),
        pdf + b"900 0 obj\n%b\nendobj\n" % STREAM,
    ):
        assert Outcome.VALID not in outcomes(changed, tmp_path)


def test_every_flipped_digit_of_a_token_counts():
    """The parts of the file that nothing newer covers: the last token, digit by digit in steps."""
    good = archived()
    start, end = attack.contents(good)
    length = len(good[start:end].rstrip(b"0"))
    for at in range(start, start + length, 23):
        bad = bytearray(good)
        bad[at] = ord("0") if bad[at] != ord("0") else ord("1")
        assert judged(bytes(bad), trust=TRUST, now_us=NOW_US + 10**9).outcome is not Outcome.VALID, at


def test_a_long_row_of_renewals_ends_in_a_verdict():
    """As many document timestamps as are looked at: valid. One more: no verdict of VALID, and no endless work."""
    pdf = stamped()
    for _ in range(31):
        step = longterm.begin_renewal(pdf, ValidationData(), 4000)
        pdf = step.finish(token(step.digest))
    assert judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome is Outcome.VALID
    one_more = stamp(pdf, INVISIBLE, multisign.TIMESTAMP, token)
    assert judged(one_more, trust=TRUST, now_us=attack.now_us()).outcome is not Outcome.VALID


@pytest.mark.parametrize("kind", [b"Certs", b"OCSPs", b"CRLs"])
@pytest.mark.parametrize("filling", [b"\0", b"\x30\x84\x00\x00\x00\x04"])
def test_validation_data_without_end_are_judged_in_bounded_time(kind, filling):
    """Thousands of entries, huge ones, one a thousand times: passed over. Where an answer was, one of those that are not
    read may say that the signer's certificate was revoked.
    """
    body = zlib.compress(der.tlv(der.SEQUENCE, filling * (200_000 // len(filling))))
    entry = b"<</Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (len(body), body)
    listed = b" ".join(b"%d 0 R" % (900 + at % 80) for at in range(4000))
    store = catalog(stamped(), b"/DSS<</%b[%b]>>" % (kind, listed), dict.fromkeys(range(900, 980), entry))
    began = time.process_time()
    verdict = judged(store, trust=TRUST, now_us=attack.now_us())
    assert time.process_time() - began < 5.0
    said = next(step.reason for step in verdict.steps if step.step == "seal_then")
    if kind == b"Certs":
        assert (verdict.outcome, said) == (Outcome.VALID, "OFFLINE")
    else:
        assert (verdict.outcome, said) == (Outcome.INDETERMINATE, "VALIDATION_DATA_TOO_LARGE")
