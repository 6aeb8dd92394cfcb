"""Registers the streams that this replica holds, so that other replicas find them."""

import asyncio
import contextlib
from typing import Final

from services.exchange.queries import store
from services.exchange.queries.store import StreamRow
from services.exchange.queries.streams import ProviderStreams
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log

LEASE_US: Final = 15_000_000
"""A replica that died is left alone after this time, in µs of the database's clock."""
_RENEW_SECONDS: Final = 4.0

_log = log.get("streams")


class Registration:
    """Keeps one row for each stream of this replica, with a lease. `address`: of its peer port; empty when others
    cannot reach it.
    """

    def __init__(self, base: Foundation, streams: ProviderStreams, address: str) -> None:
        self._base = base
        self._streams = streams
        self._address = address
        self._registered = False

    async def keep(self) -> None:
        """Task: writes the rows when a stream is opened or closed, and renews their leases."""
        if not self._address:
            _log.warning("replica_address_missing", settings="[exchange] replica_address")
            await asyncio.Event().wait()
        while True:
            self._streams.moved.clear()
            await self._write([StreamRow(each.id, each.provider, each.resources) for each in self._streams.held()])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RENEW_SECONDS):
                    await self._streams.moved.wait()

    async def close(self) -> None:
        """Deletes the rows of this replica."""
        await self._write([])

    async def _write(self, rows: list[StreamRow]) -> None:
        if not rows and not self._registered:
            return
        # Before the write: one that fails may have happened.
        self._registered = True
        try:
            await self._base.write(store.hold_streams, self._base.writer, self._address, rows, LEASE_US)
        except HubError as error:
            # Written again with the next renewal; at the end the leases run out.
            _log.warning("streams_unregistered", cause=error.reason)
        else:
            self._registered = bool(rows)
