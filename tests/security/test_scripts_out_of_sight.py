"""Scripts where this reader does not look and others do: behind odd bytes, in what it cannot unpack or read. Whatever it
does not know, it does not call read; nothing of that is VALID.
"""

import zlib

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf import shadow
from services.esign.domain.verdict import Outcome, Status
from services.esign.revisions.rendering import look as drawn
from services.esign.verification.domain import verify
from tests.support import documents as attack
from tests.support.update_bases import built, rich
from tests.support.update_checks import step_changes
from tests.support.updates import Draft, Row, stream
from tests.support.verdicts import TRUST, judged

SCRIPT = b"/JavaScript<</Names[(a)<</S/JavaScript/JS(this.resetForm\\(\\))>>]>>"
NAMES, CONTAINER = 60, 61
LEADS_THERE = b"/Names %d 0 R" % NAMES


def parsed(pdf):
    """The outcome, and the step parse."""
    verdict = judged(pdf, trust=TRUST, now_us=attack.now_us())
    return verdict.outcome, next(step for step in verdict.steps if step.step == "parse")


def signed(pdf, form="table", rows=None):
    """Signed by somebody whose program does not read the whole document."""
    draft = Draft(pdf, form=form, rows=rows or {})
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(first)/Rect[0 0 0 0]/F 132/V %d 0 R>>" % draft.sign()
    draft.put_field(draft.add(field), 0)
    return draft.finished()


def holding(body, catalog=LEADS_THERE):
    return signed(built(rich(catalog=catalog, more={NAMES: body})))


def packed(entries, pack, member=b"<<%b>>" % SCRIPT):
    """With one object in a stream that was written by hand, signed."""
    text = b"%d 0 " % NAMES
    more = {CONTAINER: stream(pack(text + member), b"/N 1/First %d%b" % (len(text), entries))}
    row: Row = (2, CONTAINER, 0)
    return signed(built(rich(catalog=LEADS_THERE, more=more)), "stream", {NAMES: row})


def hexadecimal(data):
    return data.hex().encode() + b">"


def test_a_document_without_any_is_read():
    """What the cases below differ from."""
    assert parsed(holding(b"<<>>"))[0] is Outcome.VALID
    assert parsed(packed(b"/Type/ObjStm/Filter/FlateDecode", zlib.compress, b"<<>>"))[0] is Outcome.VALID


@pytest.mark.parametrize("end", [b"", b"\x80", b"\xff", b"\x80x", b"#80"])
@pytest.mark.parametrize("key", [b"JS(x)", b"JavaScript<<>>", b"XFA(x)"])
def test_a_name_ends_where_some_reader_ends_it(key, end):
    """PDFium takes the bytes 80 and FF for white space."""
    name = key.rstrip(b"(x)<>")
    outcome, step = parsed(holding(b"<</" + name + end + key[len(name) :] + b">>"))
    assert (outcome, step.reason) == (Outcome.INDETERMINATE, "ACTIVE_CONTENT")


@pytest.mark.parametrize("key", [b"OpenAction\x80", b"OpenAction\xff"])
def test_what_happens_on_opening_is_found_under_such_a_name(key):
    """It names no script, and leads away all the same."""
    outcome, step = parsed(holding(b"<<>>", b"/" + key + b"<</S/Named/N/Print>>"))
    assert (outcome, step.reason) == (Outcome.INDETERMINATE, "ACTIVE_CONTENT")


@pytest.mark.parametrize(("more", "acts"), [(b"", False), (b"/S\x80/URI", True), (b"/Next\xff 60 0 R", True)])
def test_an_action_has_one_kind(more, acts):
    """A second one under a name that ends early is the one that counts to some reader."""
    pdf = holding(b"<<>>", b"/OpenAction<</S/GoTo/D[3 0 R/Fit]%b>>" % more)
    assert (parsed(pdf)[1].reason == "ACTIVE_CONTENT") is acts


@pytest.mark.parametrize("type_", [b"/Type/ObjStm", b"", b"/Type 70 0 R", b"/Type/X"])
@pytest.mark.parametrize(
    ("entries", "pack"),
    [
        (b"/Filter/FlateDecode", zlib.compress),
        (b"/Filter/ASCIIHexDecode", hexadecimal),
        (b"/Filter[/ASCIIHexDecode/FlateDecode]", lambda data: hexadecimal(zlib.compress(data))),
    ],
)
def test_a_container_that_is_not_unpacked_leaves_it_open(entries, pack, type_):
    """Lawful filters that are not undone here, and streams that others take for object streams by their entries alone."""
    outcome, step = parsed(packed(type_ + entries, pack))
    assert (outcome, step.status) == (Outcome.INDETERMINATE, Status.UNKNOWN)
    assert step.reason in {"ACTIVE_CONTENT", "FILTER", "OBJECT_STREAM"}


@pytest.mark.parametrize("odd", [b"/A --5", b"/A(x)/A(y)", b"/A<zz>"])
@pytest.mark.parametrize("between", [b"", b"/B(endobj)", b"/B(%b)" % (b" endobj " * 99)])
def test_a_script_in_an_object_that_is_not_read_is_one(odd, between):
    """It is looked for up to the next object, whatever words stand before it."""
    outcome, step = parsed(holding(b"<<%b%b%b>>" % (odd, between, SCRIPT)))
    assert (outcome, step.reason) == (Outcome.INDETERMINATE, "ACTIVE_CONTENT")


@pytest.mark.parametrize(("odd", "reason"), [(b"/A --5", "SYNTAX"), (b"/A(x)/A(y)", "DUPLICATE_KEY")])
def test_an_object_that_is_not_read_is_unknown_though_no_name_tells(odd, reason):
    """Nothing is called read of which a part was not."""
    pdf = packed(b"/Type/ObjStm/Filter/FlateDecode", zlib.compress, b"<<%b>>" % odd)
    outcome, step = parsed(pdf)
    assert (outcome, step.status, step.reason) == (Outcome.INDETERMINATE, Status.UNKNOWN, reason)


def test_an_entry_without_an_object_stream_leaves_it_open():
    """Readers rebuild a file in which an object is said to be packed into something else."""
    row: Row = (2, NAMES, 0)
    outcome, step = parsed(signed(built(rich(more={NAMES: b"5"})), "stream", {90: row}))
    assert (outcome, step.reason) == (Outcome.INDETERMINATE, "OBJECT_STREAM")


def test_a_plain_document_is_not_read_to_its_end(monkeypatch):
    """Where nothing tells of names that act, and nothing is packed, no more is read than is asked for."""
    monkeypatch.setattr(verify, "_active", lambda document: pytest.fail("read"))
    assert parsed(holding(b"<<>>"))[0] is Outcome.VALID


def test_names_that_act_are_cut_as_some_reader_cuts_them():
    """The name itself and the one before the first such byte; no part behind it."""
    assert shadow.acting({"JS", "Hide\x80\xff", "x\x80JS", "Hidden\x80", "OpenAction"}) == ["Hide", "JS"]
    assert shadow.acting({"OpenAction\xff1", "OpenAction"}) == ["OpenAction"]
    assert shadow.acting({"OpenAction", "\xe4\xb8\x80"}) == []


@pytest.mark.parametrize(("name", "accepted"), [(b"JSX", True), (b"JS\x80", False), (b"OCProperties\xff", False)])
def test_an_update_brings_no_such_name(name, accepted):
    """Anybody may add a timestamp; its dictionary leads to what acts in one reader."""
    draft = Draft(attack.foreign_sign(built(rich()), certify=MDPPerm.NO_CHANGES))
    number = draft.add(b"<</%b(x)>>" % name)
    value = draft.sign(timestamp=True, entries=b"/Extra %d 0 R" % number)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Stamp)/F 132/Rect[0 0 0 0]/P 3 0 R/V %d 0 R>>" % value
    draft.put_field(draft.add(field), 0)
    step = step_changes(draft.finished(), drawn)
    assert step is not None
    assert (step.status is Status.VALID) is accepted
