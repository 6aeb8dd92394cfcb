"""Status lists as they are served: read from the store at each call, signed anew when they changed or grow old."""

import asyncio
from dataclasses import dataclass, field

from services.esign.certification.domain import pki
from services.esign.certification.domain.pki import Authority
from services.esign.domain.ages import is_fresh
from services.esign.domain.moments import DAY_US
from services.esign.licences import store as licence_store
from services.esign.licences.domain import status_list
from shuniu.kit.foundation import Foundation


@dataclass(frozen=True, slots=True)
class SignedList:
    """A token, the version of the list it says, and when it was signed (µs)."""

    token: str
    version: int
    signed_us: int


@dataclass(slots=True)
class StatusLists:
    """Signs with a key of its own that the seal CA certifies for days; nothing of it is kept."""

    base: Foundation
    ca: Authority
    # A reader may keep a token so long, and must not use it after, s.
    ttl_s: int
    lives_s: int
    _signer: Authority | None = None
    _made_us: int = 0
    _tokens: dict[int, SignedList] = field(default_factory=dict)

    async def get(self, number: int, uri: str) -> SignedList | None:
        """The list's token; None: there is no such list."""
        version = await self.base.store.read(licence_store.find_list_version, number)
        if version is None:
            return None
        kept, now_us = self._tokens.get(number), self.base.clock.now_us()
        # Signed anew at half its ttl, so that what is served can be kept for a while.
        if kept is not None and kept.version == version and is_fresh(kept.signed_us, now_us, self.ttl_s * 500_000):
            return kept
        now_version, statuses, rest = await self.base.store.read(licence_store.statuses, number)
        packed = status_list.pack(status_list.PLACES, statuses, rest)
        signer = self._current(now_us)
        issuer = status_list.Issuer(signer.key, [signer.der, self.ca.der])
        token = await asyncio.to_thread(
            status_list.sign, issuer, uri, packed, now_us, ttl_s=self.ttl_s, lives_s=self.lives_s
        )
        made = self._tokens[number] = SignedList(token, now_version, now_us)
        return made

    def _current(self, now_us: int) -> Authority:
        if self._signer is None or not is_fresh(self._made_us, now_us, pki.OCSP_DAYS * DAY_US // 2):
            self._signer = pki.make_status_issuer(self.ca, self.base.hub.name, now_us)
            self._made_us = now_us
        return self._signer
