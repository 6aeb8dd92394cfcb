"""Events of identity: the topics it publishes, for the hub's own services alone. It subscribes to none."""

from typing import Final

PLATFORM_CHANGED: Final = "identity.platform.changed"
"""Carries PlatformChanged."""
SESSION_ENDED: Final = "identity.session.ended"
"""Carries SessionEnded."""
