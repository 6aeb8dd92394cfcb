"""`shuniu verify`: documents judged offline, each in a worker that its limits end.

Imports only what a verdict needs: the command should start at once.
"""

import contextlib
import itertools
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509

from services.esign.certification.domain.trust import Trust
from services.esign.domain import foreign_documents
from services.esign.domain.foreign_documents import MOST_BYTES
from services.esign.domain.ofd.archive import is_zip
from services.esign.domain.pdf.document import has_header
from services.esign.domain.verdict import Form, Outcome, Status, Step, Verdict, conclude
from services.esign.ledger.domain.ledger import MOST_RECEIPT
from services.esign.verification import file_errors, plain_files
from services.esign.verification.domain.sentences import verdict_words
from services.esign.verification.offline import Trusted, TrustError, TrustSource, judged
from services.esign.verification.workers import confined
from services.esign.verification.workers.one_worker import OneWorker

__all__ = [
    "COMPANIONS",
    "EXIT_CODES",
    "Judged",
    "TrustError",
    "Trusted",
    "limit_reached",
    "load_certificates",
    "load_trust",
    "not_made",
    "not_opened",
    "told",
    "verify_file",
    "verify_files",
]

EXIT_CODES = {Outcome.VALID: 0, Outcome.INVALID: 1, Outcome.INDETERMINATE: 2}
_RECEIPT, _SES = ".tlog-proof", ".ses"
COMPANIONS = (_RECEIPT, _SES)
"""Suffixes of what is read beside a document: its name, and one of these."""
# One byte more than a seal signature may have (`ses.MOST_BYTES`).
_MAX_SES = 4 * 1024 * 1024 + 1
_BOUNDS = confined.Bounds(foreign_documents.MEMORY_BYTES, foreign_documents.CPU_SECONDS)
_MIB = 1024 * 1024

_log = logging.getLogger(__name__)


def load_trust(trust: TrustSource) -> Trust:
    """Reads what a directory says may be trusted; see `Trusted.of_files`. Raises TrustError."""
    return Trusted.of(trust).trust


def load_certificates(trust: TrustSource) -> list[x509.Certificate]:
    """Every certificate of a trust directory's *.pem files. Raises TrustError."""
    return list(Trusted.of(trust).certificates)


# What workers are born with, by a number that their questions name: certificates do not cross from process to process.
_inherited: dict[int, Trusted] = {}
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Judged:
    """The result for one file: its verdict, or why it could not be read."""

    path: Path
    verdict: Verdict | None = None
    error: str = ""
    sha256: bytes = b""
    at_us: int = 0

    @property
    def is_judged(self) -> bool:
        """Tells whether the verdict is about the file: it could be read, and this machine could read it."""
        return self.verdict is not None and self.verdict.readable and self.verdict.step("parse").reason != "READER_AWAY"

    def validation_report(self) -> bytes:
        """The verdict as a validation report of ETSI TS 119 102-2; empty where there is none."""
        from services.esign.verification.domain import validation_report

        return b"" if self.verdict is None else validation_report.of(self.verdict, self.sha256, self.at_us)


@dataclass(frozen=True, slots=True)
class _Files:
    """A document of `size` bytes, as much of it as may be judged, and what lies beside it. `sha256`: empty where it is
    too large to be judged, for then it is not read to its end.
    """

    document: bytes = field(repr=False)
    size: int
    receipt: str | None
    ses: bytes | None = field(repr=False)
    sha256: bytes

    @classmethod
    def of(cls, path: Path) -> "_Files":
        """Raises OSError."""
        with plain_files.opened(path) as file:
            # One byte more than allowed is enough for the verdict that it is too large.
            document = plain_files.content(file, path, MOST_BYTES + 1)
            size = max(len(document), os.fstat(file.fileno()).st_size)
        proof, ses = _beside(path, _RECEIPT, MOST_RECEIPT + 1), _beside(path, _SES, _MAX_SES)
        receipt = None if proof is None else proof.decode("utf-8", errors="replace")
        digest = sha256(document).digest() if size <= MOST_BYTES else b""
        return cls(document, size, receipt, ses, digest)


def _beside(path: Path, suffix: str, most: int) -> bytes | None:
    """A companion that is there and cannot be read says nothing of the document, and is not passed over: it is read as
    an empty one, which leaves the verdict INDETERMINATE.
    """
    try:
        return plain_files.companion(path, suffix, most)
    except OSError as cause:
        _log.warning("附件无法读取 / cannot be read: %s", file_errors.told(cause, beside=path))
        return b""


def verify_file(
    path: Path, trust: TrustSource = None, *, trust_any_signer: bool = False, now_us: int | None = None
) -> Verdict:
    """The offline verdict on a document; its receipt is `<path>.tlog-proof` when that exists, its seal signature
    `<path>.ses`. In this very process: see `verify_files` for what strangers send.

    This machine has no memory for it: INDETERMINATE, READER_AWAY; written while it was read: BEING_WRITTEN.
    `verdict.readable` is False when there is nothing to judge. Exit codes: `EXIT_CODES`, and 3 for unreadable. Raises
    OSError when the file cannot be read, TrustError when the trust directory cannot.
    """
    trusted = Trusted.of(trust)
    at_us = time.time_ns() // 1000 if now_us is None else now_us

    def judge() -> Verdict:
        return confined.repeated(_judge, _Files.of(path), trusted, at_us, trust_any_signer)

    try:
        return plain_files.undisturbed(_read_with(path), judge, _is_valid)
    except plain_files.BeingWrittenError:
        return being_written(at_us)
    except MemoryError:
        return reader_away(at_us)


def verify_files(
    paths: Sequence[Path], trust: TrustSource = None, *, trust_any_signer: bool = False, now_us: int | None = None
) -> Iterator[Judged]:
    """`verify_file` for one after another, each read in a confined process. One that breaks its bounds is
    INDETERMINATE, LIMIT_REACHED; one that this machine cannot read now, READER_AWAY. One that cannot be read does not
    keep the others from being judged. Raises TrustError.
    """
    number = next(_numbers)
    _inherited[number] = Trusted.of(trust)
    # Loaded in the bounded process, it would use memory that the first document needs. Without it pages are not
    # compared; all other steps are judged.
    with contextlib.suppress(ImportError, OSError):
        import pypdfium2  # noqa: F401 — before the fork

        from services.esign.revisions import rendering  # noqa: F401 — before the fork
        from services.esign.verification.domain.ofd import plain_seal  # noqa: F401 — before the fork

    now_us = time.time_ns() // 1000 if now_us is None else now_us
    try:
        with OneWorker(_BOUNDS, foreign_documents.SECONDS) as worker:
            for path in paths:
                yield _judged(worker, path, (number, now_us, trust_any_signer))
    finally:
        del _inherited[number]


def _read_with(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + suffix) for suffix in COMPANIONS)]


def _is_valid(found: Verdict) -> bool:
    """The bytes that were read are good, whatever stands there now."""
    return found.outcome is Outcome.VALID


def _judged(worker: OneWorker, path: Path, by: tuple[int, int, bool]) -> Judged:
    """Whatever becomes of one file, the others are judged."""
    try:
        return plain_files.undisturbed(
            _read_with(path),
            lambda: _asked(worker, path, by),
            lambda found: found.verdict is not None and _is_valid(found.verdict),
        )
    except plain_files.BeingWrittenError:
        return Judged(path, being_written(by[1]), at_us=by[1])
    except OSError as error:
        return Judged(path, error=file_errors.told(error, beside=path), at_us=by[1])
    except Exception as error:  # noqa: BLE001 — the verifier's own failure, told with the file's name
        return Judged(path, error=file_errors.failed(error), at_us=by[1])


def _asked(worker: OneWorker, path: Path, by: tuple[int, int, bool]) -> Judged:
    """Raises OSError when the file cannot be read, RuntimeError for an error of the verifier."""
    files = _Files.of(path)
    if files.size > MOST_BYTES:
        if has_header(files.document) or is_zip(files.document):
            return Judged(path, too_large(files.size, by[1]), at_us=by[1])
        # That it is no document is said before that it is too large: no issuer can make a photo smaller.
        files = replace(files, document=files.document[:_MIB])
    try:
        found = worker.ask(_judge_inherited, files, *by)
    except confined.OverBoundsError:
        found = limit_reached(by[1])
    except confined.WorkerGoneError as cause:
        _log.warning("此机器未能核验一个文件 / this machine did not judge a document: %s", cause)
        found = reader_away(by[1])
    return Judged(path, found, sha256=files.sha256, at_us=by[1])


def told(verdict: Verdict) -> dict[str, Any]:
    """The verdict's JSON form with its three sentences, as every way of asking gives it."""
    return verdict_words.as_json(verdict)


def not_made(verdict: Verdict) -> str:
    """One line for all steps that were not made; empty when all were."""
    sentence = verdict_words.not_made(verdict)
    return "" if sentence is None else f"{sentence.zh} / {sentence.en}"


def too_large(size: int, now_us: int) -> Verdict:
    """On a document of so many bytes, of which none was read."""
    zh = f"文件有 {-(-size // _MIB)} MiB，超过上限 {MOST_BYTES // _MIB} MiB，没有读取"
    return _unread("TOO_LARGE", zh, f"{size} bytes, more than {MOST_BYTES}: it was not read", now_us)


def not_opened(error: str, now_us: int) -> Verdict:
    """On a file that could not be opened. `error`: why, Chinese and English as `file_errors` gives it."""
    zh, _, en = error.partition(" / ")
    return replace(_unread("NOT_OPENED", zh, en or zh, now_us), form=Form.UNREADABLE)


def limit_reached(now_us: int) -> Verdict:
    """On a document that could not be read within its bounds."""
    zh = "文件过于复杂，未能在限定的时间和内存内完成核验"
    return _unread("LIMIT_REACHED", zh, "too complex to be judged within the limits of time and memory", now_us)


def being_written(now_us: int) -> Verdict:
    """On a document that changed each time that it was read."""
    en = "the file is being written: it changed each time that it was read"
    return _unread("BEING_WRITTEN", "文件正在被写入，几次读到的内容都不同", en, now_us)


def reader_away(now_us: int) -> Verdict:
    """On a document that this machine could not read, for reasons of its own: nothing is said of the document."""
    en = "this machine cannot verify now; that has nothing to do with the document"
    return _unread("READER_AWAY", "此机器现在无法核验，与文件无关", en, now_us)


def _unread(reason: str, zh: str, en: str, now_us: int) -> Verdict:
    return conclude([Step("parse", Status.UNKNOWN, reason, zh, en)], now_us, at_best=Outcome.INDETERMINATE)


def _judge_inherited(files: _Files, number: int, now_us: int, trust_any_signer: bool) -> Verdict:  # noqa: FBT001 — crosses to a worker by position
    return _judge(files, _inherited[number], now_us, trust_any_signer)


def _judge(files: _Files, trusted: Trusted, now_us: int, trust_any_signer: bool) -> Verdict:  # noqa: FBT001 — as above
    return judged(
        files.document,
        trusted,
        now_us,
        receipt=files.receipt,
        ses=files.ses,
        trust_any_signer=trust_any_signer,
    )
