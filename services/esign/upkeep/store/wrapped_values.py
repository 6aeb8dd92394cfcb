"""Columns that hold values wrapped by a key-encryption key, in whatever table: read and replaced one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, ColumnElement, Connection, LargeBinary, and_, func, select, update

from services.esign.certification.domain.holders import SealKind
from services.esign.licences import store as licence_store
from services.esign.licences.issuing import licence_context
from services.esign.seals import sm2_side as sidecars
from services.esign.seals.maker import key_context
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store

_BATCH: Final = 100
_SM2, _PICTURE = ses_store.sm2_seal.c, seal_store.seal_picture.c


@dataclass(frozen=True, slots=True)
class Place:
    """A column of wrapped values: the column that names its row, and the context that each value is bound to."""

    name: "Column[str]"
    value: "Column[bytes]"
    context: Callable[[str], bytes]
    only: ColumnElement[bool] | None = None
    """The rows that hold such values; an earlier version wrote some of them in clear. None: all rows, none in clear."""

    @property
    def table(self) -> str:
        return self.value.table.name


def _of_persons(seal_id: "Column[str]") -> ColumnElement[bool]:
    return seal_id.in_(select(seal_rows.seal.c.id).where(seal_rows.seal.c.kind == SealKind.PERSON.value))


PLACES: Final = (
    Place(seal_rows.seal.c.id, seal_rows.seal.c.wrapped_key, key_context),
    Place(_SM2.seal_id, _SM2.wrapped_key, sidecars.key_context),
    Place(licence_store.licence.c.number, licence_store.licence.c.sealed, licence_context),
    Place(
        seal_rows.seal.c.id,
        seal_rows.seal.c.certificate,
        seal_rows.certificate_context,
        seal_rows.seal.c.kind == SealKind.PERSON.value,
    ),
    Place(_SM2.seal_id, _SM2.certificate, ses_store.certificate_context, _of_persons(_SM2.seal_id)),
    Place(_SM2.seal_id, _SM2.eseal, ses_store.eseal_context, _of_persons(_SM2.seal_id)),
    Place(_PICTURE.seal_id, _PICTURE.data, seal_store.picture_context, _of_persons(_PICTURE.seal_id)),
)


def older(conn: Connection, place: Place, newest: int) -> list[tuple[str, bytes]]:
    """At most 100 (name, value) of a place that another key than number `newest` wraps, or none."""
    rows = conn.execute(select(place.name, place.value).where(_is_older(place, newest)).limit(_BATCH))
    return [(str(name), bytes(value)) for name, value in rows]


def count_older(conn: Connection, place: Place, newest: int) -> int:
    counted = select(func.count()).select_from(place.value.table).where(_is_older(place, newest))
    return conn.execute(counted).scalar_one()


def replace_values(conn: Connection, place: Place, rows: Sequence[tuple[str, bytes, bytes]]) -> None:
    """Stores each (name, old, new) where the value is still the old one."""
    for name, old, new in rows:
        change = update(place.value.table).where(place.name == name, place.value == old)
        conn.execute(change.values({place.value.name: new}))


def _is_older(place: Place, newest: int) -> ColumnElement[bool]:
    number = func.substr(place.value, 1, 4, type_=LargeBinary)
    found = and_(func.length(place.value) > 0, number != newest.to_bytes(4, "big"))
    return found if place.only is None else and_(place.only, found)
