"""SM2 with SM3 where a CMS or a timestamp is signed (GB/T 35275, GM/T 0010; structure of RFC 5652).

PAdES wants the structure and the content types of RFC 5652, so those of GB/T 35275 (1.2.156.10197.6.1.4.2) are not
used; the algorithms are: digest SM3 (1.2.156.10197.1.401), signature SM2 with SM3 (1.2.156.10197.1.501), both without
parameters, under the default signer id.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from services.esign.domain.sm2 import ALGORITHM


@dataclass(frozen=True, slots=True)
class Sm2Key:
    """An SM2 key wherever it lies: `make` gives the DER signature over SM3 of Z and a message."""

    make: Callable[[bytes], bytes] = field(repr=False)
    algorithm: bytes = field(default=ALGORITHM, init=False)
    # SEQUENCE of two INTEGERs of at most 33 bytes.
    max_size: int = field(default=72, init=False)

    def sign(self, message: bytes) -> bytes:
        return self.make(message)
