"""Finds a libcrypto 3 through ctypes and declares what is called in it."""

import ctypes
import ctypes.util
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

# Names of version 3 and 4 on Linux, macOS and Windows; the loader's own search finds them.
_NAMES: Final = ("libcrypto.so.3", "libcrypto.so.4", "libcrypto.3.dylib", "libcrypto-3-x64.dll")
# Wheels carry theirs in `<package>.libs`.
_BUNDLED: Final = "*.libs/libcrypto*.so*"

_POINTER, _TEXT, _INT, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
_FUNCTIONS: Final[dict[str, tuple[object, tuple[object, ...]]]] = {
    "ERR_clear_error": (None, ()),
    "OpenSSL_version": (_TEXT, (_INT,)),
    "EVP_sm3": (_POINTER, ()),
    "EVP_MD_CTX_new": (_POINTER, ()),
    "EVP_MD_CTX_free": (None, (_POINTER,)),
    "EVP_MD_CTX_copy_ex": (_INT, (_POINTER, _POINTER)),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_PKEY_is_a": (_INT, (_POINTER, _TEXT)),
    "EVP_PKEY_CTX_new_from_name": (_POINTER, (_POINTER, _TEXT, _TEXT)),
    "EVP_PKEY_CTX_free": (None, (_POINTER,)),
    "EVP_PKEY_CTX_set1_id": (_INT, (_POINTER, _TEXT, _INT)),
    "EVP_PKEY_keygen_init": (_INT, (_POINTER,)),
    "EVP_PKEY_generate": (_INT, (_POINTER, _POINTER)),
    "EVP_DigestSignInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestSign": (_INT, (_POINTER, _POINTER, _POINTER, _TEXT, _SIZE)),
    "EVP_DigestVerifyInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestVerify": (_INT, (_POINTER, _TEXT, _SIZE, _TEXT, _SIZE)),
    "EVP_PKEY2PKCS8": (_POINTER, (_POINTER,)),
    "PKCS8_PRIV_KEY_INFO_free": (None, (_POINTER,)),
    "i2d_PKCS8_PRIV_KEY_INFO": (_INT, (_POINTER, _POINTER)),
    "i2d_PUBKEY": (_INT, (_POINTER, _POINTER)),
    "d2i_PUBKEY": (_POINTER, (_POINTER, _POINTER, ctypes.c_long)),
    "d2i_AutoPrivateKey": (_POINTER, (_POINTER, _POINTER, ctypes.c_long)),
}


class LibcryptoAbsentError(Exception):
    """No libcrypto 3 with SM2 was found. The text names what was tried."""


def load(proves_itself: Callable[[ctypes.CDLL], bool], named: str = "") -> ctypes.CDLL:
    """The first library that loads, has every function and passes `proves_itself`. `named`: only that file is tried.

    Raises LibcryptoAbsentError.
    """
    tried: list[str] = []
    for name in [named] if named else dict.fromkeys(_candidates()):
        tried.append(name)
        try:
            lib = ctypes.CDLL(name)
            _declare(lib)
        except (OSError, AttributeError):
            continue
        if proves_itself(lib):
            return lib
    raise LibcryptoAbsentError(f"no libcrypto 3 with SM2; tried {', '.join(tried)}")


def _candidates() -> Iterator[str]:
    """Names, most wanted first."""
    yield from _NAMES
    found = ctypes.util.find_library("crypto")
    if found:
        yield found
    for path in sorted(Path(sysconfig.get_path("platlib")).glob(_BUNDLED)):
        yield str(path)


def _declare(lib: ctypes.CDLL) -> None:
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
