"""One-time enrolment tokens: 256 random bits, stored as SHA-256 only, valid for 24 hours. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from services.identity.domain.secret_hashes import token_hash

LIFE_US = 24 * 3600 * 1_000_000


class TokenInvalidError(Exception):
    """The token is unknown, used or too old; the caller does not learn which."""


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """A token as it is stored. `used_us` is 0 until it was redeemed."""

    hash: str
    platform: str
    expires_us: int
    used_us: int = 0


def issued(secret: str, platform: str, now_us: int) -> EnrolmentToken:
    return EnrolmentToken(token_hash(secret), platform, now_us + LIFE_US)


def check(token: EnrolmentToken | None, platform: str, now_us: int) -> EnrolmentToken:
    """The token when it may be redeemed for `platform` now. Raises TokenInvalidError."""
    if token is None or token.platform != platform or token.used_us or token.expires_us <= now_us:
        raise TokenInvalidError
    return token
