"""Claims of tokens: access tokens (RFC 9068, bound by RFC 8705), ID tokens and userinfo (OpenID Connect Core). Pure.

No token ever holds a name or a number of a document, and none has `nbf`: a clock that runs late would refuse it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AUDIENCE = "shuniu"


@dataclass(frozen=True, slots=True)
class Client:
    """Holder of a certificate: kind `platform` or `operator`, its code, `x5t#S256` of the certificate."""

    kind: str
    code: str
    binding: str


@dataclass(frozen=True, slots=True)
class PersonHere:
    """A person in a session at one client: pairwise subject, session id, levels, second of the sign-in."""

    subject: str
    session_id: str
    ial: int
    aal: int
    authenticated_s: int


@dataclass(frozen=True, slots=True)
class Life:
    """Begin and end of a token, seconds since 1970 UTC, and its id."""

    issued_s: int
    expires_s: int
    token_id: str


def access_token(issuer: str, client: Client, scopes: tuple[str, ...], life: Life) -> dict[str, Any]:
    """Claims of a client acting for itself."""
    return {
        "iss": issuer,
        "sub": client.code,
        "aud": AUDIENCE,
        "iat": life.issued_s,
        "exp": life.expires_s,
        "jti": life.token_id,
        "client_id": client.code,
        "scope": " ".join(scopes),
        "kind": client.kind,
        "cnf": {"x5t#S256": client.binding},
    }


def person_token(
    issuer: str, client: Client, scopes: tuple[str, ...], life: Life, person: PersonHere
) -> dict[str, Any]:
    """Claims of a client acting for a person."""
    return access_token(issuer, client, scopes, life) | {
        "sub": person.subject,
        "kind": "person",
        "sid": person.session_id,
        "ial": person.ial,
        "aal": person.aal,
        "auth_time": person.authenticated_s,
    }


def id_token(issuer: str, client: Client, life: Life, person: PersonHere, nonce: str, access: str) -> dict[str, Any]:
    """Claims of an ID token that goes with the access token `access`."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": person.subject,
        "aud": client.code,
        "iat": life.issued_s,
        "exp": life.expires_s,
        "auth_time": person.authenticated_s,
        "acr": f"L{person.ial}",
        "amr": ["pwd"],
        "sid": person.session_id,
        "at_hash": _half_hash(access),
    }
    if nonce:
        claims["nonce"] = nonce
    return claims


def _half_hash(token: str) -> str:
    """OpenID Connect Core 3.1.3.6, for ES256."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode("ascii")).digest()[:16]).rstrip(b"=").decode()


class TokenInvalidError(Exception):
    """An access token that does not work: signature, type, issuer, audience, time, binding or session."""


def check_access(claims: Mapping[str, Any], issuer: str, binding: str, now_s: int) -> None:
    """Raises TokenInvalidError unless the verified claims hold here, now and with this certificate."""
    confirmed = claims.get("cnf")
    bound = confirmed.get("x5t#S256") if isinstance(confirmed, dict) else None
    expires = claims.get("exp")
    sound = (
        claims.get("iss") == issuer
        and claims.get("aud") == AUDIENCE
        and isinstance(expires, int)
        and now_s < expires
        and bool(bound)
        and bound == binding
    )
    if not sound:
        raise TokenInvalidError


def discovery(issuer: str, platform_url: str, scopes: tuple[str, ...]) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0, section 3; RFC 8414; RFC 8705 section 5."""
    endpoints = {
        "token_endpoint": f"{platform_url}/oauth2/token",
        "revocation_endpoint": f"{platform_url}/oauth2/revoke",
        "userinfo_endpoint": f"{platform_url}/oauth2/userinfo",
    }
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "jwks_uri": f"{issuer}/oauth2/jwks",
        "end_session_endpoint": f"{issuer}/sign-out",
        **endpoints,
        "mtls_endpoint_aliases": endpoints,
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["tls_client_auth"],
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": ["L2"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "name", "birthdate"],
        "tls_client_certificate_bound_access_tokens": True,
        "authorization_response_iss_parameter_supported": True,
        # Absent, the second would mean true (OpenID Connect Discovery 1.0, 3).
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "ui_locales_supported": ["zh-CN", "en"],
    }
