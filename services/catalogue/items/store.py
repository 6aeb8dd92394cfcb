"""Items, their codes and their place in the feed. Instants are µs UTC; contents are canonical bytes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    and_,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    update,
)

from services.catalogue.items.domain.canonical import canonical, restore
from services.catalogue.items.domain.item import BaseItem, ImplementingItem
from services.catalogue.items.domain.record import ItemState, Record
from shuniu.kit.rpc.paging import Position, keyset
from shuniu.kit.store.tables import counter
from shuniu.kit.store.types import announce, binding_of

TABLES: Final = MetaData()

FEED: Final = "item_feed"


# One row an item: the owner's draft and, beside it, what everybody sees. Contents are canonical bytes.
item = Table(
    "item",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # The name lists are ordered by: scheme B, or A where it has no other.
    Column("code", Text, nullable=False),
    Column("division", Text, nullable=False),
    Column("base_id", Text, nullable=False),
    Column("base_code", Text, nullable=False),
    Column("state", Text, nullable=False),
    # Empty while it never was published.
    Column("public_state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("draft", LargeBinary, nullable=False),
    Column("published", LargeBinary),
    # JSON list of strings.
    Column("editors", Text, nullable=False),
    Column("submitted_by", Text, nullable=False),
    Column("published_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("suspended", Integer, nullable=False),
    # Why it is suspended or withdrawn, as everybody reads it.
    Column("public_reason", Text, nullable=False, server_default=""),
    # Version and time of the last change that everybody sees.
    Column("public_version", BigInteger, nullable=False),
    Column("public_us", BigInteger, nullable=False),
    # 0 while the feed does not know it.
    Column("feed_version", BigInteger, nullable=False),
    Index("item_public", "public_state", "code", "id"),
    Index("item_of_owner", "owner", "state", "code", "id"),
    Index("item_of_division", "division", "code", "id"),
    Index("item_of_base", "base_id"),
    Index("item_feed", "feed_version"),
)

# Every name of an item, in either scheme or local.
item_code = Table(
    "item_code",
    TABLES,
    Column("code", Text, primary_key=True),
    Column("item_id", Text, nullable=False),
    Index("item_code_item", "item_id"),
)


@dataclass(frozen=True, slots=True)
class Stored:
    """An item as it is stored. Times in µs; `feed_version` 0 while the feed does not know it."""

    record: Record
    owner: str
    base_code: str = ""
    public_version: int = 0
    public_us: int = 0
    feed_version: int = 0

    @property
    def id(self) -> str:
        return self.record.draft.id


# Contents repeat from call to call; parsing one costs fifty times a look here.
_restored = lru_cache(maxsize=8192)(restore)
_OPEN: Final = (ItemState.PUBLISHED.value, ItemState.SUSPENDED.value)


def stored_of(row: Row[Any]) -> Stored:
    record = Record(
        draft=_restored(bytes(row.draft)),
        state=ItemState(row.state),
        version=row.version,
        editors=frozenset(json.loads(row.editors)),
        changed_us=row.changed_us,
        submitted_by=row.submitted_by,
        published_by=row.published_by,
        note=row.note,
        published=None if row.published is None else _restored(bytes(row.published)),
        suspended=bool(row.suspended),
        reason=row.public_reason,
    )
    return Stored(record, row.owner, row.base_code, row.public_version, row.public_us, row.feed_version)


def _row_of(stored: Stored) -> dict[str, Any]:
    record, draft = stored.record, stored.record.draft
    return {
        "id": stored.id,
        "owner": stored.owner,
        "kind": "base" if isinstance(draft, BaseItem) else "implementing",
        "code": draft.codes.b or draft.codes.a,
        "division": draft.division,
        "base_id": draft.base_id if isinstance(draft, ImplementingItem) else "",
        "base_code": stored.base_code,
        "state": record.state.value,
        "public_state": record.public_state.value if record.public_state else "",
        "version": record.version,
        "changed_us": record.changed_us,
        "draft": canonical(draft),
        "published": None if record.published is None else canonical(record.published),
        "editors": json.dumps(sorted(record.editors)),
        "submitted_by": record.submitted_by,
        "published_by": record.published_by,
        "note": record.note,
        "suspended": int(record.suspended),
        "public_reason": record.reason,
        "public_version": stored.public_version,
        "public_us": stored.public_us,
        "feed_version": stored.feed_version,
    }


def add(conn: Connection, stored: Stored) -> None:
    conn.execute(insert(item), _row_of(stored))


def put(conn: Connection, stored: Stored) -> None:
    conn.execute(update(item).where(item.c.id == stored.id).values(_row_of(stored)))


def find_by_id(conn: Connection, item_id: str) -> Stored | None:
    row = conn.execute(select(item).where(item.c.id == item_id)).first()
    return None if row is None else stored_of(row)


def find_by_code(conn: Connection, code: str) -> Stored | None:
    row = conn.execute(
        select(item).join(item_code, item_code.c.item_id == item.c.id).where(item_code.c.code == code)
    ).first()
    return None if row is None else stored_of(row)


def by_ids(conn: Connection, ids: Sequence[str]) -> dict[str, Stored]:
    if not ids:
        return {}
    return {row.id: stored_of(row) for row in conn.execute(select(item).where(item.c.id.in_(ids)))}


def taken_codes(conn: Connection, codes: Sequence[str], item_id: str) -> list[str]:
    """Returns the codes, of `codes`, that another item has."""
    rows = conn.execute(select(item_code.c.code).where(item_code.c.code.in_(codes), item_code.c.item_id != item_id))
    return [row.code for row in rows]


def name(conn: Connection, record: Record) -> None:
    """Gives an item the codes of its draft and of what is published, and frees those it no longer has."""
    item_id = record.draft.id
    contents = (record.draft,) if record.published is None else (record.draft, record.published)
    codes = dict.fromkeys(code for content in contents for code in content.codes.all())
    unname(conn, item_id)
    binding_of(conn).dialect.insert_many(conn, item_code, [{"code": code, "item_id": item_id} for code in codes])


def unname(conn: Connection, item_id: str) -> None:
    """Frees all codes of an item."""
    conn.execute(delete(item_code).where(item_code.c.item_id == item_id))


def is_needed(conn: Connection, base_id: str) -> bool:
    """Tells whether implementing items that people see rest on this base item."""
    needing = select(item.c.id).where(item.c.base_id == base_id, item.c.public_state.in_(_OPEN))
    return conn.execute(needing.limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Request for a list. `owner` is the platform whose unpublished items are shown, "" for nobody's."""

    division: str
    kind: str
    states: frozenset[ItemState]
    owner: str


def page(conn: Connection, wanted: Wanted, after: Position, limit: int) -> list[Stored]:
    """Items by code, from after a position of (code, id)."""
    public = item.c.public_state == ItemState.PUBLISHED.value if ItemState.PUBLISHED in wanted.states else false()
    hidden = [state.value for state in wanted.states if state is not ItemState.PUBLISHED]
    own = and_(item.c.owner == wanted.owner, item.c.state.in_(hidden)) if wanted.owner and hidden else false()
    query = select(item).where(or_(public, own) if hidden else public)
    if wanted.division:
        query = query.where(item.c.division == wanted.division)
    if wanted.kind:
        query = query.where(item.c.kind == wanted.kind)
    return [stored_of(row) for row in conn.execute(keyset(query, (item.c.code, item.c.id), after, limit))]


def numbered(conn: Connection, stored: Stored) -> Stored:
    """The item with the feed's next version. The counter stays locked until the unit ends, so versions are in the order
    of commits and without gaps; call it late.
    """
    announce(conn, FEED)
    return replace(stored, feed_version=binding_of(conn).dialect.next_value(conn, FEED))


def feed_version(conn: Connection) -> int:
    """Version of the feed's last change."""
    return int(conn.execute(select(counter.c.value).where(counter.c.name == FEED)).scalar() or 0)


@dataclass(frozen=True, slots=True)
class ChangedItems:
    """Items changed after a version, the version that they reach, and whether more is there."""

    items: list[Stored]
    version: int
    more: bool


def changes(conn: Connection, after: int, *, limit: int, most_bytes: int) -> ChangedItems:
    """Changes after a version, at most `most_bytes` of content unless one item alone is larger."""
    last = feed_version(conn)
    query = select(item).where(item.c.feed_version > after).order_by(item.c.feed_version).limit(limit)
    found: list[Stored] = []
    size = 0
    for row in conn.execute(query):
        size += len(row.published)
        if found and size > most_bytes:
            return ChangedItems(found, found[-1].feed_version, more=True)
        found.append(stored_of(row))
    if len(found) == limit and found[-1].feed_version < last:
        return ChangedItems(found, found[-1].feed_version, more=True)
    return ChangedItems(found, last, more=False)


def counts(conn: Connection) -> dict[str, int]:
    """Items by what everybody sees of them; "" counts those never published."""
    rows = conn.execute(select(item.c.public_state, func.count()).group_by(item.c.public_state))
    return {row[0]: row[1] for row in rows}


def in_divisions(
    query: Select[Any], item_id: ColumnElement[str], divisions: Sequence[str] | Sequence[ColumnElement[str]]
) -> Select[Any]:
    """A query over rows of items, cut to items of these divisions; `item_id` is its column of item ids."""
    return query.join(item, item.c.id == item_id).where(item.c.division.in_(divisions))
