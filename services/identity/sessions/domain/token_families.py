"""Refresh tokens of one authorisation: each is used once, the next is born of it, a late return ends them all. Pure.

RFC 9700, 4.14.2: rotation finds a stolen token, because sooner or later thief or owner presents an old one. A client
whose answer got lost may ask again within 30 seconds and receives the same successor, as long as that was not used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

REPEAT_US = 30 * 1_000_000


class EndReason(StrEnum):
    """Reason of the end of a family or session, as in event SessionEnded."""

    LOGOUT = "LOGOUT"
    REVOKED = "REVOKED"
    REUSE_DETECTED = "REUSE_DETECTED"
    EXPIRED = "EXPIRED"


class Presented(StrEnum):
    """Meaning of presenting a token."""

    ROTATED = "ROTATED"
    REPEATED = "REPEATED"
    REPLAYED = "REPLAYED"


class GrantRefusedError(Exception):
    """The grant does not work here or now; nothing changed. RFC 6749 5.2 invalid_grant."""


@dataclass(frozen=True, slots=True)
class Family:
    """`generation` numbers the newest refresh token, from 1. `rotated_us` is when it was born."""

    family_id: str
    session_id: str
    platform: str
    scope: str
    generation: int
    rotated_us: int
    expires_us: int
    ended_us: int = 0
    end_reason: str = ""

    @property
    def ended(self) -> bool:
        return self.ended_us != 0


def begun(family_id: str, session_id: str, platform: str, scope: str, now_us: int, expires_us: int) -> Family:
    return Family(family_id, session_id, platform, scope, 1, now_us, expires_us)


def presented(family: Family, generation: int, platform: str, now_us: int) -> tuple[Presented, Family]:
    """Returns the meaning of `platform` presenting the token of `generation` now, and the family after it.

    Raises GrantRefusedError for an ended or expired family and for another platform's token.
    """
    if family.ended or family.expires_us <= now_us or family.platform != platform:
        raise GrantRefusedError
    if generation == family.generation:
        return Presented.ROTATED, replace(family, generation=generation + 1, rotated_us=now_us)
    if generation == family.generation - 1 and _is_recent(family, now_us):
        return Presented.REPEATED, family
    return Presented.REPLAYED, ended(family, EndReason.REUSE_DETECTED, now_us)


def untouched(family: Family, now_us: int) -> bool:
    """Tells whether the first token is unused and so young that its answer may be given once more."""
    return not family.ended and family.generation == 1 and _is_recent(family, now_us)


def _is_recent(family: Family, now_us: int) -> bool:
    # Both ways: another replica's clock may be a little ahead, and one that was far ahead has been set right.
    return abs(now_us - family.rotated_us) <= REPEAT_US


def ended(family: Family, reason: EndReason, now_us: int) -> Family:
    """The family after its end; the first end stays."""
    return family if family.ended else replace(family, ended_us=now_us, end_reason=reason.value)
