"""CertificateService: issue, download, revoke. How a document is made: `documents/issuing.py`."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from services.esign.documents.issue_steps import step
from services.esign.documents.issuing import Issuing, Order
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import ofd as ofd_store
from services.esign.documents.store.certificates import CertificateRow
from services.esign.documents.views import view
from services.esign.documents.withdrawals import Withdrawals
from services.esign.domain.errors import EsignError
from services.esign.ledger.sequencer import Sequencer
from services.esign.pages.domain import certificates
from services.esign.seals.store import sm2_side as ses_store
from services.esign.service.granted_cases import require_granted
from services.esign.service.neighbours import Neighbours, Parties
from services.esign.service.refusals import certificate_unknown, refusal
from services.esign.service.releases import require_admitted
from services.esign.service.stated_reasons import stated_reason
from services.esign.timestamps.sources import TimestampAwayError
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation, asked_of
from shuniu.kit.rpc.caller import CallerKind, current_call, current_caller
from shuniu.rules import Violation

# Facts that only the vault may give; an agency cannot print another name.
_OF_THE_PERSON = frozenset({"name", "id_type", "id_number"})


@dataclass(slots=True)
class CertificateService(esign_pb2_grpc.CertificateServiceServicer):
    """Documents that the hub seals for an agency."""

    base: Foundation
    ledger: Sequencer
    neighbours: Neighbours
    issuing: Issuing
    withdrawals: Withdrawals = field(init=False)

    def __post_init__(self) -> None:
        self.withdrawals = Withdrawals(self.base, self.ledger, self.issuing.secrets.marks)

    async def IssueCertificate(self, request: pb.IssueCertificateRequest, context: Any) -> pb.IssueCertificateResponse:
        with self.issuing.crowd:
            return await self._issue(request)

    async def _issue(self, request: pb.IssueCertificateRequest) -> pb.IssueCertificateResponse:
        asked, caller = asked_of(request), current_caller().platform
        with step("parties"):
            parties = await self.neighbours.parties(request.case_code)
        require_granted(parties, caller)
        _require_template(parties)
        _require_own_facts(request.facts)
        order = Order(
            case_code=request.case_code,
            seal_id=request.seal_id,
            issuer=caller,
            template=parties.result_template,
            source_platform=parties.source_platform,
            holder=parties.person_id,
            division=parties.division,
            facts=request.facts,
            salt=os.urandom(16),
            asked=asked,
            audited=self.base.audit_record("IssueCertificate", "certificate") if current_call().audit else None,
        )
        try:
            return pb.IssueCertificateResponse.FromString(await self.issuing.issue(order))
        except TimestampAwayError:
            raise errors.unavailable(
                "TIMESTAMP_PENDING",
                "The document is sealed and waits for its timestamp; it is released by itself. Ask again.",
                "证明已签章，正在等待时间戳，取得后自动签发，请稍后重试。",
            ) from None
        except EsignError as error:
            raise refusal(error) from None

    async def DownloadCertificate(
        self, request: pb.DownloadCertificateRequest, context: Any
    ) -> pb.DownloadCertificateResponse:
        row = await self.base.store.read(document_rows.find_certificate_by_number, request.number)
        if row is None or row.stage != document_rows.ISSUED or not await self._may_read(row):
            raise certificate_unknown(request.number)
        ofd = b""
        if request.form == pb.CERTIFICATE_FORM_OFD:
            ofd = await self.base.store.read(ofd_store.ofd_of, row.number)
            if not ofd:
                raise _without_ofd()
        # Made before any witness could answer; by now enough of them may have cosigned a head that covers it.
        witnessed = await self.ledger.find_witnessed_receipt(row.ledger_index)
        receipt = row.receipt if witnessed is None else witnessed.text
        beside = b"" if ofd else await self.base.store.read(ses_store.sidecar_of, row.number)
        row = await self.base.write(self._released, row)
        if ofd:
            return pb.DownloadCertificateResponse(certificate=view(row), tlog_proof=receipt, ofd=ofd)
        return pb.DownloadCertificateResponse(certificate=view(row), pdf=row.pdf, tlog_proof=receipt, ses=beside)

    def _released(self, conn: Connection, row: CertificateRow) -> CertificateRow:
        """The document as it stands when it leaves the hub, with the record of that."""
        require_admitted(self.base)
        self.base.audit(conn, "DownloadCertificate", f"certificate/{row.number}")
        return replace(row, state=document_rows.state_of(conn, row.number))

    async def _may_read(self, row: CertificateRow) -> bool:
        caller = current_caller()
        if caller.kind is CallerKind.PERSON:
            return await self.neighbours.person_id(caller.platform, caller.person) == row.holder
        return caller.platform == row.issuer

    async def RevokeCertificate(
        self, request: pb.RevokeCertificateRequest, context: Any
    ) -> pb.RevokeCertificateResponse:
        """In force at once; the ledger says so before the answer, or as soon as it can."""
        why, caller = stated_reason(request.reason), current_caller().platform

        def unit(conn: Connection) -> pb.RevokeCertificateResponse:
            row = document_rows.find_certificate_by_number(conn, request.number)
            if row is None or row.stage != document_rows.ISSUED or row.issuer != caller:
                raise certificate_unknown(request.number)
            try:
                revoked = self.withdrawals.withdraw(conn, row, why)
            except EsignError as error:
                raise refusal(error) from None
            return pb.RevokeCertificateResponse(certificate=view(revoked))

        response = await self.base.mutate(
            request, pb.RevokeCertificateResponse, unit, target=f"certificate/{request.number}"
        )
        # In force with the commit: the answer does not fail because the ledger is away.
        await self.withdrawals.try_log()
        return response


def _require_template(parties: Parties) -> None:
    if parties.result_template not in certificates.TEMPLATES:
        raise errors.precondition(
            "TEMPLATE_UNKNOWN",
            "The item of this case ends with no document that is made here.",
            "该事项没有可签发的证明模板。",
            template=parties.result_template,
        )


def _without_ofd() -> errors.HubError:
    return errors.precondition(
        "FORM_ABSENT",
        "This document was issued as PDF only; download the PDF.",
        "该证明只签发了 PDF，没有 OFD，请下载 PDF。",
    )


def _require_own_facts(names: Iterable[str]) -> None:
    forbidden = sorted(_OF_THE_PERSON & set(names))
    if forbidden:
        raise errors.invalid(
            Violation(
                f"facts.{name}", "FACT_OF_THE_PERSON", "The hub itself fills this in.", "此项由枢纽填写，不能指定。"
            )
            for name in forbidden
        )
