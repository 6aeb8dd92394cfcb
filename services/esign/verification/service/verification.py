"""VerificationService: a document, a QR code, and the material with which anybody checks both offline."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.esign import metrics
from services.esign.certification.authorities import split_pem
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store.certificates import CertificateRow
from services.esign.documents.views import view
from services.esign.domain.errors import QrMalformedError
from services.esign.domain.pdf import versions
from services.esign.domain.verdict import Status, Step, Verdict
from services.esign.keys.secrets import Secrets
from services.esign.ledger.domain.ledger import MOST_RECEIPT
from services.esign.ledger.sequencer import Sequencer
from services.esign.pages.domain import qr
from services.esign.pages.domain.certificates import TEMPLATES
from services.esign.revocation.own_list import RevocationLists
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.seals import SealRow
from services.esign.verification.domain import validation_report
from services.esign.verification.domain.code_verdict import conclude_code
from services.esign.verification.registered import Register
from services.esign.verification.service.register import (
    RegisterQuestions,
    register_steps,
)
from services.esign.verification.service.uploaded import Upload, UploadedDocuments
from services.esign.verification.service.views import verdict_view
from services.esign.verification.workers.verifier import Verifier
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.uploads import share


@dataclass(slots=True)
class VerificationService(esign_pb2_grpc.VerificationServiceServicer):
    """Anybody may ask; a bad document is a verdict, never an error."""

    base: Foundation
    secrets: Secrets
    verifier: Verifier
    most_bytes: int
    ledger: Sequencer
    # Roots of an outside timestamp authority (PEM); empty: there is none.
    tsa_pem: bytes = b""
    # Whose cosignatures are shown.
    witness_vkeys: tuple[str, ...] = ()
    # Who else registers documents, asked in order where this is no document of a case.
    registers: Sequence[Register] = ()
    # The hub's own revocation lists, shared with who publishes them; None: it makes them itself.
    lists: RevocationLists | None = None
    _uploaded: UploadedDocuments = field(init=False)
    _register: RegisterQuestions = field(init=False)

    def __post_init__(self) -> None:
        self._uploaded = UploadedDocuments(
            self.base,
            self.secrets,
            self.verifier,
            self.ledger,
            self.tsa_pem,
            self.witness_vkeys,
            self.registers,
            self.lists or RevocationLists.of_hub(self.base, self.secrets),
        )
        self._register = RegisterQuestions(self.base, self.ledger)

    async def VerifyDocument(self, request: pb.VerifyDocumentRequest, context: Any) -> pb.VerifyDocumentResponse:
        # Each reading of a field makes a copy of it. The request is let go: one copy of a document is enough.
        pdf, ses, proof, with_report = request.pdf, request.ses, request.tlog_proof, request.report
        del request
        self._require_fit(pdf, proof)
        # A large file keeps nobody else waiting.
        digests = await asyncio.to_thread(_digests, pdf)
        pdf = share(digests[0], pdf)
        judged = await self._uploaded.judge(Upload(digests, pdf, ses, proof))
        metrics.VERDICTS.labels("document", judged.verdict.outcome.value).inc()
        view_of = _view(judged.verdict, judged.row, judged.seal)
        if judged.other is not None:
            view_of.document["number"] = judged.other.number
        report = validation_report.of(judged.verdict, bytes.fromhex(digests[0]), judged.now_us) if with_report else b""
        return pb.VerifyDocumentResponse(verdict=view_of, validation_report=report)

    def _require_fit(self, pdf: bytes, proof: str) -> None:
        """Raises HubError."""
        if not pdf:
            raise errors.invalid_field("pdf", "DOCUMENT_EMPTY", "Send the document.", "请上传文件。")
        if len(pdf) > self.most_bytes:
            raise errors.exhausted(
                "DOCUMENT_TOO_LARGE",
                f"The document is larger than {self.most_bytes} bytes and was not verified; ask the issuer for a "
                "smaller one (making it smaller yourself destroys its signature), or use its QR code or number.",
                f"文件超过 {self.most_bytes // (1024 * 1024)} MiB，没有核验；请向出具单位索取较小的版本"
                "（自行压缩会使签章失效），或扫描二维码、按编号核验。",
            )
        if len(proof) > MOST_RECEIPT:
            raise errors.invalid_field(
                "tlog_proof",
                "RECEIPT_TOO_LONG",
                f"The receipt is longer than {MOST_RECEIPT} bytes, so it is none; leave it out, or send the right one.",
                f"回执超过 {MOST_RECEIPT // 1024} KiB，不是存证回执；可以不附，或附上与该文件同名的 .tlog-proof 文件。",
            )

    async def _seal(self, row: CertificateRow | None) -> SealRow | None:
        return None if row is None else await self.base.store.read(seal_rows.find_seal_by_id, row.seal_id)

    async def VerifyQr(self, request: pb.VerifyQrRequest, context: Any) -> pb.VerifyQrResponse:
        if not request.content.strip():
            raise errors.invalid_field("content", "QR_EMPTY", "Send the text of the code.", "请填写二维码的内容。")
        now_us = self.base.clock.now_us()
        keys = {qr.key_id(key): key for key in self.secrets.qr_keys}
        steps: list[Step] = []
        row: CertificateRow | None = None
        found: SealRow | None = None
        try:
            content = qr.read(request.content[:1024], keys)
        except QrMalformedError as error:
            # A code of somebody else, or half of one of ours, says nothing of the paper it is on.
            status = Status.INVALID if error.reason == "QR_SIGNATURE" else Status.UNKNOWN
            steps.append(Step("integrity", status, error.reason, error.zh, error.en))
        else:
            steps += [
                Step("parse", Status.VALID, "QR_READ", "二维码内容完整", "the code reads well"),
                Step("integrity", Status.VALID, "QR_SIGNATURE", "二维码签名有效", "the code's signature is right"),
            ]
            row = await self.base.store.read(document_rows.find_certificate_by_number, content.number)
            if row is not None and row.stage == document_rows.ISSUED:
                found = await self._seal(row)
                steps += register_steps(row, found)
            else:
                row = None
                steps.append(
                    Step("document", Status.UNKNOWN, "DOCUMENT_UNKNOWN", "登记中没有该文件", "not in the register")
                )
        verdict = conclude_code(steps, now_us)
        metrics.VERDICTS.labels("qr", verdict.outcome.value).inc()
        return pb.VerifyQrResponse(verdict=_view(verdict, row, found))

    async def VerifyByHash(self, request: pb.VerifyByHashRequest, context: Any) -> pb.VerifyByHashResponse:
        # The ledger is public and lists all hashes, so a hash does not prove that the caller has the file.
        verdict, _ = await self._register.by_hash(request.hash)
        metrics.VERDICTS.labels("hash", verdict.outcome.value).inc()
        return pb.VerifyByHashResponse(verdict=_view(verdict, None, None))

    async def VerifyByNumber(self, request: pb.VerifyByNumberRequest, context: Any) -> pb.VerifyByNumberResponse:
        verdict, row = await self._register.by_number(request)
        metrics.VERDICTS.labels("number", verdict.outcome.value).inc()
        return pb.VerifyByNumberResponse(verdict=_view(verdict, row, await self._seal(row)))

    async def GetTrust(self, request: pb.GetTrustRequest, context: Any) -> pb.GetTrustResponse:
        keys = {"keys": [qr.jwk(key) for key in self.secrets.qr_keys]}
        return pb.GetTrustResponse(
            roots_pem=[self._uploaded.root.decode(), *split_pem(self.secrets.ca_roots)],
            vkeys=[key.vkey for key in self.secrets.ledger_keys],
            qr_jwks=json.dumps(keys),
            sm2_pem=[] if self.secrets.sm is None else self.secrets.sm.trust_pems,
        )


def _digests(pdf: bytes) -> list[str]:
    return list(versions.digests(pdf))


def _view(verdict: Verdict, row: CertificateRow | None, found: SealRow | None) -> pb.Verdict:
    """`found`: the seal that the register has for the document."""
    about: dict[str, str] = {}
    if row is not None:
        public = view(row)
        day = public.issued_on
        about = {
            "number": row.number,
            "title": TEMPLATES[row.template].title,
            "issuer": row.issuer,
            "issued_on": f"{day.year:04d}-{day.month:02d}-{day.day:02d}",
        }
    if row is not None and found is not None and found.seal.name:
        # What the seal CA certified, and what the paper shows; a person's seal has no name in the register.
        about["issuer_name"] = found.seal.name
    return verdict_view(verdict, about)
