"""The one place where the domain's exceptions become the hub's error vocabulary."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from services.identity.domain.enrolment import TokenInvalidError
from services.identity.domain.platforms import PlatformStateError
from services.identity.domain.violations import RuleError
from shuniu.kit import errors
from shuniu.kit.errors import HubError, Violation


def of_rules(error: RuleError, fields: Mapping[str, str] | None = None) -> list[Violation]:
    """A rule's violations in the kit's words; `fields` renames the rule's own field names to the contract's."""
    names = fields or {}
    return [Violation(names.get(each.field, each.field), each.reason, each.en, each.zh) for each in error.violations]


def _state(error: PlatformStateError) -> HubError:
    return errors.precondition(
        "PLATFORM_STATE",
        f"The platform is {error.state}; this is not possible in that state.",
        f"平台当前状态为 {error.state},无法执行该操作。",
        state=error.state.value,
    )


def _token(_error: TokenInvalidError) -> HubError:
    return errors.denied(
        "ENROLMENT_TOKEN_INVALID",
        "The enrolment token is unknown, used or older than 24 hours; ask the hub's operator for a new one.",
        "接入令牌不存在、已使用或已超过 24 小时,请向枢纽管理员申请新的令牌。",
    )


_ANSWERS: dict[type[Exception], Callable[[Any], HubError]] = {
    RuleError: lambda error: errors.invalid(of_rules(error)),
    PlatformStateError: _state,
    TokenInvalidError: _token,
}


@contextmanager
def answered() -> Iterator[None]:
    """Turns the domain's exceptions into HubError."""
    try:
        yield
    except tuple(_ANSWERS) as error:
        kind = next(each for each in type(error).__mro__ if each in _ANSWERS)
        raise _ANSWERS[kind](error) from None


def platform_unknown(code: str) -> HubError:
    return errors.not_found(
        "PLATFORM_UNKNOWN",
        "There is no platform with this code.",
        "没有该代码的平台。",
        platform=code[:64],
    )
