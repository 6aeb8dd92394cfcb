"""SM2, SM3 and SM4 (GB/T 32918, 32905, 32907) from libcrypto; no arithmetic on keys is done in Python.

SM3 and SM4-GCM come with the `cryptography` package. SM2 needs a libcrypto 3 of the machine or of an installed wheel,
found once and proved by a known answer before it is used; `available()` says whether there is one. Keys here are
software keys: for development, or behind a licensed device's own store.
"""

import base64
import ctypes
import functools
import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from shuniu.kit.crypto.libcrypto import LibcryptoAbsentError, load

SIGNER_ID: Final = b"1234567812345678"
"""Signer id of GB/T 32918.2 5.5 where the parties agreed on no other (GM/T 0009 10); always given explicitly."""
SM4_KEY: Final = 16
SM4_NONCE: Final = 12
SM4_TAG: Final = 16
# SubjectPublicKeyInfo up to the point: id-ecPublicKey with the named curve 1.2.156.10197.1.301, uncompressed.
_SPKI_HEAD: Final = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
_MOST_SIGNATURE: Final = 80
# GB/T 32918.5 A.2: key, message "message digest", signature.
_KNOWN_POINT: Final = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_KNOWN_SIGNATURE: Final = bytes.fromhex(
    "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


class SmUnavailableError(Exception):
    """No usable SM2 provider on this machine. The text says what was looked for."""


class SmKeyError(ValueError):
    """The bytes are no SM2 key."""


def sm3(*parts: bytes) -> bytes:
    """SM3 of the parts joined (GB/T 32905), 32 bytes."""
    digest = hashes.Hash(hashes.SM3())
    for part in parts:
        digest.update(part)
    return digest.finalize()


def hmac_sm3(key: bytes, message: bytes) -> bytes:
    """HMAC (GB/T 15852.2) with SM3, 32 bytes."""
    keyed = hmac.HMAC(key, hashes.SM3())
    keyed.update(message)
    return keyed.finalize()


def sm4_gcm_encrypt(key: bytes, nonce: bytes, plain: bytes, context: bytes) -> bytes:
    """SM4-GCM (RFC 8998): ciphertext with its 16-byte tag behind it. `nonce`: 12 bytes, never twice under a key."""
    sealer = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    sealer.authenticate_additional_data(context)
    return sealer.update(plain) + sealer.finalize() + sealer.tag


def sm4_gcm_decrypt(key: bytes, nonce: bytes, sealed: bytes, context: bytes) -> bytes:
    """The plain text. Raises cryptography's InvalidTag when anything was changed."""
    if len(sealed) < SM4_TAG:
        raise InvalidTag
    opener = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-SM4_TAG:])).decryptor()
    opener.authenticate_additional_data(context)
    return opener.update(sealed[:-SM4_TAG]) + opener.finalize()


class Sm4Gcm:
    """SM4-GCM under one key, with the methods of cryptography's AEAD classes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != SM4_KEY:
            raise ValueError(f"an SM4 key has {SM4_KEY} bytes")
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        return sm4_gcm_encrypt(self._key, nonce, data, associated_data or b"")

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Raises InvalidTag."""
        return sm4_gcm_decrypt(self._key, nonce, data, associated_data or b"")


class _Key:
    """An EVP_PKEY that lives as long as this object."""

    __slots__ = ("_free", "handle")

    def __init__(self, handle: int, free: "ctypes._NamedFuncPointer") -> None:
        self.handle = handle
        self._free = free

    def __del__(self) -> None:
        self._free(self.handle)


class _Template:
    """A signing context under the default signer id, to be copied: setting one up costs a tenth of a signature."""

    __slots__ = ("_free", "_key", "handle")

    def __init__(self, lib: ctypes.CDLL, key: _Key) -> None:
        self.handle = lib.EVP_MD_CTX_new()
        self._free = lib.EVP_MD_CTX_free
        self._key = key
        _start(lib, lib.EVP_DigestSignInit, self.handle, key, SIGNER_ID)

    def __del__(self) -> None:
        self._free(self.handle)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An SM2 public key on the recommended curve (GB/T 32918.5)."""

    spki: bytes
    """SubjectPublicKeyInfo, DER."""
    _key: _Key

    @classmethod
    def from_spki(cls, spki: bytes) -> Self:
        """Raises SmKeyError, SmUnavailableError."""
        if len(spki) != len(_SPKI_HEAD) + 65 or not spki.startswith(_SPKI_HEAD + b"\x04"):
            raise SmKeyError("not an SM2 public key with an uncompressed point")
        return cls(spki, _import(_library(), "d2i_PUBKEY", spki))

    @classmethod
    def from_point(cls, point: bytes) -> Self:
        """From an uncompressed point, 65 bytes beginning with 04."""
        return cls.from_spki(_SPKI_HEAD + point)

    @property
    def point(self) -> bytes:
        return self.spki[-65:]

    @property
    def pem(self) -> bytes:
        return _pem(b"PUBLIC KEY", self.spki)

    def verify(self, message: bytes, signature: bytes, *, signer_id: bytes = SIGNER_ID) -> bool:
        """Tells whether `signature` (DER, GM/T 0009) is this key's over Z(signer_id) and `message`."""
        return _verify(_library(), self._key, message, signature, signer_id)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An SM2 private key."""

    public: PublicKey
    _key: _Key
    _template: _Template

    @classmethod
    def generate(cls) -> Self:
        """Raises SmUnavailableError."""
        lib = _library()
        context = lib.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        made = ctypes.c_void_p()
        try:
            if lib.EVP_PKEY_keygen_init(context) != 1 or lib.EVP_PKEY_generate(context, ctypes.byref(made)) != 1:
                raise _failed(lib, "no key could be made")
        finally:
            lib.EVP_PKEY_CTX_free(context)
        return cls._of(_Key(_pointer(made), lib.EVP_PKEY_free))

    @classmethod
    def from_der(cls, pkcs8: bytes) -> Self:
        """From PKCS #8, unencrypted. Raises SmKeyError, SmUnavailableError."""
        return cls._of(_import(_library(), "d2i_AutoPrivateKey", pkcs8))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """From `-----BEGIN PRIVATE KEY-----` (PKCS #8). Raises SmKeyError, SmUnavailableError."""
        lines = pem.strip().splitlines()
        if len(lines) < 3 or (lines[0], lines[-1]) != (b"-----BEGIN PRIVATE KEY-----", b"-----END PRIVATE KEY-----"):
            raise SmKeyError("not an unencrypted PKCS #8 PEM key")
        try:
            return cls.from_der(base64.b64decode(b"".join(lines[1:-1]), validate=True))
        except ValueError as cause:
            raise SmKeyError("not a PEM key") from cause

    @classmethod
    def _of(cls, key: _Key) -> Self:
        lib = _library()
        if lib.EVP_PKEY_is_a(key.handle, b"SM2") != 1:
            raise SmKeyError("not an SM2 key")
        return cls(PublicKey.from_spki(_export(lib, lib.i2d_PUBKEY, key.handle)), key, _Template(lib, key))

    @property
    def der(self) -> bytes:
        """PKCS #8, unencrypted: whoever stores it seals it or guards the file."""
        lib = _library()
        info = lib.EVP_PKEY2PKCS8(self._key.handle)
        if not info:
            raise _failed(lib, "the key cannot be written")
        try:
            return _export(lib, lib.i2d_PKCS8_PRIV_KEY_INFO, info)
        finally:
            lib.PKCS8_PRIV_KEY_INFO_free(info)

    @property
    def pem(self) -> bytes:
        return _pem(b"PRIVATE KEY", self.der)

    def sign(self, message: bytes, *, signer_id: bytes = SIGNER_ID) -> bytes:
        """Signature (DER, GM/T 0009) over SM3 of Z(signer_id) and `message`. Other threads run meanwhile."""
        lib = _library()
        context = lib.EVP_MD_CTX_new()
        try:
            if signer_id != SIGNER_ID:
                _start(lib, lib.EVP_DigestSignInit, context, self._key, signer_id)
            elif lib.EVP_MD_CTX_copy_ex(context, self._template.handle) != 1:
                raise _failed(lib, "signing failed")
            out = ctypes.create_string_buffer(_MOST_SIGNATURE)
            size = ctypes.c_size_t(_MOST_SIGNATURE)
            if lib.EVP_DigestSign(context, out, ctypes.byref(size), message, len(message)) != 1:
                raise _failed(lib, "signing failed")
            return out.raw[: size.value]
        finally:
            lib.EVP_MD_CTX_free(context)


def available() -> bool:
    """Tells whether SM2 can be used here."""
    try:
        _library()
    except SmUnavailableError:
        return False
    return True


def require() -> None:
    """Raises SmUnavailableError saying what was looked for, when there is no SM2 provider."""
    _library()


def missing() -> str:
    """Names the algorithms (SM2, SM3, SM4) that this machine lacks, and where they were looked for; empty for none."""
    probes: tuple[tuple[str, Callable[[], object]], ...] = (
        ("SM3", lambda: sm3(b"")),
        ("SM4", lambda: sm4_gcm_encrypt(bytes(SM4_KEY), bytes(SM4_NONCE), b"", b"")),
    )
    lacking = []
    for name, probe in probes:
        try:
            probe()
        except UnsupportedAlgorithm:
            lacking.append(f"no {name} in the library of Python's `cryptography`")
    try:
        require()
    except SmUnavailableError as error:
        lacking.append(str(error))
    return "; ".join(lacking)


def provider() -> str:
    """Name and version of the library in use. Raises SmUnavailableError."""
    version: bytes = _library().OpenSSL_version(0)
    return version.decode("ascii", errors="replace")


def _library() -> ctypes.CDLL:
    found = _found()
    if isinstance(found, ctypes.CDLL):
        return found
    raise SmUnavailableError(found)


@functools.cache
def _found() -> ctypes.CDLL | str:
    """The library, or why there is none: the answer stays the same for the life of the process."""
    try:
        return load(_proves_itself, os.environ.get("SHUNIU_LIBCRYPTO", ""))
    except LibcryptoAbsentError as cause:
        return str(cause)


def _proves_itself(lib: ctypes.CDLL) -> bool:
    """The example of GB/T 32918.5 verifies and its changed message does not."""
    try:
        key = _import(lib, "d2i_PUBKEY", _SPKI_HEAD + _KNOWN_POINT)
    except SmKeyError:
        return False
    right = _verify(lib, key, b"message digest", _KNOWN_SIGNATURE, SIGNER_ID)
    return right and not _verify(lib, key, b"message digest.", _KNOWN_SIGNATURE, SIGNER_ID)


def _verify(lib: ctypes.CDLL, key: _Key, message: bytes, signature: bytes, signer_id: bytes) -> bool:
    context = lib.EVP_MD_CTX_new()
    try:
        _start(lib, lib.EVP_DigestVerifyInit, context, key, signer_id)
        right: bool = lib.EVP_DigestVerify(context, signature, len(signature), message, len(message)) == 1
        if not right:
            lib.ERR_clear_error()
        return right
    finally:
        lib.EVP_MD_CTX_free(context)


def _start(lib: ctypes.CDLL, init: "ctypes._NamedFuncPointer", context: int, key: _Key, signer_id: bytes) -> None:
    parameters = ctypes.c_void_p()
    if (
        init(context, ctypes.byref(parameters), lib.EVP_sm3(), None, key.handle) != 1
        or lib.EVP_PKEY_CTX_set1_id(parameters, signer_id, len(signer_id)) != 1
    ):
        raise _failed(lib, "the key cannot be used with SM3")


def _import(lib: ctypes.CDLL, reader: str, encoded: bytes) -> _Key:
    start = ctypes.create_string_buffer(encoded, len(encoded))
    at = ctypes.c_void_p(ctypes.addressof(start))
    handle = getattr(lib, reader)(None, ctypes.byref(at), len(encoded))
    if not handle:
        lib.ERR_clear_error()
        raise SmKeyError("the key cannot be read")
    key = _Key(handle, lib.EVP_PKEY_free)
    if at.value != ctypes.addressof(start) + len(encoded):
        raise SmKeyError("bytes behind the key")
    return key


def _export(lib: ctypes.CDLL, writer: "ctypes._NamedFuncPointer", handle: int) -> bytes:
    size = writer(handle, None)
    if size <= 0:
        raise _failed(lib, "the key cannot be written")
    out = ctypes.create_string_buffer(size)
    writer(handle, ctypes.byref(ctypes.c_void_p(ctypes.addressof(out))))
    return out.raw


def _failed(lib: ctypes.CDLL, what: str) -> SmKeyError:
    lib.ERR_clear_error()
    return SmKeyError(what)


def _pointer(value: ctypes.c_void_p) -> int:
    assert value.value is not None
    return value.value


def _pem(label: bytes, der: bytes) -> bytes:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 64)).encode("ascii")
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, body, label)
