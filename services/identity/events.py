"""Events of identity. It publishes two and subscribes to none.

| topic | payload | to |
|---|---|---|
| identity.platform.changed | PlatformChanged | the hub's services |
| identity.session.ended | SessionEnded | the hub's services |
"""

from typing import Final

AREA: Final = "identity"
PLATFORM_CHANGED: Final = "identity.platform.changed"
SESSION_ENDED: Final = "identity.session.ended"
