"""Issuing a document, from the checked request to the released bytes.

Three durable stages, so that a crash between any two steps neither seals twice nor releases what is not logged: SLOT
(number and signing time, handed out only while the seal is ACTIVE), SEALED (the bytes, made once), ISSUED (under a
signed checkpoint, with the event, the audit record and the answer). A repeated request goes on from the stage it finds.
Documents that reach a stage at the same time share its transaction.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection

from services.esign import metrics
from services.esign.documents.issue_steps import step
from services.esign.documents.packages import Packages
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import ofd as ofd_store
from services.esign.documents.store import stages as issue_store
from services.esign.documents.store.certificates import CertificateRow
from services.esign.documents.store.stages import Logged, Made
from services.esign.documents.views import changed, view
from services.esign.domain.errors import DocumentUnfitError, EsignError
from services.esign.events import CERTIFICATE_ISSUED
from services.esign.keys.of_seals import check_profile
from services.esign.keys.secrets import Secrets
from services.esign.ledger.domain.ledger import Checkpoint, Entry, EntryType, Receipt, open_checkpoint
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from services.esign.pages import layout
from services.esign.pages.domain import certificates
from services.esign.pages.domain.certificates import CertificateData, CertificateState
from services.esign.seals.domain import life as seals
from services.esign.seals.domain.life import SealState
from services.esign.seals.maker import key_context
from services.esign.seals.slots import Slots
from services.esign.seals.sm2_side import Sidecars
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.seals import SealRow
from services.esign.service.neighbours import Neighbours
from services.esign.service.refusals import seal_unknown
from services.esign.signing.domain import pades
from services.esign.signing.responders import LongTerm
from services.esign.timestamps.sources import TimestampAwayError, TimestampSource
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.china_time import CHINA
from shuniu.document_names import NAMES
from shuniu.kit import errors
from shuniu.kit.crypto.device import KeyAwayError
from shuniu.kit.crypto.sm import sm3
from shuniu.kit.errors import HubError
from shuniu.kit.events import outbox
from shuniu.kit.events.outbox import Event
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.batching import Batcher, Crowd
from shuniu.kit.process.keyed_locks import KeyedLocks
from shuniu.kit.process.retrying import until_done
from shuniu.kit.rpc import requests
from shuniu.kit.rpc.requests import RequestKey
from shuniu.kit.store.audit import AuditRecord

_log = log.get("certificates")
_PERSON_FIELDS = ("full_name", "document_type", "document_number")


@dataclass(frozen=True, slots=True)
class Order:
    """One document that a caller may have: which case, for whom, and what its answer is kept under. `salt` opens the
    commitment in the ledger.
    """

    case_code: str
    seal_id: str
    issuer: str
    template: str
    source_platform: str
    holder: str
    division: str
    facts: Mapping[str, str] = field(repr=False)
    salt: bytes = field(repr=False)
    asked: RequestKey
    # None: the call is not audited.
    audited: AuditRecord | None


@dataclass(frozen=True, slots=True)
class _Slot:
    row: CertificateRow
    seal: SealRow


@dataclass(frozen=True, slots=True)
class _Finish:
    """A document that is logged, as it will be. `event` with its recipients: None when it was released before.
    `order`: None when nobody waits for an answer. `digests`: SM3 (hex) of its PDF and of its OFD form, empty when it
    has none.
    """

    row: CertificateRow
    head: Checkpoint | None
    checkpoint: str
    event: tuple[Event, list[str]] | None
    order: Order | None
    digests: tuple[str, str] = ("", "")


@dataclass(slots=True)
class Issuing:
    """The way of documents through the three stages."""

    base: Foundation
    secrets: Secrets
    ledger: Sequencer
    neighbours: Neighbours
    executor: Executor
    # None: seals carry no timestamp (PAdES B-B); else B-T.
    stamps: TimestampSource | None = None
    # None: documents get no seal signature under GB/T 38540.
    sidecars: Sidecars | None = None
    slots: Slots | None = None
    # None: documents carry no validation data (PAdES B-T at most).
    long_term: LongTerm | None = None
    # None: documents are not made as OFD.
    packages: Packages | None = None
    # Those who have a document issued.
    crowd: Crowd = field(default_factory=Crowd)
    _waiting: asyncio.Event = field(default_factory=asyncio.Event)
    # By case.
    _turns: KeyedLocks[str] = field(default_factory=KeyedLocks)
    _prepared: dict[tuple[str, str], tuple[pades.SigningSeal, bool]] = field(default_factory=dict)
    _pictures: dict[str, bytes] = field(default_factory=dict)
    _newest: tuple[str, Checkpoint] | None = None
    _granting: Slots = field(init=False)
    _slots: Batcher[Order, "_Slot | bytes"] = field(init=False)
    _kept: Batcher[Made, bool] = field(init=False)
    _finished: Batcher[_Finish, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._granting = self.slots or Slots(self.base.clock, digest=self.secrets.digest)
        self._slots = Batcher(lambda orders: self.base.write(self._take_slots, orders), crowd=self.crowd)
        self._kept = Batcher(lambda made: self.base.write(_keep, made), crowd=self.crowd)
        self._finished = Batcher(lambda finishes: self.base.write(self._finish_all, finishes), crowd=self.crowd)

    async def issue(self, order: Order) -> bytes:
        """The answer (IssueCertificateResponse), new or kept. Raises HubError, EsignError, TimestampAwayError: it is
        sealed, waits, and is released by itself.
        """
        try:
            async with self._turns.of(order.case_code):
                with step("slot"):
                    slot = await self._slots.do(order)
                if isinstance(slot, bytes):
                    return slot
                row, ofd = slot.row, None
                if row.stage == document_rows.SLOT:
                    row, ofd = await self._seal(row, slot.seal, order.facts)
                if row.stage == document_rows.SEALED:
                    row = await self._stamp(row)
                return await self._release(row, slot.seal, order, ofd)
        except (TimestampAwayError, EsignError, asyncio.CancelledError):
            # Also when the caller has gone: what was sealed is released by itself.
            self._waiting.set()
            raise

    # SLOT.

    def _take_slots(self, conn: Connection, orders: Sequence[Order]) -> list["_Slot | bytes"]:
        """Numbers and signing times, in one write with the check that each seal is ACTIVE; what was answered before is
        answered again.
        """
        answered = requests.answered(conn, [order.asked for order in orders])
        rows = issue_store.of_cases(conn, [order.case_code for order in orders])
        wanted = {o.case_code: o for o in orders if o.asked.key not in answered and o.case_code not in rows}
        known = {row.seal_id: self._seal_of(conn, row.seal_id) for row in rows.values()}
        now_us = self._granting.moment(conn, len(wanted)).at_us if wanted else 0
        chosen: dict[tuple[str, str], SealRow] = {}
        for order in wanted.values():
            if (order.seal_id, order.issuer) not in chosen:
                found = self._choose_seal(conn, order.seal_id, order.issuer)
                seals.may_sign(found.seal, order.issuer, now_us)
                check_profile(found.certificate, self.secrets.digest)
                chosen[order.seal_id, order.issuer] = known[found.seal.id] = found
        if wanted:
            year = dt.datetime.fromtimestamp(now_us / 1e6, CHINA).year
            numbers = issue_store.next_numbers(conn, f"{self.base.hub.code}{year}", len(wanted))
            new = [
                _row(order, number, chosen[order.seal_id, order.issuer].seal.id, now_us)
                for order, number in zip(wanted.values(), numbers, strict=True)
            ]
            issue_store.take_slots(conn, new)
            rows.update((row.case_code, row) for row in new)
        found_all: list[_Slot | bytes] = []
        for order in orders:
            kept = answered.get(order.asked.key)
            row = rows.get(order.case_code)
            if kept is not None:
                found_all.append(kept)
            elif row is not None:
                found_all.append(_Slot(row, known[row.seal_id]))
        return found_all

    def _seal_of(self, conn: Connection, seal_id: str) -> SealRow:
        found = seal_rows.find_seal_by_id(conn, seal_id)
        if found is None:
            raise seal_unknown(seal_id)
        return found

    def _choose_seal(self, conn: Connection, seal_id: str, owner: str) -> SealRow:
        if seal_id:
            return self._seal_of(conn, seal_id)
        made = [row for row in seal_rows.seals_of(conn, owner) if row.certificate]
        usable = [row for row in made if row.seal.state not in seals.ENDED]
        own = [row for row in usable if row.seal.state is SealState.ACTIVE] or usable or made[-1:]
        if not own:
            raise errors.precondition("SEAL_STATE", "This platform has no seal.", "该平台没有可用印章。")
        # One that may not sign is refused by its state.
        return own[0]

    # SEALED.

    async def _seal(
        self, row: CertificateRow, found: SealRow, facts: Mapping[str, str]
    ) -> tuple[CertificateRow, bytes | None]:
        """With the document's OFD form: empty when it has none, None when another attempt was first."""
        with step("person"):
            person = await self.neighbours.person(row.holder, _PERSON_FIELDS, row.case_code, self.secrets.receiving)
        data = CertificateData(
            number=row.number,
            template=row.template,
            issuer=found.seal.name,
            issued_on=dt.datetime.fromtimestamp(row.signed_us / 1e6, CHINA).date(),
            facts={
                **facts,
                "name": person["full_name"],
                "id_type": _name_of(person["document_type"]),
                "id_number": person["document_number"],
            },
            picture=await self._picture(found.seal.id),
        )
        qr = self.secrets.qr.url(data)
        with step("layout"):
            page = await self._lay_out(data, qr, row.signed_us)
        with step("seal"):
            room = 0 if self.stamps is None else await self.stamps.room()
            seal, remote = self._signing_seal(found, data.template)
            sign = partial(pades.signed, page, seal, row.signed_us, token=room)
            signature = await asyncio.to_thread(sign) if remote else sign()
            pdf = signature.pdf
        beside = b""
        if self.sidecars is not None:
            with step("ses"):
                beside = await self.sidecars.sign(pdf, found.seal, row.signed_us)
        ofd = b""
        if self.packages is not None:
            with step("ofd"):
                ofd = await self.packages.make(data, qr, found.seal, row.signed_us)
        away: TimestampAwayError | None = None
        try:
            pdf = await self._stamped(signature, row.number)
        except TimestampAwayError as error:
            # Kept without it: what is sealed is sealed once, and waits.
            away = error
        made = Made(row.number, pdf, sha256(pdf).hexdigest(), qr, beside, ofd)
        with step("store"):
            kept = await self._kept.do(made)
        if not kept:
            again = await self.base.store.read(document_rows.find_certificate_by_number, row.number)
            assert again is not None
            return again, None
        if away is not None:
            raise away
        return replace(row, stage=document_rows.SEALED, pdf=pdf, sha256=made.sha256, qr=qr), ofd

    async def _picture(self, seal_id: str) -> bytes:
        """The picture that the seal's owner uploaded, PNG; empty: the page draws the seal. A seal keeps its picture for
        life.
        """
        picture = self._pictures.get(seal_id)
        if picture is None:
            kept = await self.base.store.read(seal_store.find_picture, seal_id)
            uploaded = kept is not None and kept.source == seal_store.UPLOADED
            picture = self._pictures[seal_id] = kept.picture.data if kept is not None and uploaded else b""
        return picture

    async def _lay_out(self, data: CertificateData, qr: str, at_us: int) -> bytes:
        host = self.secrets.qr.host
        page = layout.filled(data, host, qr, at_us)
        if page is None:
            loop = asyncio.get_running_loop()
            page = await loop.run_in_executor(self.executor, layout.laid_out_here, data, host, qr, at_us)
        return page

    def _signing_seal(self, found: SealRow, template: str) -> tuple[pades.SigningSeal, bool]:
        """With whether another machine signs."""
        prepared = self._prepared.get((found.seal.id, template))
        if prepared is None:
            held = self.secrets.seal_key(found.wrapped_key, key_context(found.seal.id), found.certificate)
            place = layout.seal_field(certificates.TEMPLATES[template])
            signing = pades.SigningSeal.prepare(
                held.key, found.certificate, held.chain, found.seal.name, place, digest=held.digest
            )
            prepared = self._prepared[found.seal.id, template] = (signing, held.remote)
        return prepared

    async def _stamped(self, signature: pades.LastSignature, number: str) -> bytes:
        """The document with its timestamp, before anybody has seen it. Raises TimestampAwayError."""
        if self.stamps is None or signature.has_timestamp:
            return signature.pdf
        with step("timestamp"):
            token = await self.stamps.stamp(signature.value)
        pdf = signature.pdf
        try:
            pdf = signature.stamped(token)
            return pdf if self.long_term is None else await self.long_term.raised(pdf)
        except DocumentUnfitError as error:
            # Sealed while no timestamps were asked for, or the authority's tokens grew: what is there is good too.
            _log.warning("level_not_reached", reason=error.reason, number=number)
            return pdf

    async def _stamp(self, row: CertificateRow) -> CertificateRow:
        """A sealed document that waited for its timestamp, with it. Raises TimestampAwayError: it keeps waiting."""
        if self.stamps is None or (self.long_term is not None and self.long_term.has(row.pdf)):
            return row
        pdf = await self._stamped(pades.LastSignature.of(row.pdf), row.number)
        if pdf == row.pdf:
            return row
        digest = sha256(pdf).hexdigest()
        await self.base.write(document_rows.replace_bytes, row.number, row.sha256, pdf, digest)
        again = await self.base.store.read(document_rows.find_certificate_by_number, row.number)
        assert again is not None
        return again

    # ISSUED.

    async def _release(
        self, row: CertificateRow, found: SealRow, order: Order | None, ofd: bytes | None = None
    ) -> bytes:
        """Logs the sealed bytes, and those of the OFD form (None: what is kept of it); releases them with receipt,
        event, audit record and answer in one transaction.
        """
        if row.stage == document_rows.ISSUED:
            return await self._finished.do(_Finish(row, None, "", None, order))
        if ofd is None:
            ofd = await self.base.store.read(ofd_store.ofd_of, row.number)
        marks = self.secrets.marks
        entry = Entry(
            EntryType.DOCUMENT_SEALED,
            row.signed_us,
            seal=row.seal_id,
            epoch=self.base.store.epoch,
            **marks.document(row.pdf),
            **marks.ofd(ofd),
            **marks.certificate(found.certificate),
            **marks.commitment(row.salt, row.case_code.encode()),
        )
        with step("ledger"):
            receipt = await self.ledger.append(entry)
        issued = replace(row, stage=document_rows.ISSUED, ledger_index=receipt.index, receipt=receipt.text)
        event = self.base.event(CERTIFICATE_ISSUED, issued.number, changed(issued), division=issued.division)
        digests = sm3(row.pdf).hex(), sm3(ofd).hex() if ofd else ""
        finish = _Finish(issued, self._head(receipt), receipt.checkpoint, event, order, digests)
        with step("store"):
            try:
                answer = await self._finished.do(finish)
            except HubError as error:
                if error.reason != requests.REQUEST_ID_REUSED:
                    raise
                # Two requests under one id at the same time: the document is released, only this answer is refused.
                await self._finished.do(replace(finish, order=None))
                raise
        metrics.CERTIFICATES.inc()
        return answer

    def _head(self, receipt: Receipt) -> Checkpoint:
        """The receipt's checkpoint, read; the documents of one batch are under the same."""
        if self._newest is None or self._newest[0] != receipt.checkpoint:
            head = open_checkpoint(receipt.checkpoint, self.secrets.ledger_keys)
            self._newest = receipt.checkpoint, head
        return self._newest[1]

    def _finish_all(self, conn: Connection, finishes: Sequence[_Finish]) -> list[bytes]:
        answered = requests.answered(conn, [one.order.asked for one in finishes if one.order is not None])
        logged = [one for one in finishes if one.head is not None]
        first: set[str] = set()
        if logged:
            newest = max(logged, key=lambda one: one.head.size if one.head else 0)
            assert newest.head is not None
            head_store.remember_head(conn, newest.head.size, newest.checkpoint)
            first = issue_store.release(conn, [_logged(one) for one in logged])
            outbox.emit_all(conn, [one.event for one in logged if one.event and one.row.number in first])
        new: list[RequestKey] = []
        records: list[AuditRecord] = []
        answers: list[bytes] = []
        for one in finishes:
            row = one.row
            if one.head is not None and row.number not in first:
                # Another replica released it meanwhile, under its own place in the ledger.
                there = document_rows.find_certificate_by_number(conn, row.number)
                assert there is not None
                row = there
            answer = pb.IssueCertificateResponse(certificate=view(row)).SerializeToString()
            if one.order is not None:
                kept = answered.get(one.order.asked.key)
                if kept is None:
                    answered[one.order.asked.key] = answer
                    new.append(replace(one.order.asked, response=answer))
                    if one.order.audited is not None:
                        records.append(replace(one.order.audited, object=f"certificate/{row.number}"))
                else:
                    answer = kept
            answers.append(answer)
        self.base.audit_all(conn, records)
        if new:
            requests.keep(conn, new)
        return answers

    # What a crash or an absent authority has left.

    async def finish_interrupted(self) -> None:
        """Task: releases what was sealed when the process died or while there were no timestamps."""
        while True:
            await until_done(
                self._finish_what_waits,
                after=(TimestampAwayError, EsignError, KeyAwayError),
                tell=lambda error: _log.warning("release_waits", cause=str(error)),
            )
            await self._waiting.wait()

    async def _finish_what_waits(self) -> None:
        self._waiting.clear()
        for number in await self.base.store.read(document_rows.unfinished):
            await self._finish(number)

    async def _finish(self, number: str) -> None:
        row = await self.base.store.read(document_rows.find_certificate_by_number, number)
        if row is None:
            return
        # The case's turn: a caller may be asking for the same document.
        async with self._turns.of(row.case_code):
            row = await self.base.store.read(document_rows.find_certificate_by_number, number)
            if row is not None and row.stage == document_rows.SEALED:
                row = await self._stamp(row)
            if row is not None and row.stage == document_rows.SEALED:
                found = await self.base.store.read(seal_rows.find_seal_by_id, row.seal_id)
                assert found is not None
                await self._release(row, found, None)


def _row(order: Order, number: str, seal_id: str, now_us: int) -> CertificateRow:
    return CertificateRow(
        number,
        order.case_code,
        order.template,
        order.issuer,
        order.source_platform,
        order.holder,
        order.division,
        seal_id,
        now_us,
        order.salt,
        document_rows.SLOT,
        CertificateState.VALID,
        "",
        "",
        b"",
        -1,
        "",
    )


def _keep(conn: Connection, made: Sequence[Made]) -> list[bool]:
    kept = issue_store.keep_bytes(conn, made)
    return [one.number in kept for one in made]


def _logged(one: _Finish) -> Logged:
    row = one.row
    return Logged(row.number, row.ledger_index, row.receipt, *one.digests)


def _name_of(document_type: str) -> str:
    return NAMES[document_type][0] if document_type in NAMES else "证件"
