"""Wraps again under the newest key-encryption key what older ones wrapped, and closes what names a person and was
written in clear by an earlier version, while the service runs.

Reading, wrapping (perhaps in a device) and writing are three steps; the write takes effect only where the value is
still the one that was read, so nothing is lost whatever happens between them.
"""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, LargeBinary, and_, func, select, update

from services.esign.certification.domain.holders import SealKind
from services.esign.licences import store as licence_store
from services.esign.licences.issuing import licence_context
from services.esign.seals import sm2_side as sidecars
from services.esign.seals.maker import key_context
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from shuniu.kit.crypto.device import KeyAwayError
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.retrying import until_done
from shuniu.kit.store import secret_values

_log = log.get("rewrapping")
_BATCH = 100
_SM2, _PICTURE = ses_store.sm2_seal.c, seal_store.seal_picture.c
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class _Place:
    """A column of wrapped values: by which name they are found, and to what each is bound."""

    name: "Column[str]"
    value: "Column[bytes]"
    context: Callable[[str], bytes]
    # Which rows hold such values; None: all.
    only: ColumnElement[bool] | None = None


def _of_persons(seal_id: "Column[str]") -> ColumnElement[bool]:
    return seal_id.in_(select(seal_rows.seal.c.id).where(seal_rows.seal.c.kind == SealKind.PERSON.value))


PLACES = (
    _Place(seal_rows.seal.c.id, seal_rows.seal.c.wrapped_key, key_context),
    _Place(_SM2.seal_id, _SM2.wrapped_key, sidecars.key_context),
    _Place(licence_store.licence.c.number, licence_store.licence.c.sealed, licence_context),
    _Place(
        seal_rows.seal.c.id,
        seal_rows.seal.c.certificate,
        seal_rows.certificate_context,
        seal_rows.seal.c.kind == SealKind.PERSON.value,
    ),
    _Place(_SM2.seal_id, _SM2.certificate, ses_store.certificate_context, _of_persons(_SM2.seal_id)),
    _Place(_SM2.seal_id, _SM2.eseal, ses_store.eseal_context, _of_persons(_SM2.seal_id)),
    _Place(_PICTURE.seal_id, _PICTURE.data, seal_store.picture_context, _of_persons(_PICTURE.seal_id)),
)


@dataclass(slots=True)
class Rewrapping:
    """One look after a start is enough: new values use the newest key from the start on."""

    base: Foundation
    keyring: Keyring
    _done: bool = False

    async def older(self) -> int:
        """Values that an older key wraps. Nothing is counted any more once nothing was left."""
        if self._done:
            return 0
        return sum([await self.base.store.read(self._count, place) for place in PLACES])

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

    async def _all_of(self, place: _Place) -> None:
        while await self._some(place):
            pass

    async def _some(self, place: _Place) -> int:
        rows = await self.base.store.read(self._older, place)
        again = await asyncio.to_thread(lambda: [(name, old, self._wrapped(old, place, name)) for name, old in rows])

        def unit(conn: Connection) -> None:
            for name, old, new in again:
                change = update(place.value.table).where(place.name == name, place.value == old)
                conn.execute(change.values({place.value.name: new}))

        if again:
            await self.base.write(unit)
            _log.info("rewrapped", table=place.value.table.name, values=len(again), key=self.keyring.newest)
        return len(again)

    def _wrapped(self, old: bytes, place: _Place, name: str) -> bytes:
        context = place.context(name)
        clear = place.only is not None and not secret_values.is_closed(old)
        return self.keyring.encrypt(old if clear else self.keyring.decrypt(old, context), context)

    def _older(self, conn: Connection, place: _Place) -> list[tuple[str, bytes]]:
        rows = conn.execute(select(place.name, place.value).where(self._is_older(place)).limit(_BATCH))
        return [(str(name), bytes(value)) for name, value in rows]

    def _count(self, conn: Connection, place: _Place) -> int:
        counted = select(func.count()).select_from(place.value.table).where(self._is_older(place))
        return conn.execute(counted).scalar_one()

    def _is_older(self, place: _Place) -> ColumnElement[bool]:
        number = func.substr(place.value, 1, 4, type_=LargeBinary)
        older = and_(func.length(place.value) > 0, number != self.keyring.newest.to_bytes(4, "big"))
        return older if place.only is None else and_(place.only, older)
