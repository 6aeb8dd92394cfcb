"""What a certification permits is not called wrong: notes that people write, change and take away, and metadata that a
maker's program writes.
"""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support.signed_pages import outcome, signed_later
from tests.support.update_bases import INFO, METADATA, XMP, built, form, rich
from tests.support.updates import Draft, stream

NOTE = 13


def certified(permission):
    return attack.foreign_sign(built(rich(annotations=True)), "certifier", certify=permission)


def said_other(draft):
    draft.edit(NOTE).update({"Contents": b"other", "M": b"D:20260701000000Z"})


def coloured(draft):
    draft.edit(NOTE)["C"] = [0, 1, 0]


def locked(draft):
    draft.edit(NOTE)["F"] = 4 | 64


def drawn_anew(draft):
    look = draft.add(form(b"0 0 1 RG 4 w 2 2 36 36 re S", b"/BBox[0 0 40 40]/Resources<<>>"))
    draft.edit(NOTE).update({"AP": {"N": Ref((look, 0))}})


def taken_away(draft):
    draft.page()["Annots"] = [each for each in draft.page()["Annots"] if each != Ref((NOTE, 0))]


def written(draft):
    number = draft.add(b"<</Type/Annot/Subtype/Text/Rect[20 20 40 40]/Contents(hello)/P 3 0 R>>")
    draft.page()["Annots"].append(Ref((number, 0)))


def with_window(draft):
    number = draft.add(b"<</Type/Annot/Subtype/Popup/Rect[20 20 40 40]/Parent 13 0 R>>")
    draft.page()["Annots"].append(Ref((number, 0)))
    draft.edit(NOTE)["Popup"] = Ref((number, 0))


NOTES = [said_other, coloured, locked, drawn_anew, taken_away, written, with_window]


@pytest.mark.parametrize("change", NOTES)
def test_notes_may_be_changed_where_the_certification_says_so(change):
    """With P=3 (ISO 32000-1, table 257): the verdict says what was done, and not that it is wrong."""
    for signs in (False, True):
        draft = Draft(certified(MDPPerm.ANNOTATE))
        change(draft)
        pdf = signed_later(draft) if signs else draft.finished()
        assert outcome(pdf) is Outcome.INDETERMINATE, signs
    assert outcome(signed_later(Draft(certified(MDPPerm.ANNOTATE)))) is Outcome.VALID


@pytest.mark.parametrize("change", NOTES)
@pytest.mark.parametrize("permission", [MDPPerm.FILL_FORMS, MDPPerm.NO_CHANGES])
def test_notes_are_not_changed_where_it_does_not(change, permission):
    """With P=1 and P=2 it is a change of what was certified."""
    draft = Draft(certified(permission))
    change(draft)
    assert outcome(draft.finished()) is Outcome.INVALID


def test_a_field_is_no_note():
    """With P=3 a signature's field that is taken away is a signature that is taken away."""
    more = {
        3: rich()[3][:-2] + b"/Annots[22 0 R]>>",
        1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R]>>>>",
        22: b"<</Type/Annot/Subtype/Widget/FT/Tx/T(sum)/V(900)/F 4/Rect[20 10 120 50]/P 3 0 R/AP<</N 23 0 R>>>>",
        23: form(b"BT /F1 9 Tf 2 4 Td (900) Tj ET", b"/BBox[0 0 100 40]/Resources<</Font<</F1 5 0 R>>>>"),
    }
    draft = Draft(attack.foreign_sign(built(rich(more=more)), "certifier", certify=MDPPerm.ANNOTATE))
    draft.page()["Annots"] = [each for each in draft.page()["Annots"] if each != Ref((22, 0))]
    assert outcome(draft.finished()) is Outcome.INVALID


COMMENT = b"<!-- written by a maker -->"
INSTRUCTION = b'<?adobe-xap-filters esc="CR"?>'
TYPE = b'<!DOCTYPE x [<!ENTITY e "maker">]>'


@pytest.mark.parametrize("permission", [None, MDPPerm.FILL_FORMS])
@pytest.mark.parametrize(
    ("more", "expected"),
    [(b"", Outcome.VALID), *((more, Outcome.INDETERMINATE) for more in (COMMENT, INSTRUCTION, TYPE))],
    ids=["plain", "comment", "instruction", "type"],
)
def test_metadata_that_cannot_be_compared_leave_it_open(more, expected, permission):
    """Makers write comments and instructions into them; a later save says another date."""
    made = XMP.replace(b"<x:xmpmeta", TYPE + b"<x:xmpmeta", 1) if more == TYPE else XMP
    made = made.replace(b"<rdf:RDF", more + b"<rdf:RDF", 1) if more != TYPE else made
    objects = rich(more={METADATA: stream(made, b"/Type/Metadata/Subtype/XML")})
    draft = Draft(attack.foreign_sign(built(objects), certify=permission))
    draft.bodies[METADATA] = stream(made.replace(b"04:00:00Z", b"05:00:00Z"), b"/Type/Metadata/Subtype/XML")
    draft.edit(INFO)["ModDate"] = b"D:20260601050000Z"
    assert outcome(signed_later(draft)) is expected


def test_metadata_that_say_something_else_are_a_change():
    """Another title is one, where it can be compared."""
    draft = Draft(attack.foreign_sign(built(rich()), certify=MDPPerm.FILL_FORMS))
    draft.bodies[METADATA] = stream(XMP.replace(b"No record", b"A record"), b"/Type/Metadata/Subtype/XML")
    assert outcome(signed_later(draft)) is Outcome.INVALID
