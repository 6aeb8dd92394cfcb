"""Proofs by the holder's key: that it is his when the licence is issued, and at each presentation (RFC 9901, 4.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.domain.errors import TokenMalformedError, TokenWrongError
from services.esign.licences.domain import jose
from services.esign.licences.domain.sd_jwt import Presentation

# Of the proof at issuing, as OpenID for Verifiable Credential Issuance calls it (Appendix F.1).
PROOF_TYP = "openid4vci-proof+jwt"
MOST_NONCE = 200
_MOST_PROOF = 4096
_EXPIRY, _RANDOM, _MAC = 8, 16, 16
_CONTEXT = b"shuniu-licence-nonce-v1\n"


@dataclass(frozen=True, slots=True)
class Expected:
    """The audience that a proof must be made for, with which nonce, at most how old (s), and the time now (µs)."""

    audience: str
    nonce: str
    age_s: int
    now_us: int


def new_nonce(key: bytes, expires_us: int, random: bytes) -> str:
    """A nonce that says itself until when it holds; `random` is 16 bytes, `key` the hub's secret."""
    body = expires_us.to_bytes(_EXPIRY, "big") + random
    return jose.encode(body + _mac(key, body))


def nonce_expiry(key: bytes, nonce: str, now_us: int) -> int:
    """Until when a nonce of ours holds, µs. Raises TokenWrongError for one that is not ours or past its time."""
    try:
        raw = jose.decode(nonce[:MOST_NONCE])
    except TokenMalformedError:
        raw = b""
    body, mac = raw[:-_MAC], raw[-_MAC:]
    if len(body) != _EXPIRY + _RANDOM or not compare_digest(mac, _mac(key, body)):
        raise TokenWrongError("NONCE_UNKNOWN", "the nonce was not given out here", "随机数不是本枢纽发放的")
    expires_us = int.from_bytes(body[:_EXPIRY], "big")
    if expires_us < now_us:
        raise TokenWrongError("NONCE_EXPIRED", "the nonce is past its time", "随机数已过期")
    return expires_us


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac(key, _CONTEXT + body, "sha256")[:_MAC]


def nonce_digest(audience: str, nonce: str) -> str:
    """The digest by which a used nonce is remembered, hex."""
    return sha256(f"{len(audience)}:{audience}{nonce}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Possession:
    """A proof that somebody has this key: signed with it, not judged for whom and when."""

    key: ec.EllipticCurvePublicKey
    claims: Mapping[str, Any]

    def check(self, expected: Expected) -> None:
        """Raises TokenMalformedError, TokenWrongError unless it was made for this question now."""
        _check_claims(self.claims, expected)


def possession(proof: str) -> Possession:
    """The holder's key of a proof that it is his. Raises TokenMalformedError, TokenWrongError."""
    if len(proof) > _MOST_PROOF:
        raise TokenMalformedError("SIZE", "the proof is too long", "密钥证明过长")
    token = jose.parse(proof, PROOF_TYP)
    # OpenID4VCI, appendix F.1: of these only one may name the key. What attests the key besides is not needed here.
    if {"kid", "x5c"} & token.header.keys():
        raise TokenMalformedError("HEADER", "the key comes as jwk only", "公钥只能以 jwk 提供")
    key = jose.public_key(token.header.get("jwk"))
    jose.check(token, key)
    return Possession(key, token.payload)


def check_binding(found: Presentation, cnf: object, expected: Expected) -> None:
    """Raises TokenMalformedError, TokenWrongError unless the holder made this presentation for this question now (RFC
    9901, 7.3, step 5).
    """
    if found.binding is None:
        raise TokenWrongError("HOLDER_NOT_PROVEN", "no key binding came with it", "未附持有人密钥证明")
    key = jose.public_key(cnf.get("jwk") if isinstance(cnf, Mapping) else None)
    jose.check(found.binding, key)
    _check_claims(found.binding.payload, expected)
    if found.binding.payload.get("sd_hash") != found.sd_hash:
        raise TokenWrongError("SD_HASH", "made for other disclosures", "密钥证明与所披露内容不符")


def _check_claims(payload: Mapping[str, Any], expected: Expected) -> None:
    if payload.get("aud") != expected.audience:
        raise TokenWrongError("AUDIENCE", "made for somebody else", "密钥证明的受众不符")
    nonce = payload.get("nonce")
    if not isinstance(nonce, str) or not compare_digest(nonce.encode(), expected.nonce.encode()):
        raise TokenWrongError("NONCE", "made for another question", "密钥证明的随机数不符")
    now = expected.now_us / 1e6
    made, starts, ends = (jose.integer(payload, name) for name in ("iat", "nbf", "exp"))
    if made is None or not now - expected.age_s <= made <= now + jose.AHEAD_SECONDS:
        raise TokenWrongError("PROOF_STALE", "not made just now", "密钥证明不是刚刚生成的")
    if (starts is not None and starts > now + jose.AHEAD_SECONDS) or (ends is not None and ends <= now):
        raise TokenWrongError("PROOF_STALE", "not valid now", "密钥证明不在有效期内")
