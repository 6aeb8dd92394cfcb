"""Documents that want more of a reader than they are worth: each is well formed up to the place where it hurts."""

import zlib
from collections.abc import Callable, Mapping

from pyhanko.sign.fields import MDPPerm

from tests.support import documents as attack

# The largest document that a hub takes, bytes.
LARGEST = 20 * 1024 * 1024
_CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
_PAGES = b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
_PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 300]/Resources<<%b>>/Contents 5 0 R>>"


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (entries, len(data), data)


def deflated(data: bytes, entries: bytes = b"") -> bytes:
    return stream(zlib.compress(data, 9), entries + b"/Filter/FlateDecode")


def with_object_stream(holder: bytes, member: int) -> bytes:
    """A signed document and a later save of one object stream, whose cross-reference stream lists one member."""
    pdf = attack.foreign()
    previous = int(pdf[pdf.rindex(b"startxref") + 10 :].split()[0])
    first = len(pdf)
    out = pdf + b"900 0 obj\n%b\nendobj\n" % holder
    second = len(out)
    rows = ((2, 900, 0), (1, first, 0), (1, second, 0))
    table = b"".join(bytes((kind,)) + a.to_bytes(4, "big") + b.to_bytes(2, "big") for kind, a, b in rows)
    entries = b"/Type/XRef/Size 20020/W[1 4 2]/Index[%d 1 900 2]/Root 1 0 R/Prev %d" % (member, previous)
    out += b"901 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (stream(table, entries), second)
    return out


def overlapping(content: bytes) -> bytes:
    """9,000 members of one object stream, all of them the same long text."""
    head = b"".join(b"%d 0 " % (1000 + n) for n in range(9000))
    entries = b"/Type/ObjStm/N 9000/First %d" % len(head)
    return with_object_stream(deflated(head + content, entries), 1000)


def predicted() -> bytes:
    """Twelve million rows of one byte to be undone."""
    entries = b"/Type/ObjStm/N 1/First 10/DecodeParms<</Predictor 12/Columns 1>>"
    return with_object_stream(deflated(b"\2" * (12 * 1024 * 1024), entries), 1000)


def tables() -> bytes:
    """Sixty saves, each with a table of four thousand free objects."""
    out = bytearray(attack.foreign())
    rows = b"0000000000 65535 f \n" * 4000
    for _ in range(60):
        previous = int(bytes(out[out.rindex(b"startxref") + 10 :]).split()[0])
        at = len(out)
        out += b"xref\n1000 4000\n%btrailer\n<</Size 20000/Root 1 0 R/Prev %d>>\n" % (rows, previous)
        out += b"startxref\n%d\n%%%%EOF\n" % at
    return bytes(out)


def revisions() -> bytes:
    """Sixty saves after the signature, each of which writes three hundred objects anew."""
    pdf = attack.foreign()
    for turn in range(60):
        pdf = attack.update(pdf, {1000 + n: b"<</Turn %d/N %d/Next %d 0 R>>" % (turn, n, 1001 + n) for n in range(300)})
    return pdf


def nested() -> bytes:
    """Containers as deep as they may be, a hundred thousand of them in each of twenty objects."""
    one = b"[" * 40 + b"]" * 40
    return added(b"[%b]" % (one * 2500), 20)


def added(body: bytes, times: int) -> bytes:
    """A signed document and a later save of so many objects."""
    return attack.update(attack.foreign(), {1000 + n: body for n in range(times)})


def page_tree() -> bytes:
    """Forty levels of pages, each of which lists the next one twice, in place of the pages that were signed."""
    nodes = {10 + n: b"<</Type/Pages/Count 2/Kids[%d 0 R %d 0 R]>>" % (11 + n, 11 + n) for n in range(40)}
    return attack.update(
        attack.foreign(), {2: b"<</Type/Pages/Count 2/Kids[10 0 R 10 0 R]>>", **nodes, 50: _PAGE % b""}
    )


def many_pages() -> bytes:
    """Two hundred and ninety pages, signed by two: six hundred pictures to be drawn and compared."""
    kids = b" ".join(b"%d 0 R" % n for n in range(10, 300))
    pages = dict.fromkeys(range(11, 300), b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>>>")
    tree = b"<</Type/Pages/Count 290/Kids[%b]>>" % kids
    return signed_twice({2: tree, 10: _PAGE % b"", 5: stream(b""), **pages})


def comments() -> bytes:
    """A document that is signed, and nineteen megabytes of comments behind it."""
    pdf = attack.foreign()
    return pdf + b"%a\n" * ((LARGEST - len(pdf) - 10) // 3)


def flate_chain() -> bytes:
    """Two filters, a gigabyte at the end of them."""
    inner = zlib.compress(zlib.compress(bytes(1 << 30), 9), 9)
    return with_object_stream(stream(inner, b"/Type/ObjStm/N 1/First 9/Filter[/FlateDecode/FlateDecode]"), 1000)


def signers() -> bytes:
    """Thirty signatures, one after another: each covers all before it."""
    pdf = attack.foreign()
    for n in range(2, 31):
        pdf = attack.foreign_sign(pdf, f"Signer{n}")
    return pdf


def signatures() -> bytes:
    """A thousand signatures, each of which is said to cover fifteen megabytes."""
    made: dict[int, bytes] = {}
    for n in range(1000):
        made[100 + 2 * n] = b"<</FT/Sig/T(%d)/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/V %d 0 R>>" % (n, 101 + 2 * n)
        made[101 + 2 * n] = (
            b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 7000000 7000100 8000000]"
            b"/Contents<30820010>>>"
        )
    listed = b" ".join(b"%d 0 R" % (100 + 2 * n) for n in range(1000))
    form = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[%b]/SigFlags 3>>>>" % listed
    padding = stream(b"x" * 15_000_000)
    return attack.build({1: form, 2: _PAGES, 3: _PAGE % b"", 5: stream(b""), 6: padding, **made})


def signed_twice(objects: Mapping[int, bytes]) -> bytes:
    """Certified, and signed by a second one as the certification allows: what is drawn has to be drawn twice."""
    made = attack.build({1: _CATALOG, 2: _PAGES, **objects})
    first = attack.foreign_sign(made, certify=MDPPerm.FILL_FORMS, box=(0, 0, 40, 20))
    return attack.foreign_sign(first, "B")


def drawn_forms() -> bytes:
    """Forms that draw the next one ten times, twelve levels of them."""
    forms = {
        20 + n: deflated(
            b"/X Do " * 10, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>" % (21 + n)
        )
        for n in range(12)
    }
    forms[32] = stream(b"0 0 9 9 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    return signed_twice({3: _PAGE % b"/XObject<</X 20 0 R>>", 5: stream(b"/X Do"), **forms})


def drawn_lines() -> bytes:
    """A million curves in sixteen megabytes of page content."""
    return signed_twice({3: _PAGE % b"", 5: deflated(b"0 0 m 1 400 399 1 400 300 c S\n" * 500_000)})


def drawn_image() -> bytes:
    """A picture of forty thousand by forty thousand points."""
    entries = b"/Type/XObject/Subtype/Image/Width 40000/Height 40000/BitsPerComponent 1/ColorSpace/DeviceGray"
    return signed_twice(
        {
            3: _PAGE % b"/XObject<</X 20 0 R>>",
            5: stream(b"400 0 0 300 0 0 cm /X Do"),
            20: deflated(bytes(40000 * 5000), entries),
        }
    )


def drawn_page() -> bytes:
    """A page of four kilometres."""
    page = (_PAGE % b"").replace(b"[0 0 400 300]", b"[0 0 14400000 14400000]")
    return signed_twice({3: page, 5: stream(b"0 0 9 9 re f")})


HOSTILE: Mapping[str, Callable[[], bytes]] = {
    "object stream, one hexadecimal string": lambda: overlapping(b"<" + b"a" * (10 * 1024 * 1024) + b">"),
    "object stream, one space": lambda: overlapping(b" " * (10 * 1024 * 1024) + b"1 "),
    "predictor": predicted,
    "cross-reference tables": tables,
    "revisions": revisions,
    "nesting": nested,
    "page tree": page_tree,
    "pages": many_pages,
    "comments": comments,
    "flate chain": flate_chain,
    "escaped string": lambda: added(b"(" + b"\\101" * 200_000 + b")", 20),
    "bracketed string": lambda: added(b"(" + b"()" * 400_000 + b")", 20),
    "wide arrays": lambda: added(b"[" + b"1 2 R /a " * 45_000 + b"]", 20),
    "wide dictionaries": lambda: added(b"<<" + b"".join(b"/k%d 1" % n for n in range(90_000)) + b">>", 15),
    "signers": signers,
    "signatures": signatures,
    "forms in forms": drawn_forms,
    "curves": drawn_lines,
    "image": drawn_image,
    "page size": drawn_page,
}
"""By what is too much in it."""
