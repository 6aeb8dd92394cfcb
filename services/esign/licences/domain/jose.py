"""The little of JOSE that licences need: compact JWS with ES256 (RFC 7515, 7518), strict JSON, public P-256 JWKs.

One spelling only: base64url without padding and without stray bits, JSON without duplicate names, no floating point
numbers, limited depth. `alg` is never chosen by what arrives: it is ES256 or the token is refused (RFC 8725, 3.1).
"""

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from services.esign.domain.errors import TokenMalformedError, TokenWrongError
from services.esign.domain.negative import holds

ALG = "ES256"
DEPTH = 8
AHEAD_SECONDS = 60
"""The clock of an issuer or a holder may be so much ahead of ours."""
_COORDINATE = 32
_SCHEME = ec.ECDSA(hashes.SHA256())
# Order of the base point of P-256 (SP 800-186, 3.2.1.3).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# Instants of RFC 7519 (NumericDate) may have a fraction. No other number may: readers differ in what they hold of it.
_INSTANTS = ("iat", "nbf", "exp")
_MOST_CERTIFICATES = 4
# The largest integer that every JSON reader holds exactly (RFC 8259, 6).
_MOST = 2**53 - 1
_LONGEST_FRACTION = 40


@dataclass(frozen=True, slots=True)
class Token:
    """A token whose form is right; its signature is not checked yet. `text` is the compact form."""

    text: str
    header: Mapping[str, Any]
    payload: Mapping[str, Any]
    signature: bytes

    @property
    def signed(self) -> bytes:
        return self.text.rpartition(".")[0].encode("ascii")


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of base64url without padding, in its only spelling. Raises TokenMalformedError."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as cause:
        raise TokenMalformedError("BASE64", "not base64url", "base64url 编码错误") from cause
    if encode(raw) != text:
        raise TokenMalformedError("BASE64", "not the only spelling in base64url", "base64url 编码不规范")
    return raw


def json_bytes(value: object) -> bytes:
    """Compact JSON, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def read_json(data: bytes, *, fractions: bool = False) -> Any:
    """The value of JSON text that every reader reads alike; numbers with a fraction where they are allowed. Raises
    TokenMalformedError.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_fraction if fractions else _no_number,
            parse_constant=_no_number,
            parse_int=_integer,
        )
        # Half of a surrogate pair can only come as an escape, and is no character.
        if b"\\u" in data:
            json_bytes(value)
    except (ValueError, RecursionError) as cause:
        raise TokenMalformedError("JSON", "not JSON", "不是规范的 JSON") from cause
    _check_depth(value, DEPTH)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TokenMalformedError("JSON_DUPLICATE", "a name stands twice in an object", "JSON 对象中有重名成员")
    return found


def _no_number(_text: str) -> NoReturn:
    raise TokenMalformedError("JSON_NUMBER", "only integers are numbers here", "只接受整数")


def _fraction(text: str) -> float:
    if len(text) > _LONGEST_FRACTION or not abs(found := float(text)) <= _MOST:
        _no_number(text)
    return found


def _integer(text: str) -> int:
    # Before conversion: that of a long text takes time quadratic in its length.
    if len(text) > 17 or text == "-0" or abs(int(text)) > _MOST:
        _no_number(text)
    return int(text)


def _check_depth(value: object, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if left == 0:
        raise TokenMalformedError("JSON_DEPTH", "nested too deeply", "JSON 嵌套过深")
    for part in value.values() if isinstance(value, dict) else value:
        _check_depth(part, left - 1)


def sign(header: Mapping[str, Any], payload: Mapping[str, Any], key: ec.EllipticCurvePrivateKey) -> str:
    """A compact JWS with ES256. `header` says everything but the algorithm."""
    head = encode(json_bytes({"alg": ALG, **header}))
    signed = f"{head}.{encode(json_bytes(payload))}"
    r, s = decode_dss_signature(key.sign(signed.encode("ascii"), _SCHEME))
    return f"{signed}.{encode(r.to_bytes(_COORDINATE, 'big') + s.to_bytes(_COORDINATE, 'big'))}"


def parse(text: str, typ: str) -> Token:
    """A compact JWS of type `typ`. Raises TokenMalformedError for another form, type or algorithm."""
    parts = text.split(".")
    if len(parts) != 3:
        raise TokenMalformedError("JWS", "not a compact JWS", "不是紧凑格式的 JWS")
    header, payload = (read_json(decode(part), fractions=True) for part in parts[:2])
    signature = decode(parts[2])
    if not isinstance(header, dict) or not isinstance(payload, dict) or len(signature) != 2 * _COORDINATE:
        raise TokenMalformedError("JWS", "not a compact JWS", "不是紧凑格式的 JWS")
    if header.get("alg") != ALG:
        raise TokenMalformedError("ALGORITHM", f"signed otherwise than with {ALG}", f"签名算法不是 {ALG}")
    if header.get("typ") != typ:
        raise TokenMalformedError("TYPE", f"not of the type {typ}", f"类型不是 {typ}")
    # RFC 7515, 4: what is not understood is ignored, unless it is critical (4.1.11); here nothing critical is
    # understood.
    if "crit" in header:
        raise TokenMalformedError(
            "HEADER", "a critical header parameter is not understood", "头部含有不能识别的关键参数"
        )
    return Token(text, header, _whole(payload), signature)


def _whole(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with its instants in whole seconds, as long as no other number has a fraction."""
    whole = {
        name: math.floor(value) if name in _INSTANTS and isinstance(value, float) else value
        for name, value in payload.items()
    }
    if _has_fraction(whole):
        _no_number("")
    return whole


def _has_fraction(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_fraction, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float)


def check(token: Token, key: ec.EllipticCurvePublicKey) -> None:
    """Raises TokenWrongError unless `key` signed the token."""
    half = _COORDINATE
    pair = (int.from_bytes(token.signature[:half], "big"), int.from_bytes(token.signature[half:], "big"))
    signature = encode_dss_signature(*pair)
    if not holds(lambda: key.verify(signature, token.signed, _SCHEME)):
        raise TokenWrongError("SIGNATURE_WRONG", "the signature is wrong", "签名不正确")


def spellings(text: str) -> tuple[str, ...]:
    """The texts of one compact JWS whose values hold where one's does: where (r, s) is an ECDSA value, (r, n - s) is
    one too, and anybody computes it. What a register or a ledger knows by its digest is known by that of each. `text`
    alone where it is no token.
    """
    signed, _, value = text.rpartition(".")
    try:
        raw = decode(value)
    except TokenMalformedError:
        return (text,)
    r, s = raw[:_COORDINATE], int.from_bytes(raw[_COORDINATE:], "big")
    if len(raw) != 2 * _COORDINATE or not 0 < s < _ORDER:
        return (text,)
    return text, f"{signed}.{encode(r + (_ORDER - s).to_bytes(_COORDINATE, 'big'))}"


def public_key(jwk: object) -> ec.EllipticCurvePublicKey:
    """The key of a public P-256 JWK (RFC 7518, 6.2). Raises TokenMalformedError, also with a private part."""
    if (
        not isinstance(jwk, Mapping)
        or "d" in jwk
        or (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256")
        or not all(isinstance(jwk.get(name), str) for name in ("x", "y"))
    ):
        raise TokenMalformedError("JWK", "not a public P-256 key", "不是 P-256 公钥")
    x, y = decode(jwk["x"]), decode(jwk["y"])
    try:
        if len(x) != _COORDINATE or len(y) != _COORDINATE:
            raise ValueError
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    except ValueError as cause:
        raise TokenMalformedError("JWK", "not a point of P-256", "不是 P-256 公钥") from cause


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The JWK with its required members only."""
    numbers = key.public_numbers()
    x, y = (encode(n.to_bytes(_COORDINATE, "big")) for n in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """RFC 7638, SHA-256."""
    return encode(sha256(json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":")).encode()).digest())


def x5c(certificates: Iterable[bytes]) -> list[str]:
    """The header parameter of RFC 7515, 4.1.6, signer first: base64 of DER, not base64url."""
    return [base64.b64encode(der).decode("ascii") for der in certificates]


def certificates(token: Token) -> list[bytes]:
    """The certificates (DER) of the header parameter x5c, signer first. Raises TokenMalformedError."""
    found = token.header.get("x5c")
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_CERTIFICATES:
        raise TokenMalformedError("X5C", "no certificates in the header", "头部没有证书")
    try:
        ders = [base64.b64decode(one, validate=True) for one in found]
    except (binascii.Error, TypeError, ValueError) as cause:
        raise TokenMalformedError("X5C", "malformed certificates in the header", "头部证书格式错误") from cause
    if x5c(ders) != found:
        raise TokenMalformedError("X5C", "malformed certificates in the header", "头部证书格式错误")
    return ders


def integer(payload: Mapping[str, Any], name: str) -> int | None:
    """A claim that is a whole number, None where it is absent. Raises TokenMalformedError."""
    value = payload.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TokenMalformedError("CLAIM", f"{name} is not a number", f"声明 {name} 不是整数")
    return value
