"""Values that lie encrypted in a column beside others that need not: written and read inside a unit of work.

A closed value begins with the number of its key, six digits in four bytes, so its first byte is zero. What is written
in clear into the same column must never begin so: DER begins with 0x30, PNG with 0x89.
"""

from typing import Final

from sqlalchemy import Connection

from shuniu.kit.store.types import binding_of

_MARK: Final = b"\0"


def context(table: str, row: str, column: str) -> bytes:
    """Binds a closed value to its place: moved elsewhere it does not open."""
    return f"{table}/{row}/{column}".encode()


def is_closed(value: bytes) -> bool:
    return value.startswith(_MARK)


def close(conn: Connection, plain: bytes, place: bytes) -> bytes:
    """`plain` as it is stored; nothing stays nothing. Raises RuntimeError when the store was given no cipher, HubError
    HSM_AWAY.
    """
    cipher = binding_of(conn).cipher
    if not plain:
        return plain
    if cipher is None:
        raise RuntimeError("this store was given no cipher, and such values are not written in clear")
    return cipher.encrypt(plain, place)


def reveal(conn: Connection, value: bytes, place: bytes) -> bytes:
    """The plain bytes, also of what was written in clear. Raises RuntimeError when the store was given no cipher,
    UnreadableError, HubError HSM_AWAY.
    """
    if not is_closed(value):
        return value
    cipher = binding_of(conn).cipher
    if cipher is None:
        raise RuntimeError("this store was given no cipher")
    return cipher.decrypt(value, place)
