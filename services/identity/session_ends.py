"""The one way a session ends: row, families, feed and event in one unit of work."""

from sqlalchemy import Connection

from services.identity import events, metrics
from services.identity.domain import sessions
from services.identity.domain.sessions import Session
from services.identity.domain.token_families import EndReason
from services.identity.store import sessions as rows
from shuniu.kit.foundation import Foundation


def end(base: Foundation, conn: Connection, session: Session, reason: EndReason) -> None:
    """Ends a session in the caller's unit of work; does nothing when it has ended."""
    over = sessions.ended(session, reason, base.clock.now_us())
    platforms = rows.end(conn, over)
    if platforms is not None:
        events.session_ended(base, conn, session.session_id, reason.value, platforms)
        metrics.SESSIONS_ENDED.labels(reason.value).inc()
