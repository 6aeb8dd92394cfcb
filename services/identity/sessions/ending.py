"""Ends a session: row, token families, feed and event in one unit of work. Sessions end here only."""

from collections.abc import Sequence

from sqlalchemy import Connection

from services.identity import events, metrics
from services.identity.sessions.domain import sessions
from services.identity.sessions.domain.sessions import Session
from services.identity.sessions.domain.token_families import EndReason
from services.identity.sessions.store import sessions as session_store
from shuniu.api.events.v1 import events_pb2
from shuniu.kit.foundation import Foundation


def end(base: Foundation, conn: Connection, session: Session, reason: EndReason) -> None:
    """Ends a session in the caller's unit of work; does nothing when it has ended."""
    over = sessions.ended(session, reason, base.clock.now_us())
    platforms = session_store.end(conn, over)
    if platforms is not None:
        _announce(base, conn, session.session_id, reason.value, platforms)
        metrics.SESSIONS_ENDED.labels(reason.value).inc()


def _announce(base: Foundation, conn: Connection, session_id: str, reason: str, platforms: Sequence[str]) -> None:
    payload = events_pb2.SessionEnded(session_id=session_id, reason=reason, platforms=platforms)
    base.publish(conn, events.SESSION_ENDED, session_id, payload)
