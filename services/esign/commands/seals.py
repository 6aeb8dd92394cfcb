"""Inspecting seals and renewing sealed documents, for the command line."""

import asyncio
import time
from pathlib import Path

from services.esign.certification.domain.validation_data import NOTHING, ValidationData
from services.esign.domain.errors import EsignError
from services.esign.domain.foreign_documents import MOST_BYTES
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import PdfError
from services.esign.domain.verdict import Outcome, Verdict
from services.esign.ses import document as ses_document
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import values as ses
from services.esign.ses.report import SealReport
from services.esign.timestamps.sources import TimestampAwayError
from services.esign.verification import plain_files
from services.esign.verification.files import TrustError, load_certificates, load_trust, verify_file
from services.esign.verification.offline import TrustSource
from services.esign.verification.renewal import Authorities, renewed
from shuniu.kit.process.clock import SystemClock


class RenewalError(Exception):
    """The document cannot be renewed. The text says why."""


def renew_file(path: Path, into: Path, source: TrustSource, authorities: Authorities) -> Verdict:
    """Renews the PDF at `path` into `into` (the same file: replaced in one step), and judges what came of it.

    Raises RenewalError when it is INVALID already, or the authorities or the document do not allow it; OSError when a
    file cannot be read or written; TrustError when the trust directory cannot.
    """
    before = verify_file(path, source)
    if before.outcome is Outcome.INVALID:
        raise RenewalError("INVALID: what is broken is not renewed / 文件无效，不能续期")
    pdf = plain_files.beginning(path, MOST_BYTES + 1)
    if len(pdf) > MOST_BYTES:
        raise RenewalError(
            f"文件超过上限 {MOST_BYTES >> 20} MiB，不能续期 / larger than {MOST_BYTES >> 20} MiB: not renewed"
        )
    try:
        made = asyncio.run(renewed(pdf, load_trust(source), authorities, SystemClock()))
    except (TimestampAwayError, EsignError) as cause:
        raise RenewalError(str(cause)) from cause
    plain_files.put(into, made)
    for suffix in (".tlog-proof", ".ses") if into != path else ():
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            into.with_name(into.name + suffix).write_bytes(beside.read_bytes())
    return verify_file(into, source)


def inspect_seal(
    path: Path, source: TrustSource = None, *, document: Path | None = None, now_us: int | None = None
) -> SealReport:
    """Parses and judges a GB/T 38540 or GM/T 0031 seal or seal signature (DER), step by step.

    `document`: the PDF that a signature is beside. Exit codes: `EXIT_CODES`, and 3 for unreadable. Raises OSError when
    a file cannot be read, TrustError when the trust directory or the document cannot.
    """
    data = plain_files.beginning(path, ses.MOST_BYTES + 1)
    covered, lists = None, NOTHING
    if document is not None:
        try:
            pdf = plain_files.beginning(document, MOST_BYTES + 1)
            covered, lists = ses_document.covered(pdf), ValidationData.of(Document(pdf))
        except PdfError as cause:
            raise TrustError(f"{document}: {cause}") from cause
    trust = ses_document.trust(load_certificates(source))
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    evidence = ses_check.Evidence(lists.with_lists(load_trust(source).crls))
    return SealReport(ses_check.inspect(data, trust, now_us, covered, evidence))
