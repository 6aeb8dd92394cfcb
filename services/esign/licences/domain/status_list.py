"""Token Status List (draft-ietf-oauth-status-list): two bits a licence, compressed, in a signed token.

A place nobody holds reads like a licence that stands, so a list does not tell how many there are. In a list whose
register forgot licences (a restore of an older database) it reads SUSPENDED: one of them may have been revoked.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.domain.errors import TokenMalformedError, TokenWrongError
from services.esign.licences.domain import jose

TYP = "statuslist+jwt"
MEDIA_TYPE = f"application/{TYP}"
BITS = 2
_MASK = (1 << BITS) - 1
_PER_BYTE = 8 // BITS
PLACES: Final = 131_072
"""Places of a list of ours."""
# How many of them are given before the next list begins: a free place is found at once, and by chance, so that a
# licence's place tells nothing of when it was issued.
_GIVEN: Final = PLACES // 2
# A list of ours has 131,072 places (32 KiB); a reader gives up at 2^22 of one bit.
MOST_BYTES = 1 << 19
_ALLOWED_BITS = frozenset({1, 2, 4, 8})
# How long a list counts that says nothing of its end, and any list at most: what was revoked since is not in it. s.
_ENDLESS_SECONDS = 86_400
_MOST_SECONDS = 7 * 86_400


class Status(IntEnum):
    """Status types of the draft, section 7.1."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


def list_of(nth: int) -> int:
    """The list in which the place lies that is given as the nth of all, from 1 on."""
    return 1 + (nth - 1) // _GIVEN


def given_in(list_: int, given: int) -> int:
    """Counts the places in that list, of so many that were given in all."""
    return min(max(given - (list_ - 1) * _GIVEN, 0), _GIVEN)


def pack(places: int, statuses: Mapping[int, Status], rest: Status = Status.VALID) -> bytes:
    """The bits of a list of so many places; what is not named is `rest`. Raises ValueError for a place outside."""
    each = sum(rest << at * BITS for at in range(_PER_BYTE))
    packed = bytearray([each]) * -(-places // _PER_BYTE)
    for place, status in statuses.items():
        if not 0 <= place < places:
            raise ValueError("no such place in the list")
        shift = place % _PER_BYTE * BITS
        packed[place // _PER_BYTE] = packed[place // _PER_BYTE] & ~(_MASK << shift) | status << shift
    return bytes(packed)


def compress(packed: bytes) -> str:
    """`lst` of the draft, section 4.2: zlib at its highest level, base64url."""
    return jose.encode(zlib.compress(packed, 9))


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list that was read: `packed` holds `bits` (1, 2, 4 or 8) a place, from the lowest bit of each byte."""

    bits: int
    packed: bytes

    def at(self, place: int) -> int:
        """The status at a place. Raises TokenWrongError when the list does not reach so far."""
        per_byte = 8 // self.bits
        if not 0 <= place < len(self.packed) * per_byte:
            raise TokenWrongError("STATUS_INDEX", "the status list has no such place", "状态列表中没有该序号")
        return self.packed[place // per_byte] >> place % per_byte * self.bits & ((1 << self.bits) - 1)


def expand(found: object) -> StatusList:
    """The list of the claim `status_list`. Raises TokenMalformedError, also for one that expands beyond the limit."""
    if not isinstance(found, Mapping) or not isinstance(found.get("lst"), str):
        raise _malformed()
    bits = found.get("bits")
    if isinstance(bits, bool) or not isinstance(bits, int) or bits not in _ALLOWED_BITS:
        raise _malformed()
    unpacker = zlib.decompressobj()
    try:
        packed = unpacker.decompress(jose.decode(found["lst"]), MOST_BYTES)
    except zlib.error as cause:
        raise _malformed() from cause
    if not unpacker.eof or unpacker.unused_data:
        raise _malformed()
    return StatusList(bits, packed)


@dataclass(frozen=True, slots=True)
class Issuer:
    """The signer of status lists: a key and its certificates (DER), signer first."""

    key: ec.EllipticCurvePrivateKey
    certificates: Sequence[bytes]


def sign(issuer: Issuer, uri: str, packed: bytes, now_us: int, *, ttl_s: int, lives_s: int) -> str:
    """The status list token (draft, section 5.1). `ttl_s`: how long a reader may use it before he asks again."""
    now = now_us // 1_000_000
    return jose.sign(
        {"typ": TYP, "x5c": jose.x5c(issuer.certificates)},
        {
            "sub": uri,
            "iat": now,
            "exp": now + lives_s,
            "ttl": ttl_s,
            "status_list": {"bits": BITS, "lst": compress(packed)},
        },
        issuer.key,
    )


def read(text: str, uri: str, key: ec.EllipticCurvePublicKey, now_us: int) -> StatusList:
    """The list of a token that `key` signed for `uri` (draft, section 8.3). Raises TokenMalformedError,
    TokenWrongError.
    """
    token = jose.parse(text, TYP)
    jose.check(token, key)
    payload: Mapping[str, Any] = token.payload
    made, ends, ttl = (jose.integer(payload, name) for name in ("iat", "exp", "ttl"))
    if payload.get("sub") != uri:
        raise TokenWrongError("STATUS_LIST_OTHER", "the status list is another one", "不是所指的状态列表")
    if made is None or (ttl is not None and ttl <= 0):
        raise _malformed()
    if made > now_us / 1e6 + jose.AHEAD_SECONDS:
        raise TokenWrongError("STATUS_LIST_EARLY", "the status list is of a time to come", "状态列表的签发时间晚于现在")
    if ends is None:
        # What may be kept so long only (draft, section 5.1) and does not end itself.
        ends = made + (_ENDLESS_SECONDS if ttl is None else ttl)
    if min(ends, made + _MOST_SECONDS) <= now_us / 1e6:
        raise TokenWrongError("STATUS_LIST_STALE", "the status list is past its time", "状态列表已过期")
    return expand(payload.get("status_list"))


def _malformed() -> TokenMalformedError:
    return TokenMalformedError("STATUS_LIST", "not a status list", "状态列表格式错误")
