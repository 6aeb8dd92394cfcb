"""Maps refusals of the registry to the kit's errors."""

from services.identity.platforms.domain.enrolment import TokenInvalidError
from services.identity.platforms.domain.platforms import PlatformStateError
from services.identity.service.refusals import answering
from shuniu.kit import errors
from shuniu.kit.errors import HubError


def _state(error: PlatformStateError) -> HubError:
    return errors.precondition(
        "PLATFORM_STATE",
        f"The platform is {error.state}; this is not possible in that state.",
        f"平台当前状态为 {error.state}，无法执行该操作。",
        state=error.state.value,
    )


def _token(_error: TokenInvalidError) -> HubError:
    return errors.denied(
        "ENROLMENT_TOKEN_INVALID",
        "The enrolment token is unknown, used or older than 24 hours; ask the hub's operator for a new one.",
        "接入令牌不存在、已使用或已超过 24 小时，请向枢纽管理员申请新的令牌。",
    )


def platform_unknown(code: str) -> HubError:
    return errors.not_found(
        "PLATFORM_UNKNOWN",
        "There is no platform with this code.",
        "没有该代码的平台。",
        platform=code[:64],
    )


answered = answering({PlatformStateError: _state, TokenInvalidError: _token})
"""Turns exceptions of this subject's domain into HubError."""
