"""Reads persons' assertions against identity's published keys, which are kept for a while: offline in between."""

import asyncio
import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from hashlib import sha256

import grpc
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.esign.domain.ages import is_fresh
from services.esign.flows.domain import consent as flow_consent
from services.esign.flows.domain.consent import Consent
from shuniu import signing_list
from shuniu.api.identity.v1 import signin_pb2, signin_pb2_grpc
from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import Clock
from shuniu.kit.rpc.client import ask_again
from shuniu.kit.rpc.requests import RequestKey

_ALGORITHMS = ["ES256"]
_LONGEST = 8192
# As long as identity lets others keep its keys; a key is published twice as long before it signs.
_FRESH_US = 60_000_000
# While identity is away, keys that it published are still good for what it signed before.
_STALE_US = 600_000_000
# An unknown key is asked for at once, but not more often than this; nor does everybody wait for one who is away.
_AGAIN_US = 2_000_000


@dataclass(slots=True)
class Consents:
    """Verifies assertions made by `SigningService.AuthoriseSigning`."""

    identity: grpc.aio.Channel
    issuer: str
    clock: Clock
    _keys: KeySet | None = None
    _known: frozenset[str] = frozenset()
    _fetched_us: int = 0
    _tried_us: int = 0
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, token: str) -> Consent:
        """Reads the assertion. Raises ConsentError AUTHORISATION_INVALID, HubError UNAVAILABLE."""
        if not token or len(token) > _LONGEST or not token.isascii():
            raise flow_consent.invalid()
        keys = await self._current(_key_id(token))
        try:
            opened = jwt.decode(token, keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError, TypeError, KeyError):
            raise flow_consent.invalid() from None
        if opened.header.get("typ") != signing_list.TYPE:
            raise flow_consent.invalid()
        return flow_consent.read(opened.claims, self.issuer)

    async def _current(self, kid: str) -> KeySet:
        async with self._fetching:
            now_us = self.clock.now_us()
            needed = self._keys is None or not is_fresh(self._fetched_us, now_us, _STALE_US)
            wanted = kid not in self._known or not is_fresh(self._fetched_us, now_us, _FRESH_US)
            if needed or (wanted and not is_fresh(self._tried_us, now_us, _AGAIN_US)):
                try:
                    await self._fetch()
                except HubError:
                    if needed:
                        raise
                finally:
                    # When it was known that nobody answers: that takes as long as the pause.
                    self._tried_us = self.clock.now_us()
            assert self._keys is not None
            return self._keys

    async def _fetch(self) -> None:
        stub = signin_pb2_grpc.OpenIdServiceStub(self.identity)
        answer = await ask_again(stub.GetProviderDocuments, signin_pb2.GetProviderDocumentsRequest(), within=2)
        published = json.loads(answer.jwks)
        self._keys = KeySet.import_key_set(published)
        self._known = frozenset(str(key.get("kid")) for key in published["keys"])
        self._fetched_us = self.clock.now_us()


def used_for(asked: RequestKey) -> str:
    """The one request that an assertion is burned for: the same again is no second use."""
    return sha256(asked.request_id.encode() + b"\n" + asked.digest).hexdigest()


def _key_id(token: str) -> str:
    """The key that the token names, before anything of it is believed. Raises ConsentError."""
    head = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        raise flow_consent.invalid() from None
    if not isinstance(header, dict):
        raise flow_consent.invalid()
    return str(header.get("kid"))
