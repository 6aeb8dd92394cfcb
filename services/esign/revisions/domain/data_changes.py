"""Checks what may be different in a document's data that nobody draws: its description (Info, XMP), validation data
(DSS), and developers' extensions. Each raises ChangedError where more than that came.
"""

from collections.abc import Mapping
from typing import Any

from services.esign.certification.domain.validation_data import ValidationData
from services.esign.domain import der
from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.syntax import Dict, Ref
from services.esign.domain.pdf.update import holds_reference
from services.esign.revisions.domain import xmp
from services.esign.revisions.domain.two_versions import ChangedError, TwoVersions
from services.esign.revisions.domain.xmp import XmpError

VALIDATION_OF_ONE = frozenset({"Type", "Cert", "OCSP", "CRL", "TU", "TS"})
"""Keys of the validation data of one signature (ISO 32000-2, table 262)."""
_VALIDATION = frozenset({"Type", "VRI", "Certs", "OCSPs", "CRLs"})
_DATA_STREAM = frozenset({"Length", "Filter", "DecodeParms", "Type", "Subtype"})
_SIMPLY_PACKED = (None, "FlateDecode", ["FlateDecode"])
_EXTENSION = frozenset({"Type", "BaseVersion", "ExtensionLevel", "ExtensionRevision", "URL"})
_INFO = frozenset({"ModDate", "Producer"})


def information(two: TwoVersions, old: Any, new: Any) -> list[tuple[Any, Any]]:
    """Document information: when and by what the file was written may differ; what has to be equal is answered."""
    if old is None and new is None:
        return []
    # Some makers say by what they signed where nothing was said before.
    old = Dict() if old is None else old
    if not isinstance(old, Dict) or not isinstance(new, Dict):
        raise ChangedError("the document information came or went")
    if any(not isinstance(two.before.resolve(old[key]), bytes) for key in _INFO & old.keys()):
        raise ChangedError("the document information was no text when it was signed", unclear=True)
    for key in _INFO & new.keys():
        if not isinstance(two.after.resolve(new[key]), bytes):
            raise ChangedError(f"/{key} is no text")
        two.explain(new[key])
    return [(old.get(key), new.get(key)) for key in (old.keys() | new.keys()) - _INFO]


def metadata(two: TwoVersions, old: PdfObject, new: PdfObject) -> None:
    """Metadata (XMP): they say what they said, but for when and by what they were written."""
    one, other = _xmp_of(two.before, old), _xmp_of(two.after, new)
    try:
        same = one == other or (
            xmp.properties(one) == xmp.properties(other) and xmp.prefixes(one) == xmp.prefixes(other)
        )
    except XmpError as cause:
        # A comment, a processing instruction: makers write them.
        raise ChangedError(f"the metadata were written anew, and cannot be compared: {cause}", unclear=True) from None
    if not same:
        raise ChangedError("the metadata say something else")
    _plain_metadata(two, new, old.value)


def new_metadata(two: TwoVersions, new: PdfObject) -> None:
    """Metadata (XMP) where there were none: they say when and by what the file was written, and nothing else.

    Readers show a title out of them, and take it before that of the document information. Some makers describe a
    document when they sign it, so more than that leaves the question open.
    """
    other = _xmp_of(two.after, new)
    try:
        says_more = bool(xmp.properties(other) or xmp.prefixes(other))
    except XmpError as cause:
        raise ChangedError(f"metadata were added, and cannot be read: {cause}", unclear=True) from None
    if says_more:
        raise ChangedError("metadata were added that describe the document", unclear=True)
    _plain_metadata(two, new, {})


def _xmp_of(document: Document, holder: PdfObject) -> bytes:
    if (holder.value.get("Type"), holder.value.get("Subtype")) != ("Metadata", "XML"):
        raise ChangedError("the metadata are none")
    return document.stream_of(holder)


def _plain_metadata(two: TwoVersions, new: PdfObject, old: Mapping[str, Any]) -> None:
    """The dictionary of the stream has what such streams have, and what it had (`old`)."""
    if any(key not in old or old[key] != new.value[key] for key in new.value.keys() - _DATA_STREAM):
        raise ChangedError("the metadata have more than metadata have")
    _explain_stream(two, new)
    if new.value.get("Filter") is not None and (new.value["Filter"] != "FlateDecode" or "DecodeParms" in new.value):
        raise ChangedError("the metadata are packed as some readers do not unpack them")


def _explain_stream(two: TwoVersions, holder: PdfObject) -> None:
    """The dictionary of a stream with data: nothing hangs on it but its length."""
    for key in _DATA_STREAM & holder.value.keys():
        value = holder.value[key]
        if key == "Length" and isinstance(two.after.resolve(value), int):
            two.explain(value)
        elif holds_reference(value):
            raise ChangedError(f"/{key} of a stream is elsewhere")


def extensions(two: TwoVersions, old: Any, new: Any) -> None:
    """Developers' extensions (ISO 32000-1, 7.12): names, numbers and texts of versions."""
    two.remember_data(old)
    if new is None:
        return
    if not isinstance(new, Dict):
        raise ChangedError("/Extensions is no dictionary")
    for key, value in new.items():
        if key == "Type":
            _plain(value)
            continue
        one = _own(two, value)
        for each in one if isinstance(one, list) else [one]:
            extension = _own(two, each)
            if not isinstance(extension, Dict) or not extension.keys() <= _EXTENSION:
                raise ChangedError("/Extensions has what is no extension")
            for member in extension.values():
                _plain(member)


def validation(two: TwoVersions, old: Any, new: Any) -> None:
    """A document security store (ISO 32000-2, 12.8.4.3): streams of data that nobody draws."""
    if new is None and old is None:
        return
    two.remember_data(old)
    if isinstance(old, Dict) and not old.keys() <= _VALIDATION:
        raise ChangedError("/DSS was no store of validation data when it was signed", unclear=True)
    if not isinstance(new, Dict) or not new.keys() <= _VALIDATION:
        raise ChangedError("/DSS is no store of validation data")
    _plain(new.get("Type"))
    for key in ("Certs", "OCSPs", "CRLs"):
        _data_streams(two, new.get(key))
    by_signature = _own(two, new.get("VRI"))
    for key, value in by_signature.items() if isinstance(by_signature, Dict) else ():
        if key == "Type":
            _plain(value)
        else:
            _of_one(two, _own(two, value))
    if by_signature is not None and not isinstance(by_signature, Dict):
        raise ChangedError("/DSS is no store of validation data")
    for key in ("Certs", "OCSPs", "CRLs"):
        stored = _stored(two.before, old, key)
        if gone := stored.keys() - _stored(two.after, new, key).keys():
            # What was stored and stamped may be the answer that a certificate was revoked.
            raise ChangedError(f"validation data were taken away: object {stored[min(gone)]}")
    if not ValidationData.of(two.before).is_part_of(ValidationData.of(two.after)):
        raise ChangedError("stored validation data are read no more: others stand before them", unclear=True)
    two.validation = two.validation or old != new


def _stored(document: Document, store: Any, key: str) -> dict[bytes, int]:
    """The streams that a list for the whole document names: their bytes, and the number of each."""
    found: dict[bytes, int] = {}
    listed = document.resolve(store.get(key)) if isinstance(store, Dict) else None
    refs = dict.fromkeys(each for each in listed if isinstance(each, Ref)) if isinstance(listed, list) else {}
    for ref in refs:
        holder = document.object(ref[0])
        if holder is not None and holder.stream is not None:
            found.setdefault(document.data[slice(*holder.stream)], holder.number)
    return found


def _of_one(two: TwoVersions, store: Any) -> None:
    """Validation data of one signature."""
    if not isinstance(store, Dict) or not store.keys() <= VALIDATION_OF_ONE:
        raise ChangedError("/DSS is no store of validation data")
    for key in ("Type", "TU"):
        _plain(store.get(key))
    for key in ("Cert", "OCSP", "CRL"):
        _data_streams(two, store.get(key))
    if "TS" in store:
        _data_stream(two, store["TS"])


def _is_der(data: bytes) -> bool:
    try:
        der.parse(data).expect(der.SEQUENCE)
    except der.DerError:
        return False
    return True


def _data_streams(two: TwoVersions, listed: Any) -> None:
    if isinstance(listed, Ref):
        if listed[0] in two.lists:
            return
        two.lists.add(listed[0])
    found = _own(two, listed)
    if found is not None and not isinstance(found, list):
        raise ChangedError("/DSS lists what is no validation data")
    for ref in found or []:
        _data_stream(two, ref)


def _data_stream(two: TwoVersions, ref: Any) -> None:
    holder = two.after.object(ref[0]) if isinstance(ref, Ref) else None
    if holder is None or holder.stream is None or not holder.value.keys() <= _DATA_STREAM:
        raise ChangedError("/DSS lists what is no validation data")
    if holder.number in two.data:
        return
    if holder.value.get("Filter") not in _SIMPLY_PACKED or "DecodeParms" in holder.value:
        raise ChangedError(f"the validation data {holder.number} are packed as some readers do not unpack them")
    _refuse_reused(two, holder.number)
    if not _is_der(two.after.stream_of(holder)):
        raise ChangedError("/DSS lists what is no certificate, answer or list")
    two.data.add(holder.number)
    two.explained.add(holder.number)
    _explain_stream(two, holder)


def _own(two: TwoVersions, value: Any) -> Any:
    """A value of the store, which may be an object of its own, rewritten or new: nobody draws it."""
    if isinstance(value, Ref):
        _refuse_reused(two, value[0])
        two.explained.add(value[0])
    return two.after.resolve(value)


def _refuse_reused(two: TwoVersions, number: int) -> None:
    if two.had_another_use(number):
        raise ChangedError(f"object {number} was something else before it became validation data", unclear=True)


def _plain(value: Any) -> None:
    if isinstance(value, (Ref, dict, list)):
        raise ChangedError("what says when or by what is no plain value")
