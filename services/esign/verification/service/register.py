"""Answers from the register and the ledger on a document, for every way of asking."""

import asyncio
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from google.type import date_pb2
from sqlalchemy import Connection

from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import ofd as ofd_store
from services.esign.documents.store import sm3 as digest_store
from services.esign.documents.store.certificates import CertificateRow
from services.esign.documents.store.lookup import find_certificate_by_digests
from services.esign.domain.digests import SHA256, SM3
from services.esign.domain.errors import EsignError
from services.esign.domain.verdict import Status, Step, Verdict
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import EntryType
from services.esign.ledger.sequencer import Sequencer
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain.life import SealState
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.seals.store.seals import SealRow
from services.esign.verification.domain import as_typed
from services.esign.verification.domain.code_verdict import Asked, conclude_code
from services.esign.verification.domain.register_steps import SEAL_BAD_THEN
from services.esign.verification.domain.verify import Known
from services.esign.verification.service.tries import Tries
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.china_time import CHINA
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.network import sender
from shuniu.rules import Violation

LEDGER_SECONDS = 1.0
"""The time that a verdict waits for what it can do without: the log's disk may hang."""
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_NUMBER = re.compile(r"[0-9A-Za-z-]{4,32}")
_TAIL = re.compile(r"[0-9a-fA-F]{8,64}")


def known(row: CertificateRow | None, found: SealRow | None, others: Iterable[bytes] = ()) -> Known:
    """Returns what only the register says of a document and its seal. `others`: the seal's certificates of other
    algorithms.
    """
    if row is None or found is None:
        return Known(None, None, None)
    digest, *more = (sha256(certificate).hexdigest() for certificate in (found.certificate, *others))
    return Known(row.state, state_then(row, found), found.seal.state, digest, tuple(more))


def seal_of_signer(conn: Connection, serial: str, certificate_sha256: str) -> SealState | None:
    """Tells how the seal stands now that has this very certificate (serial number and SHA-256, both hex); None: no seal
    has it.
    """
    standing = seal_rows.find_standing(conn, serial)
    found = None if standing is None else seal_rows.find_seal_by_id(conn, standing.seal_id)
    if found is None:
        return None
    beside = ses_store.find_sm2_seal(conn, found.seal.id)
    certificates = [found.certificate, *([] if beside is None else [beside.certificate])]
    return found.seal.state if certificate_sha256 in {sha256(each).hexdigest() for each in certificates} else None


def state_then(row: CertificateRow, found: SealRow) -> SealState:
    """Tells how the seal stood when it signed. The slot was handed out in the write that saw it ACTIVE; but what was
    signed with a key that proved stolen, from the invalidity date on, counts for nothing.
    """
    return SealState.REVOKED if found.seal.invalid_at(row.signed_us) else SealState.ACTIVE


def register_steps(row: CertificateRow, found: SealRow | None) -> list[Step]:
    """Steps `ledger`, `document`, `seal_then` and `seal_now` of a document that was released."""
    place = row.ledger_index
    steps = [Step("ledger", Status.VALID, "LOGGED", f"已存证，序号 {place}", f"logged at {place}")]
    if row.state is CertificateState.VALID:
        steps.append(Step("document", Status.VALID, "DOCUMENT_STANDS", "该文件未被撤销", "the document stands"))
    else:
        steps.append(
            Step("document", Status.INVALID, "DOCUMENT_REVOKED", "该文件已被出具单位撤销", "withdrawn by its issuer")
        )
    if found is not None and state_then(row, found) is not SealState.ACTIVE:
        steps.append(Step("seal_then", Status.INVALID, "SEAL_REVOKED", *SEAL_BAD_THEN))
    elif found is not None:
        steps.append(Step("seal_then", Status.VALID, "SEAL_ACTIVE", "用印时印章有效", "the seal was active at signing"))
        state = found.seal.state
        text = "印章现仍有效" if state is SealState.ACTIVE else "印章现已停用，用印在停用之前"
        # A seal that ended later takes nothing from what it sealed while it was active.
        steps.append(Step("seal_now", Status.VALID, f"SEAL_{state}", text, f"the seal is {state} now"))
    return steps


@dataclass(slots=True)
class RegisterQuestions:
    """Verdicts for those who do not send the file."""

    base: Foundation
    log: Sequencer
    tries: Tries = field(default_factory=Tries)

    async def by_hash(self, given: str) -> tuple[Verdict, CertificateRow | None]:
        """On a file by its SHA-256 or SM3. Raises INVALID_ARGUMENT HASH_FORM."""
        digest = as_typed.hexadecimal(given)
        if not _HASH.fullmatch(digest):
            raise errors.invalid_field(
                "hash",
                "HASH_FORM",
                "Give the file's SHA-256 or SM3: 64 hexadecimal digits.",
                "请填写文件的 SHA-256 或 SM3 摘要（64 位十六进制）。",
            )
        now_us = self.base.clock.now_us()
        row = await self.base.store.read(find_certificate_by_digests, [digest])
        if row is None:
            number = await self.base.store.read(digest_store.find_number, digest)
            row = (
                None if number is None else await self.base.store.read(document_rows.find_certificate_by_number, number)
            )
        if row is not None:
            return await self._released(row, Asked.HASH, now_us), row
        text = "登记中没有该摘要的文件：不是本枢纽签发的原件，或已被改动"
        step = Step("document", Status.UNKNOWN, "DOCUMENT_UNKNOWN", text, "no document with this hash is registered")
        return conclude_code([step], now_us, Asked.HASH), None

    async def by_number(self, request: pb.VerifyByNumberRequest) -> tuple[Verdict, CertificateRow | None]:
        """On a document by its number and what else is known of it. Raises as the contract says."""
        number, tail = as_typed.number(request.number), as_typed.hexadecimal(request.hash_tail)
        faults = list(_number_faults(number, tail, request))
        if faults:
            raise errors.invalid(faults)
        now_us = self.base.clock.now_us()
        asker = sender()
        self.tries.admit(asker, number, now_us)
        try:
            row = await self._fitting(number, tail, request)
        except BaseException:
            # Nothing is answered, so nothing is learned.
            self.tries.not_wrong(asker, number, now_us)
            raise
        if row is not None:
            self.tries.not_wrong(asker, number, now_us)
            return await self._released(row, Asked.NUMBER, now_us), row
        text = "没有与所填编号和核对信息相符的文件，请对照证明重新填写"
        step = Step(
            "document", Status.UNKNOWN, "NO_MATCH", text, "no document has this number and what was given with it"
        )
        return conclude_code([step], now_us, Asked.NUMBER), None

    async def _fitting(self, number: str, tail: str, request: pb.VerifyByNumberRequest) -> CertificateRow | None:
        """The issued document with this number, if all that was given with it fits."""
        row = await self.base.store.read(document_rows.find_certificate_by_number, number)
        if row is None or row.stage != document_rows.ISSUED:
            return None
        return row if await self._fits(row, tail, request) else None

    async def _fits(self, row: CertificateRow, tail: str, request: pb.VerifyByNumberRequest) -> bool:
        """Tells whether everything that was given fits: the day, and the end of a hash of either form."""
        if not _is_of_day(row, request):
            return False
        if row.sha256.endswith(tail):
            return True
        ofd = await self.base.store.read(ofd_store.ofd_of, row.number)
        return await asyncio.to_thread(lambda: any(each.endswith(tail) for each in _hashes(row.pdf, ofd)))

    async def _released(self, row: CertificateRow, asked: Asked, now_us: int) -> Verdict:
        """`now_us`: before the row was read, so no revocation that was answered by then is missing."""
        found = await self.base.store.read(seal_rows.find_seal_by_id, row.seal_id)
        steps = [step for step in register_steps(row, found) if step.step != "ledger"]
        return conclude_code([*steps, await self._logged(row)], now_us, asked)

    async def _logged(self, row: CertificateRow) -> Step:
        """Looked up in the log itself: the register alone could be wrong."""
        try:
            async with asyncio.timeout(LEDGER_SECONDS):
                receipt = await self.log.receipt(row.ledger_index)
            entry = ledger.decode(receipt.entry)
        except (EsignError, OSError, ValueError):
            text = "存证日志暂不可读"
            return Step("ledger", Status.UNKNOWN, "LEDGER_AWAY", text, "the ledger cannot be read now")
        if entry.type is not EntryType.DOCUMENT_SEALED or not entry.is_of(row.pdf):
            text = "存证日志中的条目与登记不符"
            return Step("ledger", Status.INVALID, "LEDGER_DIFFERS", text, "the ledger holds something else there")
        en = f"logged at {row.ledger_index} with this very hash"
        return Step("ledger", Status.VALID, "LOGGED", f"已存证，序号 {row.ledger_index}，摘要一致", en)


def _is_of_day(row: CertificateRow, request: pb.VerifyByNumberRequest) -> bool:
    """Tells whether the day of issue is that of the question, which may name none."""
    issued = dt.datetime.fromtimestamp(row.signed_us / 1e6, CHINA).date()
    given = request.issued_on
    return not request.HasField("issued_on") or (given.year, given.month, given.day) == (
        issued.year,
        issued.month,
        issued.day,
    )


def _is_day(given: date_pb2.Date) -> bool:
    try:
        dt.date(given.year, given.month, given.day)
    except ValueError:
        return False
    return True


def _hashes(*forms: bytes) -> Iterator[str]:
    """SHA-256 and SM3 (hex) of the forms that are there."""
    return (digest.of(form).hex() for form in forms if form for digest in (SHA256, SM3))


def _number_faults(number: str, tail: str, request: pb.VerifyByNumberRequest) -> list[Violation]:
    faults = []
    if not _NUMBER.fullmatch(number):
        faults.append(
            Violation(
                "number",
                "NUMBER_FORM",
                "Give the number as printed: 4 to 32 digits, letters or hyphens, and no other words.",
                "请按证明填写编号：4 至 32 位数字、字母或连字符，不含其他文字。",
            )
        )
    if not tail and not request.HasField("issued_on"):
        faults.append(
            Violation(
                "issued_on",
                "PROOF_MISSING",
                "Give the date of issue as printed, or the last 8 digits of the file's SHA-256 or SM3.",
                "请填写证明上的签发日期，或文件 SHA-256、SM3 摘要的末 8 位。",
            )
        )
    elif request.HasField("issued_on") and not _is_day(request.issued_on):
        faults.append(
            Violation(
                "issued_on",
                "DATE_FORM",
                "There is no such day; give it as printed.",
                "没有这一天，请对照证明填写签发日期。",
            )
        )
    if tail and not _TAIL.fullmatch(tail):
        faults.append(
            Violation("hash_tail", "HASH_TAIL_FORM", "8 to 64 hexadecimal digits.", "应为 8 至 64 位十六进制。")
        )
    return faults
