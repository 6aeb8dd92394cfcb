"""Content streams of pages and forms (ISO 32000-1, 7.8.2), in the packings that makers use for text."""

import base64
import binascii
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.revisions.domain import additions

_APART = frozenset(bytes((each,)) for each in b"\x00\t\n\f\r ()<>[]{}/%")


class UnclearError(Exception):
    """Readers may follow the content differently."""


def streams_of(document: Document, value: Any) -> list[PdfObject]:
    found = document.resolve(value)
    if additions.stream_of(document, value) is None and isinstance(found, list):
        return [_stream_at(document, one) for one in found]
    return [] if found is None else [_stream_at(document, value)]


def _stream_at(document: Document, value: Any) -> PdfObject:
    stream = additions.stream_of(document, value)
    if stream is None:
        # Where one is missing some readers draw no more of the page.
        raise UnclearError
    return stream


def joined(contents: Sequence[bytes]) -> bytes:
    """Joins several streams. Raises UnclearError where some readers have a word of two of them."""
    for one, other in pairwise(each for each in contents if each):
        if one[-1:] not in _APART and other[:1] not in _APART:
            raise UnclearError
    return b"\n".join(contents)


def content_of(document: Document, holder: PdfObject) -> bytes:
    """A content stream, in the packings that makers use for text: those that go through ASCII too."""
    filters = document.resolve(holder.value.get("Filter"))
    if not isinstance(filters, list) or not filters or document.resolve(filters[0]) not in _ASCII:
        return document.stream_of(holder)
    if holder.stream is None or document.resolve(holder.value.get("DecodeParms")) not in (None, [], {}):
        raise UnclearError
    data = document.data[slice(*holder.stream)]
    names = [document.resolve(each) for each in filters]
    if names[1:] not in ([], ["FlateDecode"]):
        raise UnclearError
    try:
        data = _ASCII[names[0]](data)
    except (ValueError, binascii.Error) as cause:
        raise UnclearError from cause
    document.census.expand(len(data))
    return document.inflated(data, holder.number) if len(names) > 1 else data


def _of_base_85(data: bytes) -> bytes:
    return base64.a85decode(data.strip(b"\x00\t\n\f\r ").removesuffix(b"~>"), ignorechars=b"\x00\t\n\f\r ")


def _of_hexadecimal(data: bytes) -> bytes:
    return bytes.fromhex(data.strip(b"\x00\t\n\f\r ").removesuffix(b">").decode("ascii"))


_ASCII = {"ASCII85Decode": _of_base_85, "ASCIIHexDecode": _of_hexadecimal}
