"""Makes licences in stages: SLOT (number, time, place in a status list; only while the seal is ACTIVE), SIGNED (made
once, kept encrypted), ISSUED (under a signed checkpoint). A repeated request goes on from the stage it finds.
"""

import asyncio
import datetime as dt
import functools
import json
import os
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection

from services.esign import metrics
from services.esign.certification.domain.holders import SealKind
from services.esign.domain.cms.sm2 import Sm2Key
from services.esign.domain.errors import EsignError, LicenceImpossibleError, TokenWrongError
from services.esign.events import LICENCE_CHANGED, LICENCE_ISSUED
from services.esign.keys.of_seals import SealKey
from services.esign.keys.secrets import Secrets
from services.esign.ledger.domain.ledger import UNLOGGED, Entry, EntryType, Receipt
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from services.esign.licences import store as licence_store
from services.esign.licences.domain import jose, key_binding, sd_jwt, status_list
from services.esign.licences.domain import types as licences
from services.esign.licences.domain.key_binding import Expected, Possession
from services.esign.licences.domain.sd_jwt import Padded
from services.esign.licences.domain.types import LicenceState, LicenceType
from services.esign.licences.store import LicenceRow
from services.esign.seals.domain.life import SealState
from services.esign.seals.maker import key_context
from services.esign.seals.slots import Slots
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.seals import SealRow
from services.esign.service.neighbours import Neighbours
from shuniu.api.events.v1 import events_pb2
from shuniu.china_time import CHINA
from shuniu.kit import errors
from shuniu.kit.crypto.device import KeyAwayError
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.keyed_locks import KeyedLocks
from shuniu.kit.process.retrying import until_done

_log = log.get("licences")
# Every licence has so many digests at its top, or the next multiple: claims of a type that are not hidden show nothing.
_DIGESTS = 8
# Changes that are read at once on their way into the ledger.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class LicenceOrder:
    """One licence that an agency may have. `facts` as the type names them."""

    case_code: str
    type: LicenceType
    seal_id: str
    issuer: str
    holder: str
    division: str
    facts: Mapping[str, str] = field(repr=False)
    proof: Possession = field(repr=False)


@dataclass(slots=True)
class LicenceIssuing:
    """The way of licences through the three stages, and of their changes into the ledger."""

    base: Foundation
    secrets: Secrets
    ledger: Sequencer
    neighbours: Neighbours
    slots: Slots
    types: Mapping[str, LicenceType]
    nonce_seconds: int
    _turns: KeyedLocks[tuple[str, str]] = field(default_factory=KeyedLocks)
    _logging: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: asyncio.Event = field(default_factory=asyncio.Event)
    _keys: dict[str, SealKey] = field(default_factory=dict, repr=False)

    @property
    def audience(self) -> str:
        """The audience of proofs of keys."""
        return self.base.hub.issuer

    def list_uri(self, number: int) -> str:
        return f"{self.base.hub.issuer}/v1/licences/status-lists/{number}"

    async def issue(self, order: LicenceOrder) -> LicenceRow:
        """The licence of this case, type and key, released. Raises EsignError, HubError."""
        place = (order.case_code, order.type.name)
        async with self._turns.of(place):
            row = await self.base.store.read(licence_store.find_of_case, *place, self.base.clock.now_us())
            key = jose.thumbprint(order.proof.key)
            if row is None or (row.stage == licence_store.SLOT and row.key != key):
                row = await self._take_slot(order)
            if row.key != key or row.issuer != order.issuer:
                raise errors.precondition(
                    "LICENCE_EXISTS",
                    "This case has its licence, for another key: revoke it first.",
                    "该办件的证照已签发给另一密钥，请先注销原证照。",
                    number=row.number,
                )
            if row.stage == licence_store.SLOT:
                row = await self._sign(row, order)
            if row.stage == licence_store.SIGNED:
                row = await self._release(row)
            return row

    async def _take_slot(self, order: LicenceOrder) -> LicenceRow:
        now_us = self.base.clock.now_us()
        nonce = order.proof.claims.get("nonce")
        if not isinstance(nonce, str):
            raise TokenWrongError("NONCE", "the proof has no nonce", "密钥证明缺少随机数")
        expires_us = key_binding.nonce_expiry(self.secrets.page, nonce, now_us)
        order.proof.check(Expected(self.audience, nonce, self.nonce_seconds, now_us))
        spent = key_binding.nonce_digest(self.audience, nonce)
        key = jose.thumbprint(order.proof.key)

        def unit(conn: Connection) -> LicenceRow:
            known = licence_store.find_of_case(conn, order.case_code, order.type.name, now_us)
            if known is not None and (known.stage != licence_store.SLOT or known.key == key):
                return known
            use = sha256(json.dumps([order.case_code, order.type.name, key]).encode()).hexdigest()
            if not licence_store.spend_nonce(conn, spent, use, expires_us, now_us):
                raise TokenWrongError("NONCE_USED", "the nonce was used before", "随机数已被使用")
            if known is not None:
                # Nothing was made for the other key yet.
                licence_store.rebind(conn, known.number, key)
                return replace(known, key=key)
            if not licence_store.take_generation(conn, order.case_code, order.type.name):
                raise errors.conflict("LICENCE_RACE", "Another request was first; ask again.", "请求冲突，请重试。")
            seal_id = order.seal_id or self._only_seal(conn, order.issuer)
            at_us = self.slots.grant(conn, seal_id, order.issuer).at_us
            today = dt.datetime.fromtimestamp(at_us / 1e6, CHINA)
            prefix = f"{self.base.hub.code}{today.year}"
            number = f"{prefix}{licence_store.next_value(conn, licence_store.numbers(prefix)):08d}"
            list_, place = _place(conn)
            row = LicenceRow(
                number,
                order.case_code,
                order.type.name,
                order.issuer,
                order.holder,
                order.division,
                seal_id,
                key,
                at_us,
                # Good to the end of its last day.
                _end_of(licences.ends_on(order.type, today.date())),
                list_,
                place,
                os.urandom(16),
                licence_store.SLOT,
                LicenceState.VALID,
                "",
                b"",
                UNLOGGED,
                "",
            )
            licence_store.put(conn, row)
            return row

        return await self.base.write(unit)

    def _only_seal(self, conn: Connection, owner: str) -> str:
        own = [
            row.seal.id
            for row in seal_rows.seals_of(conn, owner)
            if row.seal.kind is SealKind.ORGANISATION and row.seal.state is SealState.ACTIVE
        ]
        if len(own) != 1:
            raise errors.precondition(
                "SEAL_STATE",
                "This platform has no active seal, or several: name one.",
                "该平台没有可用印章，或有多枚印章，请指定印章编号。",
            )
        return own[0]

    async def _sign(self, row: LicenceRow, order: LicenceOrder) -> LicenceRow:
        person = await self.neighbours.person(
            row.holder, order.type.person_fields, row.case_code, self.secrets.receiving
        )
        found = await self.base.store.read(seal_rows.find_seal_by_id, row.seal_id)
        assert found is not None
        today = dt.datetime.fromtimestamp(row.issued_us / 1e6, CHINA).date()
        claims: dict[str, Any] = {
            "vct": order.type.vct,
            "iat": row.issued_us // 1_000_000,
            "exp": row.expires_us // 1_000_000,
            "cnf": {"jwk": jose.public_jwk(order.proof.key)},
            "status": {"status_list": {"idx": row.place, "uri": self.list_uri(row.list)}},
            "title": order.type.title,
            "issuing_authority": found.seal.name,
            **licences.fill(order.type, row.number, person, order.facts, today),
        }
        digests = -(-len(claims) // _DIGESTS) * _DIGESTS
        held = self._key(found)
        header = {"typ": licences.TYP, "x5c": jose.x5c([found.certificate, *held.chain])}
        make = functools.partial(sd_jwt.issue, Padded(claims, digests), header, held.ecdsa, os.urandom)
        token, disclosures = await asyncio.to_thread(make) if held.remote else make()
        sealed = self.secrets.keyring.encrypt(sd_jwt.compose(token, disclosures).encode(), licence_context(row.number))
        await self.base.write(
            functools.partial(
                licence_store.keep_signed, number=row.number, sha256=sha256(token.encode()).hexdigest(), sealed=sealed
            )
        )
        return await self._again(row)

    def _key(self, found: SealRow) -> SealKey:
        key = self._keys.get(found.seal.id)
        if key is None:
            loaded = self.secrets.seal_key(found.wrapped_key, key_context(found.seal.id), found.certificate)
            if isinstance(loaded.private, Sm2Key) or not isinstance(loaded.private.curve, ec.SECP256R1):
                raise LicenceImpossibleError(
                    "SEAL_ALGORITHM",
                    "licences are signed with ES256: a seal with a P-256 key is needed",
                    "电子证照须用 P-256 密钥的印章签发",
                    seal=found.seal.id,
                )
            key = self._keys[found.seal.id] = loaded
        return key

    def opened(self, row: LicenceRow) -> str:
        """The licence with its disclosures, in clear: for the one who may have it, kept nowhere."""
        return self.secrets.keyring.decrypt(row.sealed, licence_context(row.number)).decode()

    async def _again(self, row: LicenceRow) -> LicenceRow:
        return await self.base.store.read(licence_store.by_number, row.number)

    async def _release(self, row: LicenceRow) -> LicenceRow:
        found = await self.base.store.read(seal_rows.find_seal_by_id, row.seal_id)
        assert found is not None
        receipt = await self._log(
            Entry(
                EntryType.LICENCE_ISSUED,
                row.issued_us,
                seal=row.seal_id,
                epoch=self.base.store.epoch,
                **self._marks(row),
                **self.secrets.marks.certificate(found.certificate),
            )
        )
        issued = replace(row, stage=licence_store.ISSUED, ledger_index=receipt.index, receipt=receipt.text)

        def unit(conn: Connection) -> None:
            head_store.remember_head(conn, receipt.index + 1, receipt.checkpoint)
            if licence_store.release(conn, row.number, receipt.index, receipt.text):
                self.tell(conn, LICENCE_ISSUED, issued)

        await self.base.write(unit)
        metrics.LICENCES.labels("issued").inc()
        return await self._again(row)

    async def _log(self, entry: Entry) -> Receipt:
        """Raises EsignError when the ledger is away; then the task goes on when it is back."""
        try:
            return await self.ledger.append(entry)
        except EsignError:
            self._waiting.set()
            raise

    def _marks(self, row: LicenceRow) -> dict[str, str]:
        """Digests of what the issuer signed, and a salted one of number and case: whoever is told both and the salt can
        find the licence in the ledger, nobody else. The SHA-256 is there in each profile: the register knows licences
        by it, also after a restore.
        """
        signed = self.opened(row).partition("~")[0].encode()
        named = json.dumps([row.number, row.case_code]).encode()
        marks = self.secrets.marks
        return {"document_sha256": row.sha256, **marks.document(signed), **marks.commitment(row.salt, named)}

    def tell(self, conn: Connection, topic: str, row: LicenceRow) -> None:
        """Writes the event of a licence into the unit."""
        payload = events_pb2.LicenceChanged(
            number=row.number, type=row.type, issuer=row.issuer, state=row.state.value, ledger_index=row.ledger_index
        )
        self.base.publish(conn, topic, row.number, payload, division=row.division)

    def change(self, conn: Connection, row: LicenceRow, wanted: LicenceState, reason: str) -> LicenceRow:
        """Changes a licence's state inside the unit; the ledger is told by `log_changes`. Raises LicenceStateError."""
        moved = replace(row, state=licences.move(row.state, wanted))
        if not licence_store.change_state(conn, row, wanted, reason, self.base.clock.now_us()):
            raise errors.conflict("LICENCE_RACE", "Somebody changed it meanwhile; ask again.", "状态已变更，请重试。")
        self.tell(conn, LICENCE_CHANGED, moved)
        return moved

    async def log_changes(self) -> None:
        """Tells the ledger of every change it does not know. A crash between the ledger and the store may tell it of
        one twice, never not at all. Raises EsignError when the ledger is away.
        """
        async with self._logging:
            while changes := await self.base.store.read(licence_store.unlogged, _AT_ONCE):
                for change in changes:
                    await self._log_change(change)

    async def _log_change(self, change: licence_store.ChangeRow) -> None:
        row = await self.base.store.read(licence_store.by_number, change.number)
        entry = Entry(
            EntryType.LICENCE_CHANGED,
            change.changed_us,
            state=change.state.value,
            epoch=self.base.store.epoch,
            **self._marks(row),
        )
        await self._changed(change, await self._log(entry))

    async def _changed(self, change: licence_store.ChangeRow, receipt: Receipt) -> None:
        def unit(conn: Connection) -> None:
            head_store.remember_head(conn, receipt.index + 1, receipt.checkpoint)
            licence_store.logged(conn, change, receipt.index)

        await self.base.write(unit)

    async def finish_interrupted(self) -> None:
        """Task: logs what was made or changed when the process died or while the ledger was unavailable."""
        while True:
            await until_done(
                self._finish_what_waits,
                after=(EsignError, HubError, KeyAwayError),
                tell=lambda error: _log.warning("licence_waits", cause=str(error)),
            )
            await self._waiting.wait()

    async def _finish_what_waits(self) -> None:
        self._waiting.clear()
        for number in await self.base.store.read(licence_store.unfinished):
            await self._finish(number)
        await self.log_changes()

    async def _finish(self, number: str) -> None:
        row = await self.base.store.read(licence_store.find_by_number, number)
        assert row is not None
        # The case's turn: a caller may be asking for the same licence.
        async with self._turns.of((row.case_code, row.type)):
            row = await self._again(row)
            if row.stage == licence_store.SIGNED:
                await self._release(row)


def _place(conn: Connection) -> tuple[int, int]:
    list_ = status_list.list_of(licence_store.next_value(conn, licence_store.PLACES_GIVEN))
    while True:
        place = random.randbelow(status_list.PLACES)
        if licence_store.take_place(conn, list_, place):
            return list_, place


def _end_of(day: dt.date) -> int:
    after = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), CHINA)
    return int(after.timestamp()) * 1_000_000


def licence_context(number: str) -> bytes:
    """Binds the encrypted licence to its row."""
    return f"licence/{number}".encode()
