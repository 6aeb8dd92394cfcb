"""Polls: reads an organisation's INBOX from its client's place on, and notes how far the client has come."""

import asyncio
from typing import Final

from services.exchange.inbox import reader
from services.exchange.inbox.links import InboxLinks, Link, bus_away
from services.exchange.inbox.reader import Interrupted, Place
from shuniu.kit.events.bus import BusError
from shuniu.kit.events.bus_pull import Delivered
from shuniu.kit.process import log

FLOOR_SECONDS: Final = 5.0
"""Shortest time between two records of a client's progress."""

_log = log.get("inbox")


class StreamRemadeError(Exception):
    """The client's place belongs to a stream that was lost, or that a backup set back; `oldest` is where to go on."""

    def __init__(self, oldest: Place) -> None:
        super().__init__()
        self.oldest = oldest


class Polling:
    """Polls of all organisations."""

    def __init__(self, links: InboxLinks, interrupted: Interrupted) -> None:
        self._links = links
        self._interrupted = interrupted

    async def poll(
        self, platform: str, place: Place | None, limit: int, wait_s: float
    ) -> tuple[list[Delivered], Place]:
        """The next events, and the place after them. `place`: None for the oldest event.

        Raises StreamRemadeError, UNAVAILABLE BUS_AWAY, RESOURCE_EXHAUSTED TOO_MANY_POLLS.
        """
        async with self._links.use(platform) as link:
            try:
                after, messages = await self._read(link, place, limit, wait_s)
            except BusError as error:
                _log.warning("inbox_away", platform=platform, code=error.code)
                raise bus_away() from None
        return messages, Place(reader.last_of(messages, after.seq), after.made)

    async def _read(self, link: Link, place: Place | None, limit: int, wait_s: float) -> tuple[Place, list[Delivered]]:
        stream = await reader.look(link.bus)
        if place is None:
            place = stream.oldest
        elif not stream.knows(place):
            raise StreamRemadeError(stream.oldest)
        else:
            await _note(link, place.seq)
        after = max(place.seq, stream.oldest.seq)
        if stream.last_seq > after:
            wait_s = max(wait_s, reader.NEXT_SECONDS)
        elif wait_s == 0:
            return place, []
        return place, await reader.read(link.bus, after, limit, wait_s, self._interrupted)


async def _note(link: Link, seq: int) -> None:
    now = asyncio.get_running_loop().time()
    if seq == link.floor or now < link.floor_at + FLOOR_SECONDS:
        return
    link.floor, link.floor_at = seq, now
    await reader.set_floor(link.bus, seq)
