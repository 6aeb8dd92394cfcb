"""What sessions refuse, in the kit's words."""

from typing import Final

from services.identity.service.refusals import Refusals, answering
from services.identity.sessions.domain.sessions import SessionEndedError
from services.identity.sessions.domain.token_families import GrantRefusedError
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


REFUSALS: Final[Refusals] = {SessionEndedError: _session, GrantRefusedError: _grant}
answered = answering(REFUSALS)
"""Turns exceptions of this subject's domain into HubError."""
