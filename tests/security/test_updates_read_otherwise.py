"""Updates that a reader of another make reads as another document, and odd input that costs time: never VALID."""

import re
import time
import zipfile
from io import BytesIO

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support import ofd
from tests.support.update_bases import base, built, form, rich
from tests.support.update_checks import passes_first_line
from tests.support.updates import Draft, stream, text
from tests.support.verdicts import TRUST, judged

PAGE, CONTENT = 3, 4
MOST_SECONDS = 3.0


def outcome(pdf):
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


def refused(pdf):
    assert not passes_first_line(pdf)
    assert outcome(pdf) is not Outcome.VALID


def rewritten(number, change, name="certified, P=1"):
    """An update that writes an object of the signed document again, its dictionary changed, and brings validation data."""
    draft = Draft(base(name))
    draft.store(b"certificate")
    value = change(text(draft.document.value(number)))
    holder = draft.document.object(number)
    if holder.stream is not None:
        value += b"\nstream\n%b\nendstream" % draft.document.data[slice(*holder.stream)]
    draft.bodies[number] = value
    return draft.finished()


def test_writing_an_object_again_is_no_change():
    """The same value under the same number: what the cases below differ from."""
    assert outcome(rewritten(PAGE, lambda value: value)) is Outcome.VALID


@pytest.mark.parametrize(
    "more",
    [b"/Contents#00 null", b"/Resources#00 null", b"/CropBox null", b"/Rotate null", b"/UserUnit null", b"/Group null"],
)
def test_a_key_that_comes_is_a_change_though_it_is_null(more):
    """Readers that keep names as C strings, or take null for a value, show another page."""
    refused(rewritten(PAGE, lambda value: value[:-2] + more + b">>"))


def test_a_whole_number_stays_one():
    """Some readers ask for whole numbers: /Length 12.0 is none; coordinates may be written either way."""
    refused(rewritten(CONTENT, lambda value: re.sub(rb"/Length (\d+)", rb"/Length \1.0", value)))
    boxes = rewritten(
        PAGE, lambda value: re.sub(rb"/MediaBox ?\[0 0 (\d+) (\d+)\]", rb"/MediaBox[0.0 0 \1.0 \2]", value)
    )
    assert outcome(boxes) is Outcome.VALID


def another_document(draft):
    """A catalog with a page of its own, under new numbers; the catalog's."""
    content = draft.add(stream(b"0 0 1 rg 0 0 500 500 re f"))
    page, pages = draft.reserve(), draft.reserve()
    draft.bodies[page] = b"<</Type/Page/Parent %d 0 R/Contents %d 0 R/MediaBox[0 0 200 200]>>" % (pages, content)
    draft.bodies[pages] = b"<</Type/Pages/Count 1/Kids[%d 0 R]>>" % page
    return draft.add(b"<</Type/Catalog/Pages %d 0 R>>" % pages)


def test_no_other_document_hangs_on_the_trailer():
    """/DocChecksum is a text: behind it a rebuilding reader would find another catalog."""
    draft = Draft(base("certified, P=1"))
    draft.store(b"certificate")
    draft.trailer["DocChecksum"] = b"%d 0 R" % another_document(draft)
    refused(draft.finished())


def test_no_other_document_hangs_on_validation_data():
    """Nor on a key of a data stream."""
    draft = Draft(base("certified, P=1"))
    number = draft.store(b"certificate")[0]
    draft.bodies[number] = draft.bodies[number].replace(b"<<", b"<</Subtype %d 0 R" % another_document(draft), 1)
    refused(draft.finished())


@pytest.mark.parametrize("kind", ["Catalog", "Pages", "Page", "XRef"])
def test_no_object_of_another_document_comes_with_a_signer(kind):
    """Wherever it hangs: what a rebuilding reader would begin with is refused."""
    draft = Draft(base("approval"))
    beginning = draft.add(b"<</Type/%b/Root 1 0 R>>" % kind.encode())
    draft.sign(entries=b"/Prop_Build %d 0 R" % beginning)
    refused(draft.finished())


@pytest.mark.parametrize("look", [b"BT /F1 14 Tf 2 14 Td (The loan is 900,000 CNY) Tj ET", None])
@pytest.mark.parametrize("certify", [None, MDPPerm.FILL_FORMS])
def test_terms_in_an_empty_field_do_not_change_when_it_is_signed(look, certify):
    """A field that showed something to the first signer shows it ever after."""
    resources = b"/BBox[0 0 180 40]/Resources<</Font<</F1 5 0 R>>>>"
    widget = b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R/FT/Sig/T(later)/Rect[10 100 190 140]/AP<</N 25 0 R>>>>"
    objects = rich(
        page=b"/Annots[23 0 R]",
        catalog=b"/AcroForm<</Fields[23 0 R]>>",
        more={23: widget, 25: form(b"BT /F1 14 Tf 2 14 Td (The loan is 1,000 CNY) Tj ET", resources)},
    )
    draft = Draft(attack.foreign_sign(built(objects), "first", **({} if certify is None else {"certify": certify})))
    field = draft.edit(23)
    field["V"] = Ref((draft.sign(), 0))
    field.pop("AP")
    if look is not None:
        field["AP"] = {"N": Ref((draft.add(form(look, resources)), 0))}
    draft.acro_form()["SigFlags"] = 3
    refused(draft.finished())


def stored(data=b"certificate", **more):
    """Validation data for a certified document, and what a forger would put beside them."""
    draft = Draft(base("certified, P=1"), **more)
    draft.store(data)
    return draft


FORGED = b"0 0 1 rg 0 0 500 500 re f"
# Poppler reads lines of 255 bytes.
LINE = 255


def test_an_update_has_one_section():
    """Of a hybrid update some readers see the table only, in which packed objects are free; others rebuild the file."""
    assert outcome(stored(form="stream").finished()) is Outcome.VALID
    refused(stored(form="hybrid").finished())


@pytest.mark.parametrize("spaces", [1, LINE - 1, LINE])
def test_every_object_begins_a_line(spaces):
    """Readers that go by lines cut long ones: number 122 would be 22 to them."""
    refused(stored(between=b" " * spaces).finished())
    assert outcome(stored(between=b" " * spaces + b"\n").finished()) is Outcome.VALID


@pytest.mark.parametrize("key", ["Version", "Lang", "Extensions"])
def test_nothing_refers_to_what_is_not_there(key):
    """Behind such a reference some readers look for the object in the whole file."""
    draft = stored()
    draft.root()[key] = Ref((999, 0))
    refused(draft.finished())


def test_what_was_missing_already_may_stay_so():
    """Some makers refer to what they never write; signing does not mend that."""
    draft = Draft(attack.foreign_sign(built(rich(catalog=b"/Threads 999 0 R")), certify=MDPPerm.NO_CHANGES))
    draft.store(b"certificate")
    assert outcome(draft.finished()) is Outcome.VALID


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["approval", "certified, P=1", "form, P=2"])
def test_a_change_that_a_later_save_takes_back_is_one(packed, name):
    """Readers that rebuild the file may show what lies between."""
    pdf = base(name)
    between = Draft(pdf, form="stream")
    body = text({key: value for key, value in between.document.value(PAGE).items() if key != "Annots"})
    (between.packed if packed else between.bodies)[PAGE] = body.replace(b"/Contents", b"/Rotate 90/Contents")
    last = Draft(between.finished())
    last.bodies[PAGE] = text(Draft(pdf).document.value(PAGE))
    last.store(b"certificate")
    refused(last.finished())
    last = Draft(between.finished())
    last.bodies[PAGE] = text(Draft(pdf).document.value(PAGE))
    last.put_field(
        last.add(b"<</Type/Annot/Subtype/Widget/FT/Sig/T(x)/Rect[0 0 0 0]/F 132/V %d 0 R>>" % last.sign()), 0
    )
    refused(last.finished())


@pytest.mark.parametrize(
    "data",
    [b"\n4\0abc\n0 obj\n", b"\n4 0endobj\nobj\n", b"\n4 0 %\nobj", b"\nendobj\n", b"\n4 (0)obj", b"4 0,\nobj"],
)
def test_data_hold_nothing_that_looks_like_an_object(data):
    """However a reader gets from a number to the word: nobody has to write it in validation data."""
    refused(stored(data).finished())


def prepared(content):
    """A document that was signed with this content beside it, and then got validation data."""
    signed = attack.foreign_sign(built(rich(more={20: stream(content)})), certify=MDPPerm.NO_CHANGES)
    draft = Draft(signed)
    draft.store(b"certificate")
    return draft.finished()


@pytest.mark.parametrize(
    "header",
    [
        b"4 1 obj",
        b" " * (LINE - 1) + b"14 0 obj",
        b"%d 0 obj" % (2**32 + 4),
        b"%d 0 obj" % 8_388_608,
        b"%s4 0 obj" % (b"0" * 2000),
    ],
)
def test_a_signed_part_that_some_reader_reads_otherwise_has_no_verdict(header):
    """The signer signed two documents: which of them is shown depends on what came later."""
    assert outcome(prepared(b"\n" + header + b"\n" + stream(FORGED) + b"\nendobj\n")) is Outcome.INDETERMINATE


def test_a_signed_part_that_only_talks_of_objects_has_one():
    """The same document without a number before the word."""
    assert outcome(prepared(b"\nobj\n")) is Outcome.VALID


PDF = b"\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\n"


@pytest.mark.parametrize("between", [b" ", b"\n", b"\0", b"%x\n", b" %1 0\r"])
def test_an_ofd_that_holds_objects_of_a_pdf_is_not_judged(between):
    """Readers of PDF are content with objects, wherever they lie: here in a comment of the list of signatures."""
    files = ofd.signed()
    listed = next(name for name in files if name.endswith("Signatures.xml"))
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        for name, data in files.items():
            inside = b"<!--" + PDF.replace(b" obj", between + b"obj") + b"-->" if name == listed else b""
            package.writestr(name, data + inside, zipfile.ZIP_STORED if inside else zipfile.ZIP_DEFLATED)
    assert ofd.judged(archive.getvalue()).outcome is not Outcome.VALID


def test_an_ofd_beside_it_is_judged():
    """The same package without the comment."""
    assert ofd.judged(ofd.packed(ofd.signed())).outcome is Outcome.VALID


@pytest.mark.parametrize("line", [b"\na" + b"." * 2000 + b"%" + b"obj" * 2000, b"%\n" * 2000 + b"obj"])
def test_places_that_look_like_objects_are_bounded_work(line):
    """However far the numbers before them would have to be looked for."""
    draft = Draft(base("certified, P=1"))
    draft.store(line * (400_000 // len(line)))
    pdf = draft.finished()
    begun = time.process_time()
    outcome(pdf)
    assert time.process_time() - begun < MOST_SECONDS


def test_elements_of_all_signatures_of_a_package_are_counted_together():
    """Forty signature files of 190,000 elements each end at the limit, in the time of one."""
    files = ofd.signed()
    listed = next(name for name in files if name.endswith("Signatures.xml"))
    entry = re.search(rb"<(\w+:)?Signature [^>]*/>", files[listed])
    assert entry is not None
    first = next(data for name, data in files.items() if name.endswith("Signature.xml"))
    more = []
    for number in range(40):
        name = f"Doc_0/Signs/Sign_{number + 50}/Signature.xml"
        files[name] = first.replace(b"</ofd:Signature>", b"<ofd:a/>" * 190_000 + b"</ofd:Signature>")
        more.append(re.sub(rb'BaseLoc="[^"]*"', b'BaseLoc="/%b"' % name.encode(), entry[0]))
    files[listed] = files[listed].replace(entry[0], entry[0] + b"".join(more))
    packed = ofd.packed(files)
    begun = time.process_time()
    assert "LIMIT_REACHED" in [step.reason for step in ofd.judged(packed).steps]
    assert time.process_time() - begun < MOST_SECONDS
