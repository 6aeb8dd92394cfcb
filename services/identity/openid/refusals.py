"""Maps refusals of the OpenID provider to the kit's errors."""

from services.identity.openid.domain.authorization import ClientRefusedError, OAuthError
from services.identity.openid.domain.claims import TokenInvalidError
from services.identity.service.refusals import answering
from services.identity.sessions.refusals import REFUSALS as OF_SESSIONS
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError


def _access_token(_error: TokenInvalidError) -> HubError:
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


answered = answering(OF_SESSIONS, {TokenInvalidError: _access_token, ClientRefusedError: _client, OAuthError: _oauth})
"""Turns exceptions of this subject's domain, and of sessions, into HubError."""
