"""CertificateService: issue, download, revoke.

Issuing has three durable stages, so that a crash between any two steps neither seals twice nor releases what is not
logged: SLOT (number and signing time, handed out only while the seal is ACTIVE), SEALED (the bytes, made once), ISSUED
(under a signed checkpoint). A repeated request goes on from the stage it finds.
"""

import asyncio
import datetime as dt
import functools
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection

from services.esign import layout, metrics, ses_store, store
from services.esign.domain import certificates, pades, seals
from services.esign.domain.certificates import CertificateData, CertificateState
from services.esign.domain.cms import P256Key
from services.esign.domain.errors import DocumentUnfitError, EsignError
from services.esign.domain.ledger import Entry, EntryType, open_checkpoint
from services.esign.domain.seals import SealState
from services.esign.events import CERTIFICATE_ISSUED, CERTIFICATE_REVOKED
from services.esign.keys import Secrets
from services.esign.sequencer import Sequencer
from services.esign.service.neighbours import Neighbours, Parties
from services.esign.service.refusals import certificate_unknown, refusal, seal_unknown
from services.esign.service.seals import key_context
from services.esign.sidecars import Sidecars
from services.esign.store import CertificateRow, SealRow
from services.esign.timestamps import TimestampAwayError, TimestampSource
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc
from shuniu.api.events.v1 import events_pb2
from shuniu.api.exchange.v1 import case_pb2
from shuniu.kit import errors, log
from shuniu.kit.caller import CallerKind, current_caller
from shuniu.kit.errors import Violation
from shuniu.kit.foundation import Foundation, require_request_id

_log = log.get("certificates")
# How long the task waits between attempts while there are no timestamps, s.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_GRANTED = frozenset({case_pb2.CASE_STATE_GRANTED, case_pb2.CASE_STATE_DELIVERED})
# Facts that only the vault may give; an agency cannot print another name.
_OF_THE_PERSON = frozenset({"name", "id_type", "id_number"})
_PERSON_FIELDS = ("full_name", "document_type", "document_number")
_DOCUMENT_NAMES = {
    "111": "居民身份证",
    "112": "临时居民身份证",
    "113": "户口簿",
    "114": "军官证",
    "123": "警官证",
    "154": "居住证",
    "414": "普通护照",
    "511": "台湾居民来往大陆通行证",
    "516": "港澳居民来往内地通行证",
    "552": "台湾居民定居证",
    "553": "外国人永久居留身份证",
}


@dataclass(slots=True)
class Certificates(esign_pb2_grpc.CertificateServiceServicer):
    """Documents that the hub seals for an agency."""

    base: Foundation
    secrets: Secrets
    ledger: Sequencer
    neighbours: Neighbours
    executor: Executor
    # None: seals carry no timestamp (PAdES B-B); else B-T.
    stamps: TimestampSource | None = None
    # None: documents get no seal signature under GB/T 38540.
    sidecars: Sidecars | None = None
    _waiting: asyncio.Event = field(default_factory=asyncio.Event)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _prepared: dict[tuple[str, str], pades.SigningSeal] = field(default_factory=dict)

    async def IssueCertificate(self, request: pb.IssueCertificateRequest, context: Any) -> pb.IssueCertificateResponse:
        require_request_id(request)
        caller = current_caller().platform
        with _step("parties"):
            parties = await self.neighbours.parties(request.case_code)
        self._require_ready(parties, caller)
        lock = self._locks.setdefault(request.case_code, asyncio.Lock())
        try:
            async with lock:
                row = await self.base.store.read(store.certificate_of_case, request.case_code)
                if row is None:
                    row = await self._take_slot(request, parties, caller)
                if row.stage == store.SLOT:
                    row = await self._seal(row, parties, request.facts)
                if row.stage == store.SEALED:
                    row = await self._stamp(row)
                if row.stage == store.SEALED:
                    row = await self._release(row)
        except TimestampAwayError:
            self._waiting.set()
            raise errors.unavailable(
                "TIMESTAMP_PENDING",
                "The document is sealed and waits for its timestamp; it is released by itself. Ask again.",
                "证明已签章，正在等待时间戳，取得后自动签发，请稍后重试。",
            ) from None
        except EsignError as error:
            raise refusal(error) from None
        finally:
            self._locks.pop(request.case_code, None)
        finished = row

        def answer(_conn: Connection) -> pb.IssueCertificateResponse:
            return pb.IssueCertificateResponse(certificate=view(finished))

        return await self.base.mutate(
            request, pb.IssueCertificateResponse, answer, target=f"certificate/{finished.number}"
        )

    def _require_ready(self, parties: Parties, caller: str) -> None:
        if parties.handler_platform != caller:
            raise errors.denied(
                "NOT_HANDLING_AGENCY",
                "Only the agency that handles the case may have its document sealed.",
                "只有该办件的办理机构可以签发证明。",
            )
        if parties.state not in _GRANTED:
            raise errors.precondition(
                "CASE_STATE",
                "The case is not granted; decide it first.",
                "办件尚未准予,不能签发证明。",
                state=case_pb2.CaseState.Name(parties.state),
            )
        if parties.result_template not in certificates.TEMPLATES:
            raise errors.precondition(
                "TEMPLATE_UNKNOWN",
                "The item of this case ends with no document that is made here.",
                "该事项没有可签发的证明模板。",
                template=parties.result_template,
            )

    async def _take_slot(self, request: pb.IssueCertificateRequest, parties: Parties, caller: str) -> CertificateRow:
        """Number and signing time, in one write with the check that the seal is ACTIVE."""
        forbidden = sorted(_OF_THE_PERSON & set(request.facts))
        if forbidden:
            raise errors.invalid(
                Violation(
                    f"facts.{name}", "FACT_OF_THE_PERSON", "The hub itself fills this in.", "此项由枢纽填写,不能指定。"
                )
                for name in forbidden
            )
        salt = os.urandom(16)

        def unit(conn: Connection) -> CertificateRow:
            known = store.certificate_of_case(conn, request.case_code)
            if known is not None:
                return known
            now_us = self.base.clock.now_us()
            found = self._choose_seal(conn, request.seal_id, caller)
            seals.may_sign(found.seal, caller, now_us)
            year = dt.datetime.fromtimestamp(now_us / 1e6, _SHANGHAI).year
            row = CertificateRow(
                store.next_number(conn, f"{self.base.hub.code}{year}"),
                request.case_code,
                parties.result_template,
                caller,
                parties.source_platform,
                parties.person_id,
                parties.division,
                found.seal.id,
                now_us,
                salt,
                store.SLOT,
                CertificateState.VALID,
                "",
                "",
                b"",
                -1,
                "",
            )
            store.take_slot(conn, row)
            return row

        return await self.base.write(unit)

    def _choose_seal(self, conn: Connection, seal_id: str, owner: str) -> SealRow:
        if seal_id:
            found = store.seal_by_id(conn, seal_id)
            if found is None:
                raise seal_unknown(seal_id)
            return found
        own = [row for row in store.seals_of(conn, owner) if row.seal.state is not SealState.REVOKED]
        if len(own) != 1:
            raise errors.precondition(
                "SEAL_STATE",
                "This platform has no seal, or several: name one." if own else "This platform has no seal.",
                "该平台没有可用印章,或有多枚印章,请指定印章编号。",
            )
        return own[0]

    async def _seal(self, row: CertificateRow, parties: Parties, facts: Mapping[str, str]) -> CertificateRow:
        with _step("person"):
            person = await self.neighbours.person(
                parties.person_id, _PERSON_FIELDS, row.case_code, self.secrets.receiving
            )
        found = await self.base.store.read(store.seal_by_id, row.seal_id)
        assert found is not None
        data = CertificateData(
            number=row.number,
            template=row.template,
            issuer=found.seal.name,
            issued_on=dt.datetime.fromtimestamp(row.signed_us / 1e6, _SHANGHAI).date(),
            facts={
                **facts,
                "name": person["full_name"],
                "id_type": _DOCUMENT_NAMES.get(person["document_type"], "证件"),
                "id_number": person["document_number"],
            },
        )
        qr = self.secrets.qr.url(data)
        loop = asyncio.get_running_loop()
        with _step("layout"):
            page = await loop.run_in_executor(
                self.executor, layout.typeset_here, data, self.secrets.qr.host, qr, row.signed_us
            )
        with _step("seal"):
            room = 0 if self.stamps is None else await self.stamps.room()
            pdf = pades.sign(page, self._signing_seal(found, data.template), row.signed_us, token=room)
        beside = b""
        if self.sidecars is not None:
            with _step("ses"):
                beside = await self.sidecars.sign(pdf, found.seal, row.signed_us)
        digest = sha256(pdf).hexdigest()
        # What the ledger will hold is fixed now: the salt opens it for whoever holds the document.
        with _step("store"):
            kept = await self.base.write(
                functools.partial(_keep, number=row.number, pdf=pdf, sha256=digest, qr=qr, beside=beside)
            )
        again = await self.base.store.read(store.certificate_of_case, row.case_code)
        assert again is not None, kept
        return again

    def _signing_seal(self, found: SealRow, template: str) -> pades.SigningSeal:
        prepared = self._prepared.get((found.seal.id, template))
        if prepared is None:
            der = self.secrets.keyring.decrypt(found.wrapped_key, key_context(found.seal.id))
            key = serialization.load_der_private_key(der, None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            prepared = self._prepared[found.seal.id, template] = pades.SigningSeal.prepare(
                P256Key(key),
                found.certificate,
                [self.secrets.seal_ca.der],
                found.seal.name,
                layout.seal_field(certificates.TEMPLATES[template]),
            )
        return prepared

    async def _release(self, row: CertificateRow) -> CertificateRow:
        """Logs the sealed bytes, then releases them with the event, in one transaction with the receipt."""
        found = await self.base.store.read(store.seal_by_id, row.seal_id)
        assert found is not None
        entry = Entry(
            EntryType.DOCUMENT_SEALED,
            row.signed_us,
            document_sha256=row.sha256,
            seal=row.seal_id,
            certificate_sha256=sha256(found.certificate).hexdigest(),
            commitment=sha256(row.salt + row.case_code.encode()).hexdigest(),
            epoch=self.base.store.epoch,
        )
        with _step("ledger"):
            receipt = await self.ledger.append(entry)
        head = open_checkpoint(receipt.checkpoint, self.secrets.ledger_keys)
        metrics.LEDGER_SIZE.set(head.size)

        def unit(conn: Connection) -> CertificateRow:
            store.remember_head(conn, head.size, receipt.checkpoint)
            first = store.release(conn, row.number, receipt.index, receipt.text)
            issued = store.certificate_of_case(conn, row.case_code)
            assert issued is not None
            if first:
                self._tell(conn, CERTIFICATE_ISSUED, issued)
            return issued

        with _step("store"):
            issued = await self.base.write(unit)
        metrics.CERTIFICATES.inc()
        return issued

    async def _stamp(self, row: CertificateRow) -> CertificateRow:
        """The document with its timestamp, before anybody has seen it. Raises TimestampAwayError: it keeps waiting."""
        if self.stamps is None:
            return row
        signature = pades.LastSignature.of(row.pdf)
        if signature.has_timestamp:
            return row
        with _step("timestamp"):
            token = await self.stamps.stamp(signature.value)
        try:
            pdf = signature.stamped(token)
        except DocumentUnfitError as error:
            # Sealed while no timestamps were asked for, or the authority's tokens grew: B-B, as it is, is good too.
            _log.warning("timestamp_left_out", reason=error.reason, number=row.number)
            return row
        digest = sha256(pdf).hexdigest()
        await self.base.write(
            functools.partial(store.replace_bytes, number=row.number, old_sha256=row.sha256, pdf=pdf, sha256=digest)
        )
        again = await self.base.store.read(store.certificate_by_number, row.number)
        assert again is not None
        return again

    async def finish_interrupted(self) -> None:
        """Task: releases what was sealed when the process died or while there were no timestamps."""
        pause = _SHORTEST_PAUSE
        while True:
            self._waiting.clear()
            try:
                for number in await self.base.store.read(store.unfinished):
                    await self._finish(number)
            except (TimestampAwayError, EsignError) as error:
                _log.warning("release_waits", cause=str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _SHORTEST_PAUSE
            await self._waiting.wait()

    async def _finish(self, number: str) -> None:
        row = await self.base.store.read(store.certificate_by_number, number)
        if row is None:
            return
        try:
            # The case's lock: a caller may be asking for the same document.
            async with self._locks.setdefault(row.case_code, asyncio.Lock()):
                row = await self.base.store.read(store.certificate_by_number, number)
                if row is not None and row.stage == store.SEALED:
                    row = await self._stamp(row)
                if row is not None and row.stage == store.SEALED:
                    await self._release(row)
        finally:
            if row is not None:
                self._locks.pop(row.case_code, None)

    def _tell(self, conn: Connection, topic: str, row: CertificateRow) -> None:
        payload = events_pb2.CertificateChanged(
            number=row.number,
            case_code=row.case_code,
            issuer=row.issuer,
            state=row.state.value,
            sha256=row.sha256,
            ledger_index=row.ledger_index,
        )
        recipients = self.base.recipients(topic, row.division, row.issuer)
        self.base.publish(conn, topic, row.number, payload, to=recipients, division=row.division)

    async def DownloadCertificate(
        self, request: pb.DownloadCertificateRequest, context: Any
    ) -> pb.DownloadCertificateResponse:
        row = await self.base.store.read(store.certificate_by_number, request.number)
        if row is None or row.stage != store.ISSUED or not await self._may_read(row):
            raise certificate_unknown(request.number)
        await self.base.write(lambda conn: self.base.audit(conn, "DownloadCertificate", f"certificate/{row.number}"))
        # Made before any witness could answer; by now enough of them may have cosigned a head that covers it.
        witnessed = await self.ledger.witnessed_receipt(row.ledger_index)
        receipt = row.receipt if witnessed is None else witnessed.text
        beside = await self.base.store.read(ses_store.sidecar_of, row.number)
        return pb.DownloadCertificateResponse(certificate=view(row), pdf=row.pdf, tlog_proof=receipt, ses=beside)

    async def _may_read(self, row: CertificateRow) -> bool:
        caller = current_caller()
        if caller.kind is CallerKind.PERSON:
            return await self.neighbours.person_id(caller.platform, caller.person) == row.holder
        return caller.platform == row.issuer

    async def RevokeCertificate(
        self, request: pb.RevokeCertificateRequest, context: Any
    ) -> pb.RevokeCertificateResponse:
        if not request.reason.strip() or len(request.reason) > 500:
            raise errors.invalid(
                [Violation("reason", "REASON_REQUIRED", "Say why, up to 500 characters.", "请填写原因(500 字以内)。")]
            )
        caller = current_caller().platform

        def unit(conn: Connection) -> pb.RevokeCertificateResponse:
            row = store.certificate_by_number(conn, request.number)
            if row is None or row.stage != store.ISSUED or row.issuer != caller:
                raise certificate_unknown(request.number)
            try:
                certificates.revoke(row.state)
            except EsignError as error:
                raise refusal(error) from None
            store.revoke(conn, row.number, request.reason)
            revoked = store.certificate_by_number(conn, row.number)
            assert revoked is not None
            self._tell(conn, CERTIFICATE_REVOKED, revoked)
            return pb.RevokeCertificateResponse(certificate=view(revoked))

        response = await self.base.mutate(
            request, pb.RevokeCertificateResponse, unit, target=f"certificate/{request.number}"
        )
        entry = Entry(
            EntryType.DOCUMENT_REVOKED,
            self.base.clock.now_us(),
            document_sha256=response.certificate.sha256,
            epoch=self.base.store.epoch,
        )
        try:
            await self.ledger.append(entry)
        except EsignError as error:
            raise refusal(error) from None
        return response


def _keep(conn: Connection, number: str, pdf: bytes, sha256: str, qr: str, beside: bytes) -> bool:
    """`store.keep_bytes`, and with the bytes that are kept the seal signature over them."""
    kept = store.keep_bytes(conn, number, pdf, sha256, qr)
    if kept and beside:
        ses_store.keep_sidecar(conn, number, beside)
    return kept


@contextmanager
def _step(name: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        metrics.STEPS.labels(name).observe(time.perf_counter() - started)


def view(row: CertificateRow) -> pb.Certificate:
    """The public form of a document."""
    day = dt.datetime.fromtimestamp(row.signed_us / 1e6, _SHANGHAI).date()
    found = pb.Certificate(
        number=row.number,
        template=row.template,
        case_code=row.case_code,
        issuer=row.issuer,
        sha256=row.sha256,
        qr=row.qr,
        ledger_index=row.ledger_index,
        state=row.state.value,
        size=len(row.pdf),
    )
    found.issued_on.year, found.issued_on.month, found.issued_on.day = day.year, day.month, day.day
    return found
