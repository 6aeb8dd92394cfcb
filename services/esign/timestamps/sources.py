"""The sources of timestamps: the hub's own authority, or an outside one by configuration."""

import asyncio
import itertools
import os
from dataclasses import dataclass, field
from typing import Protocol

import httpx
from cryptography import x509

from services.esign import metrics
from services.esign.domain.digests import SHA256, Digest
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.timestamps.domain import reader as timestamp_reader
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.domain.reader import TimestampInvalidError
from services.esign.timestamps.domain.token import Failure, TimestampQuery, TimestampRefusedError, TimestampSigner
from shuniu.kit.crypto.device import KeyAwayError
from shuniu.kit.process import log
from shuniu.kit.process.clock import Clock

_log = log.get("timestamps")

_PROBE = b"how long is a token"
# What an outside authority's tokens vary by: serial number, fraction of a second, signature.
_SLACK = 64
# Room for the token of an authority that has not answered yet: three certificates and a signature with RSA.
_UNSEEN = 8 * 1024
_MOST_ANSWER = 64 * 1024
_FIRST_BIT = 1 << 127


class TimestampAwayError(Exception):
    """No timestamp can be had now. Its text says why, for logs."""


class TimestampSource(Protocol):
    """Stamps digests of what was just signed."""

    async def room(self) -> int:
        """Longest token it gives, bytes."""
        ...

    async def stamp(self, signature: bytes) -> bytes:
        """A token (DER) over a signature value. Raises TimestampAwayError."""
        ...


@dataclass(slots=True)
class Authority:
    """The hub's own authority. Each token has a serial number of its own without asking anybody: 63 random bits of this
    process, then a counter.
    """

    signer: TimestampSigner
    guard: ClockGuard
    _prefix: int = field(init=False)
    _count: "itertools.count[int]" = field(init=False, default_factory=itertools.count)
    _longest: int = field(init=False)

    def __post_init__(self) -> None:
        # The first bit is set: every number is equally long, so every token is as long as foreseen.
        self._prefix = _FIRST_BIT | int.from_bytes(os.urandom(8), "big") >> 1 << 64
        self._longest = self.signer.max_size(self._prefix)

    def answer(self, request: bytes) -> bytes:
        """TimeStampResp to a TimeStampReq, both DER. Never raises: a refusal is an answer."""
        try:
            found = timestamp.granted(self._token(timestamp.read_query(request)))
        except TimestampRefusedError as refusal:
            return timestamp.refused(refusal.failure, refusal.text)
        return found

    def token(self, digest: bytes) -> bytes:
        """A token over a digest of the authority's own algorithm. Raises TimestampRefusedError."""
        return self._token(TimestampQuery(timestamp.imprint(digest, self.signer.digest), wants_certificates=True))

    def max_size(self) -> int:
        """Longest token of `token`, bytes."""
        return self._longest

    def _token(self, asked: TimestampQuery) -> bytes:
        """Signs a token and counts the answer, for requests from outside and for the hub's own sealing. Raises
        TimestampRefusedError.
        """
        try:
            found = self._signed(asked)
        except TimestampRefusedError as refusal:
            metrics.TIMESTAMPS.labels(refusal.failure.name.lower()).inc()
            raise
        metrics.TIMESTAMPS.labels("granted").inc()
        return found

    def _signed(self, asked: TimestampQuery) -> bytes:
        now_us = self.guard.now_us()
        if now_us is None:
            raise TimestampRefusedError(Failure.TIME_NOT_AVAILABLE, "the authority's clock is in doubt")
        if now_us > self.signer.not_after_us:
            raise TimestampRefusedError(Failure.SYSTEM_FAILURE, "the authority's certificate has ended")
        try:
            return self.signer.token(asked, self._prefix | next(self._count), now_us)
        except KeyAwayError as away:
            _log.warning("timestamp_key_away", cause=away.cause)
            raise TimestampRefusedError(Failure.SYSTEM_FAILURE, "the authority's key cannot be reached") from None


@dataclass(frozen=True, slots=True)
class OwnTimestamps:
    """The hub's own authority, in this process."""

    authority: Authority

    async def room(self) -> int:
        return self.authority.max_size()

    async def stamp(self, signature: bytes) -> bytes:
        try:
            return self.authority.token(self.authority.signer.digest.of(signature))
        except TimestampRefusedError as refusal:
            raise TimestampAwayError(refusal.text) from None


@dataclass(slots=True)
class HttpTimestamps:
    """An outside authority (RFC 3161, 3.4). What it answers is checked before it is used."""

    url: str
    client: httpx.AsyncClient
    roots: tuple[x509.Certificate, ...]
    clock: Clock
    # What the authority is asked to stamp.
    digest: Digest = SHA256
    _longest: int = 0
    _probing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def room(self) -> int:
        """As long as the longest token seen; one is asked for first."""
        async with self._probing:
            if self._longest == 0:
                try:
                    await self.stamp(_PROBE)
                except TimestampAwayError:
                    return _UNSEEN
        return self._longest + _SLACK

    async def stamp(self, signature: bytes) -> bytes:
        nonce = int.from_bytes(os.urandom(8), "big")
        question = timestamp.query(self.digest.of(signature), nonce, self.digest)
        token = await self._ask(question)
        try:
            checked = timestamp_reader.check_token(token, (signature,), self.roots, self.clock.now_us())
        except TimestampInvalidError as error:
            raise TimestampAwayError(f"the token is not good: {error.reason}") from error
        if checked.nonce != timestamp.read_query(question).nonce:
            raise TimestampAwayError("the token answers another question")
        self._longest = max(self._longest, len(token))
        return token

    async def _ask(self, question: bytes) -> bytes:
        headers = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
        try:
            answer = await self.client.post(self.url, content=question, headers=headers)
        except httpx.HTTPError as error:
            raise TimestampAwayError(f"the authority does not answer: {type(error).__name__}") from None
        if answer.status_code != httpx.codes.OK or len(answer.content) > _MOST_ANSWER:
            raise TimestampAwayError(f"the authority answered {answer.status_code}")
        try:
            return timestamp.read_answer(answer.content)
        except TimestampRefusedError as refusal:
            raise TimestampAwayError(refusal.text) from None
