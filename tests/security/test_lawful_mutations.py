"""Forgeries of documents in every lawful form: what is added or changed after signing is never accepted.

Reading more forms must not open a way in. Representative forms meet every forgery, each other form several of them
in turn; forgeries that the forger signs himself meet forms that differ in how they are continued.
"""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.verdict import Outcome
from tests.support.lawful import forgeries, makers, traps
from tests.support.lawful.documents import (
    FORMS,
    acting,
    certified_form,
    document,
    filled_against_certification,
    filled_against_lock,
    seen_otherwise,
)
from tests.support.lawful.judging import objections, verdict
from tests.support.lawful.traps import TRAPS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
REPRESENTATIVE = (
    "plain",
    "hybrid as Word writes it",
    "linearised with object streams",
    "BER lengths, key identifier, no ESS attribute",
    "certified, annotations",
    "second signer on blank space",
    "update with an object stream",
    "store with VRI",
    "filled in as certified, then signed",
    "PDFBox signs second",
)
CONTINUED = ("plain", "hybrid as Word writes it", "cross-reference streams", "second signer on blank space")
# Traps after which the first signature is no signature of the document any more, and those that nobody can sign on.
ENDS_THE_SIGNATURE = {
    traps.other_catalog,
    traps.section_skipped,
    traps.hidden_section,
    traps.encrypted_since,
    traps.stream_that_needs_itself,
}
_EACH = 10


def some(form):
    """The forgeries that this form meets."""
    if form in REPRESENTATIVE:
        return forgeries.SAVES
    at = list(FORMS).index(form) * _EACH
    return [forgeries.SAVES[(at + step) % len(forgeries.SAVES)] for step in range(_EACH)]


def accepted(form, forge):
    """Whether the forgery of this form's document passes."""
    forged = forge(document(form))
    assert forged != document(form)
    found = verdict(forged)
    return found.outcome is Outcome.VALID or not objections(found)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_changed_after_signing_is_not_accepted(form):
    """Content, fonts, boxes, annotations, fields, appearances, metadata, stores, stray bytes: one change each."""
    assert [forge.__name__ for forge in some(form) if accepted(form, forge)] == []


@pytest.mark.parametrize("form", CONTINUED)
def test_a_forger_who_signs_his_forgery_gains_nothing(form):
    """His signature covers the whole file; the first signer's document is still another than what is shown."""
    assert [forge.__name__ for forge in forgeries.SIGNED if accepted(form, forge)] == []


@pytest.mark.parametrize("forge", forgeries.REPLACED)
def test_a_signer_is_not_replaced_unseen(forge):
    """A file in whose earlier version somebody else's signature stood is not the last signer's alone."""
    assert not accepted("visible", forge)


@pytest.mark.parametrize("permission", list(MDPPerm))
def test_a_field_filled_in_by_nobody_is_not_accepted(permission):
    """Where the certification forbids it, and where it lets it but nobody signed what was written."""
    assert objections(verdict(makers.filled_in(certified_form(permission), "remark", "many records")))


@pytest.mark.parametrize("forge", [filled_against_certification, filled_against_lock])
def test_a_field_filled_in_against_a_signer_stays_refused_when_somebody_signs(forge):
    """P = 1 and a lock forbid it, whoever signs what came of it."""
    assert verdict(forge()).outcome is Outcome.INVALID


@pytest.mark.parametrize("trap", TRAPS)
def test_a_save_that_points_elsewhere_is_not_accepted(trap):
    """What lay unseen in the signed file, or was left open in it, stays unseen."""
    signed, sprung = trap()
    assert sprung.startswith(signed)
    assert len(sprung) > len(signed)
    found = verdict(sprung)
    assert found.outcome is not Outcome.VALID
    assert objections(found)


@pytest.mark.parametrize("trap", sorted(set(TRAPS) - ENDS_THE_SIGNATURE, key=lambda each: each.__name__))
def test_a_forger_who_signs_on_after_such_a_save_gains_nothing(trap):
    """As long as the first signature is one of the document's."""
    assert objections(verdict(makers.by_pyhanko(trap()[1], "Forger", signer="Forger")))


@pytest.mark.parametrize("flag", [2, 8, 16, 32, 256])
def test_a_later_signature_that_readers_show_differently_is_not_accepted(flag):
    """Hidden, NoZoom, NoRotate, NoView, ToggleNoView: pages are compared at one scale in one direction."""
    assert objections(verdict(seen_otherwise(4 | flag)))


@pytest.mark.parametrize(
    "entries",
    [
        b"/A<</S/URI/URI(https://evil.example)>>",
        b"/AA<</E<</S/URI/URI(https://evil.example)>>>>",
        b"/MK<</BG[1 0 0]/BC[1 0 0]>>",
        b"/MK<</R 90>>",
        b"/OC<</Type/OCG/Name(layer)>>",
        b"/Border[0 0 50]",
        b"/BS<</W 50>>",
        b"/AS/Off",
        b"/Kids[5 0 R]",
    ],
)
def test_a_later_signature_whose_field_does_more_is_not_accepted(entries):
    """Actions, backgrounds, layers, borders, states."""
    assert objections(verdict(acting(entries)))
