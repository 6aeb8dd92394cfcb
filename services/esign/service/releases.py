"""The last look before something of the hub leaves it: the caller may have been suspended since the call began."""

from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.caller import current_caller


def require_admitted(base: Foundation) -> None:
    """Raises PERMISSION_DENIED PLATFORM_STOPPED, UNAUTHENTICATED SESSION_ENDED."""
    refusal = base.registry.refuse(current_caller())
    if refusal is not None:
        raise refusal
