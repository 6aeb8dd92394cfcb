"""QR codes of certificates: `https://host/v#` and a signed payload that a phone checks without the network.

The fragment never reaches a server's log. Payload, base64url without padding, integers big-endian:
version (1 byte, 1) · issue date (2 bytes, days since 2000-01-01) · key id (6) · prefix of the SHA-256 of the
canonical certificate data (16) · length of the number (1) · number (ASCII) · ECDSA P-256 / SHA-256 signature (64, r ‖
s, as WebCrypto has it). Signed are the context string and everything before the signature.
"""

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from services.esign.domain.errors import QrMalformedError
from services.esign.domain.negative import holds
from services.esign.pages.domain.certificates import CertificateData, digest

VERSION = 1
DIGEST_PREFIX = 16
KEY_ID = 6
# Keeps these signatures from meaning anything elsewhere.
CONTEXT = b"shuniu-qr-v1\n"
_EPOCH = date(2000, 1, 1)
# (row + column) mod 3 (ISO/IEC 18004, 7.8.2).
_MASK = 3
_HEAD = 1 + 2 + KEY_ID + DIGEST_PREFIX + 1
_SIGNATURE = 64
_SCHEME = ec.ECDSA(hashes.SHA256())
_TEXT = re.compile(r"[A-Za-z0-9_-]{100,240}")
_NUMBER = re.compile(rb"[0-9A-Z-]{4,32}")


@dataclass(frozen=True, slots=True)
class QrContent:
    """The content of a code whose signature has been checked."""

    number: str
    issued_on: date
    digest_prefix: bytes
    key_id: bytes

    def matches(self, data: CertificateData) -> bool:
        """Tells whether the code was made for exactly this data."""
        return (
            self.number == data.number
            and self.issued_on == data.issued_on
            and digest(data)[:DIGEST_PREFIX] == self.digest_prefix
        )


@dataclass(frozen=True, slots=True)
class QrSigner:
    """Makes codes with one key; `host` is the people's host, with port if it is not 443."""

    key: ec.EllipticCurvePrivateKey
    host: str
    key_id: bytes

    @classmethod
    def prepare(cls, key: ec.EllipticCurvePrivateKey, host: str) -> "QrSigner":
        return cls(key, host, key_id(key.public_key()))

    def url(self, data: CertificateData) -> str:
        """The code's content for a certificate."""
        number = data.number.encode("ascii")
        body = b"".join(
            (
                bytes((VERSION,)),
                (data.issued_on - _EPOCH).days.to_bytes(2, "big"),
                self.key_id,
                digest(data)[:DIGEST_PREFIX],
                bytes((len(number),)),
                number,
            )
        )
        r, s = decode_dss_signature(self.key.sign(CONTEXT + body, _SCHEME))
        payload = body + r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"https://{self.host}/v#{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}"


def key_id(public: ec.EllipticCurvePublicKey) -> bytes:
    """First 6 bytes of the SHA-256 of X ‖ Y; in a JWKS the `kid` is its base64url."""
    numbers = public.public_numbers()
    return sha256(numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")).digest()[:KEY_ID]


def jwk(public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The public key as a JWK (RFC 7517) for pages that check codes."""
    numbers = public.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "use": "sig",
        "alg": "ES256",
        "kid": _encode(key_id(public)),
        "x": _encode(numbers.x.to_bytes(32, "big")),
        "y": _encode(numbers.y.to_bytes(32, "big")),
    }


def read(content: str, keys: Mapping[bytes, ec.EllipticCurvePublicKey]) -> QrContent:
    """The content of a code whose signature is one of `keys`' (key id → key). Takes the whole URL or the part after
    `#`.

    Raises QrMalformedError: QR_MALFORMED, QR_KEY_UNKNOWN or QR_SIGNATURE.
    """
    payload = _payload(content)
    size = payload[_HEAD - 1]
    if payload[0] != VERSION or len(payload) != _HEAD + size + _SIGNATURE:
        raise _malformed()
    body, signature = payload[:-_SIGNATURE], payload[-_SIGNATURE:]
    if not _NUMBER.fullmatch(body[_HEAD:]):
        raise _malformed()
    holder = body[3 : 3 + KEY_ID]
    key = keys.get(holder)
    if key is None:
        raise QrMalformedError(
            "QR_KEY_UNKNOWN", "signed with a key that is not known here", "二维码的签名密钥不在信任范围内"
        )
    der_signature = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    if not holds(lambda: key.verify(der_signature, CONTEXT + body, _SCHEME)):
        raise QrMalformedError("QR_SIGNATURE", "the code's signature is wrong", "二维码签名无效")
    return QrContent(
        number=body[_HEAD:].decode("ascii"),
        issued_on=_EPOCH + timedelta(days=int.from_bytes(body[1:3], "big")),
        digest_prefix=body[3 + KEY_ID : 3 + KEY_ID + DIGEST_PREFIX],
        key_id=holder,
    )


def modules(content: str) -> tuple[int, bytes]:
    """The code with its quiet zone: modules in a row, and the rows, one bit a module (1 is light), each padded to
    bytes. Error correction M (15 %): paper gets folded and stained.
    """
    # Here: who only checks or signs codes draws none.
    import numpy as np
    import zxingcpp

    # Most of the content is a signature, which is noise: any mask breaks it up as well as the one that six hundred
    # microseconds of comparing them all would choose.
    barcode = zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.QRCode, ec_level="M", data_mask=_MASK)
    image = np.asarray(barcode.to_image(scale=1, add_quiet_zones=True))
    return len(image), np.packbits(image, axis=1).tobytes()


def png(content: str) -> bytes:
    """The code as a picture of one pixel a module, one bit each (PNG, ISO/IEC 15948)."""
    width, bits = modules(content)
    row = (width + 7) // 8
    rows = b"".join(b"\0" + bits[at : at + row] for at in range(0, len(bits), row))
    head = struct.pack(">IIBBBBB", width, width, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _payload(content: str) -> bytes:
    text = content.strip().rpartition("#")[2]
    if not _TEXT.fullmatch(text):
        raise _malformed()
    try:
        payload = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as cause:
        raise _malformed() from cause
    # Base64 with loose trailing bits would be a second spelling of the same code.
    if _encode(payload) != text or len(payload) < _HEAD + _SIGNATURE:
        raise _malformed()
    return payload


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _malformed() -> QrMalformedError:
    return QrMalformedError("QR_MALFORMED", "not a code of this hub", "不是本枢纽签发的二维码")
