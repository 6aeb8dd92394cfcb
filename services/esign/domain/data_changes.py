"""What may be different in a document's data that nobody draws: its description (Info, XMP), validation data (DSS), and
developers' extensions. Each raises ChangedError where more than that came.
"""

from typing import Any

from services.esign.domain import xmp
from services.esign.domain.pdf import PdfObject
from services.esign.domain.pdf_syntax import Dict, Name, Ref
from services.esign.domain.two_versions import ChangedError, TwoVersions
from services.esign.domain.xmp import XmpError

VALIDATION_OF_ONE = frozenset({"Type", "Cert", "OCSP", "CRL", "TU", "TS"})
"""Keys of the validation data of one signature (ISO 32000-2, table 262)."""
_VALIDATION = frozenset({"Type", "VRI", "Certs", "OCSPs", "CRLs"})
_DATA_STREAM = frozenset({"Length", "Filter", "DecodeParms", "Type", "Subtype"})
_EXTENSION = frozenset({"Type", "BaseVersion", "ExtensionLevel", "ExtensionRevision", "URL"})
_INFO = frozenset({"ModDate", "Producer"})


def information(two: TwoVersions, old: Any, new: Any) -> None:
    """Document information: when and by what the file was written may differ."""
    if old is None and new is None:
        return
    if not isinstance(old, Dict) or not isinstance(new, Dict):
        raise ChangedError("the document information came or went")
    for key in old.keys() | new.keys():
        if key in _INFO:
            if not isinstance(two.after.resolve(new.get(key)), (bytes, type(None))):
                raise ChangedError(f"/{key} is no text")
            two.explain(new.get(key))
        elif two.before.resolve(old.get(key)) != two.after.resolve(new.get(key)):
            raise ChangedError(f"/{key} of the document information was changed")
        else:
            two.explain(new.get(key))


def metadata(two: TwoVersions, old: PdfObject, new: PdfObject) -> None:
    """Metadata (XMP): they say what they said, but for when and by what they were written."""
    for each in (old, new):
        if (each.value.get("Type"), each.value.get("Subtype")) != ("Metadata", "XML"):
            raise ChangedError("the metadata are none")
    one, other = two.before.stream_of(old), two.after.stream_of(new)
    try:
        same = one == other or xmp.properties(one) == xmp.properties(other)
    except XmpError:
        same = False
    if not same:
        raise ChangedError("the metadata say something else")
    two.explain(new.value)


def extensions(two: TwoVersions, new: Any) -> None:
    """Developers' extensions (ISO 32000-1, 7.12): names of versions."""
    listed = new.items() if isinstance(new, Dict) else ()
    for key, value in listed:
        extension = two.after.resolve(value)
        if key == "Type":
            continue
        each = extension if isinstance(extension, list) else [extension]
        for one in map(two.after.resolve, each):
            if not isinstance(one, Dict) or not one.keys() <= _EXTENSION:
                raise ChangedError("/Extensions has what is no extension")
    if new is not None and not isinstance(new, Dict):
        raise ChangedError("/Extensions is no dictionary")
    two.explain(new)


def validation(two: TwoVersions, old: Any, new: Any) -> None:
    """A document security store (ISO 32000-2, 12.8.4.3): streams of data that nobody draws."""
    if new is None and old is None:
        return
    if not isinstance(new, Dict) or not new.keys() <= _VALIDATION:
        raise ChangedError("/DSS is no store of validation data")
    lists = [new.get(key) for key in ("Certs", "OCSPs", "CRLs")]
    one_by_one = two.after.resolve(new.get("VRI")) or {}
    if not isinstance(one_by_one, dict):
        raise ChangedError("/DSS is no store of validation data")
    for each in one_by_one.values():
        store = two.after.resolve(each)
        if isinstance(store, Name) and store == "VRI":
            continue
        if not isinstance(store, Dict) or not store.keys() <= VALIDATION_OF_ONE:
            raise ChangedError("/DSS is no store of validation data")
        lists += [store.get(key) for key in ("Cert", "OCSP", "CRL")]
        lists.append([store["TS"]] if "TS" in store else None)
    for each in lists:
        _data_streams(two, each)
    two.validation = two.validation or old != new
    two.explain(new, through_known=True)


def _data_streams(two: TwoVersions, listed: Any) -> None:
    found = two.after.resolve(listed)
    for ref in found if isinstance(found, list) else []:
        holder = two.after.object(ref[0]) if isinstance(ref, Ref) else None
        if holder is None or holder.stream is None or not holder.value.keys() <= _DATA_STREAM:
            raise ChangedError("/DSS lists what is no validation data")
        two.data.add(ref[0])
