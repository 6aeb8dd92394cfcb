"""Tokens signed and read: ES256 under the key that signs now (RFC 7515, 7518, 9068)."""

import secrets
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from services.identity.keys.provider import ProviderKeys
from services.identity.openid.domain import claims
from services.identity.openid.domain.claims import Client, Life, PersonHere, TokenInvalidError

_ALGORITHMS = ["ES256"]
_MAX_TOKEN = 8192


class Tokens:
    """Makes access and ID tokens; reads access tokens of this hub."""

    def __init__(self, provider: ProviderKeys, issuer: str, seconds: int) -> None:
        self._provider = provider
        self.issuer = issuer
        self._seconds = seconds

    def life(self, now_us: int, until_us: int = 0) -> Life:
        """The life of a token made now, never beyond `until_us` (0: no such end)."""
        now_s = now_us // 1_000_000
        expires = now_s + self._seconds
        return Life(now_s, min(expires, until_us // 1_000_000) if until_us else expires, secrets.token_urlsafe(16))

    def for_client(self, client: Client, scopes: tuple[str, ...], life: Life) -> str:
        return self.signed(claims.access_token(self.issuer, client, scopes, life), "at+jwt")

    def for_person(self, client: Client, scopes: tuple[str, ...], life: Life, person: PersonHere) -> str:
        return self.signed(claims.person_token(self.issuer, client, scopes, life, person), "at+jwt")

    def identity(self, client: Client, life: Life, person: PersonHere, nonce: str, access: str) -> str:
        return self.signed(claims.id_token(self.issuer, client, life, person, nonce, access), "JWT")

    def read(self, token: str, binding: str, now_us: int) -> dict[str, Any]:
        """Claims of a valid access token that came with the certificate `binding`. Raises TokenInvalidError."""
        if len(token) > _MAX_TOKEN or not token.isascii():
            raise TokenInvalidError
        try:
            opened = jwt.decode(token, self._provider.verifying, algorithms=_ALGORITHMS)
        except (JoseError, ValueError, TypeError, KeyError):
            raise TokenInvalidError from None
        if opened.header.get("typ") != "at+jwt":
            raise TokenInvalidError
        claims.check_access(opened.claims, self.issuer, binding, now_us // 1_000_000)
        return dict(opened.claims)

    def signed(self, content: dict[str, Any], kind: str) -> str:
        """A JWT of these claims; its type keeps it from passing as a token of another kind."""
        signer = self._provider.signer
        header = {"alg": "ES256", "kid": signer.kid, "typ": kind}
        return jwt.encode(header, content, signer.key, algorithms=_ALGORITHMS)
