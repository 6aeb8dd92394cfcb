"""Token-signing keys: the one that signs now, the published set as bytes, and their turnover."""

import asyncio
import json
import secrets
from dataclasses import dataclass, replace
from typing import Any

from joserfc.jwk import ECKey, KeySet
from sqlalchemy import Connection

from services.identity.config import IdentitySettings
from services.identity.keys import domain as signing_keys
from services.identity.keys import store as key_store
from services.identity.keys.domain import PUBLISHED, KeyTimes, SigningKey
from services.identity.keys.store import KeptKey
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.process.clock import Clock
from shuniu.kit.store import Store

LOOK_SECONDS = 2.0
"""Seconds between two reads of the keys: another replica may have made the next one."""
_SKEW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs now."""

    kid: str
    key: ECKey


class ProviderKeys:
    """Loads, makes and turns over signing keys. `load` before use; `run` as a task."""

    def __init__(self, store: Store, keyring: Keyring, settings: IdentitySettings, clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._times = KeyTimes(
            2 * settings.jwks_seconds * 1_000_000,
            (settings.access_token_seconds + 2 * settings.jwks_seconds + _SKEW_SECONDS) * 1_000_000,
        )
        self._signer: Signer | None = None
        self._known: list[KeptKey] = []
        self.jwks = b'{"keys":[]}'
        """The published keys, made once for each change."""
        self.verifying = KeySet([])

    @property
    def signer(self) -> Signer:
        assert self._signer is not None, "load() comes first"
        return self._signer

    async def load(self) -> None:
        """Takes the keys from the store; makes the first one on a new hub."""
        made = self.candidate()
        await self._store.write(self._ensure_first, made)
        await self.reload()

    async def reload(self) -> None:
        """Brings the keys forward to now and takes them."""
        known = await self._store.read(key_store.keys)
        if self._due(known):
            known = await self._store.write(self._advance)
        if known != self._known:
            self._take(known)

    async def run(self) -> None:
        """Task: turns keys over when they are due."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.reload()

    def candidate(self) -> KeptKey:
        """Fresh key material, made outside any unit of work."""
        kid = secrets.token_hex(8)
        key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"}, private=True)
        private = json.dumps(key.as_dict(private=True)).encode()
        return KeptKey(
            signing_keys.first(kid, self._clock.now_us()),
            json.dumps(key.as_dict(private=False)),
            self._keyring.encrypt(private, _context(kid)),
        )

    def keep_next(self, conn: Connection, made: KeptKey) -> SigningKey:
        """Stores `made` as the next key, unless one waits already; returns the next key."""
        waiting = signing_keys.waiting(kept.key for kept in key_store.keys(conn))
        if waiting is not None:
            return waiting
        following = signing_keys.following(made.key.kid, self._clock.now_us(), self._times)
        key_store.add(conn, replace(made, key=following))
        return following

    def _ensure_first(self, conn: Connection, made: KeptKey) -> None:
        if not key_store.keys(conn):
            key_store.add(conn, made)

    def _due(self, known: list[KeptKey]) -> bool:
        present = [kept.key for kept in known]
        return list(signing_keys.advanced(present, self._clock.now_us(), self._times)) != present

    def _advance(self, conn: Connection) -> list[KeptKey]:
        present = [kept.key for kept in key_store.keys(conn)]
        after = signing_keys.advanced(present, self._clock.now_us(), self._times)
        key_store.put_states(conn, [new for old, new in zip(present, after, strict=True) if new != old])
        return key_store.keys(conn)

    def _take(self, known: list[KeptKey]) -> None:
        published: list[dict[str, Any]] = [json.loads(kept.public_jwk) for kept in known if kept.key.state in PUBLISHED]
        self.jwks = json.dumps({"keys": published}).encode()
        self.verifying = KeySet([ECKey.import_key(jwk) for jwk in published])
        active = signing_keys.signing(kept.key for kept in known)
        for kept in known:
            if active is not None and kept.key.kid == active.kid:
                private = json.loads(self._keyring.decrypt(kept.private, _context(kept.key.kid)))
                self._signer = Signer(kept.key.kid, ECKey.import_key(private))
        self._known = known


def _context(kid: str) -> bytes:
    return f"signing_key/{kid}".encode()
