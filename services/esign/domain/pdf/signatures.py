"""Signatures and document timestamps inside a PDF: found through the form, taken apart, measured against the file."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from services.esign.domain import moments
from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.syntax import Dict, PdfError, Ref
from services.esign.domain.pdf.writer import text_of

# Kinds of signatures, by /Type (ISO 32000-2, 12.8.1 and 12.8.5).
_SIGNATURE, _TIMESTAMP = "Sig", "DocTimeStamp"
_DATE = re.compile(rb"D:(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:(Z)(?:00'?00'?)?|([+-])(\d\d)'?(\d\d)'?)")
# One case only: with both allowed a flipped bit could leave the decoded bytes as they were.
_MAX_SIGNATURES = 32
_MAX_FIELDS = 20_000
# Entries of annotations, pages, fields and nodes of trees.
_ELSEWHERE = frozenset({"Subtype", "Rect", "AP", "DA", "Annots", "MediaBox", "Kids", "Parent"})
# Parents above a field.
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class PdfSignature:
    """A signature: its value, the gap it stands in, where its coverage ends, what its dictionary claims.

    `cms` holds what /Contents holds: a CMS, a seal signature, or for a document timestamp a token (RFC 3161).
    `permission` is DocMDP's P of a certification signature, None for an approval signature; `certifies`: the catalog
    names it as the certification; `claimed_us` is /M.
    `number` and `field` are the objects of signature and field, `name` the field's full name.
    """

    number: int
    field: int
    name: str
    subfilter: str
    is_timestamp: bool
    cms: bytes = dataclass_field(repr=False)
    gap: tuple[int, int]
    covered_to: int
    claimed_us: int | None
    permission: int | None
    certifies: bool
    # Of the dictionary's /Cert (DER), which only bare RSA values need.
    certificates: tuple[bytes, ...] = dataclass_field(default=(), repr=False)

    def covers_whole(self, document: Document) -> bool:
        """Tells whether nothing but white space follows what it covers."""
        return not document.data[self.covered_to : document.end].strip(b"\x00\t\n\f\r ")

    def signed_parts(self, data: bytes) -> tuple[memoryview, memoryview]:
        view = memoryview(data)
        return view[: self.gap[0]], view[self.gap[1] : self.covered_to]


def find(document: Document) -> list[PdfSignature]:
    """All signatures and document timestamps in the order of their coverage, each reached through the form. Raises
    PdfError when one is malformed.
    """
    certified = _certification(document)
    read = [_read(document, holder, field, name, certified) for holder, field, name in _through_form(document)]
    return sorted(read, key=lambda s: s.covered_to)


def by_signers(found: Sequence[PdfSignature]) -> list[PdfSignature]:
    """Those that somebody signed: no document timestamps."""
    return [signature for signature in found if not signature.is_timestamp]


def as_signed(document: Document, signature: PdfSignature) -> Document:
    """The document as it was when the signature was made. Raises PdfError COVERAGE when what it covers is no whole
    document, or one that it is not part of.
    """
    if signature.covered_to == document.end:
        # Found in it: it is part of it.
        return document
    try:
        found = document.until(signature.covered_to)
        first, last = signature.gap
        present = any(holder.start < first and last <= holder.end for holder, _, _ in _through_form(found))
    except PdfError as cause:
        if cause.limit:
            raise
        present = False
    if not present:
        raise PdfError("COVERAGE", "a signature does not cover a whole document that it is part of")
    return found


def fields(document: Document) -> Iterator[tuple[Ref, Dict, str]]:
    """Every node of the form: reference, dictionary, full name. What is no field is passed over. Raises PdfError."""
    form = document.resolve(document.catalog().get("AcroForm"))
    listed = document.resolve(form.get("Fields")) if isinstance(form, Dict) else None
    waiting: list[tuple[Any, str, int]] = [(each, "", 0) for each in listed] if isinstance(listed, list) else []
    seen: set[Any] = set()
    while waiting:
        ref, above, depth = waiting.pop()
        field = document.resolve(ref)
        if not isinstance(ref, Ref) or not isinstance(field, Dict) or ref in seen:
            continue
        seen.add(ref)
        if depth > _DEEPEST or len(seen) > _MAX_FIELDS:
            raise PdfError("TOO_MANY_FIELDS", "the form is too deep or too large", limit=True)
        part = document.resolve(field.get("T"))
        name = ".".join(filter(None, (above, text_of(part) if isinstance(part, bytes) else "")))
        yield ref, field, name
        kids = document.resolve(field.get("Kids"))
        if isinstance(kids, list):
            waiting.extend((kid, name, depth + 1) for kid in kids)


def inherited(document: Document, field: Mapping[str, Any], key: str) -> Any:
    """An inheritable entry of a field (ISO 32000-1, table 220). Raises PdfError."""
    node: Any = field
    for _ in range(_DEEPEST):
        if not isinstance(node, Dict):
            break
        value = document.resolve(node.get(key))
        if value is not None:
            return value
        node = document.resolve(node.get("Parent"))
    return None


def _through_form(document: Document) -> list[tuple[PdfObject, int, str]]:
    """Each signature with number and full name of its field."""
    found: dict[int, tuple[PdfObject, int, str]] = {}
    for ref, field, name in fields(document):
        if "V" not in field or inherited(document, field, "FT") != "Sig" or document.resolve(field["V"]) is None:
            continue
        value = field["V"]
        holder = document.object(value[0]) if isinstance(value, Ref) else None
        if holder is None or holder.number in found:
            raise PdfError(
                "SIGNATURE_SHARED", "two fields show one signature, or it is no object of its own", unsupported=True
            )
        found[holder.number] = holder, ref[0], name
        if len(found) > _MAX_SIGNATURES:
            raise PdfError("TOO_MANY_SIGNATURES", f"more than {_MAX_SIGNATURES} signatures", limit=True)
    return list(found.values())


def _certification(document: Document) -> Ref | None:
    permissions = document.resolve(document.catalog().get("Perms"))
    ref = permissions.get("DocMDP") if isinstance(permissions, Dict) else None
    return ref if isinstance(ref, Ref) else None


def _read(document: Document, holder: PdfObject, field: int, name: str, certified: Ref | None) -> PdfSignature:
    value, data = holder.value, document.data
    if not isinstance(value, Dict) or value.get("Type", _SIGNATURE) not in {_SIGNATURE, _TIMESTAMP}:
        raise PdfError("SIGNATURE", "not a signature dictionary")
    if not _ELSEWHERE.isdisjoint(value.keys()):
        # Its /Contents would be shown, as that of an annotation is.
        raise PdfError("SIGNATURE_SHARED", "a signature's dictionary is something else, too", unsupported=True)
    span = document.resolve(value.get("ByteRange"))
    if not isinstance(span, list) or len(span) != 4 or not all(type(n) is int and 0 <= n <= len(data) for n in span):
        raise PdfError("BYTE_RANGE", "/ByteRange is malformed")
    if data.find(b"/ByteRange", holder.start, holder.end) < 0:
        # Signatures that were taken out are looked for by this word: no name stands for it in other letters.
        raise PdfError("BYTE_RANGE", "/ByteRange is not written plainly", unsupported=True)
    start, gap_start, gap_end, rest = span
    if "Contents" not in value.spans:
        raise PdfError("CONTENTS", "signature without /Contents in hexadecimal digits", unsupported=True)
    first, last = value.spans["Contents"]
    first = data.index(b"<", first) if b"<" in data[first:last] else first
    # The gap is exactly the one hexadecimal string of this very dictionary: nothing else goes unsigned.
    if start == 0 and (gap_start, gap_end) == (first, last) and gap_end + rest > len(data):
        missing = gap_end + rest - len(data)
        more = "1 byte" if missing == 1 else f"{missing} bytes"
        raise PdfError("UNFINISHED", f"the signature covers {more} more than there are", unsupported=True)
    if start != 0 or (gap_start, gap_end) != (first, last) or gap_end + rest > document.end:
        # Early makers signed the brackets.
        inner = start == 0 and (gap_start, gap_end) == (first + 1, last - 1)
        raise PdfError("BYTE_RANGE", "/ByteRange leaves out something else than the signature", unsupported=inner)
    cms: bytes = value["Contents"]
    written, digits = data[first:last], b"<%b>" % cms.hex().encode()
    if not cms or (written != digits and written != digits.upper()):
        raise PdfError("CONTENTS", "/Contents is not one hexadecimal string in one case", unsupported=True)
    certifies = certified is not None and certified[0] == holder.number
    permission = _permission(document, value, is_certification=certifies)
    subfilter = str(value.get("SubFilter", ""))
    is_timestamp = value.get("Type") == _TIMESTAMP or subfilter == "ETSI.RFC3161"
    if is_timestamp and permission is not None:
        # Anybody may have added it: that is nobody's forgery of what others signed.
        raise PdfError("DOCMDP", "a document timestamp certifies nothing", unsupported=True)
    return PdfSignature(
        number=holder.number,
        field=field,
        name=name,
        subfilter=subfilter,
        is_timestamp=is_timestamp,
        cms=cms,
        gap=(gap_start, gap_end),
        covered_to=gap_end + rest,
        claimed_us=_moment(document.resolve(value.get("M"))),
        permission=permission,
        certifies=certifies,
        certificates=_certificates(document.resolve(value.get("Cert"))),
    )


def _certificates(value: Any) -> tuple[bytes, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(each for each in listed if isinstance(each, bytes))


def _permission(document: Document, value: Dict, *, is_certification: bool) -> int | None:
    """P of a certification. One that the catalog does not name is held to what it says all the same."""
    references = document.resolve(value.get("Reference"))
    transforms = [document.resolve(r) for r in references] if isinstance(references, list) else []
    mdp = [t for t in transforms if isinstance(t, Dict) and document.resolve(t.get("TransformMethod")) == "DocMDP"]
    if not is_certification and not mdp:
        return None
    if len(mdp) != 1:
        raise PdfError("DOCMDP", "catalog and signature do not agree on the certification", unsupported=True)
    parameters = document.resolve(mdp[0].get("TransformParams"))
    level = document.resolve(parameters.get("P", 2)) if isinstance(parameters, Dict) else 2
    if level not in {1, 2, 3}:
        raise PdfError("DOCMDP", "certification level is not 1, 2 or 3", unsupported=True)
    return int(level)


def _moment(value: Any) -> int | None:
    match = _DATE.fullmatch(value) if isinstance(value, bytes) else None
    if match is None:
        return None
    zone = UTC
    try:
        if match[8]:
            offset = timedelta(hours=int(match[9]), minutes=int(match[10]))
            zone = timezone(offset if match[8] == b"+" else -offset)
        year, month, day, hour, minute, second = (int(match[at]) for at in range(1, 7))
        return moments.us(datetime(year, month, day, hour, minute, second, tzinfo=zone))
    except ValueError:
        return None
