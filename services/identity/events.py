"""Events of identity. It publishes two and subscribes to none.

| topic | payload | to |
|---|---|---|
| identity.platform.changed | PlatformChanged | the hub's services |
| identity.session.ended | SessionEnded | the hub's services |
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from services.identity import views
from services.identity.domain.platforms import Platform
from services.identity.store.platforms import Certificate
from shuniu.api.events.v1 import events_pb2
from shuniu.kit.foundation import Foundation

AREA: Final = "identity"
PLATFORM_CHANGED: Final = "identity.platform.changed"
SESSION_ENDED: Final = "identity.session.ended"


def platform_changed(
    base: Foundation, conn: Connection, platform: Platform, certificates: Sequence[Certificate]
) -> None:
    payload = events_pb2.PlatformChanged(platform=views.platform(platform, certificates))
    # Streams keep for weeks what nobody there needs.
    payload.platform.ClearField("contact_phone")
    base.publish(conn, PLATFORM_CHANGED, platform.code, payload, division=platform.division)


def session_ended(base: Foundation, conn: Connection, session_id: str, reason: str, platforms: Sequence[str]) -> None:
    payload = events_pb2.SessionEnded(session_id=session_id, reason=reason, platforms=platforms)
    base.publish(conn, SESSION_ENDED, session_id, payload)
