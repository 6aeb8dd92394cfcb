"""Read models that follow a feed by version: pulled, stored in the reader's own store, built anew when lost.

The publisher numbers its changes without gaps in commit order; the reader asks for what came after the version it has.
So a reader catches up after any outage, and works from its own copy while the publisher is unavailable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)

from shuniu.kit.errors import HubError
from shuniu.kit.process import log
from shuniu.kit.store import Store, binding_of

_log = log.get("feed")

RETRY_SECONDS = 0.2
STORE_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """One changed row: key, version in the feed, exact bytes."""

    key: str
    version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a feed. `lasting` are rows that outlive a reset, until the reader finds them `expired` (keys)."""

    changes: Sequence[Change]
    version: int
    epoch: int
    reset: bool
    more: bool
    lasting: Sequence[Change] = ()
    expired: Sequence[str] = ()


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


Rows = Mapping[str, bytes]
"""Bytes by key."""


Swap = Callable[[], None]
"""Puts in place what was read aside."""


class Replica:
    """A read model. `take` receives the changed rows of a page; `read_all` all rows there are, at the start and after a
    reset. It reads them in a thread of its own, so that nobody waits for thousands of them, and what it returns puts
    them in place: until then the old ones stay, and no reader ever sees half of them. `take_lasting` receives rows that
    a reset does not end. What cannot be stored is taken all the same, and asked for again until it is.
    """

    def __init__(
        self,
        feed: str,
        pull: Pull,
        take: Callable[[Rows], None],
        read_all: Callable[[Rows], Swap],
        store: Store | None,
        *,
        take_lasting: Callable[[Rows], None] = lambda _rows: None,
    ) -> None:
        self._feed = feed
        self._pull = pull
        self._take = take
        self._read_all = read_all
        self._take_lasting = take_lasting
        self._store = store
        self._version = 0
        self._epoch = 0
        self.current = asyncio.Event()
        """Set once the copy has been as new as the feed."""

    async def load(self) -> None:
        """Loads what the store has."""
        if self._store is None:
            return
        self._version, self._epoch, rows, lasting = await self._store.read(_load, self._feed)
        self._take_lasting(lasting)
        (await asyncio.to_thread(self._read_all, rows))()

    async def follow(self) -> None:
        """Task: follows the feed until cancelled; retries and keeps its copy while the publisher is unavailable."""
        version, epoch = self._version, self._epoch
        rebuilt: _Rebuilt | None = None
        while True:
            try:
                page = await self._pull(version, epoch)
            except HubError as error:
                _log.debug("feed_away", feed=self._feed, reason=error.reason)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if page.lasting:
                self._take_lasting({change.key: change.data for change in page.lasting})
            if page.reset:
                rebuilt = _Rebuilt()
            version, epoch = page.version, page.epoch
            if rebuilt is not None:
                rebuilt.add(page)
                if page.more:
                    continue
                page = rebuilt.page(version, epoch)
            is_stored = await self._stored(page)
            rows = {each.key: each.data for each in page.changes}
            if page.reset:
                (await asyncio.to_thread(self._read_all, rows))()
            else:
                self._take(rows)
            rebuilt = None
            if not is_stored:
                version, epoch = self._version, self._epoch
                await asyncio.sleep(STORE_RETRY_SECONDS)
                continue
            self._version, self._epoch = version, epoch
            if not page.more:
                self.current.set()

    async def _stored(self, page: Page) -> bool:
        """False when the store cannot write now."""
        if self._store is None or not (page.changes or page.lasting or page.reset or page.epoch != self._epoch):
            return True
        try:
            await self._store.write(_keep, self._feed, page)
        except HubError as error:
            _log.warning("feed_not_stored", feed=self._feed, reason=error.reason)
            return False
        return True


class _Rebuilt:
    """The rows of a feed that begins anew, page by page."""

    def __init__(self) -> None:
        self._rows: dict[str, Change] = {}
        self._lasting: list[Change] = []
        self._expired: list[str] = []

    def add(self, page: Page) -> None:
        self._rows.update((change.key, change) for change in page.changes)
        self._lasting += page.lasting
        self._expired += page.expired

    def page(self, version: int, epoch: int) -> Page:
        """All of them as one page."""
        rows = list(self._rows.values())
        return Page(rows, version, epoch, reset=True, more=False, lasting=self._lasting, expired=self._expired)


_ROWS_OF = select(_ROWS.c.key, _ROWS.c.data).where(_ROWS.c.feed == bindparam("of_feed"))
_EXPIRED = delete(_ROWS).where(_ROWS.c.feed == bindparam("of_feed"), _ROWS.c.key == bindparam("of_key"))


def _lasting(feed: str) -> str:
    return f"{feed}.lasting"


def _load(conn: Connection, feed: str) -> tuple[int, int, Rows, Rows]:
    cursor = conn.execute(select(_CURSOR.c.version, _CURSOR.c.epoch).where(_CURSOR.c.feed == feed)).first()
    rows, lasting = (
        {row.key: bytes(row.data) for row in conn.execute(_ROWS_OF, {"of_feed": name})}
        for name in (feed, _lasting(feed))
    )
    version, epoch = (cursor.version, cursor.epoch) if cursor else (0, 0)
    return version, epoch, rows, lasting


def _keep(conn: Connection, feed: str, page: Page) -> None:
    # The cursor first: of two replicas of this process that begin anew the second waits here for the first.
    dialect = binding_of(conn).dialect
    dialect.insert_ignore(conn, _CURSOR, [{"feed": feed, "version": 0, "epoch": 0}])
    conn.execute(update(_CURSOR).where(_CURSOR.c.feed == feed).values(version=page.version, epoch=page.epoch))
    if page.reset:
        conn.execute(delete(_ROWS).where(_ROWS.c.feed == feed))
        dialect.insert_many(conn, _ROWS, [_row(feed, change) for change in page.changes])
    else:
        _put(conn, feed, page.changes)
    _put(conn, _lasting(feed), page.lasting)
    if page.expired:
        conn.execute(_EXPIRED, [{"of_feed": _lasting(feed), "of_key": key} for key in page.expired])


def _put(conn: Connection, feed: str, changes: Sequence[Change]) -> None:
    """Stores changed rows. Guarded by version: a replica of this process that is ahead is not set back."""
    rows = [_row(feed, change) for change in changes]
    binding_of(conn).dialect.upsert(conn, _ROWS, rows, ["feed", "key"], "version")


def _row(feed: str, change: Change) -> dict[str, object]:
    return {"feed": feed, "key": change.key, "version": change.version, "data": change.data}
