"""Sessions."""

import pytest

from services.identity.sessions.domain import sessions
from services.identity.sessions.domain.sessions import Session, SessionEndedError
from services.identity.sessions.domain.token_families import EndReason


def test_a_session_ends_once_and_is_not_live_after():
    """The first reason stays; expiry needs nobody to end it."""
    session = Session("s", "p", 0, 100)
    assert sessions.live(session, 99) == session
    over = sessions.ended(session, EndReason.LOGOUT, 50)
    assert sessions.ended(over, EndReason.EXPIRED, 60) == over
    for gone, now in ((over, 51), (session, 100), (None, 0)):
        with pytest.raises(SessionEndedError):
            sessions.live(gone, now)
