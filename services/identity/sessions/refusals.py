"""Maps refusals of sessions to the kit's errors."""

from typing import Final

from services.identity.service.refusals import Refusals, answering
from services.identity.sessions.domain.sessions import SessionEndedError
from services.identity.sessions.domain.token_families import GrantRefusedError
from services.identity.sessions.domain.tries import TriesSpentError
from services.identity.sessions.passwords import PoolFullError
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError


def _session(_error: SessionEndedError) -> HubError:
    return errors.unauthenticated("SESSION_ENDED", "The session has ended; sign in again.", "会话已结束，请重新登录。")


def _grant(_error: GrantRefusedError) -> HubError:
    # One text for unknown, used, expired, revoked and mismatched: it tells a thief nothing.
    return HubError(
        Code.INVALID_ARGUMENT,
        "GRANT_INVALID",
        "The code or refresh token is not valid for this client; begin a new authorisation.",
        "授权码或刷新令牌对该客户端无效，请重新发起授权。",
        metadata={"oauth_error": "invalid_grant"},
    )


def _too_often(_error: PoolFullError | TriesSpentError) -> HubError:
    return too_often()


def name_taken() -> HubError:
    return errors.exists("LOGIN_NAME_TAKEN", "This login name is taken; choose another.", "该登录名已被使用，请更换。")


def sign_in_failed() -> HubError:
    return errors.unauthenticated("SIGN_IN_FAILED", "Login name or password is wrong.", "登录名或密码错误。")


def too_often() -> HubError:
    return errors.exhausted(
        "SIGN_IN_LIMIT", "Too many attempts; wait a while and try again.", "尝试次数过多，请稍后再试。"
    )


def authority_away() -> HubError:
    return errors.unavailable(
        "AUTHORITY_AWAY",
        "The authority that proves real names does not answer; try again later with the same request_id.",
        "实名核验服务暂不可用，请稍后使用相同的 request_id 重试。",
    )


def real_name_refused() -> HubError:
    # The same words for a wrong name, an unknown number and a person who has registered: none of them tells who exists.
    return errors.precondition(
        "REAL_NAME_MISMATCH",
        "Name and document number do not match the register, or this person has registered already; compare them with "
        "the document, or sign in with the login name chosen then.",
        "姓名与证件号码核验不一致，或该人员已注册；请对照证件核对，已注册的请使用原登录名登录。",
    )


REFUSALS: Final[Refusals] = {
    SessionEndedError: _session,
    GrantRefusedError: _grant,
    PoolFullError: _too_often,
    TriesSpentError: _too_often,
}
answered = answering(REFUSALS)
"""Turns exceptions of this subject's domain into HubError."""
