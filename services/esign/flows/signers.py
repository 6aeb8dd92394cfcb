"""The signers of steps: the key of an active seal (`held`), or a key made for this one signature (`once`)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from cryptography.x509 import load_der_x509_certificate
from sqlalchemy import Connection

from services.esign.certification.domain.holders import SealKind
from services.esign.domain.cms.signed_data import SigningKey
from services.esign.domain.common_names import common_name
from services.esign.domain.digests import SHA256, Digest
from services.esign.domain.errors import SealStateError
from services.esign.domain.pdf.appearance import Appearance, Picture
from services.esign.flows import pages as flow_pages
from services.esign.flows.domain.page import Place
from services.esign.flows.domain.scenarios import Actor, KeyMode
from services.esign.flows.store.flows import FlowRow, Party
from services.esign.keys.secrets import Secrets
from services.esign.seals.domain.life import SealState, require_countable
from services.esign.seals.maker import key_context
from services.esign.seals.once_keys import OnceKeys, OnceSigner
from services.esign.seals.slots import Slots
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.seals import SealRow
from services.esign.service.neighbours import Neighbours
from shuniu.kit.foundation import Foundation

_MARK = Place(0, 0, 50.0, 16.0)


@dataclass(frozen=True, slots=True)
class Ready:
    """All that one signature needs. `at_us` is the only time to state in it; `shows` what a visible field shows."""

    key: SigningKey
    certificate: bytes
    chain: tuple[bytes, ...]
    name: str = field(repr=False)
    at_us: int
    shows: Appearance | None = field(repr=False)
    # What goes with the key.
    digest: Digest = SHA256


class StepSigners(Protocol):
    """A source of the signers of parties."""

    def reserve(self, conn: Connection, party: Party) -> Party:
        """The party with its seal and signing time, in the unit that authorises. Raises SealStateError."""
        ...

    def ready(self, row: FlowRow, party: Party) -> contextlib.AbstractAsyncContextManager[Ready]:
        """The key, for one signature. Raises EsignError, HubError, KeyAwayError."""
        ...


@dataclass(slots=True)
class Signers:
    """Seals of the store, and keys that sign once."""

    base: Foundation
    secrets: Secrets
    slots: Slots
    once: OnceKeys
    neighbours: Neighbours
    executor: Executor

    def reserve(self, conn: Connection, party: Party) -> Party:
        if party.mode is KeyMode.ONCE:
            return party
        found = chosen_seal(conn, party)
        slot = self.slots.grant(conn, found.seal.id, found.seal.owner, found.seal.kind)
        return replace(party, seal_id=found.seal.id, slot_us=slot.at_us)

    @contextlib.asynccontextmanager
    async def ready(self, row: FlowRow, party: Party) -> AsyncIterator[Ready]:
        if party.mode is KeyMode.HELD:
            yield await self._held(party)
            return
        person = await self.neighbours.person(party.person, ("full_name",), row.case_code, self.secrets.receiving)
        name = person["full_name"]
        async with self.once.key(OnceSigner(SealKind.PERSON, name, f"person/{party.person}")) as key:
            shows = await self._draw(partial(flow_pages.person_mark, name, _MARK, key.at_us))
            yield Ready(key.key, key.certificate, key.chain, name, key.at_us, shows, key.digest)

    async def _held(self, party: Party) -> Ready:
        def look(conn: Connection) -> tuple[SealRow, seal_store.KeptPicture | None]:
            found = seal_rows.find_seal_by_id(conn, party.seal_id)
            if found is None:
                raise _no_seal(party)
            require_countable(found.seal, party.slot_us)
            return found, seal_store.find_picture(conn, party.seal_id)

        found, kept = await self.base.store.read(look)
        held = self.secrets.seal_key(found.wrapped_key, key_context(found.seal.id), found.certificate)
        name = found.seal.name or common_name(load_der_x509_certificate(found.certificate).subject) or ""
        is_drawn = kept is not None and (kept.source == seal_store.UPLOADED or found.seal.kind is not SealKind.PERSON)
        if kept is not None and is_drawn:
            shows: Appearance = await self._draw(partial(Picture.of_png, kept.picture.data))
        elif found.seal.kind is SealKind.PERSON:
            shows = await self._draw(partial(flow_pages.person_mark, name, _MARK, party.slot_us))
        else:
            shows = await self._draw(partial(flow_pages.seal_mark, name))
        return Ready(held.key, found.certificate, held.chain, name, party.slot_us, shows, held.digest)

    async def _draw(self, work: Callable[[], Appearance]) -> Appearance:
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)


def chosen_seal(conn: Connection, party: Party) -> SealRow:
    """The seal that was named, or the only active one of platform or person. Raises SealStateError."""
    if party.seal_id:
        named = seal_rows.find_seal_by_id(conn, party.seal_id)
        if named is None or not _belongs(named, party):
            raise _no_seal(party)
        return named
    if party.actor is Actor.PLATFORM:
        own = [row for row in seal_rows.seals_of(conn, party.platform) if row.seal.kind is SealKind.ORGANISATION]
    else:
        own = seal_rows.seals_of_holder(conn, f"person/{party.person}")
    active = [row for row in own if row.seal.state is SealState.ACTIVE]
    if len(active) != 1:
        raise _no_seal(party)
    return active[0]


def _belongs(found: SealRow, party: Party) -> bool:
    if party.actor is Actor.PERSON:
        return found.seal.person == party.person
    return found.seal.owner == party.platform and found.seal.kind is SealKind.ORGANISATION


def _no_seal(party: Party) -> SealStateError:
    return SealStateError(
        "SEAL_STATE",
        "there is no active seal for this step, or several: name one",
        "该步骤没有可用的有效印章，或有多枚印章，请指定印章编号",
        step=party.key,
    )
