"""Judging a document offline, with the hub's own verifier and nothing but trust material: needs the extra `verify`."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from shuniu_client import _extra  # noqa: F401 — first: it says what is missing
from shuniu_client._hub.esign.domain import moments
from shuniu_client._hub.esign.domain import verdict as domain
from shuniu_client._hub.esign.verification import offline
from shuniu_client._hub.esign.verification.domain import validation_report
from shuniu_client._hub.esign.verification.domain.sentences import verdict_words
from shuniu_client._hub.esign.verification.offline import TrustError
from shuniu_client.verdict import Verdict

__all__ = ["Judgement", "TrustError", "TrustStore", "Verdict", "judge", "verify"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Whom the reader trusts: roots, keys of ledgers and witnesses, lists of revoked certificates."""

    _trusted: offline.Trusted

    @classmethod
    def load(cls, directory: Path | str) -> "TrustStore":
        """From a directory as `shuniu trust --out DIR` writes it: *.pem roots (tsa-*.pem vouch for timestamps only),
        *.vkey keys of logs and witnesses, *.crl lists, `policy` (C2SP tlog-policy). Raises TrustError.
        """
        if directory == "":
            # `Path` takes the empty text of an unset variable for the working directory, whose files would be trusted.
            raise TrustError("信任目录的路径是空的（变量没有赋值？） / the path of the trust directory is empty")
        return cls(offline.Trusted.of(Path(directory)))

    @classmethod
    def of_files(cls, files: Mapping[str, bytes]) -> "TrustStore":
        """The same, by file name. Raises TrustError."""
        return cls(offline.Trusted.of_files(files))


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and what it is derived from."""

    verdict: Verdict
    sha256: bytes
    _found: domain.Verdict
    _at_us: int

    def validation_report(self) -> bytes:
        """The verdict as a validation report of ETSI TS 119 102-2 (XML), unsigned."""
        return validation_report.of(self._found, self.sha256, self._at_us)


_BYTES = (bytes, bytearray, memoryview)


def _check(data: object, trust: object, receipt: object, ses: object, at: object) -> None:
    """Raises TypeError, ValueError."""
    if not isinstance(data, _BYTES):
        raise TypeError(
            "data：请给出文件的内容，如 path.read_bytes() / data: give the file's bytes, as path.read_bytes()"
        )
    if not isinstance(trust, TrustStore):
        raise TypeError("trust：请用 TrustStore.load(目录) 读取 / trust: read it with TrustStore.load(directory)")
    if not isinstance(receipt, str | None):
        raise TypeError("receipt：请给出回执的文本，如 path.read_text() / receipt: give its text, as path.read_text()")
    if not isinstance(ses, (*_BYTES, type(None))):
        raise TypeError("ses：请给出签章文件的内容，如 path.read_bytes() / ses: give its bytes, as path.read_bytes()")
    if not isinstance(at, datetime | None):
        raise TypeError("at：请给出带时区的 datetime / at: give a datetime with its time zone")
    if at is not None and at.utcoffset() is None:
        raise ValueError(
            "at：这个时间没有时区，如 datetime.now(UTC) / at: it has no time zone, as datetime.now(UTC) has"
        )


def judge(
    data: bytes,
    trust: TrustStore,
    *,
    receipt: str | None = None,
    ses: bytes | None = None,
    at: datetime | None = None,
) -> Judgement:
    """`verify`, for those who want the report as well."""
    _check(data, trust, receipt, ses, at)
    data = bytes(data)
    at_us = time.time_ns() // 1000 if at is None else moments.us(at)
    try:
        found = offline.judged(data, trust._trusted, at_us, receipt=receipt, ses=ses)  # noqa: SLF001 — one module's own
        told = verdict_words.as_json(found)
    except Exception:  # noqa: BLE001 — logged, and told as a verdict
        # A document that breaks the verifier must not end the caller's program.
        _log.exception("the verifier failed")
        found = domain.unjudged(at_us)
        told = verdict_words.as_json(found)
    return Judgement(Verdict(told), sha256(data).digest(), found, at_us)


def verify(
    data: bytes,
    trust: TrustStore,
    *,
    receipt: str | None = None,
    ses: bytes | None = None,
    at: datetime | None = None,
) -> Verdict:
    """The verdict on a document (PDF or OFD), as `shuniu verify` gives it. Never raises for a bad document.

    `receipt`: the ledger's receipt (`FILE.pdf.tlog-proof`); `ses`: the seal signature (`FILE.pdf.ses`); `at`: the
    moment to judge at, with its time zone, now when absent. What only the register knows is not_checked. Raises
    TypeError or ValueError, in one sentence, for an argument of the wrong kind.

    The verifier bounds what it expands and reads of a document, but runs in this process: who judges what strangers
    send should give it a process of its own, with a limit on memory and time.
    """
    return judge(data, trust, receipt=receipt, ses=ses, at=at).verdict
