"""Honest signed documents, one builder for each lawful form that widespread programs write."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from pyhanko.sign.fields import MDPPerm

from tests.support import documents
from tests.support.lawful import layout, makers
from tests.support.lawful.hands import Manner, hand
from tests.support.lawful.layout import (
    CATALOG,
    CONTENT,
    FONT,
    INFO,
    PAGE,
    PAGES,
    Draft,
    Field,
    Style,
    sign,
    small,
    stream,
    with_text_field,
)

_EVERYTHING_BUT_STREAMS = frozenset({CATALOG, PAGES, PAGE, FONT, INFO})
_BLANK = (20, 20, 120, 60)
_SECOND = Field("Signature2", _BLANK)
_UNSEEN = Field("Signature2")


@dataclass(frozen=True, slots=True)
class Form:
    """A lawful form. `mark`: what the bytes of its document must match, so that it is the form that it says."""

    build: Callable[[], bytes]
    mark: bytes = rb"/ByteRange"


def _signed(draft: Draft, style: Style = layout.NORMAL, **manner: bool) -> bytes:
    return sign(draft, hand(), style, manner=Manner(**manner)).data


def _alike(style: Style) -> bytes:
    """Both revisions in one style."""
    return _signed(small(style), style)


@cache
def once() -> Draft:
    """Signed once, in a new field that shows nothing."""
    return sign(small(), hand())


def _twice(style: Style = layout.NORMAL, where: Field = _UNSEEN, first: Draft | None = None, **more: object) -> bytes:
    """Signed once more by somebody else, the second revision in this style."""
    return sign(first or once(), hand("Second Hand"), style, where=where, **more).data  # type: ignore[arg-type]


# Layouts of whole programs.


def word() -> Draft:
    """Word's export: the table lists the objects in the clear and calls those in the object stream free; a second,
    empty section with /XRefStm names the stream that knows them too.
    """
    eol = b"\r\n"
    bodies = dict(small().bodies)
    packed = {number: bodies.pop(number) for number in (FONT, INFO)}
    out = bytearray(b"%PDF-1.7\r\n%\xb5\xb5\xb5\xb5\r\n")
    offsets: dict[int, int] = {}

    def add(number: int, text: bytes) -> None:
        offsets[number] = len(out)
        out.extend(b"%d 0 obj\r\n%b\r\nendobj\r\n" % (number, text))

    for number, text in bodies.items():
        add(number, text)
    holder, section = INFO + 1, INFO + 2
    head = b"%d 0 %d %d " % (FONT, INFO, len(packed[FONT]) + 1)
    add(holder, stream(head + packed[FONT] + b"\n" + packed[INFO], b"/Type/ObjStm/N 2/First %d" % len(head)))
    offsets[section] = len(out)
    rows = [(0, 0, 255)] + [
        (2, holder, n - FONT) if n in packed else (1, offsets[n], 0) for n in range(1, section + 1)
    ]  # fmt: skip
    data = b"".join(a.to_bytes(1, "big") + b.to_bytes(4, "big") + c.to_bytes(1, "big") for a, b, c in rows)
    trailer = b"/Root 1 0 R%b" % Draft.begin().trailer
    add(section, stream(data, b"/Type/XRef/Size %d/W[1 4 1]%b" % (section + 1, trailer)))
    first = len(out)
    out += b"xref\r\n0 %d\r\n" % (section + 1)
    for number in range(section + 1):
        free = number == 0 or number in packed
        out += b"%010d %05d %b\r\n" % (0 if free else offsets[number], 65535 if free else 0, b"f" if free else b"n")
    out += b"trailer\r\n<</Size %d%b>>\r\nstartxref\r\n%d\r\n%%%%EOF\r\n" % (section + 1, trailer, first)
    second = len(out)
    out += b"xref\r\n0 0\r\ntrailer\r\n<</Size %d%b/Prev %d/XRefStm %d>>" % (
        section + 1, trailer, first, offsets[section]
    )  # fmt: skip
    out += eol + b"startxref\r\n%d\r\n%%%%EOF" % second
    # Information is in the object stream: no /Info, whose object old readers would miss.
    return Draft(bytes(out) + eol, {**bodies, **packed}, second, trailer=Draft.begin().trailer, highest=section)


def print_to_pdf() -> bytes:
    """Microsoft Print to PDF: CRLF, and each offset points at the line end before its object."""
    style = Style(eol=b"\r\n", gap=b"\r\n", early=2, entry=b"\r\n")
    return _signed(small(style, header=b"%PDF-1.7\r\n"), style)


def ghostscript() -> bytes:
    """Ghostscript: the command line in a comment behind the header, stream lengths as objects behind their streams."""
    header = b"%PDF-1.7\n%\xc7\xec\x8f\xa2\n%%Invocation: gs -q -sDEVICE=pdfwrite ? ?\n"
    draft = Draft.begin(header)
    body = small().bodies[CONTENT]
    length = re.search(rb"/Length (\d+)", body)
    assert length is not None
    objects = {
        CONTENT: body.replace(length[0], b"/Length 7 0 R"),
        7: length[1],
        **{number: text for number, text in small().bodies.items() if number not in {CONTENT, CATALOG}},
        CATALOG: small().bodies[CATALOG],
    }
    return _signed(replace(draft, info=INFO).save(objects))


def libreoffice() -> bytes:
    """LibreOffice: an empty line behind each object, lengths as objects, its own entry in the trailer."""
    draft = Draft.begin(b"%PDF-1.7\n%\xc3\xa4\xc3\xbc\xc3\xb6\xc3\x9f\n")
    draft = replace(draft, trailer=draft.trailer + b"\n/DocChecksum /2EF7DE28F19A03ECD5AC6A9B3B1B0F0A\n", info=INFO)
    body = small().bodies[CONTENT]
    length = re.search(rb"/Length (\d+)", body)
    assert length is not None
    objects = {**small().bodies, CONTENT: body.replace(length[0], b"/Length 7 0 R"), 7: length[1]}
    return _signed(draft.save(dict(sorted(objects.items())), Style(gap=b"\n")))


def acrobat_signs_second() -> bytes:
    """Acrobat after somebody else: objects of the update in an object stream, catalog and form written anew with /DA
    and /DR, and an appearance of layers: the field's form draws /FRM, that draws an empty layer n0 and the text n2.
    """
    first = once()
    base = first.free + 10
    frame, n0, n2 = base, base + 1, base + 2
    entries = b"/Type/XObject/Subtype/Form/BBox[0 0 100 40]"
    extra = {
        frame: stream(
            b"q 1 0 0 1 0 0 cm /n0 Do Q q 1 0 0 1 0 0 cm /n2 Do Q",
            entries + b"/Resources<</XObject<</n0 %d 0 R/n2 %d 0 R>>>>" % (n0, n2),
        ),
        n0: stream(b"% DSBlank\n", b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]"),
        n2: stream(
            b"q BT 0 g /F1 8 Tf 4 20 Td (Digitally signed) Tj ET Q", entries + b"/Resources<</Font<</F1 5 0 R>>>>"
        ),
    }
    style = Style(eol=b"\r", kind="stream", packed=frozenset({CATALOG}), end=b"\r\n")
    helv = base + 3
    extra[helv] = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Name/Helv/Encoding/WinAnsiEncoding>>"
    form = b"/DA(/Helv 0 Tf 0 g )/DR<</Font<</Helv %d 0 R>>>>" % helv
    look = stream(b"q 1 0 0 1 0 0 cm /FRM Do Q", entries + b"/Resources<</XObject<</FRM %d 0 R>>>>" % frame)
    where = Field("Signature2", _BLANK, b"/MK<<>>", look)
    return _twice(style, where, extra=extra, form=form, subfilter=b"adbe.pkcs7.detached")


def deep_pages() -> bytes:
    """A page tree of twelve levels, with an inherited /MediaBox."""
    draft = Draft.begin()
    bodies = dict(small().bodies)
    levels = range(10, 21)
    bodies[PAGES] = b"<</Type/Pages/Count 1/Kids[10 0 R]/MediaBox[0 0 200 200]>>"
    for level in levels:
        kid = PAGE if level == levels[-1] else level + 1
        parent = PAGES if level == levels[0] else level - 1
        bodies[level] = b"<</Type/Pages/Count 1/Parent %d 0 R/Kids[%d 0 R]>>" % (parent, kid)
    bodies[PAGE] = bodies[PAGE].replace(b"/Parent 2 0 R", b"/Parent 20 0 R").replace(b"/MediaBox[0 0 200 200]", b"")
    return _signed(replace(draft, info=INFO).save(bodies))


# Updates of a later signer.


def rewritten(*numbers: int) -> bytes:
    """The later save writes objects anew that it did not change."""
    return _twice(extra={number: once().bodies[number] for number in numbers})


def form_defaults() -> bytes:
    """The later signer's program gives the form its default appearance and resources."""
    helv = once().free
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
    return _twice(
        where=_SECOND, extra={helv: font}, form=b"/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv %d 0 R>>>>" % helv
    )  # fmt: skip


def indirect_lists() -> bytes:
    """Form, list of fields and list of annotations are objects of their own, and only these change."""
    draft = sign(small(), hand())
    free = draft.free
    listed = re.search(rb"/Fields\[([^\]]*)\]", draft.bodies[CATALOG])
    assert listed is not None
    form, fields, notes = free, free + 1, free + 2
    bodies = dict(small().bodies)
    bodies[CATALOG] = bodies[CATALOG][:-2] + b"/AcroForm %d 0 R>>" % form
    bodies[PAGE] = bodies[PAGE][:-2] + b"/Annots %d 0 R>>" % notes
    bodies |= {form: b"<</Fields %d 0 R/SigFlags 3>>" % fields, fields: b"[]", notes: b"[]"}
    begun = replace(Draft.begin(), info=INFO).save(bodies)
    first = makers.by_pyhanko(begun.data)
    return makers.by_pyhanko(first, "Signature2", signer="Second Hand", box=_BLANK)


def described() -> bytes:
    """The later signer's program notes in the metadata (XMP) and in Info when it saved."""
    first = _with_metadata()
    later = first.bodies[_METADATA].replace(b"2026-06-01T04:00:00Z</xmp:Mod", b"2026-06-02T05:00:00Z</xmp:Mod")
    info = first.bodies[INFO][:-2] + b"/ModDate(D:20260602050000Z)>>"
    return _twice(first=first, where=_SECOND, extra={_METADATA: later, INFO: info})


@cache
def _with_metadata() -> Draft:
    packet = (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        b' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt>'
        b'<rdf:li xml:lang="x-default">A record</rdf:li></rdf:Alt></dc:title>'
        b"<xmp:ModifyDate>2026-06-01T04:00:00Z</xmp:ModifyDate></rdf:Description></rdf:RDF></x:xmpmeta>"
        b'<?xpacket end="w"?>'
    )
    bodies = dict(small().bodies)
    body = b"<</Type/Metadata/Subtype/XML/Length %d>>\nstream\n%b\nendstream" % (len(packet), packet)
    bodies |= {_METADATA: body, CATALOG: bodies[CATALOG][:-2] + b"/Metadata %d 0 R>>" % _METADATA}
    return sign(replace(Draft.begin(), info=INFO).save(bodies), hand())


_LOCKING = (
    b"/Reference[<</Type/SigRef/TransformMethod/FieldMDP"
    b"/TransformParams<</Type/TransformParams/V/1.2/Action/Include/Fields[(remark)]>>>>]"
)


def locked_since() -> bytes:
    """The later signer locks the field that was filled in: its signature says so (FieldMDP), the field is read-only."""
    draft = sign(_filled_draft(), hand(), permission=2)
    look = draft.free
    field = draft.bodies[_TEXT_FIELD][:-2] + b"/V(seen)/Ff 1/AP<</N %d 0 R>>>>" % look
    drawn = stream(
        b"/Tx BMC BT /F1 10 Tf 2 6 Td (seen) Tj ET EMC",
        b"/Type/XObject/Subtype/Form/BBox[0 0 160 20]/Resources<</Font<</F1 %d 0 R>>>>" % FONT,
    )
    return _twice(first=draft, extra={_TEXT_FIELD: field, look: drawn}, reference=_LOCKING)


# What is not lawful, and needs more than one save to be done.


def filled_against_certification() -> bytes:
    """A certification forbids every change (P = 1); somebody fills in a field, and signs."""
    draft = sign(_filled_draft(), hand(), permission=1)
    return _twice(first=draft, extra={_TEXT_FIELD: draft.bodies[_TEXT_FIELD][:-2] + b"/V(many records)>>"})


def filled_against_lock() -> bytes:
    """A signer locks a field (FieldMDP); somebody fills it in, and signs."""
    draft = sign(_filled_draft(), hand(), reference=_LOCKING)
    return _twice(first=draft, extra={_TEXT_FIELD: draft.bodies[_TEXT_FIELD][:-2] + b"/V(many records)>>"})


def seen_otherwise(flags: int) -> bytes:
    """A later signature on blank space whose picture does not go with the page: hidden here and shown there, or of one
    size and direction however the page is scaled and turned (ISO 32000-1, table 165), so that it comes to lie elsewhere.
    """
    return _twice(where=replace(_SECOND, flags=flags))


def acting(entries: bytes) -> bytes:
    """A later signature on blank space whose field has more than a signature needs."""
    return _twice(where=replace(_SECOND, more=entries))


_TEXT_FIELD = _METADATA = INFO + 1


def _filled_draft() -> Draft:
    bodies = dict(small().bodies)
    bodies |= {
        _TEXT_FIELD: b"<</Type/Annot/Subtype/Widget/FT/Tx/T(remark)/F 4/P 3 0 R/Rect[20 100 180 120]/DA(/F1 10 Tf 0 g)>>",
        PAGE: bodies[PAGE][:-2] + b"/Annots[7 0 R]>>",
        CATALOG: bodies[CATALOG][:-2] + b"/AcroForm<</Fields[7 0 R]/DA(/F1 10 Tf 0 g)>>>>",
    }  # fmt: skip
    return replace(Draft.begin(), info=INFO).save(bodies)


def left_over() -> bytes:
    """The later signer's program leaves objects that nothing points at: an empty layer, a field that it did not use."""
    free = once().free
    return _twice(
        where=_SECOND,
        extra={
            free: stream(b"", b"/Type/XObject/Subtype/Form/BBox[0 0 100 40]"),
            free + 1: b"<</F 132/Rect[0 0 0 0]/Subtype/Widget>>",
        },
    )


def informed() -> bytes:
    """The later signer's program says what it is in a document information where there was none."""
    bodies = {number: text for number, text in small().bodies.items() if number != INFO}
    first = sign(Draft.begin().save(bodies), hand())
    information = first.free
    signed = replace(first, info=information)
    return _twice(first=signed, extra={information: b"<</Producer(A later writer)/ModDate(D:20260602050000Z)>>"})


def third() -> bytes:
    """Three signers, two of them visible beside each other, as far apart as from any text."""
    second = sign(once(), hand("Second Hand"), where=_SECOND)
    return sign(second, hand("Third Hand"), where=Field("Signature3", (148, 20, 190, 60))).data


def stored_by_hand(*, extensions: bool = True) -> bytes:
    """Validation data with a VRI and the developer extension that announces them, written by another maker."""
    draft = once()
    start = draft.data.rindex(b"/Contents <") + len(b"/Contents <")
    contents = bytes.fromhex(draft.data[start : draft.data.index(b">", start)].decode())
    key = hashlib.sha1(contents, usedforsecurity=False).hexdigest().upper().encode()
    certificate, store, entry, certificates = range(draft.free, draft.free + 4)
    more = b"/Extensions<</ESIC<</BaseVersion/1.7/ExtensionLevel 5>>>>" if extensions else b""
    objects = {
        certificate: stream(hand().der),
        certificates: b"[%d 0 R]" % certificate,
        entry: b"<</Cert[%d 0 R]/TU(D:20260602000000Z)>>" % certificate,
        store: b"<</Type/DSS/Certs %d 0 R/VRI<</%b %d 0 R>>>>" % (certificates, key, entry),
        CATALOG: draft.bodies[CATALOG][:-2] + b"/DSS %d 0 R%b>>" % (store, more),
    }
    return draft.save(objects).data


@cache
def certified_form(permission: MDPPerm) -> bytes:
    """A form certified before anybody filled it in."""
    return makers.by_pyhanko(with_text_field(), permission=permission)


def filled_and_signed(permission: MDPPerm) -> bytes:
    """A certification lets a field be filled in; who filled it in signed, in a field that was there."""
    filled = makers.filled_in(certified_form(permission), "remark", "seen")
    return makers.by_pyhanko(filled, "Signature2", signer="Second Hand")


def _hanko(**how: object) -> bytes:
    return makers.by_pyhanko(small().data, **how)  # type: ignore[arg-type]


_STREAMS = Style(kind="stream", packed=_EVERYTHING_BUT_STREAMS)
_COMMENTED = Style(comment=b"%iText-Core-7.2.5")
_CRLF = Style(eol=b"\r\n", entry=b"\r\n", end=b"\r\n")
_CR = Style(eol=b"\r", entry=b" \r", end=b"\r")

FORMS: dict[str, Form] = {
    # The document's own layout.
    "plain": Form(lambda: once().data),
    "comments between objects": Form(lambda: _alike(_COMMENTED), rb"endobj\s%iText-Core"),
    "hybrid in one section": Form(
        lambda: _signed(small(Style(kind="hybrid", packed=frozenset({FONT, INFO})))), rb"/XRefStm"
    ),
    "hybrid as Word writes it": Form(lambda: sign(word(), hand()).data, rb"xref\r\n0 0\r\ntrailer"),
    "offsets at white space": Form(lambda: _alike(Style(gap=b"\n ", early=1)), rb"endobj\n\n \d"),
    "startxref at white space": Form(lambda: _alike(Style(gap=b"\n", xref_early=1)), rb"\n\nxref"),
    "cross-reference streams": Form(lambda: _alike(Style(kind="stream")), rb"/Type/XRef"),
    "object streams": Form(lambda: _signed(small(_STREAMS)), rb"/ObjStm"),
    "CRLF": Form(lambda: _signed(small(_CRLF, header=b"%PDF-1.6\r\n%\xe2\xe3\xcf\xd3\r\n"), _CRLF), rb"f\r\n0"),
    "CR": Form(lambda: _signed(small(_CR, header=b"%PDF-1.4\r%\xe2\xe3\xcf\xd3\r"), _CR), rb"n \r0"),
    "rows end with space and CR": Form(lambda: _alike(Style(entry=b" \r")), rb"n \r0"),
    "rows end with CRLF": Form(lambda: _alike(Style(entry=b"\r\n")), rb"n\r\n0"),
    "space behind the count": Form(lambda: _alike(Style(after_keyword=b" ")), rb"xref\n0 \d+ \n"),
    "no binary comment": Form(lambda: _signed(small(header=b"%PDF-1.4\n")), rb"\A%PDF-1.4\n1 0 obj"),
    "more comments behind the header": Form(
        lambda: _signed(small(header=b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n%made by hand\n%%with care\n")), rb"%%with care"
    ),
    "no line end behind the end": Form(lambda: _signed(small(), Style(end=b"")), rb"EOF\Z"),
    "PDF 2.0": Form(lambda: _signed(small(header=b"%PDF-2.0\n%\xe2\xe3\xcf\xd3\n")), rb"\A%PDF-2"),
    "a deep page tree": Form(deep_pages, rb"/Parent 19 0 R"),
    "Microsoft Print to PDF": Form(print_to_pdf, rb"\A%PDF-1.7\r\n\r\n"),
    "Ghostscript": Form(ghostscript, rb"%%Invocation"),
    "LibreOffice": Form(libreoffice, rb"/DocChecksum"),
    "linearised": Form(lambda: makers.by_pyhanko(makers.linearized(small().data)), rb"/Linearized"),
    "linearised with object streams": Form(
        lambda: makers.by_pyhanko(makers.linearized(small().data, packed=True)), rb"(?s)/Linearized.*/ObjStm"
    ),
    # The signature's form.
    "adbe.pkcs7.detached": Form(lambda: _hanko(cades=False), rb"/adbe.pkcs7.detached"),
    "ETSI.CAdES.detached": Form(_hanko, rb"/ETSI.CAdES.detached"),
    "RSASSA-PSS": Form(lambda: _hanko(pss=True)),
    "signer by key identifier": Form(lambda: _signed(small(), by_key=True)),
    "no ESS attribute": Form(
        lambda: (
            sign(small(), hand(), subfilter=b"adbe.pkcs7.detached", manner=Manner(ess=False, signing_time=True)).data
        )
    ),
    "BER lengths": Form(lambda: _signed(small(), indefinite=True), rb"/Contents <3080"),
    "BER lengths, key identifier, no ESS attribute": Form(
        lambda: _signed(small(), indefinite=True, by_key=True, ess=False), rb"/Contents <3080"
    ),
    "visible": Form(lambda: sign(small(), hand(), where=Field("Signature1", _BLANK)).data, rb"/BBox"),
    "certified, no changes": Form(lambda: sign(small(), hand(), permission=1).data, rb"/P 1>>"),
    "certified, forms": Form(lambda: sign(small(), hand(), permission=2).data, rb"/P 2>>"),
    "certified, annotations": Form(lambda: sign(small(), hand(), permission=3).data, rb"/P 3>>"),
    # What a later signer's save may look like.
    "second signer, unseen": Form(_twice),
    "second signer on blank space": Form(lambda: _twice(where=_SECOND), rb"/BBox"),
    "second signer on blank space, linearised": Form(
        lambda: makers.by_pyhanko(
            makers.by_pyhanko(makers.linearized(small().data)), "Signature2", signer="Second Hand", box=_BLANK
        )
    ),
    "second signer in a Word export": Form(lambda: _twice(first=sign(word(), hand())), rb"/XRefStm"),
    "second signer in an empty field": Form(
        lambda: makers.by_pyhanko(
            makers.by_pyhanko(documents.with_fields(small().data, "Signature1", "Signature2")),
            "Signature2",
            signer="Second Hand",
        )
    ),
    "three signers": Form(third),
    "later signer adds a document information": Form(informed, rb"/Producer\(A later writer"),
    "lists as objects of their own": Form(indirect_lists, rb"/AcroForm \d+ 0 R"),
    "metadata say when it was saved": Form(described, rb"2026-06-02T05:00:00Z"),
    "comment before startxref": Form(
        lambda: _alike(Style(note=b"%iText-Core-7.2.5")), rb">>\n%iText-Core-7.2.5\nstartxref"
    ),
    "update with a comment before startxref": Form(
        lambda: _twice(Style(note=b"%iText-Core-7.2.5")), rb">>\n%iText-Core-7.2.5\nstartxref"
    ),
    "update with comments": Form(lambda: _twice(_COMMENTED, _SECOND), rb"endobj\s%iText-Core"),
    "update with free entries in a stream": Form(lambda: _twice(Style(kind="stream", never_used=(40,)))),
    "update with a cross-reference stream": Form(lambda: _twice(Style(kind="stream"), _SECOND), rb"/Type/XRef"),
    "update with an object stream": Form(
        lambda: _twice(Style(kind="stream", packed=frozenset({CATALOG, PAGE})), _SECOND), rb"/ObjStm"
    ),
    "update with offsets at white space": Form(lambda: _twice(Style(gap=b"\r\n", early=2)), rb"endobj\n\r\n\d"),
    "update with startxref at white space": Form(lambda: _twice(Style(gap=b"\n", xref_early=1)), rb"\n\nxref"),
    "update with other line ends": Form(lambda: _twice(_CRLF, _SECOND), rb"f\r\n"),
    "update with CR": Form(lambda: _twice(_CR), rb"n \r"),
    "tree of pages rewritten unchanged": Form(lambda: rewritten(INFO, PAGES)),
    "form with /DA and /DR": Form(form_defaults, rb"/DR<</Font<</Helv"),
    "Root renumbered": Form(lambda: _twice(moved=("root",))),
    "Info renumbered": Form(lambda: _twice(moved=("info",))),
    "Root and Info renumbered": Form(lambda: _twice(where=_SECOND, moved=("root", "info"))),
    "update with what nothing points at": Form(left_over),
    "later signer makes a field read-only": Form(locked_since, rb"/Ff 1"),
    "Acrobat signs second": Form(acrobat_signs_second, rb"/FRM"),
    # What may come after the last signature.
    "store without VRI": Form(lambda: makers.stored(once().data, named=False), rb"/DSS"),
    "store with VRI": Form(lambda: makers.stored(once().data, named=True), rb"/VRI"),
    "store with VRI and extension": Form(stored_by_hand, rb"/ESIC"),
    "store in a certified document": Form(
        lambda: makers.stored(sign(small(), hand(), permission=1).data, named=True), rb"/VRI"
    ),
    "store and document timestamp": Form(
        lambda: documents.foreign_archive(makers.stored(once().data, named=True)), rb"/DocTimeStamp"
    ),
    "filled in as certified, then signed": Form(lambda: filled_and_signed(MDPPerm.FILL_FORMS), rb"\(seen\)"),
    "filled in as certified for annotations, then signed": Form(lambda: filled_and_signed(MDPPerm.ANNOTATE)),
    # Other makers.
    "PDFBox": Form(lambda: makers.by_pdfbox()["plain"], rb"/Contents <3080"),
    "PDFBox, visible": Form(lambda: makers.by_pdfbox()["visible"]),
    "PDFBox, cross-reference stream": Form(lambda: makers.by_pdfbox()["xref stream"], rb"/ObjStm"),
    "PDFBox, linearised": Form(lambda: makers.by_pdfbox()["linearized"], rb"/Linearized"),
    "PDFBox signs second": Form(lambda: makers.by_pdfbox()["second"]),
    "NSS": Form(lambda: makers.by_nss()["plain"]),
}

# Honest too, but nobody has to accept them: nothing there is called wrong.
BEYOND: dict[str, Form] = {
    "objects rewritten unchanged": Form(lambda: rewritten(CONTENT, FONT)),
    "hybrid update": Form(
        lambda: _twice(Style(kind="hybrid", packed=frozenset({INFO})), extra={INFO: once().bodies[INFO]}), rb"/XRefStm"
    ),
    "update that frees what never was": Form(lambda: _twice(Style(never_used=(40, 41))), rb"40 2\n0000000000 00001 f"),
    "NSS signs second, leaving what it does not use": Form(lambda: makers.by_nss()["second"]),
    "second signer's field and picture apart": Form(
        lambda: makers.by_pyhanko(once().data, "Signature2", signer="Second Hand", box=_BLANK, apart=True), rb"/Kids"
    ),
    "filled in as certified, not signed yet": Form(
        lambda: makers.filled_in(certified_form(MDPPerm.FILL_FORMS), "remark", "seen")
    ),
    "later signer covers what was there": Form(
        lambda: makers.by_pyhanko(once().data, "Signature2", signer="Second Hand", box=(10, 160, 120, 190))
    ),
}


@cache
def document(name: str) -> bytes:
    """The honest document of this form."""
    return (FORMS | BEYOND)[name].build()
