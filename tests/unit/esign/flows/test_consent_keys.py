"""The keys of identity that are kept to read authorisations with."""

from typing import Any

from joserfc.jwk import KeySet

from services.esign.flows.consents import Consents
from shuniu.kit.testing.clock import ManualClock

NOW_US, DAY_US = 1_800_000_000_000_000, 86_400_000_000


async def test_keys_that_a_clock_ahead_fetched_are_fetched_again(monkeypatch: Any) -> None:
    """As soon as the clock is right: else a key that identity withdrew would be good until the clock has caught up."""
    clock, fetched = ManualClock(NOW_US + DAY_US), []

    async def fetch(self: Consents) -> None:
        fetched.append(clock.now_us())
        self._keys, self._known, self._fetched_us = KeySet([]), frozenset({"k"}), clock.now_us()

    monkeypatch.setattr(Consents, "_fetch", fetch)
    identity: Any = None
    consents = Consents(identity, "https://hub.test", clock)
    await consents._current("k")
    await consents._current("k")
    assert fetched == [NOW_US + DAY_US]
    clock.advance(-86_400)
    await consents._current("k")
    await consents._current("k")
    assert fetched == [NOW_US + DAY_US, NOW_US]
