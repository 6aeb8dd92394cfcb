"""Events of platforms."""

from collections.abc import Sequence

from sqlalchemy import Connection

from services.identity import events
from services.identity.platforms import views
from services.identity.platforms.domain.platforms import Platform
from services.identity.platforms.store import Certificate
from shuniu.api.events.v1 import events_pb2
from shuniu.kit.foundation import Foundation


def platform_changed(
    base: Foundation, conn: Connection, platform: Platform, certificates: Sequence[Certificate]
) -> None:
    """Publishes the row in the transaction that changes it."""
    base.publish(
        conn, events.PLATFORM_CHANGED, platform.code, payload_of(platform, certificates), division=platform.division
    )


def payload_of(platform: Platform, certificates: Sequence[Certificate]) -> events_pb2.PlatformChanged:
    payload = events_pb2.PlatformChanged(platform=views.platform(platform, certificates))
    # Streams store events for weeks, and no reader needs the telephone number.
    payload.platform.ClearField("contact_phone")
    return payload
