"""GM/T 0018 (SDF) through ctypes: the interface of Chinese cryptographic devices (密码设备应用接口规范).

Structures are the standard's: coordinates and numbers of ECC lie right-aligned in 64 bytes. Calls release the
interpreter.
"""

import ctypes
from ctypes import Structure, byref, c_ubyte, c_uint, c_void_p, create_string_buffer
from enum import IntEnum
from typing import Any, Final

from shuniu.kit.crypto.device_pool import DeviceError, Trouble
from shuniu.kit.process.config import ConfigError

_HALF: Final = 64
_NUMBER: Final = 32
_ECC_BITS: Final = 256
_MOST_WRAPPED: Final = 256


class Rv(IntEnum):
    """Return values (GM/T 0018-2012, appendix A)."""

    OK = 0x0
    UNKNOWN = 0x01000001
    NOT_SUPPORTED = 0x01000002
    COMMUNICATION = 0x01000003
    HARDWARE = 0x01000004
    OPEN_DEVICE = 0x01000005
    OPEN_SESSION = 0x01000006
    NO_RIGHT = 0x01000007
    NO_KEY = 0x01000008
    NO_ALGORITHM = 0x01000009
    NO_MODE = 0x0100000A
    STEP = 0x01000010
    # Behind it each edition and vendor has its own; a right that could not be had is this one in the standard.
    RIGHT_REFUSED = 0x01000018


_NAMES: Final = {int(rv): rv.name for rv in Rv}
_UNABLE: Final = frozenset({Rv.NOT_SUPPORTED, Rv.NO_ALGORITHM, Rv.NO_MODE})


class SdfError(DeviceError):
    """A function of a device's library failed. `rv`: its return value."""

    def __init__(self, function: str, rv: int) -> None:
        super().__init__(f"{function}: SDR {_NAMES.get(rv, f'{rv:#x}')}")
        self.rv = rv
        self.trouble = Trouble.UNABLE if rv in _UNABLE else Trouble.LOST
        # The only call that gives a password.
        if function == "SDF_GetPrivateKeyAccessRight" and rv in {Rv.NO_RIGHT, Rv.RIGHT_REFUSED}:
            self.trouble = Trouble.PASSWORD


class EccPublicKey(Structure):
    """ECCrefPublicKey."""

    _fields_ = (("bits", c_uint), ("x", c_ubyte * _HALF), ("y", c_ubyte * _HALF))

    @property
    def point(self) -> bytes:
        """Uncompressed, 65 bytes. Raises SdfError for what is no number of 256 bits."""
        return b"\x04" + _number(self.x) + _number(self.y)


class EccSignature(Structure):
    """ECCSignature."""

    _fields_ = (("r", c_ubyte * _HALF), ("s", c_ubyte * _HALF))

    @property
    def pair(self) -> tuple[int, int]:
        return int.from_bytes(bytes(self.r), "big"), int.from_bytes(bytes(self.s), "big")


_FUNCTIONS: Final = (
    "SDF_OpenDevice",
    "SDF_CloseDevice",
    "SDF_OpenSession",
    "SDF_CloseSession",
    "SDF_GetPrivateKeyAccessRight",
    "SDF_GenerateRandom",
    "SDF_ExportSignPublicKey_ECC",
    "SDF_InternalSign_ECC",
    "SDF_GenerateKeyWithKEK",
    "SDF_ImportKeyWithKEK",
    "SDF_DestroyKey",
    "SDF_Encrypt",
    "SDF_Decrypt",
)


class SdfLibrary:
    """A device's library. Handles are the pointers that it gives, as numbers."""

    def __init__(self, path: str) -> None:
        """Raises ConfigError when there is no such library."""
        try:
            library = ctypes.CDLL(path)
            self._functions = {name: getattr(library, name) for name in _FUNCTIONS}
        except (OSError, AttributeError) as error:
            raise ConfigError(f"{path}: no GM/T 0018 library: {error}") from None
        for function in self._functions.values():
            function.restype = c_uint

    def open_device(self) -> int:
        device = c_void_p()
        self._call("SDF_OpenDevice", byref(device))
        return device.value or 0

    def close_device(self, device: int) -> None:
        self._call("SDF_CloseDevice", c_void_p(device))

    def open_session(self, device: int) -> int:
        session = c_void_p()
        self._call("SDF_OpenSession", c_void_p(device), byref(session))
        return session.value or 0

    def close_session(self, session: int) -> None:
        self._call("SDF_CloseSession", c_void_p(session))

    def access_right(self, session: int, index: int, password: bytes) -> None:
        """The right to use the private key at `index` in this session."""
        self._call("SDF_GetPrivateKeyAccessRight", c_void_p(session), c_uint(index), password, c_uint(len(password)))

    def random(self, session: int, size: int) -> bytes:
        room = create_string_buffer(size)
        self._call("SDF_GenerateRandom", c_void_p(session), c_uint(size), room)
        return room.raw

    def public_key(self, session: int, index: int) -> bytes:
        """The signing key pair's public point, uncompressed."""
        found = EccPublicKey()
        self._call("SDF_ExportSignPublicKey_ECC", c_void_p(session), c_uint(index), byref(found))
        if found.bits != _ECC_BITS:
            raise SdfError("SDF_ExportSignPublicKey_ECC", Rv.NO_KEY)
        return found.point

    def sign(self, session: int, index: int, digest: bytes) -> tuple[int, int]:
        """The pair (r, s) over a digest that holds Z already (GB/T 32918.2)."""
        made = EccSignature()
        self._call("SDF_InternalSign_ECC", c_void_p(session), c_uint(index), digest, c_uint(len(digest)), byref(made))
        return made.pair

    def generate_wrapped(self, session: int, algorithm: int, kek: int) -> bytes:
        """A fresh key of 128 bits as only the device's key-encryption key `kek` opens it."""
        room, size, key = create_string_buffer(_MOST_WRAPPED), c_uint(_MOST_WRAPPED), c_void_p()
        self._call(
            "SDF_GenerateKeyWithKEK",
            c_void_p(session),
            c_uint(128),
            c_uint(algorithm),
            c_uint(kek),
            room,
            byref(size),
            byref(key),
        )
        self._call("SDF_DestroyKey", c_void_p(session), key)
        return room.raw[: size.value]

    def import_wrapped(self, session: int, algorithm: int, kek: int, wrapped: bytes) -> int:
        """A handle of this session on a wrapped key."""
        key = c_void_p()
        self._call(
            "SDF_ImportKeyWithKEK",
            c_void_p(session),
            c_uint(algorithm),
            c_uint(kek),
            wrapped,
            c_uint(len(wrapped)),
            byref(key),
        )
        return key.value or 0

    def encrypt(self, session: int, key: int, algorithm: int, iv: bytes, data: bytes) -> bytes:
        return self._cipher("SDF_Encrypt", session, key, algorithm, iv, data)

    def decrypt(self, session: int, key: int, algorithm: int, iv: bytes, data: bytes) -> bytes:
        return self._cipher("SDF_Decrypt", session, key, algorithm, iv, data)

    def _cipher(self, function: str, session: int, key: int, algorithm: int, iv: bytes, data: bytes) -> bytes:
        # The device writes the next value into the one that it is given.
        start, room, size = create_string_buffer(iv, len(iv)), create_string_buffer(len(data) + 32), c_uint()
        size.value = len(room)
        self._call(
            function,
            c_void_p(session),
            c_void_p(key),
            c_uint(algorithm),
            start,
            data,
            c_uint(len(data)),
            room,
            byref(size),
        )
        return room.raw[: size.value]

    def _call(self, name: str, *arguments: Any) -> None:
        rv = self._functions[name](*arguments)
        if rv != Rv.OK:
            raise SdfError(name, rv)


def _number(right_aligned: "ctypes.Array[c_ubyte]") -> bytes:
    whole = bytes(right_aligned)
    if any(whole[:-_NUMBER]):
        raise SdfError("SDF_ExportSignPublicKey_ECC", Rv.NO_KEY)
    return whole[-_NUMBER:]
