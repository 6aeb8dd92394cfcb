"""Keyed hash of login names: the store holds no name that a person chose."""

import hashlib
import hmac
from dataclasses import dataclass, field

from services.identity.sessions.domain.sign_in import folded


@dataclass(frozen=True, slots=True)
class LoginIndex:
    """`key`: 32 bytes of identity's root secret."""

    key: bytes = field(repr=False)

    def of(self, login_name: str) -> str:
        """HMAC-SHA256 of the name without case, hex."""
        return hmac.digest(self.key, folded(login_name).encode(), hashlib.sha256).hex()
