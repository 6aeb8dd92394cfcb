"""The one place where the domain's exceptions become the hub's error vocabulary."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from services.identity.domain import claims
from services.identity.domain.authorization import ClientRefusedError, OAuthError
from services.identity.domain.enrolment import TokenInvalidError
from services.identity.domain.platforms import PlatformStateError
from services.identity.domain.reveals import RevealError
from services.identity.domain.sessions import SessionEndedError
from services.identity.domain.token_families import GrantRefusedError
from services.identity.domain.violations import RuleError
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError, Violation


def of_rules(error: RuleError, fields: Mapping[str, str] | None = None) -> list[Violation]:
    """A rule's violations in the kit's words; `fields` renames the rule's own field names to the contract's."""
    names = fields or {}
    return [Violation(names.get(each.field, each.field), each.reason, each.en, each.zh) for each in error.violations]


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


def _session(_error: SessionEndedError) -> HubError:
    return errors.unauthenticated("SESSION_ENDED", "The session has ended; sign in again.", "会话已结束，请重新登录。")


def _access_token(_error: claims.TokenInvalidError) -> HubError:
    return errors.unauthenticated(
        "TOKEN_INVALID", "The access token is not valid here; ask for a new one.", "访问令牌无效，请重新获取令牌。"
    )


def _client(error: ClientRefusedError) -> HubError:
    texts = {
        "CLIENT_UNKNOWN": ("client_id", "No working platform has this client_id.", "没有使用该 client_id 的可用平台。"),
        "REDIRECT_URI_MISMATCH": (
            "redirect_uri",
            "The redirect URI is not registered; it must match exactly.",
            "重定向地址未登记，必须与登记的完全一致。",
        ),
    }
    field, en, zh = texts[error.reason]
    return errors.invalid_field(field, error.reason, en, zh)


def _oauth(error: OAuthError) -> HubError:
    metadata = {"oauth_error": error.error}
    if error.error == "invalid_client":
        return errors.unauthenticated(error.reason, error.en, error.zh, **metadata)
    if error.error == "unmet_authentication_requirements":
        return errors.precondition(error.reason, error.en, error.zh, **metadata)
    return HubError(Code.INVALID_ARGUMENT, error.reason, error.en, error.zh, metadata=metadata)


def _grant(_error: GrantRefusedError) -> HubError:
    # One text for unknown, used, expired, revoked and mismatched: it tells a thief nothing.
    return HubError(
        Code.INVALID_ARGUMENT,
        "GRANT_INVALID",
        "The code or refresh token is not valid for this client; begin a new authorisation.",
        "授权码或刷新令牌对该客户端无效，请重新发起授权。",
        metadata={"oauth_error": "invalid_grant"},
    )


def _reveal(error: RevealError) -> HubError:
    build = errors.denied if error.reason in RevealError.DENIED else errors.precondition
    return build(error.reason, error.en, error.zh)


_ANSWERS: dict[type[Exception], Callable[[Any], HubError]] = {
    RuleError: lambda error: errors.invalid(of_rules(error)),
    PlatformStateError: _state,
    TokenInvalidError: _token,
    SessionEndedError: _session,
    claims.TokenInvalidError: _access_token,
    ClientRefusedError: _client,
    OAuthError: _oauth,
    GrantRefusedError: _grant,
    RevealError: _reveal,
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
