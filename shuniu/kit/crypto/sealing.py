"""Sealing data to one receiver: JWE compact (RFC 7516), ECDH-ES on P-256 with A256GCM, as any JOSE library opens it."""

import json
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

_ALGORITHMS = ["ECDH-ES", "A256GCM"]


class SealingError(Exception):
    """A key cannot be sealed to, or a sealed text does not open."""


def receiver_key(jwk: dict[str, Any]) -> ECKey:
    """Checks that a JWK is a public P-256 key with a key id. Raises SealingError."""
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or not jwk.get("kid") or "d" in jwk:
        raise SealingError("an encryption key is a public P-256 JWK with a kid")
    try:
        return ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y", "kid")})
    except (JoseError, KeyError, ValueError) as error:
        raise SealingError("the encryption key cannot be read") from error


def seal(jwk: dict[str, Any], payload: dict[str, Any]) -> str:
    """JWE compact text of a JSON object."""
    key = receiver_key(jwk)
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": jwk["kid"]}
    return jwe.encrypt_compact(header, json.dumps(payload, ensure_ascii=False).encode(), key, algorithms=_ALGORITHMS)


def unseal(private: ECKey, text: str) -> dict[str, Any]:
    """The JSON object behind a JWE. Raises SealingError."""
    try:
        opened = jwe.decrypt_compact(text, private, algorithms=_ALGORITHMS)
        payload = json.loads(opened.plaintext or b"")
    except (JoseError, ValueError) as error:
        raise SealingError("the sealed text does not open with this key") from error
    if not isinstance(payload, dict):
        raise SealingError("the sealed text is not an object")
    return payload


def new_key(kid: str) -> ECKey:
    """A fresh P-256 key for receiving sealed data."""
    return ECKey.generate_key("P-256", {"use": "enc", "kid": kid}, private=True)
