"""What is added after signing is judged by what can be drawn of it, in any reader: nothing that shows is let pass.

The attacks are made of documents of this hub. Each is refused by the first line alone, which reads the structure, and
by both lines together; where a renderer shows another page than the signed one, a comment names it.
"""

import re
import time
import zlib

import pytest

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Name, Ref
from services.esign.domain.verdict import Outcome, Status
from services.esign.signing.domain import multisign
from tests.support import documents as attack
from tests.support.seal_pictures import pictured
from tests.support.update_bases import (
    CONTENT,
    FONT,
    INFO,
    METADATA,
    PAGE,
    SECOND,
    SHAPE,
    TEXT,
    XMP,
    base,
    built,
    form,
    rich,
)
from tests.support.update_checks import MOST_SECONDS, passes_first_line, step_changes
from tests.support.update_mutations import payload
from tests.support.updates import Draft, copied, stream, text
from tests.support.verdicts import TRUST, judged

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
PAINT = b"0 0 1 rg -500 -500 2000 2000 re f"
BOX = b"/BBox[0 0 40 40]"
MARK = b"0 0 1 rg 4 2 16 16 re f"
"""Drawn away from what the page shows."""


def started(name):
    return Draft(base(name))


def added_field(draft, rect, look=b"", *, more=b"", pages=(0,), stamped=False):
    """A new signature field, signed, with an appearance given as its text or left out."""
    number = draft.sign(timestamp=stamped)
    states = b"/AP<</N %d 0 R>>" % draft.add(look) if look else b""
    page = draft.pages()[0]
    field = draft.add(
        b"<</Type/Annot/Subtype/Widget/FT/Sig/T(New)/F 132/Rect%b/P %d 0 R/V %d 0 R%b%b>>"
        % (rect, page, number, states, more)
    )
    draft.put_field(field, *pages)
    return draft.finished()


def signed_in(draft, look, **entries):
    """The second signer's prepared field signed with this appearance."""
    field = next(n for n in draft.document.entries if _is_empty_field(draft.document.value(n)))
    draft.edit(field).update({"V": Ref((draft.sign(), 0)), "AP": {"N": Ref((draft.add(look), 0))}, **entries})
    return draft.finished()


def sealed_in(draft, drawn, width, height, **shown):
    """The same with a picture of what is drawn, as a seal has it."""
    number = pictured(draft, drawn, width, height, **shown)
    field = next(n for n in draft.document.entries if _is_empty_field(draft.document.value(n)))
    draft.edit(field).update({"V": Ref((draft.sign(), 0)), "AP": {"N": Ref((number, 0))}})
    return draft.finished()


def _is_empty_field(value):
    return isinstance(value, dict) and value.get("FT") == "Sig" and value.get("V") is None


def rewritten(name, number, body):
    draft = started(name)
    draft.bodies[number] = body
    draft.store(b"certificate")
    return draft.finished()


# What the renderer paints.


def unseen_field_without_box():
    """No /BBox: the drawing is painted over the whole page."""
    return added_field(started("approval"), b"[0 0 0 0]", form(PAINT, b""))


def field_as_hairline():
    """A rectangle without area, which viewers widen or ignore."""
    return added_field(started("approval"), b"[0 100 200 100]", form(PAINT, b"/BBox[0 0 200 200]"))


def field_as_upright_hairline():
    """Likewise upright."""
    return added_field(started("approval"), b"[100 0 100 200]", form(PAINT, b"/BBox[0 0 200 200]"))


def certificate_stamped_over():
    """The hub's authority stamps for anybody; the stamp's field paints over a certificate that allows no change."""
    return added_field(started("certificate"), b"[0 0 0 0]", form(PAINT, b""), stamped=True)


def certificate_with_a_seen_stamp():
    """A document timestamp shows nothing, wherever it is and however small."""
    return added_field(started("certificate"), b"[10 10 40 20]", form(PAINT, BOX), stamped=True)


def second_signer_without_box():
    """A signer who was foreseen paints over what the first one signed."""
    return signed_in(started("two signers, one has signed"), form(PAINT, b""))


def second_signer_with_huge_box():
    return signed_in(started("two signers, one has signed"), form(PAINT, b"/BBox[-100000000 0 100000000 9]"))


def second_signer_with_flat_matrix():
    return signed_in(started("two signers, one has signed"), form(PAINT, BOX + b"/Matrix[1 1 1 1 0 0]"))


def second_signer_moves_the_field():
    return signed_in(started("two signers, one has signed"), form(PAINT, BOX), Rect=[0, 0, 190, 190])


def field_larger_than_its_share():
    """Blank or not, a third of the page is no place for a signature."""
    return added_field(started("approval"), b"[5 5 120 120]", form(PAINT, BOX))


def field_beyond_the_page():
    return added_field(started("approval"), b"[150 30 260 50]", form(PAINT, BOX))


def shared_form_rewritten():
    """An appearance that was empty when it was signed, taken for an added field and drawn anew."""
    draft = started("two signers, one has signed")
    field = draft.document.value(next(n for n in draft.document.entries if _is_empty_field(draft.document.value(n))))
    look = field["AP"]["N"][0]
    draft.bodies[look] = form(PAINT, b"")
    number = draft.sign()
    draft.put_field(
        draft.add(
            b"<</Type/Annot/Subtype/Widget/FT/Sig/T(New)/F 132/Rect[0 0 0 0]/V %d 0 R/AP<</N %d 0 R>>>>"
            % (number, look)
        ),
        0,
    )
    return draft.finished()


def drawn_field_with_an_unseen_kid():
    """The one kid shows nothing; the field itself stands on the page and paints it (Poppler, MuPDF; PDFium does not)."""
    draft = started("certified, P=1")
    number, field, kid = draft.sign(timestamp=True), draft.reserve(), draft.reserve()
    look = draft.add(form(PAINT, b"/BBox[0 0 200 200]"))
    draft.bodies[field] = (
        b"<</Type/Annot/Subtype/Widget/FT/Sig/T(New)/F 4/Rect[0 0 200 200]/AP<</N %d 0 R>>/V %d 0 R/Kids[%d 0 R]>>"
        % (look, number, kid)
    )
    draft.bodies[kid] = b"<</Type/Annot/Subtype/Widget/F 4/Rect[0 0 0 0]/Parent %d 0 R>>" % field
    draft.put_field(field, 0)
    return draft.finished()


def field_on_several_pages():
    """Blank on the first page, over the text of the second."""
    return added_field(started("approval"), b"[140 96 180 108]", form(PAINT, BOX), pages=(0, 1))


def field_twice_on_a_page():
    """Painted twice, which blending shows."""
    return added_field(started("approval"), b"[140 96 180 108]", form(PAINT, BOX), pages=(0, 0))


def _flagged(flags):
    draft = started("two signers, one has signed")
    return signed_in(draft, form(PAINT, BOX), F=flags)


def field_that_does_not_zoom():
    """NoZoom: at a small scale it covers what is beside it."""
    return _flagged(4 | 8)


def field_that_does_not_turn():
    """NoRotate: on a page that is turned it is drawn beside its rectangle (MuPDF, Poppler, PDFium)."""
    return _flagged(4 | 16)


def field_that_comes_and_goes():
    """ToggleNoView: shown when the pointer is over it."""
    return _flagged(4 | 256)


def default_look_for_a_bare_field():
    """A field with a value that no reader showed when it was signed (Poppler and MuPDF show it with a /DA)."""
    draft = started("field without looks")
    draft.acro_form()["DA"] = b"/Helv 20 Tf 0 g"
    return added_field(draft, b"[0 0 0 0]")


def font_for_a_field():
    """The font that a field asks for comes after signing, with other digits (PDFium, Poppler)."""
    draft = started("field without a font")
    shape = draft.add(stream(b"1000 0 d0 0 0 1000 1000 re f"))
    font = draft.add(
        b"<</Type/Font/Subtype/Type3/FontBBox[0 0 1000 1000]/FontMatrix[.001 0 0 .001 0 0]/FirstChar 48/LastChar 49"
        b"/Widths[1000 1000]/Encoding<</Differences[48/a/a]>>/CharProcs<</a %d 0 R>>/Resources<<>>>>" % shape
    )
    draft.acro_form()["DR"] = {"Font": {"New": Ref((font, 0))}}
    return added_field(draft, b"[0 0 0 0]")


def layers_filled_in():
    """A dictionary that looks like a field and is none: which layers are shown by event is no form field's value."""
    layer = b"<</Type/OCG/Name(L)/Usage<</View<</ViewState/OFF>>>>>>"
    objects = rich(
        catalog=b"/OCProperties<</OCGs[30 0 R]/D 31 0 R>>", more={30: layer, 31: b"<</ON[30 0 R]/FT/Tx/T(x)/AS[]>>"}
    )
    draft = Draft(attack.foreign_sign(built(objects), certify=attack.MDPPerm.FILL_FORMS))
    draft.edit(31)["AS"] = [{"Event": Name("View"), "OCGs": [Ref((30, 0))], "Category": [Name("View")]}]
    return added_field(draft, b"[0 0 0 0]")


# What says something beside the pages.


def metadata_title_changed():
    return rewritten(
        "certified, P=1", METADATA, stream(XMP.replace(b"No record", b"Many records"), b"/Type/Metadata/Subtype/XML")
    )


def metadata_title_lengthened():
    """Text that looks like one of the entries that may change."""
    data = XMP.replace(b"No record", b'No record pdf:Producer="is what they say"')
    return rewritten("certified, P=1", METADATA, stream(data, b"/Type/Metadata/Subtype/XML"))


def title_changed():
    draft = started("certified, P=1")
    draft.edit(INFO)["Title"] = b"Many records"
    draft.store(b"certificate")
    return draft.finished()


def unreferenced_object_added():
    draft = started("certified, P=1")
    draft.add(form(PAINT))
    draft.store(b"certificate")
    return draft.finished()


def _stored_and_stamped():
    """A certificate with validation data, and a document timestamp over them."""
    draft = started("certified, P=1")
    draft.store(b"an answer that says revoked")
    return Draft(added_field(Draft(draft.finished()), b"[0 0 0 0]", stamped=True))


def validation_data_taken_away():
    """What was there to judge the signature by, and stamped, is not there any more."""
    draft = _stored_and_stamped()
    draft.root()["DSS"] = {"Certs": []}
    return draft.finished()


def validation_data_rewritten():
    """Likewise, with another answer under the old number."""
    draft = _stored_and_stamped()
    draft.bodies[draft.document.catalog()["DSS"]["Certs"][0][0]] = stream(b"an answer that says good")
    return draft.finished()


def junk_between_revisions():
    draft = started("certified, P=1")
    draft.head += b"junk\n"
    draft.store(b"certificate")
    return draft.finished()


# What readers read differently: each holds another content of the page in what seems to be validation data.


def evil(name="certified, P=1", **how):
    draft = started(name)
    draft.store(payload(draft))
    for key, value in how.items():
        setattr(draft, key, value)
    return draft


def object_in_validation_data():
    """Readers that repair a file find an object there: nothing but objects looks like one."""
    return evil().finished()


def object_in_a_string():
    """Likewise in the text of a document timestamp."""
    draft = started("certified, P=1")
    number = draft.sign(timestamp=True, entries=b"/Reason(%b)" % payload(draft))
    draft.put_field(draft.add(b"<</Subtype/Widget/FT/Sig/T(New)/F 132/Rect[0 0 0 0]/V %d 0 R>>" % number))
    return draft.finished()


def _sized(value):
    draft = started("certified, P=1")
    draft.store(b"certificate")
    draft.trailer["Size"] = value
    return draft.finished()


def size_beyond_all_objects():
    """Poppler and MuPDF repair a file that says so: Poppler then paints what validation data hold."""
    return _sized(b"99999999")


def size_below_the_objects():
    return _sized(b"3")


def size_below_the_standing_objects():
    """What the update brings is counted, what stands before it is not."""
    draft = started("approval")
    draft.root()["Version"] = Name("1.7")
    draft.trailer["Size"] = b"2"
    return draft.finished()


def size_negative():
    return _sized(b"-1")


def size_missing():
    return _sized(b"")


def generation_of_an_object():
    """The same content under generation 1: Poppler shows a blank page, pdf.js none."""
    draft = started("certified, P=1")
    draft.edit(CONTENT)
    draft.generations[CONTENT] = 1
    draft.store(b"certificate")
    return draft.finished()


def generation_of_a_reference():
    """Likewise where the page asks for it."""
    draft = started("certified, P=1")
    draft.page()["Contents"] = Ref((CONTENT, 1))
    draft.store(b"certificate")
    return draft.finished()


def generation_of_the_catalog():
    """Likewise where the trailer asks for it: Poppler and pdf.js repair the file."""
    draft = evil()
    draft.trailer["Root"] = b"1 1 R"
    return draft.finished()


def generation_of_the_information():
    """Poppler repairs for this too."""
    draft = started("certified, P=1")
    draft.store(b"certificate")
    draft.trailer["Info"] = b"11 1 R"
    return draft.finished()


def _behind(space):
    draft = started("certified, P=1")
    draft.store(b"\nendstream\nendobj\n%d 0%bobj\n%b\nendobj\n" % (CONTENT, space, stream(PAINT)))
    return draft.finished()


def object_behind_a_vertical_tab():
    """White space to Poppler and pdf.js when they repair, though not to the specification."""
    return _behind(b"\x0b")


def object_behind_a_hard_space():
    return _behind(b"\xa0")


def object_behind_a_comment():
    """MuPDF reads tokens when it repairs."""
    return _behind(b"%x\r")


def object_in_a_longer_word():
    """Poppler compares three letters."""
    draft = started("certified, P=1")
    draft.store(b"\nendstream\nendobj\n%d 0 object\n%b\nendobj\n" % (CONTENT, stream(PAINT)))
    return draft.finished()


def rows_of_four_parts():
    """/W [1 4 2 7]: MuPDF, Poppler and pdf.js read rows of seven bytes, and paint what validation data hold."""
    standing = Document(base("certified, P=1")).entries[CONTENT]

    def made(where):
        draft = started("certified, P=1")
        draft.form = "stream"
        draft.store(stream(PAINT)[:0] + b"%d 0 obj\n%b\nendobj\n" % (CONTENT, stream(PAINT)))
        draft.rows[CONTENT] = (1, standing.a, 0)
        draft.wide = {1: (1, where, 0)}
        return draft.finished()

    pdf = made(1)
    return made(pdf.index(b"%d 0 obj" % CONTENT, len(base("certified, P=1"))))


def hybrid_with_an_own_past():
    """/Prev in a hybrid section's stream: pdf.js follows it to a section inside validation data."""
    before = base("certified, P=1")

    def made(content, section):
        draft = started("certified, P=1")
        draft.form = "hybrid"
        body = b"%d 0 obj\n%b\nendobj\n" % (CONTENT, stream(PAINT))
        table = b"xref\n%d 1\n%010d 00000 n \ntrailer\n<</Size 30/Root 1 0 R>>\n" % (CONTENT, content)
        draft.store(body + table)
        draft.companion = b"/Prev %010d" % section
        return draft.finished()

    pdf = made(1, 1)
    return made(pdf.index(b"%d 0 obj" % CONTENT, len(before)), pdf.index(b"xref\n%d 1" % CONTENT, len(before)))


def hybrid_that_frees():
    """Free in the table, in its old place in the stream: MuPDF and pdf.js show a blank page, Poppler repairs."""
    standing = Document(base("certified, P=1")).entries[CONTENT]
    draft = started("certified, P=1")
    draft.form = "hybrid"
    draft.store(b"certificate")
    draft.rows[CONTENT] = (0, 0, 1)
    draft.hidden_rows[CONTENT] = (1, standing.a, standing.b)
    return draft.finished()


def section_under_a_number_in_use():
    """The cross-reference stream bears the number of the page's content: MuPDF shows that."""
    standing = Document(base("certified, P=1")).entries[CONTENT]
    draft = started("certified, P=1")
    draft.form, draft.section_number = "stream", CONTENT
    draft.store(b"certificate")
    draft.hidden_rows[CONTENT] = (1, standing.a, standing.b)
    return draft.finished()


def table_that_begins_at_one():
    """First row free, first number 1: Poppler, MuPDF and pdf.js move all rows by one."""
    draft = started("object 1 free, P=1")
    draft.one_subsection = True
    draft.freed[1] = 65535
    draft.store(b"certificate")
    return draft.finished()


def members_in_other_places():
    """Rows that exchange the places of two members of an object stream: Poppler, pdf.js and PDFium show nothing."""
    draft = started("certified, P=1")
    draft.packed = {number: text(draft.edit(number)) for number in (PAGE, FONT)}
    draft.index_shift = 1
    draft.store(b"certificate")
    return draft.finished()


def members_without_space_between():
    """ "9" and "0" side by side are 90 to PDFium, and the page is turned."""
    objects = rich(page=b"/Rotate 30 0 R", catalog=b"/X 31 0 R", more={30: b"9", 31: b"0"})
    draft = Draft(attack.foreign_sign(built(objects)))
    draft.packed, draft.gap = {30: b"9", 31: b"0"}, b""
    draft.store(b"certificate")
    return draft.finished()


def object_stream_with_two_filters():
    """pdf.js takes /F for the stream's filter."""
    draft = started("certified, P=1")
    draft.packed = {PAGE: text(draft.edit(PAGE))}
    draft.container = b"/F/ASCIIHexDecode"
    draft.store(b"certificate")
    return draft.finished()


def number_beyond_all_readers():
    """Poppler opens no file with such an object, MuPDF repairs it."""
    draft = started("certified, P=1")
    draft.bodies[2147483647] = stream(b"certificate")
    draft.root()["DSS"] = {"Certs": [Ref((2147483647, 0))]}
    draft.trailer["Size"] = b"2147483648"
    return draft.finished()


def rows_of_other_lengths():
    """PDFium takes rows of a table to be twenty bytes long."""
    draft = started("certified, P=1")
    draft.row = b"%d %d %b \n"
    draft.store(b"certificate")
    return draft.finished()


def validation_data_that_are_a_page():
    """/TU is a time; with a page there everything in the file would belong to validation data."""
    draft = started("certified, P=1")
    draft.store(b"certificate")
    draft.root()["DSS"]["VRI"] = {"AA": {"TU": Ref((PAGE, 0))}}
    return draft.finished()


def font_that_is_a_reference():
    """An object that is nothing but a reference to a copy of it: Poppler shows no text then."""
    draft = started("certified, P=1")
    copy = draft.add(text(draft.document.value(FONT)))
    draft.bodies[FONT] = b"%d 0 R" % copy
    number = draft.sign(timestamp=True, entries=b"/Prop_Build %d 0 R" % copy)
    draft.put_field(draft.add(b"<</Subtype/Widget/FT/Sig/T(New)/F 132/Rect[0 0 0 0]/V %d 0 R>>" % number))
    return draft.finished()


def page_that_is_the_information():
    """A page that the trailer names as document information is compared as a page, down to its content."""
    draft = Draft(attack.foreign_sign(attack.build({**rich(), CONTENT: stream(TEXT)}, b"/Info 3 0 R")))
    draft.store(b"certificate")
    draft.root()["DSS"]["VRI"] = {"AA": {"TU": Ref((CONTENT, 0))}}
    draft.bodies[CONTENT] = stream(TEXT.replace(b"No criminal", b"My criminal"))
    return draft.finished()


def value_without_its_look():
    """Filled in, and drawn as before: readers with live forms show another amount than readers of pictures."""
    draft = started("form, P=2")
    draft.edit(20)["V"] = b"999"
    return signed_in(draft, form(PAINT, BOX))


def look_without_its_value():
    """Likewise the other way round."""
    draft = started("form, P=2")
    look = form(b"BT /F1 9 Tf 2 4 Td (999) Tj ET", b"/BBox[0 0 60 16]/Resources<</Font<</F1 5 0 R>>>>")
    draft.edit(20)["AP"] = {"N": Ref((draft.add(look), 0))}
    return signed_in(draft, form(PAINT, BOX))


def box_ticked_in_one_place():
    """A check box shown as ticked whose value says that it is not."""
    draft = started("form, P=2")
    draft.edit(22)["AS"] = Name("Yes")
    return signed_in(draft, form(PAINT, BOX))


def unseen_field_with_data_elsewhere():
    """An appearance that is empty here and comes from another file elsewhere."""
    return added_field(started("approval"), b"[0 0 0 0]", form(b"", b"/F(other.bin)"))


DRAWN = [
    unseen_field_without_box, field_as_hairline, field_as_upright_hairline, certificate_stamped_over, certificate_with_a_seen_stamp,
    second_signer_without_box, second_signer_with_huge_box, second_signer_with_flat_matrix, second_signer_moves_the_field,
    field_larger_than_its_share, field_beyond_the_page, shared_form_rewritten, drawn_field_with_an_unseen_kid, field_on_several_pages,
    field_twice_on_a_page, field_that_does_not_zoom, field_that_does_not_turn, field_that_comes_and_goes, default_look_for_a_bare_field,
    font_for_a_field, layers_filled_in, value_without_its_look, look_without_its_value, box_ticked_in_one_place,
    unseen_field_with_data_elsewhere,
]  # fmt: skip
BESIDE = [
    metadata_title_changed,
    metadata_title_lengthened,
    title_changed,
    unreferenced_object_added,
    junk_between_revisions,
    validation_data_taken_away,
    validation_data_rewritten,
]
READ_DIFFERENTLY = [
    object_in_validation_data, object_in_a_string, generation_of_the_catalog, generation_of_the_information,
    object_behind_a_vertical_tab, object_behind_a_hard_space, object_behind_a_comment, object_in_a_longer_word, size_beyond_all_objects, size_below_the_objects, size_below_the_standing_objects, size_negative, size_missing,
    generation_of_an_object, generation_of_a_reference, rows_of_four_parts, hybrid_with_an_own_past, hybrid_that_frees,
    section_under_a_number_in_use, table_that_begins_at_one, members_in_other_places, members_without_space_between,
    object_stream_with_two_filters, number_beyond_all_readers, rows_of_other_lengths, validation_data_that_are_a_page,
    font_that_is_a_reference, page_that_is_the_information,
]  # fmt: skip


def refused(pdf):
    verdict = judged(pdf, trust=TRUST, now_us=attack.now_us())
    steps = [step for step in verdict.steps if step.step == "changes"]
    assert verdict.outcome is not Outcome.VALID
    assert all(step.status in {Status.INVALID, Status.UNKNOWN} for step in steps)
    assert not passes_first_line(pdf)


@pytest.mark.parametrize("forge", DRAWN)
def test_nothing_that_can_be_drawn_comes_in_with_a_field(forge):
    """Fields, appearances, looks: what any reader may show outside its place is refused, by structure alone."""
    refused(forge())


@pytest.mark.parametrize("forge", BESIDE)
def test_nothing_is_said_or_left_beside_the_pages(forge):
    """Titles, objects that belong to nothing, bytes between saves."""
    refused(forge())


@pytest.mark.parametrize("forge", READ_DIFFERENTLY)
def test_an_update_has_one_reading_in_every_reader(forge):
    """Where readers take different objects from one file, the drawing of one of them proves nothing."""
    refused(forge())


@pytest.mark.parametrize("above", ["itself", "in a chain"])
def test_a_field_among_its_own_ancestors_ends_in_a_verdict(above):
    """Circles and long chains of new fields are refused in bounded work, without an exception."""
    draft = started("approval")
    numbers = [draft.reserve() for _ in range(1 if above == "itself" else 3000)]
    for at, number in enumerate(numbers):
        draft.bodies[number] = b"<</FT/Sig/Parent %d 0 R>>" % numbers[(at + 1) % len(numbers)]
    draft.put_field(numbers[0])
    refused(draft.finished())


@pytest.mark.parametrize(
    "line", [b"1%%%%%%%%\r%%%%%%%%\r%%%%%%%%\r%%%%%%%%\r", b"1%\r", b"1%1%1%\n", b"1 0 ", b"9obj ", b"1 0 %"]
)
def test_data_that_nearly_look_like_objects_take_no_time(line):
    """Looking for objects in validation data is bounded work, whatever they hold."""
    draft = started("certified, P=1")
    draft.store(line * (200_000 // len(line)))
    pdf = draft.finished()
    begun = time.perf_counter()
    passes_first_line(pdf)
    assert time.perf_counter() - begun < MOST_SECONDS


@pytest.mark.parametrize("container", [30, 31])
def test_packed_objects_that_hold_one_another_end_in_a_verdict(container):
    """A signed document whose section packs objects into themselves: what comes later is judged without an exception."""
    draft = Draft(built(rich()))
    draft.form = "stream"
    draft.rows |= {30: (2, container, 0), 31: (2, 30, 0)}
    draft.root()["Own"] = Ref((30, 0))
    hostile = Draft(added_field(draft, b"[0 0 0 0]"))
    hostile.store(b"certificate")
    assert judged(hostile.finished(), trust=TRUST, now_us=attack.now_us()).steps


# The lawful counterparts.


def second_signer_where_prepared():
    return sealed_in(started("two signers, one has signed"), b"1 0 0 RG 1 w 1 1 38 38 re S", 40, 40)


def second_signer_with_turned_picture():
    """A matrix turns what stays in its rectangle."""
    draft, turned = started("two signers, one has signed"), b"/Matrix[0 1 -1 0 0 0]"
    return sealed_in(draft, b"1 0 0 RG 1 w 1 1 28 38 re S", 40, 40, matrix=turned)


def second_signer_by_the_hub():
    return base("two signers")


def new_field_on_blank_space():
    return added_field(started("approval"), b"[140 96 180 108]", form(PAINT, BOX))


def new_unseen_field():
    return added_field(started("approval"), b"[0 0 0 0]", form(b"", b"/BBox[0 0 0 0]"))


def new_unseen_field_with_a_kid():
    draft = started("approval")
    number, field, kid = draft.sign(), draft.reserve(), draft.reserve()
    draft.bodies[field] = b"<</FT/Sig/T(New)/V %d 0 R/Kids[%d 0 R]>>" % (number, kid)
    draft.bodies[kid] = b"<</Type/Annot/Subtype/Widget/F 132/Rect[0 0 0 0]/Parent %d 0 R>>" % field
    draft.put_field(field)
    draft.put_field(kid, 0, in_form=False)
    return draft.finished()


def certificate_stamped():
    return added_field(started("certificate"), b"[0 0 0 0]", stamped=True)


def certificate_with_validation_data():
    draft = started("certificate")
    draft.store(b"certificate", zlib.compress(b"answer"))
    return draft.finished()


def filled_in_and_signed():
    """As the certification allows: value and look together, then the foreseen signature."""
    draft = started("form, P=2")
    look = form(b"/Tx BMC BT /F1 9 Tf 2 4 Td (7) Tj ET EMC", b"/BBox[0 0 60 16]/Resources<</Font<</F1 5 0 R>>>>")
    draft.edit(20).update({"V": b"7", "AP": {"N": Ref((draft.add(look), 0))}})
    draft.edit(22).update({"V": Name("Yes"), "AS": Name("Yes")})
    return signed_in(draft, form(MARK, BOX))


def closed():
    from tests.support.multisign import closed as made

    return made()


def objects_rewritten_unchanged():
    draft = started("certified, P=1")
    for number in (2, PAGE, SECOND):
        draft.edit(number)
    draft.store(b"certificate")
    return draft.finished()


def objects_packed_unchanged():
    draft = started("certified, P=1")
    draft.packed = {number: text(copied(draft.document.value(number))) for number in (PAGE, SECOND)}
    draft.store(b"certificate")
    return draft.finished()


@pytest.mark.parametrize("number", [CONTENT, SHAPE, FONT, 7, 9, 10])
@pytest.mark.parametrize("name", ["certified, P=1", "approval"])
def test_nothing_that_is_drawn_is_written_again(number, name):
    """Nobody has to; and who could not find the signed object would find the new one."""
    draft = started(name)
    draft.edit(number)
    draft.store(b"certificate")
    verdict = judged(draft.finished(), trust=TRUST, now_us=attack.now_us())
    assert verdict.outcome is (Outcome.INDETERMINATE if name == "approval" else Outcome.INVALID)


def saved_later():
    draft = started("certified, P=1")
    draft.edit(INFO)["ModDate"] = b"D:20260701000000Z"
    data = re.sub(rb"(<xmp:ModifyDate>)[^<]*", rb"\g<1>2026-07-01T00:00:00Z", XMP)
    draft.bodies[METADATA] = stream(data, b"/Type/Metadata/Subtype/XML")
    draft.store(b"certificate")
    return draft.finished()


def font_that_no_field_asks_for():
    """What signers add to the form's resources changes no field that has its own look."""
    draft = started("form, P=2")
    draft.acro_form()["DR"]["Font"]["New"] = Ref((FONT, 0))
    return signed_in(draft, form(MARK, BOX))


LAWFUL = [
    second_signer_where_prepared, second_signer_with_turned_picture, second_signer_by_the_hub, new_field_on_blank_space, new_unseen_field,
    new_unseen_field_with_a_kid, certificate_stamped, certificate_with_validation_data, closed, filled_in_and_signed, objects_rewritten_unchanged,
    objects_packed_unchanged, saved_later, font_that_no_field_asks_for,
]  # fmt: skip


@pytest.mark.parametrize("make", LAWFUL)
def test_what_signing_needs_is_accepted(make):
    """Later signers in prepared fields and on blank space, timestamps, validation data, unchanged objects: VALID."""
    pdf = make()
    verdict = judged(pdf, trust=TRUST, now_us=attack.now_us())
    assert verdict.outcome is Outcome.VALID, [step for step in verdict.steps if step.status is not Status.VALID]


def test_the_drawing_decides_where_a_new_field_may_stand():
    """The same field over text is not accepted: what the first signer saw there would be hidden."""
    pdf = added_field(started("approval"), b"[12 140 52 160]", form(PAINT, BOX))
    from services.esign.revisions.rendering import look

    step = step_changes(pdf, look)
    assert step is not None
    assert step.reason == "COVERS_CONTENT"
    assert TEXT in zlib.decompress(re.findall(rb"stream\n(x.*?)\nendstream", base("approval"), re.DOTALL)[0])


def test_prepared_fields_are_as_the_hub_prepares_them():
    """The attacks on a second signer begin where the hub's own flow stands."""
    fields = {field.name: field for field in multisign.fields_of(base("two signers, one has signed"))}
    assert fields["甲方"].signed
    assert not fields["乙方"].signed
