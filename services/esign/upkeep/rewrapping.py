"""Wraps again under the newest key-encryption key what older ones wrapped, and encrypts what names a person and was
written in clear by an earlier version, while the service runs.

Reading, wrapping (perhaps in a device) and writing are three steps; the write takes effect only where the value is
still the one that was read, so nothing is lost whatever happens between them.
"""

import asyncio
import functools
from dataclasses import dataclass

from services.esign.upkeep.store import wrapped_values
from services.esign.upkeep.store.wrapped_values import PLACES, Place
from shuniu.kit.crypto.device import KeyAwayError
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.retrying import until_done
from shuniu.kit.store import secret_values

_log = log.get("rewrapping")
_LONGEST_PAUSE_S = 60.0


@dataclass(slots=True)
class Rewrapping:
    """One pass after a start is enough: new values use the newest key from the start on."""

    base: Foundation
    keyring: Keyring
    _done: bool = False

    async def older(self) -> int:
        """The number of values that an older key wraps. Counts no more once none was left."""
        if self._done:
            return 0
        newest = self.keyring.newest
        return sum([await self.base.store.read(wrapped_values.count_older, place, newest) for place in PLACES])

    async def run(self) -> None:
        """Task: wraps again until no older key wraps anything, then sleeps."""
        for place in PLACES:
            await until_done(
                functools.partial(self._all_of, place),
                after=(KeyAwayError,),
                tell=lambda error: _log.warning("rewrapping_waits", cause=error.cause),
                longest_s=_LONGEST_PAUSE_S,
            )
        self._done = True
        await asyncio.Event().wait()

    async def _all_of(self, place: Place) -> None:
        while await self._some(place):
            pass

    async def _some(self, place: Place) -> int:
        rows = await self.base.store.read(wrapped_values.older, place, self.keyring.newest)
        again = await asyncio.to_thread(lambda: [(name, old, self._wrapped(old, place, name)) for name, old in rows])
        if again:
            await self.base.write(wrapped_values.replace_values, place, again)
            _log.info("rewrapped", table=place.table, values=len(again), key=self.keyring.newest)
        return len(again)

    def _wrapped(self, old: bytes, place: Place, name: str) -> bytes:
        context = place.context(name)
        clear = place.only is not None and not secret_values.is_closed(old)
        return self.keyring.encrypt(old if clear else self.keyring.decrypt(old, context), context)
