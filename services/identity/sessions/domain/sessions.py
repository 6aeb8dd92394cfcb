"""A person's session: opened by a sign-in, ended once, never longer than its life. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.identity.sessions.domain.token_families import EndReason


class SessionEndedError(Exception):
    """There is no such session, or it is over; the caller does not learn which."""


@dataclass(frozen=True, slots=True)
class Session:
    """`session_id` is the `sid` of tokens. `aal`: 1 for a password. Instants in µs."""

    session_id: str
    person_id: str
    authenticated_us: int
    expires_us: int
    aal: int = 1
    ended_us: int = 0
    end_reason: str = ""


def live(session: Session | None, now_us: int) -> Session:
    """The session when it is live at `now_us`. Raises SessionEndedError."""
    if session is None or session.ended_us or session.expires_us <= now_us:
        raise SessionEndedError
    return session


def ended(session: Session, reason: EndReason, now_us: int) -> Session:
    """The session after its end; the first end stays."""
    return session if session.ended_us else replace(session, ended_us=now_us, end_reason=reason.value)
