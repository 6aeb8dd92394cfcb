"""What queries refuse, in the kit's words."""

from shuniu.kit import errors
from shuniu.kit.errors import HubError


def grant_required(cause: str, **metadata: str) -> HubError:
    return errors.denied(
        "GRANT_REQUIRED",
        "No grant in force allows this call; apply for one, or call within its contract.",
        "没有允许此次调用的有效授权，请申请授权或在授权范围内调用。",
        cause=cause,
        **metadata,
    )
