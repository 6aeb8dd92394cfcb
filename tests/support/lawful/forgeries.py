"""What forgers add to a signed document: one unlawful change each, in a well-formed save of its own.

The saves are made by pyHanko's writer, which continues documents of every form; nothing is wrong with them but what
they change.
"""

import io
import re
from collections.abc import Callable
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, NumberObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from tests.support.lawful.makers import by_pyhanko

_EVIL = b"q 1 0 0 rg 5 165 190 25 re f Q BT /F1 12 Tf 20 170 Td (Many records) Tj ET"
_WHOLE_PAGE = b"q 1 1 1 rg -500 -500 2000 2000 re f Q"


def _name(text: str) -> NameObject:
    return generic.pdf_name(text)


def _numbers(*values: float) -> ArrayObject:
    return ArrayObject([FloatObject(value) for value in values])


def _dictionary(**entries: Any) -> DictionaryObject:
    return DictionaryObject({_name("/" + key): value for key, value in entries.items()})


class _Save:
    """A save in the making."""

    def __init__(self, pdf: bytes) -> None:
        self.writer = IncrementalPdfFileWriter(io.BytesIO(pdf), strict=False)
        self.root = self.writer.root
        node = self.root.raw_get("/Pages")
        while "/Kids" in (found := node.get_object()):
            node = found["/Kids"].raw_get(0)
        self.page_ref = node
        self.page = node.get_object()

    def stream(self, data: bytes, **entries: Any) -> Any:
        return self.writer.add_object(generic.StreamObject(dict_data=_dictionary(**entries), stream_data=data))

    def change(self, holder: Any, key: str, value: Any) -> None:
        holder[_name(key)] = value
        self.writer.update_container(holder)

    def page_entry(self, key: str, value: Any) -> None:
        self.change(self.page, key, value)

    def look(self, data: bytes, *box: float, **more: Any) -> DictionaryObject:
        """An appearance; without `box` it has no /BBox."""
        bounds = {"BBox": _numbers(*box)} if box else {}
        form = self.stream(data, Type=_name("/XObject"), Subtype=_name("/Form"), **bounds, **more)
        return _dictionary(N=form)

    def annotate(self, annotation: DictionaryObject, *, in_form: bool = False) -> None:
        annotation[_name("/Type")] = _name("/Annot")
        annotation[_name("/P")] = self.page_ref
        ref = self.writer.add_object(annotation)
        if "/Annots" in self.page:
            listed = self.page["/Annots"]
            listed.append(ref)
            self.writer.update_container(listed)
        else:
            self.page_entry("/Annots", ArrayObject([ref]))
        if in_form:
            listed = self.root["/AcroForm"]["/Fields"]
            listed.append(ref)
            self.writer.update_container(listed)

    def field(self, *rectangle: float, kind: str = "/Sig", **more: Any) -> None:
        self.annotate(
            _dictionary(
                Subtype=_name("/Widget"), FT=_name(kind), T=generic.pdf_string("Late"), F=NumberObject(4),
                Rect=_numbers(*rectangle), **more,
            ),
            in_form=True,
        )  # fmt: skip

    @property
    def signed_field(self) -> Any:
        """The first field with a signature."""
        for ref in self.root["/AcroForm"]["/Fields"]:
            field = ref.get_object()
            if field.get("/FT") == "/Sig" and "/V" in field:
                return field
        raise AssertionError("no signed field")

    def done(self) -> bytes:
        out = io.BytesIO()
        self.writer.write(out)
        return out.getvalue()


def _forgery(change: Callable[[_Save], None]) -> Callable[[bytes], bytes]:
    def forge(pdf: bytes) -> bytes:
        save = _Save(pdf)
        change(save)
        return save.done()

    forge.__name__ = change.__name__
    forge.__doc__ = change.__doc__
    return forge


@_forgery
def content_replaced(save: _Save) -> None:
    save.page_entry("/Contents", save.stream(_EVIL))


@_forgery
def content_added(save: _Save) -> None:
    save.page_entry("/Contents", ArrayObject([save.page.raw_get("/Contents"), save.stream(_EVIL)]))


@_forgery
def content_overwritten(save: _Save) -> None:
    """The content's own object, under its number."""
    ref = save.page.raw_get("/Contents")
    save.writer.objects[(ref.generation, ref.idnum)] = generic.StreamObject(stream_data=_EVIL)


@_forgery
def font_exchanged(save: _Save) -> None:
    font = save.page["/Resources"]["/Font"]["/F1"]
    save.change(font, "/BaseFont", _name("/ZapfDingbats"))


@_forgery
def page_box_moved(save: _Save) -> None:
    save.page_entry("/MediaBox", _numbers(0, 0, 200, 160))


@_forgery
def page_cropped(save: _Save) -> None:
    save.page_entry("/CropBox", _numbers(0, 0, 200, 160))


@_forgery
def page_turned(save: _Save) -> None:
    save.page_entry("/Rotate", NumberObject(180))


@_forgery
def page_scaled(save: _Save) -> None:
    save.page_entry("/UserUnit", NumberObject(3))


@_forgery
def page_added(save: _Save) -> None:
    pages = save.page["/Parent"]
    page = _dictionary(
        Type=_name("/Page"), Parent=save.page.raw_get("/Parent"), MediaBox=_numbers(0, 0, 200, 200),
        Resources=DictionaryObject(), Contents=save.stream(_EVIL),
    )  # fmt: skip
    pages["/Kids"].append(save.writer.add_object(page))
    save.change(pages, "/Count", NumberObject(2))


@_forgery
def note_added(save: _Save) -> None:
    """A free text over the page."""
    save.annotate(
        _dictionary(
            Subtype=_name("/FreeText"), Rect=_numbers(0, 150, 200, 200), Contents=generic.pdf_string("Many records"),
            DA=generic.pdf_string("/F1 12 Tf"), F=NumberObject(4), AP=save.look(_EVIL, 0, 0, 200, 200),
        )
    )  # fmt: skip


@_forgery
def stamp_added(save: _Save) -> None:
    save.annotate(
        _dictionary(
            Subtype=_name("/Stamp"), Rect=_numbers(0, 0, 200, 200), F=NumberObject(4),
            AP=save.look(_WHOLE_PAGE, 0, 0, 200, 200),
        )
    )  # fmt: skip


@_forgery
def link_added(save: _Save) -> None:
    action = _dictionary(S=_name("/URI"), URI=generic.pdf_string("https://evil.example"))
    save.annotate(_dictionary(Subtype=_name("/Link"), Rect=_numbers(0, 0, 200, 200), A=action))


@_forgery
def field_without_box(save: _Save) -> None:
    """A signature field of no size whose appearance has no /BBox: some viewers paint all of it."""
    save.field(0, 0, 0, 0, AP=save.look(_WHOLE_PAGE))


@_forgery
def field_as_hairline(save: _Save) -> None:
    """A rectangle without area that is a line, stretched over the page by its appearance."""
    save.field(10, 0, 10, 200, AP=save.look(_WHOLE_PAGE, 0, 0, 200, 200))


@_forgery
def field_as_thin_line(save: _Save) -> None:
    save.field(0, 100, 200, 100.01, AP=save.look(_WHOLE_PAGE, 0, 0, 200, 200))


@_forgery
def field_of_no_size_with_matrix(save: _Save) -> None:
    save.field(0, 0, 0, 0, AP=save.look(_WHOLE_PAGE, 0, 0, 1, 1, Matrix=_numbers(200, 0, 0, 200, 0, 0)))


@_forgery
def field_over_content(save: _Save) -> None:
    save.field(5, 160, 195, 195, AP=save.look(_EVIL, 5, 165, 195, 190))


@_forgery
def field_over_the_page(save: _Save) -> None:
    save.field(0, 0, 200, 200, AP=save.look(_WHOLE_PAGE, 0, 0, 200, 200))


@_forgery
def text_field_added(save: _Save) -> None:
    save.field(
        5, 160, 195, 195, kind="/Tx", V=generic.pdf_string("Many records"), DA=generic.pdf_string("/F1 9 Tf"),
        AP=save.look(_EVIL, 5, 165, 195, 190),
    )  # fmt: skip


@_forgery
def seal_repainted(save: _Save) -> None:
    """The signed field gets another appearance and the whole page for it."""
    field = save.signed_field
    field[_name("/Rect")] = _numbers(0, 0, 200, 200)
    save.change(field, "/AP", save.look(_WHOLE_PAGE, 0, 0, 200, 200))


@_forgery
def seal_repainted_in_place(save: _Save) -> None:
    field = save.signed_field
    rectangle = [float(n) for n in field["/Rect"]]
    save.change(field, "/AP", save.look(_EVIL, 0, 0, max(rectangle[2] - rectangle[0], 1), 200))


@_forgery
def seal_renamed(save: _Save) -> None:
    save.change(save.signed_field, "/T", generic.pdf_string("Approved by the court"))


@_forgery
def signature_reworded(save: _Save) -> None:
    """The signature's own dictionary under its number, with another reason."""
    save.change(save.signed_field["/V"], "/Reason", generic.pdf_string("approved"))


@_forgery
def signature_of_odd_type(save: _Save) -> None:
    """What should be a name is a list."""
    save.change(save.signed_field["/V"], "/Type", ArrayObject([_name("/Sig")]))


@_forgery
def form_emptied(save: _Save) -> None:
    save.change(save.root["/AcroForm"], "/Fields", ArrayObject())


@_forgery
def form_drawn_anew(save: _Save) -> None:
    """Viewers are told to make appearances of their own."""
    save.change(save.root["/AcroForm"], "/NeedAppearances", generic.BooleanObject(True))


@_forgery
def script_on_opening(save: _Save) -> None:
    action = _dictionary(S=_name("/JavaScript"), JS=generic.pdf_string("app.alert('x')"))
    save.change(save.root, "/OpenAction", action)


@_forgery
def opens_elsewhere(save: _Save) -> None:
    save.change(save.root, "/OpenAction", ArrayObject([save.page_ref, _name("/XYZ"), *_numbers(0, 50, 8)]))


@_forgery
def layers_added(save: _Save) -> None:
    layer = save.writer.add_object(_dictionary(Type=_name("/OCG"), Name=generic.pdf_string("l")))
    properties = _dictionary(OCGs=ArrayObject([layer]), D=_dictionary(OFF=ArrayObject([layer])))
    save.change(save.root, "/OCProperties", properties)


@_forgery
def file_attached(save: _Save) -> None:
    held = save.stream(b"evil", Type=_name("/EmbeddedFile"))
    spec = _dictionary(Type=_name("/Filespec"), F=generic.pdf_string("a.txt"), EF=_dictionary(F=held))
    names = ArrayObject([generic.pdf_string("a.txt"), save.writer.add_object(spec)])
    save.change(save.root, "/Names", _dictionary(EmbeddedFiles=_dictionary(Names=names)))


@_forgery
def bookmark_added(save: _Save) -> None:
    item = _dictionary(Title=generic.pdf_string("Many records"))
    first = save.writer.add_object(item)
    outlines = _dictionary(Type=_name("/Outlines"), First=first, Last=first, Count=NumberObject(1))
    save.change(save.root, "/Outlines", save.writer.add_object(outlines))


@_forgery
def language_changed(save: _Save) -> None:
    save.change(save.root, "/Lang", generic.pdf_string("de"))


@_forgery
def page_labelled(save: _Save) -> None:
    label = _dictionary(P=generic.pdf_string("Page 1 of 9, "))
    save.change(save.root, "/PageLabels", _dictionary(Nums=ArrayObject([NumberObject(0), label])))


@_forgery
def read_aloud_otherwise(save: _Save) -> None:
    """A structure that gives screen readers another text than the page has."""
    element = _dictionary(
        Type=_name("/StructElem"), S=_name("/P"), ActualText=generic.pdf_string("Many records"), Pg=save.page_ref
    )
    root = _dictionary(Type=_name("/StructTreeRoot"), K=save.writer.add_object(element))
    save.change(save.root, "/StructTreeRoot", save.writer.add_object(root))


@_forgery
def script_on_the_page(save: _Save) -> None:
    action = _dictionary(S=_name("/URI"), URI=generic.pdf_string("https://evil.example"))
    save.page_entry("/AA", _dictionary(O=action))


@_forgery
def other_form_beside(save: _Save) -> None:
    """XFA beside the form: some viewers show it in the pages' place."""
    save.change(save.root["/AcroForm"], "/XFA", save.stream(b"<xdp/>"))


@_forgery
def metadata_title_changed(save: _Save) -> None:
    """Metadata (XMP) that call the document something else."""
    packet = (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        b' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">'
        b'Many records</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    # A number of its own: the writer would restore what it knows of the old ones.
    save.change(save.root, "/Metadata", save.stream(packet, Type=_name("/Metadata"), Subtype=_name("/XML")))


@_forgery
def title_changed(save: _Save) -> None:
    save.writer.set_info(_dictionary(Title=generic.pdf_string("Many records")))


@_forgery
def junk_object_added(save: _Save) -> None:
    """An object that nothing points at: what a later save could bring onto the page."""
    save.stream(_EVIL)


@_forgery
def store_with_more(save: _Save) -> None:
    """Validation data with a drawing among them."""
    save.change(save.root, "/DSS", _dictionary(Type=_name("/DSS"), Evil=save.stream(_EVIL)))


def junk_bytes_appended(pdf: bytes) -> bytes:
    return pdf + b"\n900 0 obj\n<</Length 1>>\nstream\n \nendstream\nendobj\n"


def section_appended(pdf: bytes) -> bytes:
    """A trailer that says where the document begins, and no table."""
    return pdf + b"\ntrailer\n<</Size 999/Root 1 0 R>>\nstartxref\n0\n%%EOF\n"


def byte_of_the_page_changed(pdf: bytes) -> bytes:
    """A digit of the first object, which every signature covers."""
    at = pdf.index(b" obj") + 4
    at += re.search(rb"\d", pdf[at:]).start()  # type: ignore[union-attr]
    return pdf[:at] + (b"7" if pdf[at : at + 1] != b"7" else b"8") + pdf[at + 1 :]


def value_changed(pdf: bytes) -> bytes:
    """One digit in the middle of the first signature's CMS."""
    start = next(at for at in (pdf.find(b"/Contents <30"), pdf.find(b"/Contents<30")) if at >= 0)
    at = pdf.index(b"<", start) + 1 + 2 * 300
    return pdf[:at] + (b"1" if pdf[at : at + 1] != b"1" else b"2") + pdf[at + 1 :]


def _then_signed(forge: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The forger signs it too, so that the last signature covers the whole file."""

    def forged(pdf: bytes) -> bytes:
        return by_pyhanko(forge(pdf), "Forger", signer="Forger")

    forged.__name__ = f"{forge.__name__}_then_signed"
    return forged


def signed_over_content(pdf: bytes) -> bytes:
    """A stranger's signature whose picture lies over the text."""
    return by_pyhanko(pdf, "Forger", signer="Forger", box=(5, 160, 195, 195))


def signed_over_the_page(pdf: bytes) -> bytes:
    return by_pyhanko(pdf, "Forger", signer="Forger", box=(0, 0, 200, 200))


@_forgery
def signature_taken_out(save: _Save) -> None:
    """The signed field is no longer one of the form's; its picture stays on the page."""
    save.change(save.root["/AcroForm"], "/Fields", ArrayObject())


@_forgery
def signature_taken_off(save: _Save) -> None:
    """The field stays, the signature goes."""
    field = save.signed_field
    del field["/V"]
    save.writer.update_container(field)


@_forgery
def form_taken_out(save: _Save) -> None:
    del save.root["/AcroForm"]
    save.writer.update_root()


def _replaced(forge: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """After that another page, and the forger's signature over all of it."""

    def forged(pdf: bytes) -> bytes:
        return by_pyhanko(content_replaced(forge(pdf)), "Forger", signer="Forger")

    forged.__name__ = f"{forge.__name__}_and_replaced"
    return forged


# Saves that only add or change something.
SAVES: tuple[Callable[[bytes], bytes], ...] = (
    content_replaced, content_added, content_overwritten, font_exchanged, page_box_moved, page_cropped, page_turned,
    page_scaled, page_added, note_added, stamp_added, link_added, field_without_box, field_as_hairline,
    field_as_thin_line, field_of_no_size_with_matrix, field_over_content, field_over_the_page, text_field_added,
    seal_repainted, seal_repainted_in_place, seal_renamed, signature_reworded, signature_of_odd_type, form_emptied, form_drawn_anew,
    script_on_opening, language_changed, page_labelled, read_aloud_otherwise, script_on_the_page,
    other_form_beside, opens_elsewhere, layers_added, file_attached, bookmark_added, metadata_title_changed,
    title_changed, junk_object_added, store_with_more, junk_bytes_appended, section_appended,
    byte_of_the_page_changed, value_changed,
)  # fmt: skip
# Forgeries that the forger signs, with a key of his own.
SIGNED: tuple[Callable[[bytes], bytes], ...] = (
    signed_over_content,
    signed_over_the_page,
    *map(
        _then_signed,
        (content_replaced, content_overwritten, font_exchanged, page_turned, note_added, field_without_box,
         field_as_hairline, field_over_content, seal_repainted, metadata_title_changed, title_changed, file_attached),
    ),
)  # fmt: skip
# The first signer's name is taken off what he signed, his picture left on it, and the forger signs what he made of it.
REPLACED: tuple[Callable[[bytes], bytes], ...] = tuple(
    map(_replaced, (signature_taken_out, signature_taken_off, form_taken_out))
)
