"""Maps refusals of grants to the kit's errors."""

from typing import Final

from services.exchange.grants.domain import GrantError
from services.exchange.service.refusals import Refusals
from shuniu.kit.errors import Code, HubError
from shuniu.rules import RuleError

_OUTSIDE_CONTRACT: Final = (
    "GRANT_NOT_ACTIVE",
    "GRANT_NOT_BEGUN",
    "GRANT_EXPIRED",
    "GRANT_OTHER_CONSUMER",
    "GRANT_OTHER_RESOURCE",
    "GRANT_OTHER_PURPOSE",
    "GRANT_OTHER_ITEM",
    "CONSENT_MISSING",
)
_REFUSALS: Final = Refusals(
    {
        GrantError: {
            "MOVE_NOT_ALLOWED": (Code.FAILED_PRECONDITION, "GRANT_STATE"),
            "NOT_SHARED": (Code.FAILED_PRECONDITION, "RESOURCE_NOT_SHARED"),
            **dict.fromkeys(_OUTSIDE_CONTRACT, (Code.PERMISSION_DENIED, "GRANT_REQUIRED")),
        }
    },
    {"ends_us": "valid_until", "item": "item_code"},
)


def refusal(error: RuleError) -> HubError:
    """The caller's error."""
    return _REFUSALS.error(error)
