"""The keyed hash by which persons are found: HMAC with SHA-256, or with SM3 (GB/T 15852.2) in the profile `sm`.

A plain hash would protect nothing: there are 1.2e11 possible numbers. A hub may change its profile; what was kept under
the other one is then still found, and comes under the present one when it is.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from shuniu.kit.crypto.sm import hmac_sm3
from shuniu.kit.crypto.usage import Purpose, count

_BYTES: Final = 32
# A value tells its algorithm; HMAC-SHA256 stands bare, as it always has.
_MARKS: Final = {"hmac-sha256": b"", "hmac-sm3": b"sm3:"}


@dataclass(frozen=True, slots=True)
class PersonIndex:
    """`secret` is K_index, 32 bytes; `mac` names what new values are made with: hmac-sha256 or hmac-sm3; `older` what
    kept ones were made with besides.
    """

    secret: bytes = field(repr=False)
    mac: str
    older: tuple[str, ...] = ()

    def keys(self, text: bytes) -> list[bytes]:
        """All values under which a person may be found, the one for new rows first."""
        return [self._key(mac, text) for mac in (self.mac, *self.older)]

    def _key(self, mac: str, text: bytes) -> bytes:
        count(Purpose.PERSON_INDEX, mac)
        found = hmac_sm3(self.secret, text) if mac == "hmac-sm3" else hmac.digest(self.secret, text, hashlib.sha256)
        return _MARKS[mac] + found


def made_with(sizes: Iterable[int]) -> set[str]:
    """Returns the algorithms that made index values of these sizes (bytes)."""
    names = {len(mark) + _BYTES: mac for mac, mark in _MARKS.items()}
    return {names[size] for size in sizes}
