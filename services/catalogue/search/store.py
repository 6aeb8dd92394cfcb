"""Search tokens of published items, and the candidates that a plan selects by them.

Plain joins and point lookups on one table, so that it works alike on each database.
"""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Index,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    union_all,
)

from services.catalogue.items.domain.record import Item
from services.catalogue.items.store import in_divisions
from services.catalogue.search.domain.matching import Document, Field, Plan, tokens
from shuniu.kit.store.types import KeyText, binding_of

TABLES: Final = MetaData()

# What of a visible item is searched; see domain/matching.py.
token = Table(
    "item_token",
    TABLES,
    # Compared by bytes, so that a range of pinyin is what it looks like in any locale.
    Column("term", KeyText, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Index("item_token_item", "item_id"),
)

# What scoring needs of an item, as JSON, so that candidates are scored without reading their whole content.
document = Table(
    "item_document", TABLES, Column("item_id", Text, primary_key=True), Column("data", Text, nullable=False)
)

# Candidates that are scored; those by name come first, so a cut loses the least fitting.
_MOST: Final = 256
# A longer query is selected by its rarest terms and decided by the score.
_MOST_TERMS: Final = 6
# Rarity is counted no further: beyond it all terms are frequent.
_COUNTED: Final = 1000
# Of a guide's texts so many characters are searched: what distinguishes an item stands at their beginning.
_MOST_GUIDE: Final = 4000
_ANYWHERE: Final = (Field.NAME.value, Field.ALIAS.value, Field.GUIDE.value)


def document_of(content: Item) -> Document:
    """Makes the searched parts of an item."""
    body = content.content
    texts = (
        body.guide,
        body.conditions,
        body.flow,
        body.result_name,
        *(row.name for row in body.materials),
        *(text for row in body.faqs for text in (row.question, row.answer)),
    )
    return Document(
        content.codes.all(), body.name, body.aliases, "\n".join(text for text in texts if text)[:_MOST_GUIDE]
    )


def index(conn: Connection, content: Item) -> None:
    """Makes an item's public content findable, in place of what it held before."""
    forget(conn, content.id)
    found = document_of(content)
    rows = [{"term": row.term, "field": row.field.value, "item_id": content.id} for row in sorted(tokens(found))]
    binding_of(conn).dialect.insert_many(conn, token, rows)
    data = {"codes": found.codes, "name": found.name, "aliases": found.aliases, "guide": found.guide}
    conn.execute(insert(document), {"item_id": content.id, "data": json.dumps(data, ensure_ascii=False)})


def forget(conn: Connection, item_id: str) -> None:
    """Takes an item out of the search."""
    conn.execute(delete(token).where(token.c.item_id == item_id))
    conn.execute(delete(document).where(document.c.item_id == item_id))


def candidates(conn: Connection, plan: Plan, divisions: Sequence[str]) -> list[tuple[str, Document]]:
    """Items that may answer, at most a few hundred; only of these divisions unless there are none given."""
    found = _Found(conn, tuple(divisions))
    if plan.code:
        found.take(_holding(1, len(divisions)), [plan.code], Field.CODE)
    rarity = _rarity(conn, {term for reading in plan.alternatives for term in reading.terms})
    # Of each reading its rarest term is looked up, and the others are looked for in what holds it.
    readings = [
        sorted(reading.terms, key=lambda term: (rarity.get(term, 0), term))[:_MOST_TERMS]
        for reading in plan.alternatives
    ]
    for field in (Field.NAME, Field.ALIAS):
        for terms in readings:
            found.take(_holding(len(terms), len(divisions)), terms, field)
    for spelt in plan.pinyin_ranges:
        found.take(_between(len(divisions)), spelt, Field.PINYIN)
    for terms in readings:
        found.take(_holding(len(terms), len(divisions)), terms, Field.GUIDE)
    return _documents(conn, list(found.ids))


class _Found:
    """Ids of candidates in the order in which they were found, at most `_MOST`."""

    def __init__(self, conn: Connection, divisions: Sequence[str]) -> None:
        self._conn = conn
        self._divisions = {f"division{number}": code for number, code in enumerate(divisions)}
        self.ids: dict[str, None] = {}

    def take(self, query: Select[Any], terms: Sequence[str], field: Field) -> None:
        """Adds what a query finds of these terms in a field."""
        room = _MOST - len(self.ids)
        if room <= 0:
            return
        named = {f"term{number}": term for number, term in enumerate(terms)}
        rows = self._conn.execute(
            query, {**self._divisions, **named, "field": field.value, "most": room + len(self.ids)}
        )
        for row in rows:
            if len(self.ids) >= _MOST:
                return
            self.ids[row.item_id] = None


# A search asks some fifteen statements of few shapes. To put one together costs ten times what it costs to run it.


@lru_cache(maxsize=256)
def _holding(terms: int, divisions: int) -> Select[Any]:
    """Items that hold `term0` in `field` and the other terms anywhere, in so many divisions (0: wherever)."""
    query = _in_field().where(token.c.term == bindparam("term0"))
    for number in range(1, terms):
        other = token.alias()
        query = query.where(
            exists().where(
                other.c.term == bindparam(f"term{number}"),
                other.c.field.in_(_ANYWHERE),
                other.c.item_id == token.c.item_id,
            )
        )
    return _within(query, divisions)


@lru_cache(maxsize=256)
def _between(divisions: int) -> Select[Any]:
    """Items that hold in `field` a term from `term0` on and before `term1`."""
    query = _in_field().where(token.c.term >= bindparam("term0"), token.c.term < bindparam("term1"))
    return _within(query.distinct(), divisions)


def _in_field() -> Select[Any]:
    return select(token.c.item_id).where(token.c.field == bindparam("field"))


def _within(query: Select[Any], divisions: int) -> Select[Any]:
    if divisions:
        named: list[ColumnElement[str]] = [bindparam(f"division{number}") for number in range(divisions)]
        query = in_divisions(query, token.c.item_id, named)
    return query.limit(bindparam("most"))


def _rarity(conn: Connection, terms: Iterable[str]) -> dict[str, int]:
    """Counts the rows of each term, up to a bound. One term needs no count."""
    wanted = sorted(terms)
    if len(wanted) < 2:
        return dict.fromkeys(wanted, 0)
    named = {f"term{number}": term for number, term in enumerate(wanted)}
    return {wanted[row.number]: row.rows for row in conn.execute(_counted(len(wanted)), named)}


@lru_cache(maxsize=256)
def _counted(terms: int) -> CompoundSelect[Any]:
    return union_all(
        *(
            select(literal(number).label("number"), func.count().label("rows")).select_from(
                select(token.c.item_id).where(token.c.term == bindparam(f"term{number}")).limit(_COUNTED).subquery()
            )
            for number in range(terms)
        )
    )


def _documents(conn: Connection, ids: Sequence[str]) -> list[tuple[str, Document]]:
    if not ids:
        return []
    rows = conn.execute(select(document.c.item_id, document.c.data).where(document.c.item_id.in_(ids)))
    return [(row.item_id, _document(row.data)) for row in rows]


@lru_cache(maxsize=4096)
def _document(data: str) -> Document:
    held = json.loads(data)
    return Document(tuple(held["codes"]), held["name"], tuple(held["aliases"]), held["guide"])
