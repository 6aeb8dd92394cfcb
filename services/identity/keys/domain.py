"""Life of token-signing keys: next (published) → active (signs) → retiring (published) → historical. Pure.

A key signs only after everybody had time to fetch it, and stays published until the last token it signed is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class KeyState(StrEnum):
    NEXT = "NEXT"
    ACTIVE = "ACTIVE"
    RETIRING = "RETIRING"
    HISTORICAL = "HISTORICAL"


PUBLISHED = frozenset({KeyState.NEXT, KeyState.ACTIVE, KeyState.RETIRING})


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key. Instants in µs. `retire_at_us` is 0 until a successor signs."""

    kid: str
    state: KeyState
    created_us: int
    active_from_us: int
    retire_at_us: int = 0


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """`publish_us`: how long a key is published before it signs, at least twice the life of a cached JWKS.
    `verify_us`: how long it stays published after, at least the life of a token and the tolerated clock skew.
    """

    publish_us: int
    verify_us: int


def first(kid: str, now_us: int) -> SigningKey:
    """The very first key signs at once: nobody can hold a JWKS without it."""
    return SigningKey(kid, KeyState.ACTIVE, now_us, now_us)


def following(kid: str, now_us: int, times: KeyTimes) -> SigningKey:
    return SigningKey(kid, KeyState.NEXT, now_us, now_us + times.publish_us)


def waiting(keys: Iterable[SigningKey]) -> SigningKey | None:
    """The key that is published and does not sign yet; there is at most one."""
    return next((key for key in keys if key.state is KeyState.NEXT), None)


def signing(keys: Iterable[SigningKey]) -> SigningKey | None:
    return next((key for key in keys if key.state is KeyState.ACTIVE), None)


def advanced(keys: Sequence[SigningKey], now_us: int, times: KeyTimes) -> tuple[SigningKey, ...]:
    """The keys as they stand at `now_us`. Exactly one is active when one was before."""
    due = waiting(keys)
    promoted = due is not None and due.active_from_us <= now_us
    return tuple(_step(key, now_us, times, promoted=promoted) for key in keys)


def _step(key: SigningKey, now_us: int, times: KeyTimes, *, promoted: bool) -> SigningKey:
    if promoted and key.state is KeyState.NEXT:
        return replace(key, state=KeyState.ACTIVE)
    if promoted and key.state is KeyState.ACTIVE:
        return replace(key, state=KeyState.RETIRING, retire_at_us=now_us + times.verify_us)
    if key.state is KeyState.RETIRING and key.retire_at_us <= now_us:
        return replace(key, state=KeyState.HISTORICAL)
    return key
