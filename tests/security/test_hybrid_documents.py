"""What only one half of a hybrid section lists is gone for some readers as soon as anything follows it."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support import gapped
from tests.support.gapped import GAP, Layout, says
from tests.support.lawful import judging
from tests.support.update_bases import base
from tests.support.updates import Draft, stream
from tests.support.verdicts import TRUST, judged

PARTS = gapped.PAGE.replace(b"4 0 R", b"[4 0 R 9 0 R 10 0 R]")


def outcome(pdf):
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


def signed(*, hybrid):
    """A signed document; `hybrid`: an empty part of the page's content is in the second half of its section alone."""
    made = Layout()
    made.usual()
    made.add(3, PARTS)
    made.add(4, says(b"I owe you 9,000,000"))
    made.add(6, gapped.FIELD % 7)
    made.add(9, stream(b"q Q"))
    made.add(10, stream(b"1 g 105 140 200 30 re f 0 g BT /F1 18 Tf 105 150 Td (nothing) Tj ET"))
    place = made.signature(7)
    if not hybrid:
        made.finish(place)
        return made.signed(place)
    own = len(made.data) + GAP
    rows = b"".join(b"\1" + at.to_bytes(4, "big") + b"\0\0" for at in (made.at[9], own))
    made.add(11, stream(rows, b"/Type/XRef/Size 12/W[1 4 2]/Index[9 1 11 1]/Root 1 0 R"))
    start = len(made.data) + GAP
    made.table({number: at for number, at in made.at.items() if isinstance(number, int) and number not in {9, 11}})
    made.data[-3:-3] = b"/XRefStm %d" % own
    made.end(start)
    made.fill(place)
    return made.signed(place)


@pytest.mark.parametrize("form", ["table", "stream"])
@pytest.mark.parametrize(("hybrid", "expected"), [(True, Outcome.INDETERMINATE), (False, Outcome.VALID)])
def test_what_one_half_lists_does_not_outlive_an_update(hybrid, expected, form):
    """Behind validation data one reader has no object where the other half had one, and draws the page without it."""
    document = signed(hybrid=hybrid)
    assert outcome(document) is Outcome.VALID
    draft = Draft(document, form=form)
    draft.store(b"certificate")
    assert outcome(draft.finished()) is expected


@pytest.mark.parametrize(("form", "objections"), [("table", 0), ("stream", 1)])
def test_a_hybrid_section_that_was_followed_when_it_was_signed_is_read_on(form, objections):
    """As Word writes it, signed by a table behind it: every reader finds the same, but behind a stream some do not."""
    draft = Draft(base("hybrid"), form=form)
    draft.store(b"certificate")
    assert len(judging.objections(judging.verdict(draft.finished()))) == objections
