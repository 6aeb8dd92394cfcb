"""Signatures and document timestamps inside a PDF: found through the form, taken apart, measured against the file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from services.esign.domain.pdf import Document, PdfObject
from services.esign.domain.pdf_syntax import Dict, PdfError, Ref

# Kinds of signatures, by /Type (ISO 32000-2, 12.8.1 and 12.8.5).
_SUBFILTERS = {
    "Sig": frozenset({"ETSI.CAdES.detached", "adbe.pkcs7.detached"}),
    "DocTimeStamp": frozenset({"ETSI.RFC3161"}),
}
_DATE = re.compile(rb"D:(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:(Z)(?:00'00'?)?|([+-])(\d\d)'(\d\d)'?)")
# One case only: with both allowed a flipped bit could leave the decoded bytes as they were.
_CASES = (b"0123456789abcdef", b"0123456789ABCDEF")
_MAX_SIGNATURES = 32


@dataclass(frozen=True, slots=True)
class PdfSignature:
    """A signature: CMS bytes, the gap they stand in, where its coverage ends, what its dictionary claims.

    `permission` is DocMDP's P of a certification signature, None for an approval signature; `claimed_us` is /M. A
    document timestamp holds a token (RFC 3161) where others hold their CMS.
    """

    number: int
    field: int
    is_timestamp: bool
    cms: bytes
    gap: tuple[int, int]
    covered_to: int
    claimed_us: int | None
    permission: int | None

    def covers_whole(self, document: Document) -> bool:
        return self.covered_to == len(document.data)

    def ends_its_revision(self, document: Document) -> bool:
        """Whether it covers the file up to the end of the revision that it came with."""
        return any(self.covered_to == r.end and self.number in r.objects for r in document.revisions)

    def signed_parts(self, data: bytes) -> tuple[memoryview, memoryview]:
        view = memoryview(data)
        return view[: self.gap[0]], view[self.gap[1] : self.covered_to]


def find(document: Document) -> list[PdfSignature]:
    """All signatures and document timestamps in the order of their coverage, each reached through the form. Raises
    PdfError when one is malformed or hides outside it.
    """
    reached = _through_form(document)
    for revision in document.revisions:
        for number, found in revision.objects.items():
            if isinstance(found.value, Dict) and "ByteRange" in found.value and number not in reached:
                raise PdfError("SIGNATURE_HIDDEN", f"signature object {number} is not in the form")
    certified = _certification(document)
    read = [_read(document, holder, field, certified) for holder, field in reached.values()]
    return sorted(read, key=lambda s: s.covered_to)


def by_signers(found: Sequence[PdfSignature]) -> list[PdfSignature]:
    """Those that somebody signed: no document timestamps."""
    return [signature for signature in found if not signature.is_timestamp]


def _through_form(document: Document) -> dict[int, tuple[PdfObject, int]]:
    """Each signature with the number of its field."""
    form = document.resolve(document.catalog().get("AcroForm"))
    waiting = document.resolve(form.get("Fields")) if isinstance(form, Dict) else None
    queue: list[Any] = list(waiting) if isinstance(waiting, list) else []
    found: dict[int, tuple[PdfObject, int]] = {}
    seen: set[Any] = set()
    while queue:
        ref = queue.pop()
        field = document.resolve(ref)
        if not isinstance(ref, Ref) or ref in seen or not isinstance(field, Dict):
            raise PdfError("FORM", "the form's fields are malformed")
        seen.add(ref)
        kids = document.resolve(field.get("Kids"))
        if isinstance(kids, list):
            queue.extend(kids)
        if field.get("FT") != "Sig" or field.get("V") is None:
            continue
        value = field["V"]
        holder = document.object(value[0]) if isinstance(value, Ref) else None
        if holder is None or holder.number in found:
            raise PdfError("SIGNATURE_SHARED", "two fields show one signature, or it is no object of its own")
        found[holder.number] = holder, ref[0]
        if len(found) > _MAX_SIGNATURES:
            raise PdfError("TOO_MANY_SIGNATURES", "too many signatures")
    return found


def _certification(document: Document) -> Ref | None:
    permissions = document.resolve(document.catalog().get("Perms"))
    ref = permissions.get("DocMDP") if isinstance(permissions, Dict) else None
    return ref if isinstance(ref, Ref) else None


def _read(document: Document, holder: PdfObject, field: int, certified: Ref | None) -> PdfSignature:
    value, data = holder.value, document.data
    if not isinstance(value, Dict) or value.get("Type", "Sig") not in _SUBFILTERS:
        raise PdfError("SIGNATURE", "not a signature dictionary")
    if value.get("SubFilter") not in _SUBFILTERS[value.get("Type", "Sig")]:
        raise PdfError("SUBFILTER", "signature of a kind not known here", unsupported=True)
    span = value.get("ByteRange")
    if not isinstance(span, list) or len(span) != 4 or not all(type(n) is int and 0 <= n <= len(data) for n in span):
        raise PdfError("BYTE_RANGE", "/ByteRange is malformed")
    start, gap_start, gap_end, rest = span
    if "Contents" not in value.spans:
        raise PdfError("CONTENTS", "signature without /Contents")
    first, last = value.spans["Contents"]
    first = data.index(b"<", first) if b"<" in data[first:last] else first
    # The gap is exactly the one hexadecimal string of this very dictionary: nothing else goes unsigned.
    if start != 0 or (gap_start, gap_end) != (first, last) or gap_end + rest > len(data):
        raise PdfError("BYTE_RANGE", "/ByteRange leaves out something else than the signature")
    digits = data[first + 1 : last - 1]
    if data[first] != 0x3C or not digits or len(digits) % 2 or all(digits.translate(None, case) for case in _CASES):
        raise PdfError("CONTENTS", "/Contents is not one hexadecimal string in one case")
    permission = _permission(document, value, is_certification=certified is not None and certified[0] == holder.number)
    is_timestamp = value.get("Type") == "DocTimeStamp"
    if is_timestamp and permission is not None:
        raise PdfError("DOCMDP", "a document timestamp certifies nothing")
    return PdfSignature(
        number=holder.number,
        field=field,
        is_timestamp=is_timestamp,
        cms=bytes.fromhex(digits.decode()),
        gap=(gap_start, gap_end),
        covered_to=gap_end + rest,
        claimed_us=_moment(document.resolve(value.get("M"))),
        permission=permission,
    )


def _permission(document: Document, value: Dict, *, is_certification: bool) -> int | None:
    references = document.resolve(value.get("Reference"))
    transforms = [document.resolve(r) for r in references] if isinstance(references, list) else []
    mdp = [t for t in transforms if isinstance(t, Dict) and t.get("TransformMethod") == "DocMDP"]
    if not is_certification and not mdp:
        return None
    if not is_certification or len(mdp) != 1:
        raise PdfError("DOCMDP", "catalog and signature do not agree on the certification")
    parameters = document.resolve(mdp[0].get("TransformParams"))
    level = parameters.get("P", 2) if isinstance(parameters, Dict) else 2
    if level not in {1, 2, 3}:
        raise PdfError("DOCMDP", "certification level is not 1, 2 or 3")
    return int(level)


def _moment(value: Any) -> int | None:
    match = _DATE.fullmatch(value) if isinstance(value, bytes) else None
    if match is None:
        return None
    zone = UTC
    if match[8]:
        offset = timedelta(hours=int(match[9]), minutes=int(match[10]))
        zone = timezone(offset if match[8] == b"+" else -offset)
    try:
        moment = datetime(*(int(match[i]) for i in range(1, 7)), tzinfo=zone)  # type: ignore[arg-type, misc]
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000_000
