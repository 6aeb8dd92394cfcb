"""Marks by which a browser is known at the next sign-in of a person (OWASP device cookie).

A mark proves nothing about the person and opens nothing: a known browser's tries are counted apart from strangers'.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

_LIFE_S: Final = 400 * 86400
"""As long as browsers keep a cookie (RFC 6265bis 5.5)."""
_MOST: Final = 4
"""Most persons whom one browser is remembered for."""


@dataclass(frozen=True, slots=True)
class KnownBrowsers:
    """Marks of `name.expiry.mac`, newest first, joined by `~`. `key`: 32 bytes of identity's root secret."""

    key: bytes = field(repr=False)

    def find(self, marks: str, index: str, now_s: int) -> str:
        """The browser's name for the login `index`; empty when it is not known there."""
        for mark in marks.split("~")[:_MOST]:
            name, _, rest = mark.partition(".")
            expires, _, mac = rest.partition(".")
            if not (expires.isascii() and expires.isdigit() and len(expires) < 12 and int(expires) > now_s):
                continue
            if hmac.compare_digest(mac.encode(), self._mac(name, expires, index).encode()):
                return name
        return ""

    def marked(self, marks: str, index: str, known: str, now_s: int) -> str:
        """The marks after a sign-in: that of this login is new, but for the name; the oldest beyond four go."""
        others = [mark for mark in marks.split("~") if mark and not (known and mark.startswith(f"{known}."))]
        name, expires = known or secrets.token_urlsafe(16), str(now_s + _LIFE_S)
        return "~".join([f"{name}.{expires}.{self._mac(name, expires, index)}", *others[: _MOST - 1]])

    def _mac(self, name: str, expires: str, index: str) -> str:
        digest = hmac.digest(self.key, f"{name}.{expires}.{index}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
