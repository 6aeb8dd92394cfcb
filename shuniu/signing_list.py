"""Lists that a person's consent to sign is bound to: identity states their digest, esign asks for it again. Pure.

The digest is the SHA-256 of one line an act, in the order in which they are done. A step's line is
`<flow> <step> <document sha256>`, a bare hash's is the hash in hexadecimal; each ends with a line feed.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

AUDIENCE: Final = "esign"
"""The service that the consent is for (claim `aud`)."""
TYPE: Final = "sign+jwt"
"""The token's `typ`."""
LIFE_S: Final = 300
"""Its longest life, s."""


def of_steps(steps: Iterable[tuple[str, str, str]]) -> str:
    """Digest of steps, each a flow, its step's key and the document's SHA-256 in hexadecimal."""
    return _digest(" ".join(step) for step in steps)


def of_hashes(hashes: Iterable[bytes]) -> str:
    """Digest of bare hashes."""
    return _digest(each.hex() for each in hashes)


def _digest(lines: Iterable[str]) -> str:
    return sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
