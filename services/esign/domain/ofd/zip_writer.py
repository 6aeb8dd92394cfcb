"""Writes ZIP containers of OFD packages: every entry with both headers alike, nothing between them.

Files that many packages share are compressed and digested once.
"""

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.esign.domain.digests import SM3

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION = 20
_STORED, _DEFLATED = 0, 8
# Small XML gains little by more effort; speed counts.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file as it lies in a container. `sm3` is the digest of its content in Base64."""

    name: str
    size: int
    crc: int
    method: int
    data: bytes = field(repr=False)
    sm3: str


def packed(name: str, content: bytes, *, deflate: bool = True) -> PackedFile:
    """Compressed, unless it is said to be so already."""
    data = content
    if deflate:
        machine = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = machine.compress(content) + machine.flush()
    digest = base64.b64encode(SM3.of(content)).decode("ascii")
    return PackedFile(name, len(content), zlib.crc32(content), _DEFLATED if deflate else _STORED, data, digest)


def pack(files: Sequence[PackedFile], made: datetime) -> bytes:
    """The container. `made` is the time of all entries, as a wall clock shows it. Names are ASCII."""
    date = (max(made.year, 1980) - 1980) << 9 | made.month << 5 | made.day
    time = made.hour << 11 | made.minute << 5 | made.second // 2
    parts: list[bytes] = []
    directory: list[bytes] = []
    at = 0
    for file in files:
        name = file.name.encode("ascii")
        shared = (_VERSION, 0, file.method, time, date, file.crc, len(file.data), file.size, len(name), 0)
        local = _LOCAL.pack(b"PK\x03\x04", *shared) + name
        directory.append(_CENTRAL.pack(b"PK\x01\x02", _VERSION, *shared, 0, 0, 0, 0, at) + name)
        parts += (local, file.data)
        at += len(local) + len(file.data)
    listing = b"".join(directory)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(files), len(files), len(listing), at, 0)
    return b"".join((*parts, listing, end))
