"""Search tokens of published items, and the candidates that a plan selects by them.

Plain joins and point lookups on one table, so that it works alike on each database.
"""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    MetaData,
    Select,
    Table,
    Text,
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
from services.catalogue.search.domain.matching import Alternative, Document, Field, Plan, tokens
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
    found: dict[str, None] = {}
    if plan.code:
        _take(conn, found, select(token.c.item_id).where(_at(Field.CODE), token.c.term == plan.code), divisions)
    rarity = _rarity(conn, {term for reading in plan.alternatives for term in reading.terms})
    for field in (Field.NAME, Field.ALIAS):
        for reading in plan.alternatives:
            _take(conn, found, _holding(reading, field, rarity), divisions)
    for begin, end in plan.pinyin_ranges:
        spelt = select(token.c.item_id).where(_at(Field.PINYIN), token.c.term >= begin, token.c.term < end)
        _take(conn, found, spelt.distinct(), divisions)
    for reading in plan.alternatives:
        _take(conn, found, _holding(reading, Field.GUIDE, rarity), divisions)
    return _documents(conn, list(found))


def _at(field: Field) -> Any:
    return token.c.field == field.value


def _take(conn: Connection, found: dict[str, None], query: Select[Any], divisions: Sequence[str]) -> None:
    room = _MOST - len(found)
    if room <= 0:
        return
    if divisions:
        query = in_divisions(query, token.c.item_id, divisions)
    for row in conn.execute(query.limit(room + len(found))):
        if len(found) >= _MOST:
            return
        found[row.item_id] = None


def _rarity(conn: Connection, terms: Iterable[str]) -> dict[str, int]:
    """Counts the rows of each term, up to a bound. One term needs no count."""
    wanted = sorted(terms)
    if len(wanted) < 2:
        return dict.fromkeys(wanted, 0)
    counted = [
        select(literal(number).label("number"), func.count().label("rows")).select_from(
            select(token.c.item_id).where(token.c.term == term).limit(_COUNTED).subquery()
        )
        for number, term in enumerate(wanted)
    ]
    return {wanted[row.number]: row.rows for row in conn.execute(union_all(*counted))}


def _holding(reading: Alternative, field: Field, rarity: dict[str, int]) -> Select[Any]:
    """Items that hold the rarest term in `field` and the others anywhere."""
    first, *others = sorted(reading.terms, key=lambda term: (rarity.get(term, 0), term))[:_MOST_TERMS]
    query = select(token.c.item_id).where(_at(field), token.c.term == first)
    for term in others:
        other = token.alias()
        query = query.where(
            exists().where(other.c.term == term, other.c.field.in_(_ANYWHERE), other.c.item_id == token.c.item_id)
        )
    return query


def _documents(conn: Connection, ids: Sequence[str]) -> list[tuple[str, Document]]:
    if not ids:
        return []
    rows = conn.execute(select(document.c.item_id, document.c.data).where(document.c.item_id.in_(ids)))
    return [(row.item_id, _document(row.data)) for row in rows]


@lru_cache(maxsize=4096)
def _document(data: str) -> Document:
    held = json.loads(data)
    return Document(tuple(held["codes"]), held["name"], tuple(held["aliases"]), held["guide"])
