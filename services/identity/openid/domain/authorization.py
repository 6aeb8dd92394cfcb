"""Authorisation requests and one-time codes (RFC 6749 4.1, RFC 7636, RFC 9207, OpenID Connect Core 3.1). Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from services.identity.platforms.domain.platforms import OPENID_SCOPES, Platform
from services.identity.sessions.domain.token_families import Family, GrantRefusedError, untouched

CODE_LIFE_US = 60 * 1_000_000
# base64url of a SHA-256.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
# RFC 7636 4.1.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_ACR = re.compile(r"L([1-4])")
# State and nonce go through unread; beyond this somebody abuses them as storage.
_MAX_OPAQUE = 1024


class ClientRefusedError(Exception):
    """The client or its redirect URI is not registered: the browser must not be sent anywhere."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OAuthError(Exception):
    """An error that the client is told: `error` of RFC 6749 4.1.2.1 or 5.2, `reason` ours."""

    def __init__(self, error: str, reason: str, en: str, zh: str) -> None:
        super().__init__(f"{error}: {reason}")
        self.error = error
        self.reason = reason
        self.en = en
        self.zh = zh


@dataclass(frozen=True, slots=True)
class Parameters:
    """An authorisation request as it came."""

    client_id: str
    redirect_uri: str
    response_type: str
    scope: str
    state: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    acr_values: str


def check(parameters: Parameters, client: Platform | None) -> tuple[str, ...]:
    """The scopes that the person is asked to grant. Raises ClientRefusedError or OAuthError."""
    if client is None or not client.working or client.code != parameters.client_id:
        raise ClientRefusedError("CLIENT_UNKNOWN")
    if parameters.redirect_uri not in client.redirect_uris:
        raise ClientRefusedError("REDIRECT_URI_MISMATCH")
    if parameters.response_type != "code":
        raise OAuthError(
            "unsupported_response_type",
            "RESPONSE_TYPE",
            "Use response_type=code.",
            "response_type 只支持 code。",
        )
    if parameters.code_challenge_method != "S256" or not _CHALLENGE.fullmatch(parameters.code_challenge):
        raise OAuthError(
            "invalid_request",
            "PKCE_REQUIRED",
            "Send code_challenge with code_challenge_method=S256 (RFC 7636).",
            "请使用 PKCE：提供 code_challenge，且 code_challenge_method=S256。",
        )
    if any(len(text) > _MAX_OPAQUE or not text.isprintable() for text in (parameters.state, parameters.nonce)):
        raise OAuthError(
            "invalid_request",
            "OPAQUE_VALUE",
            f"state and nonce have at most {_MAX_OPAQUE} printable characters.",
            f"state 和 nonce 最长 {_MAX_OPAQUE} 个可见字符。",
        )
    return granted(parameters.scope, {*client.scopes, *OPENID_SCOPES}, client.scopes)


def granted(wanted: str, allowed: set[str], otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """The wanted scopes that are allowed, in their order; all of `otherwise` when none is named (RFC 6749 3.3).

    Raises OAuthError invalid_scope when nothing is left.
    """
    names = tuple(dict.fromkeys(wanted.split())) or otherwise
    kept = tuple(name for name in names if name in allowed)
    if not kept:
        raise OAuthError(
            "invalid_scope",
            "SCOPE_REFUSED",
            "None of these scopes is granted to the platform; ask the hub's operator.",
            "平台未获授权使用所请求的权限，请联系枢纽管理员。",
        )
    return kept


def check_assurance(acr_values: str, ial: int) -> None:
    """Raises OAuthError when a level is asked for and the person reaches none of those named.

    acr_values names alternatives (OpenID Connect Core 3.1.2.1), so the lowest decides.
    """
    levels = [int(match[1]) for value in acr_values.split() if (match := _ACR.fullmatch(value))]
    if levels and ial < min(levels):
        raise OAuthError(
            "unmet_authentication_requirements",
            "ASSURANCE_TOO_LOW",
            f"This needs identity assurance level L{min(levels)}; the person has L{ial}.",
            f"此操作需要 L{min(levels)} 级实名认证，当前为 L{ial} 级。",
        )


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time authorisation code; the secret itself is stored as SHA-256 only."""

    session_id: str
    platform: str
    redirect_uri: str
    scope: str
    nonce: str
    challenge: str
    expires_us: int
    used_us: int = 0
    family_id: str = ""


class Redeemed(StrEnum):
    """Meaning of presenting a code."""

    FIRST = "FIRST"
    REPEATED = "REPEATED"
    REPLAYED = "REPLAYED"


@dataclass(frozen=True, slots=True)
class Redemption:
    """Parameters that a client presents with a code."""

    platform: str
    redirect_uri: str
    verifier: str


def redeemed(code: Code, by: Redemption, begun: Family | None, family_id: str, now_us: int) -> tuple[Redeemed, Code]:
    """Returns the meaning of presenting the code, and the code after it. Raises GrantRefusedError when it is not valid.

    `begun` is the family of the first use. A code that comes again is a sign of theft, so that family must end; but a
    client whose answer got lost proves by the same verifier that it is the same one, and is answered again for as long
    as a refresh token would be, while the family's first token is unused.
    """
    if code.platform != by.platform:
        raise GrantRefusedError
    proved = code.redirect_uri == by.redirect_uri and proves(by.verifier, code.challenge)
    if code.used_us:
        lost = proved and begun is not None and untouched(begun, now_us)
        return (Redeemed.REPEATED if lost else Redeemed.REPLAYED), code
    if code.expires_us <= now_us or not proved:
        raise GrantRefusedError
    return Redeemed.FIRST, replace(code, used_us=now_us, family_id=family_id)


def proves(verifier: str, challenge: str) -> bool:
    """RFC 7636 4.6: BASE64URL(SHA256(verifier)) is the challenge."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)


def redirect(uri: str, **parameters: str) -> str:
    """The redirect URI with parameters added to those it has (RFC 6749 3.1.2)."""
    parts = urlsplit(uri)
    query = [
        *parse_qsl(parts.query, keep_blank_values=True),
        *((name, value) for name, value in parameters.items() if value),
    ]
    return urlunsplit(parts._replace(query=urlencode(query)))
