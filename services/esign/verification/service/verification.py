"""VerificationService: a document, a QR code, and the material with which anybody checks both offline."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import Connection

from services.esign import metrics
from services.esign.certification.authorities import split_pem
from services.esign.config import KeyFiles
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import lookup
from services.esign.documents.store.certificates import CertificateRow
from services.esign.documents.views import view
from services.esign.domain.errors import EsignError, QrMalformedError
from services.esign.domain.ofd.archive import is_ofd
from services.esign.domain.pdf import versions
from services.esign.domain.verdict import SignatureKind, Status, Step, Verdict
from services.esign.keys.secrets import Secrets
from services.esign.ledger.domain.ledger import MOST_RECEIPT
from services.esign.ledger.sequencer import Sequencer
from services.esign.pages.domain import qr
from services.esign.pages.domain.certificates import TEMPLATES
from services.esign.revocation.own_list import RevocationLists
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.seals.store.seals import SealRow
from services.esign.verification.cache import VerdictCache
from services.esign.verification.domain import validation_report
from services.esign.verification.domain.code_verdict import conclude_code
from services.esign.verification.domain.register_steps import with_seal_of_signer
from services.esign.verification.domain.verify import Known
from services.esign.verification.files import limit_reached
from services.esign.verification.registered import Register, Registered
from services.esign.verification.service.register import (
    LEDGER_SECONDS,
    RegisterQuestions,
    known,
    register_steps,
    seal_of_signer,
)
from services.esign.verification.service.views import verdict_view
from services.esign.verification.workers.refusals import away
from services.esign.verification.workers.verifier import Here, Question, Verifier, VerifierFailedError
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.uploads import share

_log = structlog.get_logger(__name__)


# A verdict that took longer is given only if the register says the same as before: a document may be revoked meanwhile.
_WAITED_SECONDS = 0.02
_ATTEMPTS = 3


# The file is what is registered, saved once more.
_SAVED_ANEW = frozenset({"RENEWED", "SAVED_WITH_NOTHING"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """A document to verify. `digests`: SHA-256 (hex) of the file and of its earlier versions, the newest first. `ses`,
    `proof`: seal signature and receipt that came with it; empty: none did.
    """

    digests: Sequence[str]
    pdf: bytes
    ses: bytes
    proof: str


@dataclass(frozen=True, slots=True)
class _Standing:
    """Holds what the register says of a document at one moment. `row`: the document itself, or what it was before it
    was changed. `is_whole`: the file itself is registered. `ses`: its seal signature.
    """

    row: CertificateRow | None
    seal: SealRow | None
    other: Registered | None
    known: Known
    ses: bytes = b""
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class _Judged:
    """A verdict as of `now_us` (µs). `is_of_row`: it is about the document of the row that was found."""

    verdict: Verdict
    now_us: int
    is_of_row: bool


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
    _root: bytes = field(init=False, repr=False)
    _verdicts: VerdictCache = field(init=False)
    _own: VerdictCache = field(init=False)
    _register: RegisterQuestions = field(init=False)
    _lists: RevocationLists = field(init=False)

    def __post_init__(self) -> None:
        # Read once: out of descriptors, a file is read no more.
        self._root = KeyFiles(self.base.hub.data_dir).root.read_bytes()
        self._verdicts = VerdictCache(self.verifier)
        self._own = VerdictCache(Here())
        self._register = RegisterQuestions(self.base, self.ledger)
        self._lists = RevocationLists(
            self.base,
            (self.secrets.seal_ca, *self.secrets.seal_ca_retired),
            () if self.secrets.sm is None else (self.secrets.sm.seal_ca, *self.secrets.sm.seal_cas_retired),
        )

    async def VerifyDocument(self, request: pb.VerifyDocumentRequest, context: Any) -> pb.VerifyDocumentResponse:
        # Each reading of a field makes a copy of it. The request is let go: one copy of a document is enough.
        pdf, ses, proof, with_report = request.pdf, request.ses, request.tlog_proof, request.report
        del request
        self._require_fit(pdf, proof)
        # A large file keeps nobody else waiting.
        digests = await asyncio.to_thread(_digests, pdf)
        pdf = share(digests[0], pdf)
        asked = _Asked(digests, pdf, ses, proof)
        for _ in range(_ATTEMPTS):
            standing, began = await self._standing(asked), time.monotonic()
            found = await self._judged(asked, standing)
            if time.monotonic() - began < _WAITED_SECONDS or (await self._standing(asked)).known == standing.known:
                break
        else:
            # Every verdict was out of date when it was there.
            raise away()
        verdict, other = found.verdict, standing.other
        row, seal = (standing.row, standing.seal) if found.is_of_row else (None, None)
        metrics.VERDICTS.labels("document", verdict.outcome.value).inc()
        view_of = _view(verdict, row, seal)
        if other is not None:
            view_of.document["number"] = other.number
        report = b""
        if with_report:
            report = validation_report.of(verdict, bytes.fromhex(digests[0]), found.now_us)
        return pb.VerifyDocumentResponse(verdict=view_of, validation_report=report)

    async def _standing(self, asked: _Asked) -> _Standing:
        return await self.base.store.read(_standing, asked.digests, self.registers, is_ofd(asked.pdf))

    async def _judged(self, asked: _Asked, standing: _Standing) -> _Judged:
        row = standing.row
        question = await self._question(asked, standing)
        # What the hub sealed itself needs no confined reader, and must not wait behind what does.
        own = row is not None and row.sha256 == asked.digests[0] and not (asked.proof or asked.ses)
        verdict = await self._verdict(self._own if own else self._verdicts, question)
        is_part = row is not None and not standing.is_whole and verdict.step("changes").reason not in _SAVED_ANEW
        if is_part:
            # What is registered lies in the file, and is not what the file is: its facts are not the file's.
            lists = await self._lists.current()
            question = replace(question, known=known(None, None), receipt=None, ses=asked.ses, crls=lists)
            verdict = await self._verdict(self._verdicts, question)
        is_of_row = row is not None and not is_part
        if not is_of_row and standing.other is None:
            verdict = await self._with_seal(verdict)
        return _Judged(verdict, question.now_us, is_of_row)

    async def _verdict(self, judge: VerdictCache, question: Question) -> Verdict:
        try:
            return await judge.judge(question)
        except VerifierFailedError:
            return limit_reached(self.base.clock.now_us())

    async def _question(self, asked: _Asked, standing: _Standing) -> Question:
        row, other = standing.row, standing.other
        return Question(
            asked.pdf,
            self._roots(),
            tuple(key.vkey for key in self.secrets.ledger_keys),
            self.base.clock.now_us(),
            asked.proof or await self._receipt(row if other is None else other),
            standing.known,
            asked.ses or standing.ses,
            b"" if self.secrets.sm is None else self.secrets.sm.trust_pem,
            self.tsa_pem,
            self.witness_vkeys,
            () if row is not None or other is not None else await self._lists.current(),
            asked.digests[0],
        )

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

    async def _with_seal(self, verdict: Verdict) -> Verdict:
        """With how the seal of the last signer stands, which the register may know though not the document."""
        signed = [each for each in verdict.signatures if each.kind is not SignatureKind.TIMESTAMP and each.certified]
        if not signed:
            return verdict
        last = signed[-1]
        state = await self.base.store.read(seal_of_signer, last.serial, last.certificate_sha256)
        return with_seal_of_signer(verdict, state)

    def _roots(self) -> bytes:
        """The roots of both profiles and of another authority: a hub may change them, what it sealed before stays
        good.
        """
        root = self._root + self.secrets.ca_roots
        return root if self.secrets.sm is None else root + self.secrets.sm.root_pem

    async def _receipt(self, row: CertificateRow | Registered | None) -> str | None:
        """Under a witnessed head that covers it, where there is one and the ledger can be read; else as it was
        released.
        """
        if row is None:
            return None
        try:
            async with asyncio.timeout(LEDGER_SECONDS):
                witnessed = await self.ledger.find_witnessed_receipt(row.ledger_index)
        except (EsignError, OSError, ValueError) as cause:
            # The verdict does without newer cosignatures: what was kept at the release proves the entry too.
            _log.warning("ledger_unreadable", index=row.ledger_index, cause=type(cause).__name__)
            witnessed = None
        return (row.receipt or None) if witnessed is None else witnessed.text

    async def VerifyQr(self, request: pb.VerifyQrRequest, context: Any) -> pb.VerifyQrResponse:
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
            roots_pem=[self._root.decode(), *split_pem(self.secrets.ca_roots)],
            vkeys=[key.vkey for key in self.secrets.ledger_keys],
            qr_jwks=json.dumps(keys),
            sm2_pem=[] if self.secrets.sm is None else self.secrets.sm.trust_pems,
        )


def _standing(conn: Connection, digests: Sequence[str], registers: Sequence[Register], is_package: bool) -> _Standing:  # noqa: FBT001 — the store passes by position
    """All that the register says, of one moment."""
    row = lookup.find_certificate_by_digests(conn, digests)
    if row is None:
        other = next(filter(None, (register(conn, digests) for register in registers)), None)
        return _Standing(None, None, other, known(None, None) if other is None else other.known)
    seal = seal_rows.find_seal_by_id(conn, row.seal_id)
    # The seal's SM2 certificate, where the document is of a form that is sealed with it.
    beside = ses_store.find_sm2_seal(conn, seal.seal.id) if is_package and seal is not None else None
    is_whole = row.sha256 == digests[0] or lookup.find_certificate_by_digests(conn, digests[:1]) is not None
    return _Standing(
        row,
        seal,
        None,
        known(row, seal, () if beside is None else (beside.certificate,)),
        ses_store.sidecar_of(conn, row.number),
        is_whole,
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
