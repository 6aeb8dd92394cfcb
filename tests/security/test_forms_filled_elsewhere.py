"""Forms that other programs fill in: what they usually do is VALID, what is unusual leaves the verdict open, and nothing
of it is called wrong.
"""

import pytest

from services.esign.domain.pdf.syntax import Name, Ref
from services.esign.domain.verdict import Outcome
from tests.support.filled_forms import BOX, MARK, TICKED, blank_form, filled, finished, text, ticked
from tests.support.update_bases import form
from tests.support.updates import Draft


def named_twice(draft, *widgets):
    look = text(draft)
    draft.edit(40)["V"] = b"100"
    for each in widgets:
        draft.edit(each).update(look)


def chosen(draft, *, forgotten):
    draft.edit(30)["V"] = Name("B")
    draft.edit(32)["AS"] = Name("B")
    if not forgotten:
        draft.edit(31)["AS"] = Name("Off")


def drawn_anew(draft):
    ticked(
        draft, AP={"N": {"Yes": Ref((draft.add(form(TICKED, BOX)), 0)), "Off": Ref((draft.add(form(MARK, BOX)), 0))}}
    )


def refreshed(draft):
    filled(draft)
    draft.edit(21).update(text(draft, b"a"))


@pytest.mark.parametrize(
    "fill",
    [
        filled,
        ticked,
        lambda draft: filled(draft, 21, b"e", I=[4]),
        lambda draft: filled(draft, M=b"D:20260601"),
        lambda draft: filled(draft, Ff=1),
        lambda draft: named_twice(draft, 41, 42),
        lambda draft: chosen(draft, forgotten=False),
    ],
    ids=["text", "tick", "list", "date", "read-only", "two-places", "radio"],
)
def test_a_form_is_filled_in(fill):
    """Its value with its look, by the usual programs."""
    draft = Draft(blank_form())
    fill(draft)
    assert finished(draft) is Outcome.VALID


@pytest.mark.parametrize(
    "fill",
    [
        drawn_anew,
        refreshed,
        lambda draft: filled(draft, 21, b"e", I=[4], TI=2),
        lambda draft: filled(draft, DA=b"/F1 12 Tf 0 g"),
        lambda draft: filled(draft, Ff=0),
        lambda draft: filled(draft, MK={}),
        lambda draft: filled(draft, F=132),
        lambda draft: draft.edit(22).update({"V": Name("Yes")}),
        lambda draft: named_twice(draft, 41),
        lambda draft: chosen(draft, forgotten=True),
    ],
    ids=["drawn", "refreshed", "scrolled", "type", "flags", "colours", "print", "state", "one-place", "radio"],
)
def test_what_a_program_did_besides_is_not_called_wrong(fill):
    """Looks drawn anew, a look or a state forgotten, an entry written out: a later signature covers them."""
    draft = Draft(blank_form())
    fill(draft)
    assert finished(draft) is Outcome.INDETERMINATE


def test_a_value_whose_look_is_left_to_the_reader_is_not_called_wrong():
    """Programs that set /V alone, in a form that asks readers for the looks: each reader draws it in its own way."""
    draft = Draft(blank_form(b"/NeedAppearances true"))
    draft.edit(20)["V"] = b"100"
    assert finished(draft) is Outcome.INDETERMINATE
    draft = Draft(blank_form(b"/NeedAppearances true"))
    draft.edit(20)["V"] = b"100"
    del draft.edit(20)["AP"]
    assert finished(draft) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    "entries",
    [{"Border": [0, 0, 0]}, {"BS": {"W": 0}}, {"DA": b"/F1 0 Tf 0 g"}, {"MK": {}}, {"H": Name("N")}],
)
def test_what_a_program_writes_into_a_field_that_it_signs_is_not_called_wrong(entries):
    """A border, a type, colours: they draw nothing beside a look, and readers may differ."""
    assert finished(Draft(blank_form()), **entries) is Outcome.INDETERMINATE
    assert finished(Draft(blank_form())) is Outcome.VALID
    assert finished(Draft(blank_form()), F=132, M=b"D:20260601040000Z") is Outcome.VALID
