"""Records of the ledger's journal: each a batch of entries with the checkpoint that was signed over them."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from services.esign.ledger.domain import tiles

_MAGIC = b"SNJ1"
_HEAD = struct.Struct(">4sI")
_RECORD = struct.Struct(">QI")
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Record:
    """Entries from the index `first` on, and the signed checkpoint over the log with them. `end`: where the record ends
    in the journal.
    """

    first: int
    entries: list[bytes]
    checkpoint: str
    end: int


def pack(first: int, entries: Sequence[bytes], checkpoint: str) -> bytes:
    """One record as the journal holds it."""
    body = tiles.bundle(entries)
    payload = _RECORD.pack(first, len(body)) + body + checkpoint.encode()
    return _HEAD.pack(_MAGIC, len(payload)) + payload + sha256(payload).digest()[:_DIGEST]


def records(data: bytes) -> Iterator[Record]:
    """The whole records at the beginning of `data`. A torn record is the last one by construction: appending stops at
    the first failure.
    """
    at = 0
    while at + _HEAD.size <= len(data):
        magic, length = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + length]
        end = at + _HEAD.size + length + _DIGEST
        if magic != _MAGIC or end > len(data) or data[end - _DIGEST : end] != sha256(payload).digest()[:_DIGEST]:
            return
        first, size = _RECORD.unpack_from(payload)
        body = payload[_RECORD.size :]
        yield Record(first, tiles.unbundle(body[:size]), body[size:].decode(), end)
        at = end
