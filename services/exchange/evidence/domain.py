"""Evidence: a salted record of what happened, so that its digest can be public without revealing the content."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import hashes

SALT_BYTES: Final = 16
VERSION: Final = 1


def _sm3(data: bytes) -> bytes:
    state = hashes.Hash(hashes.SM3())
    state.update(data)
    return state.finalize()


# FIPS 180-4 and GB/T 32905.
_HASHES: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "sha-256": lambda data: hashlib.sha256(data).digest(),
    "sm3": _sm3,
}
_PREFIXES: Final = {"sha-256": "", "sm3": "sm3:"}


class Kind(StrEnum):
    QUERY = "exchange.query"
    AUTHORITY = "exchange.authority"
    DECIDED = "exchange.case.decided"
    DELIVERED = "exchange.case.delivered"


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence. `record` is JSON, exact text; `parties` are the platforms that took part; `algorithm` is
    sha-256 or sm3; `case_code` is empty where there is no case.
    """

    id: str
    kind: Kind
    time_us: int
    case_code: str
    parties: tuple[str, str]
    record: str
    algorithm: str
    salt: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """Over the salt and the record: hex, an SM3 behind `sm3:`."""
        return _PREFIXES[self.algorithm] + _HASHES[self.algorithm](self.salt + self.record.encode()).hex()

    def file(self, receipt: str) -> str:
        """All that an offline check needs, as one JSON text."""
        content = {
            "v": VERSION,
            "algorithm": self.algorithm,
            "record": self.record,
            "salt": self.salt.hex(),
            "receipt": receipt,
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def record(piece_id: str, kind: Kind, time_us: int, facts: Mapping[str, object]) -> str:
    """The record's only spelling: JSON, keys sorted, no spaces."""
    content = {**facts, "id": piece_id, "kind": kind.value, "time_us": time_us, "v": VERSION}
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
