"""Updates that a reader of another make reads as another document, and odd input that costs time: never VALID."""

import re
import time
import zipfile
from io import BytesIO

import pytest
from pyhanko.sign.fields import MDPPerm

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
    field["V"] = draft_reference(draft.sign())
    field.pop("AP")
    if look is not None:
        field["AP"] = {"N": draft_reference(draft.add(form(look, resources)))}
    draft.acro_form()["SigFlags"] = 3
    refused(draft.finished())


def draft_reference(number):
    from services.esign.domain.pdf_syntax import Ref

    return Ref((number, 0))


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
