"""Maps refusals of the directory to the kit's errors."""

from typing import Final

from services.exchange.directory.domain import ResourceError
from services.exchange.service.refusals import Refusals
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.rules import RuleError

_REFUSALS: Final = Refusals(
    {
        ResourceError: {
            "SAME_PERSON": (Code.PERMISSION_DENIED, "SAME_PERSON"),
            "RESOURCE_STATE": (Code.FAILED_PRECONDITION, "RESOURCE_STATE"),
        }
    }
)


def refusal(error: RuleError) -> HubError:
    """The caller's error."""
    return _REFUSALS.error(error)


def resource_unknown() -> HubError:
    return errors.not_found(
        "RESOURCE_UNKNOWN", "There is no such published resource; look in the directory.", "资源不存在或尚未发布。"
    )


def not_owned() -> HubError:
    return errors.denied(
        "RESOURCE_NOT_OWNED", "This resource is another platform's.", "该资源由其他平台提供，您无权操作。"
    )
