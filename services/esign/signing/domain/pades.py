"""PAdES B-B and B-T (ETSI EN 319 142-1) as one incremental update, written by concatenation.

Per seal everything that can be known is computed once (`CmsTemplate`); per document one digest, one signature, one
copy. The size of /Contents is the longest CMS that this key can make, to the byte. The update is a certification
signature (DocMDP, P = 1): no later change of any kind is lawful.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from services.esign.domain import der
from services.esign.domain.cms.signed_data import CmsTemplate, OpenedCms, SigningKey
from services.esign.domain.digests import SHA256, Digest
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.pdf import shadow
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, PdfError, Ref
from services.esign.domain.pdf.writer import BYTE_RANGE_WIDTH, section, text_string, written

# The tail that the layout engine writes; other writers go through the strict reader.
_TAIL = re.compile(
    rb"trailer\n<</Size (\d+)/Root (\d+) 0 R((?:/Info \d+ 0 R)?)/ID\[(\([^()\\]*\)|<[0-9A-Fa-f]+>)"
    rb"(?:\([^()\\]*\)|<[0-9A-Fa-f]+>)\]>>"
    rb"\nstartxref\n(\d+)\n%%EOF\n?\Z"
)
_PAGES = re.compile(rb"1 0 obj\n<</Type/Pages/Count 1/Kids\[(\d+) 0 R\]>>\nendobj")
_TAIL_SPAN = 512
_BYTE_RANGE = re.compile(rb"/ByteRange\[0 (\d{1,10}) (\d{1,10}) \d{1,10}\] */Contents<")


@dataclass(frozen=True, slots=True)
class SignatureField:
    """The signature field: its name, and the rectangle on the first page in points from the lower left; no rectangle,
    no sight.
    """

    name: str = "Seal1"
    rectangle: tuple[float, float, float, float] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class SigningSeal:
    """A seal made ready to sign: its CMS parts and the dictionary text that never changes. Build once, share between
    threads.
    """

    cms: CmsTemplate
    field: SignatureField
    organisation: str
    before_time: bytes
    after_time: bytes
    holder: bytes

    @classmethod
    def prepare(
        cls,
        key: SigningKey,
        certificate: bytes,
        chain: Sequence[bytes],
        organisation: str,
        field: SignatureField = SignatureField(),
        digest: Digest = SHA256,
    ) -> "SigningSeal":
        """For a certificate (DER) and its intermediates. `organisation` becomes /Name: the signer as people read it.
        `digest` is the one that goes with the key.
        """
        before = (
            b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/Name"
            + text_string(organisation)
            + b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams"
            b"<</Type/TransformParams/P 1/V/1.2>>>>]/M(D:"
        )
        return cls(
            cms=CmsTemplate.prepare(key, certificate, chain, digest),
            field=field,
            organisation=organisation,
            before_time=before,
            after_time=b"Z)/ByteRange",
            holder=text_string(field.name),
        )


@dataclass(frozen=True, slots=True)
class Outline:
    """The facts about a document that signing needs: where it ends and the two objects that the update replaces."""

    size: int
    root: tuple[int, int]
    catalog: bytes
    page: tuple[int, int]
    page_body: bytes
    keep: bytes
    first_id: bytes
    previous: int
    xref_kind: str


def outline(pdf: bytes) -> Outline:
    """Reads the outline: at once for what our own layout engine writes, through the strict reader for everything else.

    Raises DocumentUnfitError when the document is not one that has a single reading, or already carries a form or a
    signature.
    """
    found = _outline_of_layout(pdf)
    if found is not None:
        return found
    try:
        return _outline_of_document(pdf)
    except PdfError as cause:
        raise DocumentUnfitError(
            cause.reason, f"the PDF cannot be sealed: {cause}", "此 PDF 文件结构不合规，不能签章"
        ) from cause


def sign(pdf: bytes, seal: SigningSeal, at_us: int, *, token: int = 0) -> bytes:
    """The document with the seal's signature as its last revision. `at_us` (µs) becomes /M. `token` is the longest
    timestamp token, bytes, for which /Contents leaves room (see `LastSignature`). Raises DocumentUnfitError.
    """
    return signed(pdf, seal, at_us, token=token).pdf


def signed(pdf: bytes, seal: SigningSeal, at_us: int, *, token: int = 0) -> "LastSignature":
    """`sign`, ready for the timestamp."""
    doc = outline(pdf)
    base_digest = seal.cms.digest.new(pdf)
    start = len(pdf)
    form, field, value = doc.size, doc.size + 1, doc.size + 2
    x1, y1, x2, y2 = seal.field.rectangle
    parts: list[bytes] = [] if pdf.endswith(b"\n") else [b"\n"]
    offsets: dict[int, tuple[int, int]] = {}
    at = start + sum(map(len, parts))

    for (number, generation), body in (
        (doc.root, doc.catalog + b"/AcroForm<</Fields[%d 0 R]/SigFlags 3>>/Perms<</DocMDP %d 0 R>>>>" % (field, value)),
        (doc.page, doc.page_body + b"/Annots[%d 0 R]>>" % field),
        (
            (form, 0),
            b"<</Type/XObject/Subtype/Form/BBox[0 0 %.2f %.2f]/Resources<<>>/Length 0>>\nstream\n\nendstream"
            % (x2 - x1, y2 - y1),
        ),
        (
            (field, 0),
            b"<</Type/Annot/Subtype/Widget/FT/Sig/T%b/F 132"
            b"/Rect[%.2f %.2f %.2f %.2f]/P %d %d R/AP<</N %d 0 R>>/V %d 0 R>>"
            % (seal.holder, x1, y1, x2, y2, *doc.page, form, value),
        ),
    ):
        text = b"%d %d obj\n%b\nendobj\n" % (number, generation, body)
        offsets[number] = (at, generation)
        parts.append(text)
        at += len(text)

    moment = _moment(at_us // 1_000_000)
    opening = b"%d 0 obj\n%b%b%b" % (value, seal.before_time, moment, seal.after_time)
    offsets[value] = (at, 0)
    hex_size = 2 * seal.cms.max_size_with(token)
    gap = at + len(opening) + BYTE_RANGE_WIDTH + len(b"/Contents")
    after_gap = gap + hex_size + 2
    closing = b">>\nendobj\n"
    base_digest_id = base_digest.copy()
    base_digest_id.update(moment)
    tail = _section(doc, offsets, after_gap + len(closing), base_digest_id.digest()[:16])
    end = closing + tail
    byte_range = b"[0 %d %d %d]" % (gap, after_gap, len(end))
    head = b"".join((*parts, opening, byte_range.ljust(BYTE_RANGE_WIDTH), b"/Contents"))

    base_digest.update(head)
    base_digest.update(end)
    whole, opened = seal.cms.sign_open(base_digest.digest())
    contents = whole.hex().encode().ljust(hex_size, b"0")
    return LastSignature(b"".join((pdf, head, b"<", contents, b">", end)), gap + 1, after_gap - 1, opened)


# Many seals are of one second.
@lru_cache(maxsize=16)
def _moment(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%d%H%M%S").encode()


@dataclass(frozen=True, slots=True)
class LastSignature:
    """The last signature of a document that `sign` made. Its hexadecimal digits stand from `start` to `end`."""

    pdf: bytes
    start: int
    end: int
    cms: OpenedCms

    @classmethod
    def of(cls, pdf: bytes) -> "LastSignature":
        """Raises DocumentUnfitError NOT_SEALED_HERE."""
        found = _BYTE_RANGE.search(pdf, max(0, pdf.rfind(b"/ByteRange[")))
        try:
            if found is None:
                raise ValueError
            start, end = int(found[1]) + 1, int(found[2]) - 1
            filled = bytes.fromhex(pdf[start:end].decode("ascii"))
            return cls(pdf, start, end, OpenedCms.of(filled[: der.parse_prefix(filled).end]))
        except ValueError as cause:
            raise DocumentUnfitError(
                "NOT_SEALED_HERE", "the document does not end with a seal made here", "文件末尾不是本系统的签章"
            ) from cause

    @property
    def value(self) -> bytes:
        """The signature's value: what its timestamp is over."""
        return self.cms.value

    @property
    def has_timestamp(self) -> bool:
        return self.cms.has_unsigned

    def stamped(self, token: bytes) -> bytes:
        """PAdES B-T (ETSI EN 319 142-1, 6.3) from B-B: the token goes into the room that `sign` left.

        No byte moves, and what was signed stays as it is. Raises DocumentUnfitError TIMESTAMP_ROOM when it does not
        fit.
        """
        digits, room = self.cms.stamped(token).hex().encode(), self.end - self.start
        if len(digits) > room:
            raise DocumentUnfitError(
                "TIMESTAMP_ROOM", "the token is longer than the room left for it", "时间戳超出预留空间"
            )
        return b"".join((self.pdf[: self.start], digits.ljust(room, b"0"), self.pdf[self.end :]))


def _section(doc: Outline, offsets: dict[int, tuple[int, int]], at: int, identifier: bytes) -> bytes:
    trailer = b"/Root %d %d R%b/Prev %d/ID[%b<%b>]" % (
        *doc.root,
        doc.keep,
        doc.previous,
        doc.first_id,
        identifier.hex().encode(),
    )
    return section(offsets, at, doc.size + 3, trailer, doc.xref_kind)


def _outline_of_layout(pdf: bytes) -> Outline | None:
    tail = _TAIL.search(pdf, max(0, len(pdf) - _TAIL_SPAN))
    pages = _PAGES.search(pdf, 0, 256)
    if tail is None or pages is None or b"/Prev" in tail[0]:
        return None
    xref, root, page = int(tail[5]), int(tail[2]), int(pages[1])
    catalog, page_body = _body_at(pdf, xref, root), _body_at(pdf, xref, page)
    if catalog is None or page_body is None:
        return None
    if b"/AcroForm" in catalog or b"/Perms" in catalog or b"/Annots" in page_body:
        return None
    return Outline(int(tail[1]), (root, 0), catalog, (page, 0), page_body, tail[3], tail[4], xref, "table")


def _body_at(pdf: bytes, xref: int, number: int) -> bytes | None:
    """Dictionary text of an object without its closing brackets, through the one-section table at `xref`."""
    row = xref + pdf.index(b"\n", xref + 5) + 1 - xref + 20 * number
    if not pdf.startswith(b"xref\n0 ", xref) or pdf[row + 17 : row + 18] != b"n":
        return None
    offset = int(pdf[row : row + 10])
    end = pdf.find(b">>\nendobj\n", offset)
    head = b"%d 0 obj\n<<" % number
    if end < 0 or not pdf.startswith(head, offset):
        return None
    return pdf[offset + len(head) - 2 : end]


def _outline_of_document(pdf: bytes) -> Outline:
    doc = Document(pdf)
    trailer = doc.trailer
    root, (page, page_value) = trailer["Root"], doc.first_page()
    if {"AcroForm", "Perms"} & doc.catalog().keys() or "Annots" in page_value:
        raise PdfError("FORM_PRESENT", "the document already has a form, a signature or annotations", unsupported=True)
    shadow.refuse(doc)
    size, info, identifiers = trailer.get("Size"), trailer.get("Info"), trailer.get("ID")
    if not isinstance(size, int) or size <= doc.highest:
        raise PdfError("TRAILER", "trailer without a usable /Size")
    keep = b"/Info %d %d R" % info if isinstance(info, Ref) else b""
    if isinstance(identifiers, list) and len(identifiers) == 2 and isinstance(identifiers[0], bytes):
        first = identifiers[0]
    else:
        first = sha256(pdf).digest()[:16]
    return Outline(
        size,
        (root[0], root[1]),
        _open_dictionary(doc, root, doc.catalog()),
        (page[0], page[1]),
        _open_dictionary(doc, page, page_value),
        keep,
        b"<" + first.hex().encode() + b">",
        doc.startxref,
        doc.kind,
    )


def _open_dictionary(doc: Document, ref: Ref, value: Dict) -> bytes:
    """Text of a dictionary from << on, without the closing >>: as it stands in the file, or written anew when it lies
    inside an object stream.
    """
    found = doc.object(ref[0])
    text = written(value) if found is None else doc.data[found.start : found.end]
    return text[text.index(b"<<") : text.rindex(b">>")]
