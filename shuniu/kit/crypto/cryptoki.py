"""PKCS #11 v2.40 through ctypes: the few functions that keys need, called as the standard has them.

The module is initialised with CKF_OS_LOCKING_OK, so that threads may use sessions of their own side by side. Calls
release the interpreter.
"""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes import POINTER, Structure, byref, c_ubyte, c_ulong, c_void_p, cast, create_string_buffer, sizeof
from enum import IntEnum
from typing import Any, Final

from shuniu.kit.crypto.device_pool import DeviceError, Trouble
from shuniu.kit.process.config import ConfigError

_OS_LOCKING: Final = 0x02
_SERIAL_RW: Final = 0x04 | 0x02
_USER: Final = 1
_MOST_SIGNATURE: Final = 512
_UNAVAILABLE: Final = c_ulong(-1).value


class Rv(IntEnum):
    """Return values that are told apart (PKCS #11 v2.40, 5.1)."""

    OK = 0x00
    HOST_MEMORY = 0x02
    GENERAL_ERROR = 0x05
    ENCRYPTED_DATA_INVALID = 0x40
    ENCRYPTED_DATA_LEN_RANGE = 0x41
    MECHANISM_INVALID = 0x70
    MECHANISM_PARAM_INVALID = 0x71
    PIN_INCORRECT = 0xA0
    PIN_INVALID = 0xA1
    PIN_LEN_RANGE = 0xA2
    PIN_EXPIRED = 0xA3
    PIN_LOCKED = 0xA4
    TOKEN_NOT_PRESENT = 0xE0
    USER_ALREADY_LOGGED_IN = 0x100
    CRYPTOKI_ALREADY_INITIALIZED = 0x191


_NAMES: Final = {int(rv): rv.name for rv in Rv}


class Kind(IntEnum):
    """CKO_: classes of objects."""

    PUBLIC_KEY = 2
    PRIVATE_KEY = 3
    SECRET_KEY = 4


class KeyType(IntEnum):
    """CKK_: types of keys."""

    EC = 0x03
    EDWARDS = 0x40
    AES = 0x1F


class Mechanism(IntEnum):
    """CKM_: what is done with keys."""

    EC_KEY_PAIR_GEN = 0x1040
    ECDSA = 0x1041
    EC_EDWARDS_KEY_PAIR_GEN = 0x1055
    EDDSA = 0x1057
    AES_KEY_GEN = 0x1080
    AES_GCM = 0x1087


class Attribute(IntEnum):
    """CKA_: attributes of objects."""

    CLASS = 0x00
    TOKEN = 0x01
    PRIVATE = 0x02
    LABEL = 0x03
    KEY_TYPE = 0x100
    ID = 0x102
    SENSITIVE = 0x103
    ENCRYPT = 0x104
    DECRYPT = 0x105
    SIGN = 0x108
    VERIFY = 0x10A
    VALUE_LEN = 0x161
    EXTRACTABLE = 0x162
    EC_PARAMS = 0x180
    EC_POINT = 0x181


Template = Mapping[Attribute, bool | int | bytes]


_PIN: Final = frozenset({Rv.PIN_INCORRECT, Rv.PIN_INVALID, Rv.PIN_LEN_RANGE, Rv.PIN_EXPIRED, Rv.PIN_LOCKED})
_UNABLE: Final = frozenset({Rv.MECHANISM_INVALID, Rv.MECHANISM_PARAM_INVALID})


class CryptokiError(DeviceError):
    """A function of a module failed. `rv`: its return value."""

    def __init__(self, function: str, rv: int) -> None:
        name = _NAMES.get(rv, f"{rv:#x}")
        super().__init__(f"{function}: CKR {name}")
        self.rv = rv
        self.trouble = Trouble.PASSWORD if rv in _PIN else Trouble.UNABLE if rv in _UNABLE else Trouble.LOST


class _Attribute(Structure):
    _fields_ = (("type", c_ulong), ("value", c_void_p), ("length", c_ulong))


class _Mechanism(Structure):
    _fields_ = (("mechanism", c_ulong), ("parameter", c_void_p), ("length", c_ulong))


class _Gcm(Structure):
    _fields_ = (
        ("iv", c_void_p),
        ("iv_length", c_ulong),
        ("iv_bits", c_ulong),
        ("aad", c_void_p),
        ("aad_length", c_ulong),
        ("tag_bits", c_ulong),
    )


class _InitArgs(Structure):
    _fields_ = (
        ("create", c_void_p),
        ("destroy", c_void_p),
        ("lock", c_void_p),
        ("unlock", c_void_p),
        ("flags", c_ulong),
        ("reserved", c_void_p),
    )


class _TokenInfo(Structure):
    _fields_ = (
        ("label", c_ubyte * 32),
        ("manufacturer", c_ubyte * 32),
        ("model", c_ubyte * 16),
        ("serial", c_ubyte * 16),
        ("flags", c_ulong),
        ("counts", c_ulong * 10),
        ("versions", c_ubyte * 4),
        ("time", c_ubyte * 16),
    )


# Place of each function in CK_FUNCTION_LIST, behind the version.
_PLACES: Final = {
    "C_Initialize": 0,
    "C_Finalize": 1,
    "C_GetSlotList": 4,
    "C_GetTokenInfo": 6,
    "C_GetMechanismList": 7,
    "C_OpenSession": 12,
    "C_CloseSession": 13,
    "C_Login": 18,
    "C_GetAttributeValue": 24,
    "C_FindObjectsInit": 26,
    "C_FindObjects": 27,
    "C_FindObjectsFinal": 28,
    "C_EncryptInit": 29,
    "C_Encrypt": 30,
    "C_DecryptInit": 33,
    "C_Decrypt": 34,
    "C_SignInit": 42,
    "C_Sign": 43,
    "C_GenerateKey": 58,
    "C_GenerateKeyPair": 59,
    "C_GenerateRandom": 64,
}
_LIST_LENGTH: Final = 68


class _FunctionList(Structure):
    _fields_ = (("version", c_ubyte * 2), ("functions", c_void_p * _LIST_LENGTH))


class Cryptoki:
    """A module. Objects and sessions are the numbers that it gives."""

    def __init__(self, path: str) -> None:
        """Raises ConfigError when there is no such module."""
        try:
            self._library = ctypes.CDLL(path)
            get = self._library.C_GetFunctionList
        except (OSError, AttributeError) as error:
            raise ConfigError(f"{path}: no PKCS #11 module: {error}") from None
        found = POINTER(_FunctionList)()
        get.restype = c_ulong
        _require("C_GetFunctionList", get(byref(found)))
        table = found.contents.functions
        prototype = ctypes.CFUNCTYPE(c_ulong)
        self._functions = {name: prototype(table[place]) for name, place in _PLACES.items()}

    def initialise(self) -> None:
        arguments = _InitArgs(flags=_OS_LOCKING)
        try:
            self._call("C_Initialize", byref(arguments))
        except CryptokiError as error:
            if error.rv != Rv.CRYPTOKI_ALREADY_INITIALIZED:
                raise

    def finalise(self) -> None:
        self._call("C_Finalize", c_void_p(None))

    def slots(self) -> list[int]:
        """Slots that hold a token."""
        count = c_ulong()
        self._call("C_GetSlotList", c_ubyte(1), c_void_p(None), byref(count))
        slots = (c_ulong * count.value)()
        self._call("C_GetSlotList", c_ubyte(1), slots, byref(count))
        return list(slots[: count.value])

    def token(self, slot: int) -> tuple[str, str]:
        """Label and serial number of a slot's token."""
        info = _TokenInfo()
        self._call("C_GetTokenInfo", c_ulong(slot), byref(info))
        return bytes(info.label).decode(errors="replace").rstrip(), bytes(info.serial).decode(errors="replace").rstrip()

    def mechanisms(self, slot: int) -> frozenset[int]:
        count = c_ulong()
        self._call("C_GetMechanismList", c_ulong(slot), c_void_p(None), byref(count))
        found = (c_ulong * count.value)()
        self._call("C_GetMechanismList", c_ulong(slot), found, byref(count))
        return frozenset(found[: count.value])

    def open(self, slot: int, pin: bytes) -> int:
        """A session, logged in. Login is of the process: another session's stands for this one too."""
        session = c_ulong()
        self._call("C_OpenSession", c_ulong(slot), c_ulong(_SERIAL_RW), c_void_p(None), c_void_p(None), byref(session))
        try:
            self._call("C_Login", session, c_ulong(_USER), pin, c_ulong(len(pin)))
        except CryptokiError as error:
            if error.rv != Rv.USER_ALREADY_LOGGED_IN:
                self._functions["C_CloseSession"](session)
                raise
        return session.value

    def close(self, session: int) -> None:
        self._call("C_CloseSession", c_ulong(session))

    def find(self, session: int, template: Template, most: int = 2) -> list[int]:
        """Objects that have the template's attributes, at most `most`."""
        attributes, keep = _template(template)
        found = (c_ulong * most)()
        count = c_ulong()
        self._call("C_FindObjectsInit", c_ulong(session), attributes, c_ulong(len(attributes)))
        try:
            self._call("C_FindObjects", c_ulong(session), found, c_ulong(most), byref(count))
        finally:
            self._functions["C_FindObjectsFinal"](c_ulong(session))
        del keep
        return list(found[: count.value])

    def attribute(self, session: int, item: int, kind: Attribute) -> bytes:
        wanted = _Attribute(kind, None, 0)
        self._call("C_GetAttributeValue", c_ulong(session), c_ulong(item), byref(wanted), c_ulong(1))
        if wanted.length == _UNAVAILABLE:
            raise CryptokiError("C_GetAttributeValue", Rv.GENERAL_ERROR)
        room = create_string_buffer(wanted.length)
        wanted.value = cast(room, c_void_p)
        self._call("C_GetAttributeValue", c_ulong(session), c_ulong(item), byref(wanted), c_ulong(1))
        return room.raw[: wanted.length]

    def sign(self, session: int, key: int, mechanism: Mechanism, data: bytes) -> bytes:
        self._call("C_SignInit", c_ulong(session), byref(_Mechanism(mechanism, None, 0)), c_ulong(key))
        room, size = create_string_buffer(_MOST_SIGNATURE), c_ulong(_MOST_SIGNATURE)
        self._call("C_Sign", c_ulong(session), data, c_ulong(len(data)), room, byref(size))
        return room.raw[: size.value]

    def encrypt_gcm(self, session: int, key: int, nonce: bytes, context: bytes, data: bytes) -> bytes:
        """AES-GCM with a tag of 16 bytes behind the ciphertext."""
        with _gcm(nonce, context) as mechanism:
            self._call("C_EncryptInit", c_ulong(session), byref(mechanism), c_ulong(key))
            return self._transform("C_Encrypt", session, data)

    def decrypt_gcm(self, session: int, key: int, nonce: bytes, context: bytes, data: bytes) -> bytes:
        with _gcm(nonce, context) as mechanism:
            self._call("C_DecryptInit", c_ulong(session), byref(mechanism), c_ulong(key))
            return self._transform("C_Decrypt", session, data)

    def generate_key(self, session: int, mechanism: Mechanism, template: Template) -> int:
        attributes, keep = _template(template)
        made = c_ulong()
        chosen = _Mechanism(mechanism, None, 0)
        self._call("C_GenerateKey", c_ulong(session), byref(chosen), attributes, c_ulong(len(attributes)), byref(made))
        del keep
        return made.value

    def generate_pair(self, session: int, mechanism: Mechanism, public: Template, private: Template) -> tuple[int, int]:
        public_attributes, keep_public = _template(public)
        private_attributes, keep_private = _template(private)
        made = c_ulong(), c_ulong()
        chosen = _Mechanism(mechanism, None, 0)
        self._call(
            "C_GenerateKeyPair",
            c_ulong(session),
            byref(chosen),
            public_attributes,
            c_ulong(len(public_attributes)),
            private_attributes,
            c_ulong(len(private_attributes)),
            byref(made[0]),
            byref(made[1]),
        )
        del keep_public, keep_private
        return made[0].value, made[1].value

    def random(self, session: int, size: int) -> bytes:
        room = create_string_buffer(size)
        self._call("C_GenerateRandom", c_ulong(session), room, c_ulong(size))
        return room.raw

    def _transform(self, function: str, session: int, data: bytes) -> bytes:
        room = create_string_buffer(len(data) + 64)
        size = c_ulong(len(room))
        self._call(function, c_ulong(session), data, c_ulong(len(data)), room, byref(size))
        return room.raw[: size.value]

    def _call(self, name: str, *arguments: Any) -> None:
        _require(name, self._functions[name](*arguments))


def _require(name: str, rv: int) -> None:
    if rv != Rv.OK:
        raise CryptokiError(name, rv)


def _template(template: Template) -> tuple[Any, Sequence[Any]]:
    """CK_ATTRIBUTE array, and what must live as long as it is used."""
    keep: list[Any] = []
    attributes = (_Attribute * len(template))()
    for place, (kind, value) in zip(attributes, template.items(), strict=True):
        held: Any
        if isinstance(value, bool):
            held = c_ubyte(value)
        elif isinstance(value, int):
            held = c_ulong(value)
        else:
            held = create_string_buffer(value, len(value))
        keep.append(held)
        place.type, place.value, place.length = kind, cast(byref(held), c_void_p), sizeof(held)
    return attributes, keep


@contextmanager
def _gcm(nonce: bytes, context: bytes) -> Iterator[_Mechanism]:
    iv, aad = create_string_buffer(nonce, len(nonce)), create_string_buffer(context, len(context) or 1)
    parameter = _Gcm(
        cast(iv, c_void_p), len(nonce), 8 * len(nonce), cast(aad, c_void_p) if context else None, len(context), 128
    )
    yield _Mechanism(Mechanism.AES_GCM, cast(byref(parameter), c_void_p), sizeof(parameter))
