"""Digest algorithms under the names that structures give them: SHA-256 (FIPS 180-4) and SM3 (GB/T 32905)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol, Self

from cryptography.hazmat.primitives import hashes

from services.esign.domain import der


class DigestState(Protocol):
    """A digest being computed, as `hashlib` has it."""

    def update(self, data: bytes | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...
    def copy(self) -> Self: ...


class Sm3:
    """SM3 with the methods of `hashlib`'s states, which not every build of Python has it among."""

    __slots__ = ("_state",)

    def __init__(self, data: bytes | memoryview = b"", *, state: hashes.Hash | None = None) -> None:
        self._state = hashes.Hash(hashes.SM3()) if state is None else state
        self._state.update(data)

    def update(self, data: bytes | memoryview, /) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        return self._state.copy().finalize()

    def copy(self) -> "Sm3":
        return Sm3(state=self._state.copy())


@dataclass(frozen=True, slots=True)
class Digest:
    """An algorithm of 32 bytes: `name` as in this project's own records, `oid` and `identifier` (AlgorithmIdentifier
    without parameters) in DER.
    """

    name: str
    oid: bytes
    new: Callable[..., DigestState] = field(repr=False)
    identifier: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identifier", der.tlv(der.SEQUENCE, self.oid))

    def of(self, *parts: bytes | memoryview) -> bytes:
        """Digest of the parts joined."""
        state = self.new()
        for part in parts:
            state.update(part)
        return state.digest()


SIZE = 32
"""Bytes of each of them."""
SHA256 = Digest("sha256", der.oid("2.16.840.1.101.3.4.2.1"), sha256)
SM3 = Digest("sm3", der.oid("1.2.156.10197.1.401"), Sm3)
