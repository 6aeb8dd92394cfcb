"""SM2 signatures checked by the machine's library, for the domain and for seal signatures: needs no key of this hub."""

import functools

from services.esign.domain import sm2
from services.esign.domain.kept import kept_if_found
from services.esign.domain.negative import holds
from shuniu.kit.crypto import sm

# Bytes; a certificate or a seal with its picture has less. Larger ones are hostile and would fill the memory.
_MOST_REMEMBERED = 64 * 1024


def verifies(spki: bytes, message: bytes, signature: bytes) -> bool:
    """SM2 check under the default signer id, as the domain takes it. A key that is none verifies nothing."""
    small = len(spki) + len(message) + len(signature) <= _MOST_REMEMBERED
    return remembered(spki, message, signature) if small else _holds(spki, message, signature)


# A hub's documents share the same few certificates and seals; their signatures are checked once.
@kept_if_found(256)
def remembered(spki: bytes, message: bytes, signature: bytes) -> bool:
    """`verifies`, with what verified kept."""
    return _holds(spki, message, signature)


def _holds(spki: bytes, message: bytes, signature: bytes) -> bool:
    try:
        return holds(lambda: _public_key(spki).verify(message, signature))
    except sm.SmKeyError:
        return False


def _judge(spki: bytes, message: bytes, signature: bytes) -> bool:
    """`verifies` for the domain. Raises Sm2AbsentError."""
    try:
        return verifies(spki, message, signature)
    except sm.SmUnavailableError as error:
        raise sm2.Sm2AbsentError(str(error)) from None


sm2.install(_judge)


# Reading a key costs a third of a check.
@functools.lru_cache(maxsize=1024)
def _public_key(spki: bytes) -> sm.PublicKey:
    return sm.PublicKey.from_spki(spki)
