"""BER (X.690, 8) brought into DER, as far as lengths and strings in pieces go.

Makers that write a CMS as a stream leave lengths open (indefinite form) and cut octet strings into pieces; RFC 5652
allows both. What is signed is the DER (RFC 5652, 5.4), so readers see the DER only. Values are left as they are: DER
goes through unchanged.
"""

from functools import lru_cache

from services.esign.domain.der import BIT_STRING, OCTET_STRING, DerError, DerLimitError, tlv

# As `der` bounds it, and as many elements as a signature has with a list of some thousand revoked certificates.
_MAX_DEPTH = 32
_MOST_ELEMENTS = 30_000
_CONSTRUCTED = 0x20
_END = b"\x00\x00"
# Universal string types (X.680, 8.4): UTF8String, and those from NumericString on.
_STRINGS = frozenset({12, *range(18, 31)}) - {23, 24}


# What stands in one /Contents is asked for more than once. Errors are not kept.
@lru_cache(maxsize=4)
def first(data: bytes) -> tuple[bytes, int]:
    """The element at the start of `data` in DER, and where it ended. Raises DerError."""
    return _Reader(data).element(0, len(data), 0)


def normalised(data: bytes) -> bytes:
    """The one element that fills `data` exactly, in DER. Raises DerError."""
    der, end = first(data)
    if end != len(data):
        raise DerError("bytes after the element")
    return der


class _Reader:
    __slots__ = ("_data", "_left")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _MOST_ELEMENTS

    def element(self, at: int, limit: int, depth: int) -> tuple[bytes, int]:
        if depth > _MAX_DEPTH:
            raise DerError("nested too deeply")
        self._left -= 1
        if self._left < 0:
            raise DerLimitError("more elements than are read here")
        data = self._data
        if at + 2 > limit:
            raise DerError("element cut short")
        tag = data[at]
        if tag & 0x1F == 0x1F:
            raise DerError("long tags are not used here")
        content, size = self._length(at + 1, limit)
        if size is None:
            if not tag & _CONSTRUCTED:
                raise DerError("a primitive element of indefinite length")
            parts, end = self._until_end(content, limit, depth + 1)
        else:
            end = content + size
            if not tag & _CONSTRUCTED:
                return tlv(tag, data[content:end]), end
            parts = self._within(content, end, depth + 1)
        return _joined(tag, parts), end

    def _length(self, at: int, limit: int) -> tuple[int, int | None]:
        """Returns where the content begins, and its size; None: indefinite."""
        data, first_octet = self._data, self._data[at]
        if first_octet == 0x80:
            return at + 1, None
        content, size = at + 1, first_octet
        if first_octet > 0x80:
            content += first_octet & 0x7F
            # Eight octets are far more than any file needs; zeros in front are lawful in BER.
            if first_octet > 0x88 or content > limit:
                raise DerError("length is too long")
            size = int.from_bytes(data[at + 1 : content], "big")
        if content + size > limit:
            raise DerError("element cut short")
        return content, size

    def _within(self, at: int, end: int, depth: int) -> list[bytes]:
        parts: list[bytes] = []
        while at < end:
            part, at = self.element(at, end, depth)
            parts.append(part)
        return parts

    def _until_end(self, at: int, limit: int, depth: int) -> tuple[list[bytes], int]:
        parts: list[bytes] = []
        while at + 2 > limit or self._data[at : at + 2] != _END:
            part, at = self.element(at, limit, depth)
            parts.append(part)
        return parts, at + 2


def _joined(tag: int, parts: list[bytes]) -> bytes:
    """A constructed element; a string in pieces becomes one (X.690, 8.6.4 and 8.7.3)."""
    if tag == OCTET_STRING | _CONSTRUCTED:
        return tlv(OCTET_STRING, b"".join(_content(part, OCTET_STRING) for part in parts))
    if tag == BIT_STRING | _CONSTRUCTED:
        pieces = [_content(part, BIT_STRING) for part in parts]
        if not pieces or any(not piece for piece in pieces) or any(piece[0] for piece in pieces[:-1]):
            raise DerError("a bit string in pieces that do not join")
        return tlv(BIT_STRING, pieces[-1][:1], *(piece[1:] for piece in pieces))
    if tag < 0x40 and tag & 0x1F in _STRINGS:
        raise DerError("a text in pieces")
    return tlv(tag, b"".join(parts))


def _content(element: bytes, tag: int) -> bytes:
    """The content of an element that this module wrote."""
    if element[0] != tag:
        raise DerError("a string with pieces of another type")
    first_octet = element[1]
    return element[2 if first_octet < 0x80 else 2 + (first_octet & 0x7F) :]
