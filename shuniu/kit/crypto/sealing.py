"""Sealing data to one receiver: JWE compact (RFC 7516), ECDH-ES on P-256 with A256GCM, as any JOSE library opens it."""

import base64
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

_ALGORITHMS = ["ECDH-ES", "A256GCM"]
_FORM = {"alg": "ECDH-ES", "enc": "A256GCM"}
_CURVE = ("EC", "P-256")
_POINT = {"kty", "crv", "x", "y"}
# OtherInfo of the Concat KDF (RFC 7518, 4.6.2): algorithm, no party information, length of the key in bits.
_DERIVED_FOR = b"\0\0\0\7A256GCM\0\0\0\0\0\0\0\0" + (256).to_bytes(4, "big")


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
        plain = _open(private, text)
        if plain is None:
            plain = jwe.decrypt_compact(text, private, algorithms=_ALGORITHMS).plaintext or b""
        payload = json.loads(plain)
    except (JoseError, InvalidTag, ValueError, KeyError, TypeError) as error:
        raise SealingError("the sealed text does not open with this key") from error
    if not isinstance(payload, dict):
        raise SealingError("the sealed text is not an object")
    return payload


def _open(private: ECKey, text: str) -> bytes | None:
    """Opens a JWE of the form that `seal` writes, at half the library's cost; None for any other form.

    Raises InvalidTag, ValueError.
    """
    protected, _, rest = text.partition(".")
    wrapped, *body = rest.split(".")
    header = json.loads(_decoded(protected))
    key = private.private_key
    if wrapped or len(body) != 3 or not isinstance(header, dict) or key is None or key.curve.name != "secp256r1":
        return None
    ephemeral = header.get("epk")
    if {name: value for name, value in header.items() if name not in ("kid", "epk")} != _FORM:
        return None
    if not isinstance(ephemeral, dict) or ephemeral.keys() != _POINT or (ephemeral["kty"], ephemeral["crv"]) != _CURVE:
        return None
    x, y = _decoded(ephemeral["x"]), _decoded(ephemeral["y"])
    nonce, sealed, tag = map(_decoded, body)
    if (len(x), len(y), len(nonce), len(tag)) != (32, 32, 12, 16):
        return None
    # Refuses a point that is not on the curve.
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    secret = hashlib.sha256(b"\0\0\0\1" + key.exchange(ec.ECDH(), public) + _DERIVED_FOR).digest()
    return AESGCM(secret).decrypt(nonce, sealed + tag, protected.encode())


def _decoded(text: str) -> bytes:
    """Raises ValueError, also for a second spelling of the same bytes."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != text.encode():
        raise ValueError("loose bits at the end")
    return raw


def new_key(kid: str) -> ECKey:
    """A fresh P-256 key for receiving sealed data."""
    return ECKey.generate_key("P-256", {"use": "enc", "kid": kid}, private=True)
