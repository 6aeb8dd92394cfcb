"""Read models that follow a feed by version: pulled, stored in the reader's own store, rebuilt when lost or new.

The publisher numbers its changes without gaps in commit order; the reader asks for what came after the version it has.
So a reader catches up after any outage, and works from its own copy while the publisher is unavailable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from shuniu.kit.errors import HubError
from shuniu.kit.process import log
from shuniu.kit.store import Store

_log = log.get("feed")

RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Change:
    """One changed row: key, version in the feed, exact bytes."""

    key: str
    version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a feed."""

    changes: Sequence[Change]
    version: int
    epoch: int
    reset: bool
    more: bool


Pull = Callable[[int, int], Awaitable[Page]]
"""Asks for changes after (version, epoch), waiting a while when there are none. Raises HubError."""


def replica_tables(metadata: MetaData) -> tuple[Table, Table]:
    """Tables of a service's read models; call once beside kit_tables."""
    rows = Table(
        "replica",
        metadata,
        Column("feed", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("version", BigInteger, nullable=False),
        Column("data", LargeBinary, nullable=False),
    )
    cursor = Table(
        "replica_cursor",
        metadata,
        Column("feed", Text, primary_key=True),
        Column("version", BigInteger, nullable=False),
        Column("epoch", BigInteger, nullable=False),
    )
    return rows, cursor


_OWN = MetaData()
_ROWS, _CURSOR = replica_tables(_OWN)


class Replica:
    """A read model. `apply` receives each changed row once it is durable; `None` data means: forget everything."""

    def __init__(
        self, feed: str, pull: Pull, apply: Callable[[str, bytes], None], reset: Callable[[], None], store: Store | None
    ) -> None:
        self._feed = feed
        self._pull = pull
        self._apply = apply
        self._reset = reset
        self._store = store
        self._version = 0
        self._epoch = 0
        self.current = asyncio.Event()
        """Set once the copy has been as new as the feed."""

    async def load(self) -> None:
        """Loads what the store has."""
        if self._store is None:
            return
        self._version, self._epoch, rows = await self._store.read(_load, self._feed)
        for key, data in rows:
            self._apply(key, data)

    async def follow(self) -> None:
        """Task: follows the feed until cancelled; retries and keeps its copy while the publisher is unavailable."""
        while True:
            try:
                page = await self._pull(self._version, self._epoch)
            except HubError as error:
                _log.debug("feed_away", feed=self._feed, reason=error.reason)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if self._store is not None and (page.changes or page.reset or page.epoch != self._epoch):
                await self._store.write(_keep, self._feed, page)
            if page.reset:
                self._reset()
            for change in page.changes:
                self._apply(change.key, change.data)
            self._version, self._epoch = page.version, page.epoch
            if not page.more:
                self.current.set()


def _load(conn: Connection, feed: str) -> tuple[int, int, list[tuple[str, bytes]]]:
    cursor = conn.execute(select(_CURSOR.c.version, _CURSOR.c.epoch).where(_CURSOR.c.feed == feed)).first()
    rows = conn.execute(select(_ROWS.c.key, _ROWS.c.data).where(_ROWS.c.feed == feed)).all()
    version, epoch = (cursor.version, cursor.epoch) if cursor else (0, 0)
    return version, epoch, [(row.key, bytes(row.data)) for row in rows]


def _keep(conn: Connection, feed: str, page: Page) -> None:
    if page.reset:
        conn.execute(delete(_ROWS).where(_ROWS.c.feed == feed))
    for change in page.changes:
        # Guarded by version: a replica of this process that is ahead is not set back.
        known = conn.execute(select(_ROWS.c.version).where(_ROWS.c.feed == feed, _ROWS.c.key == change.key)).scalar()
        if known is None:
            conn.execute(
                insert(_ROWS), {"feed": feed, "key": change.key, "version": change.version, "data": change.data}
            )
        elif known < change.version or page.reset:
            conn.execute(
                update(_ROWS)
                .where(_ROWS.c.feed == feed, _ROWS.c.key == change.key)
                .values(version=change.version, data=change.data)
            )
    moved = conn.execute(update(_CURSOR).where(_CURSOR.c.feed == feed).values(version=page.version, epoch=page.epoch))
    if moved.rowcount == 0:
        conn.execute(insert(_CURSOR), {"feed": feed, "version": page.version, "epoch": page.epoch})
