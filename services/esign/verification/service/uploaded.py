"""Verdicts on documents that were uploaded: by what the register, the ledger and the hub's own lists say of them."""

import asyncio
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import Connection

from services.esign.certification.domain import pem
from services.esign.config import KeyFiles
from services.esign.documents.store import lookup
from services.esign.documents.store.certificates import CertificateRow
from services.esign.domain.errors import EsignError
from services.esign.domain.ofd.archive import is_ofd
from services.esign.domain.verdict import SignatureKind, Verdict
from services.esign.keys.secrets import Secrets
from services.esign.ledger.sequencer import Sequencer
from services.esign.revocation.own_list import RevocationLists
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.seals.store.seals import SealRow
from services.esign.verification.cache import VerdictCache
from services.esign.verification.domain.register_steps import with_seal_of_signer
from services.esign.verification.domain.verify import Known
from services.esign.verification.files import limit_reached
from services.esign.verification.registered import Register, Registered
from services.esign.verification.service.register import LEDGER_SECONDS, known, seal_of_signer
from services.esign.verification.workers.refusals import away
from services.esign.verification.workers.verifier import Here, Question, Verifier, VerifierFailedError
from shuniu.kit.crypto.pem_files import certificates_pem
from shuniu.kit.foundation import Foundation

_log = structlog.get_logger(__name__)
# A verdict that took longer is given only if the register says the same as before: a document may be revoked meanwhile.
_WAITED_SECONDS = 0.02
_ATTEMPTS = 3
# The file is what is registered, saved once more.
_SAVED_ANEW = frozenset({"RENEWED", "SAVED_WITH_NOTHING"})


@dataclass(frozen=True, slots=True)
class Upload:
    """A document with what lies beside it: seal signature and receipt, empty when there is none. `digests`: SHA-256
    (hex) of the file, then of each version in it.
    """

    digests: list[str]
    document: bytes = field(repr=False)
    ses: bytes = field(repr=False)
    proof: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, of when (µs), and what the register has of the document: its row and seal, or another register's."""

    verdict: Verdict
    now_us: int
    row: CertificateRow | None
    seal: SealRow | None
    other: Registered | None


@dataclass(slots=True)
class _Standing:
    """Statement of the register about a document at one moment. `row`: the document itself, or what it was before it
    was changed. `is_whole`: the file itself is registered. `ses`: its seal signature. `now_us` and `began` (monotonic,
    s) are of before anything was read: what was answered by then is in it. `lists`: the hub's own, None until they are
    read.
    """

    now_us: int
    began: float
    row: CertificateRow | None
    seal: SealRow | None
    other: Registered | None
    known: Known
    ses: bytes = field(default=b"", repr=False)
    is_whole: bool = False
    lists: tuple[bytes, ...] | None = field(default=None, repr=False)


@dataclass(slots=True)
class UploadedDocuments:
    """Judges uploads, each of them again when the register changed while it was read."""

    base: Foundation
    secrets: Secrets
    verifier: Verifier
    ledger: Sequencer
    tsa_pem: bytes
    witness_vkeys: tuple[str, ...]
    registers: Sequence[Register]
    lists: RevocationLists
    root: bytes = field(init=False, repr=False)
    """The hub's root certificate, PEM."""
    _verdicts: VerdictCache = field(init=False)
    _own: VerdictCache = field(init=False)

    def __post_init__(self) -> None:
        # Read once: out of descriptors, a file is read no more.
        self.root = certificates_pem(KeyFiles(self.base.hub.data_dir).root)
        self._verdicts = VerdictCache(self.verifier)
        self._own = VerdictCache(Here())

    async def judge(self, upload: Upload) -> Judged:
        """The verdict on an upload. Raises UNAVAILABLE VERIFY_AWAY while documents cannot be read, or the register
        changes faster than they are; nothing for a bad document.
        """
        for _ in range(_ATTEMPTS):
            standing = await self._standing(upload)
            found = await self._judged(standing, upload)
            if time.monotonic() - standing.began < _WAITED_SECONDS or await self._still_stands(standing, upload):
                return found
        # Every verdict was out of date when it was there.
        raise away()

    async def _still_stands(self, standing: _Standing, upload: Upload) -> bool:
        """Tells whether all that was read for a verdict still says the same."""
        if standing.lists is not None and standing.lists != await self.lists.current():
            return False
        return (await self._standing(upload)).known == standing.known

    async def _judged(self, standing: _Standing, upload: Upload) -> Judged:
        row, seal = standing.row, standing.seal
        question = await self._question(standing, upload)
        # What the hub sealed itself needs no confined reader, and must not wait behind what does.
        own = row is not None and row.sha256 == upload.digests[0] and not (upload.proof or upload.ses)
        verdict = await self._verdict(self._own if own else self._verdicts, question)
        if row is not None and not standing.is_whole and verdict.step("changes").reason not in _SAVED_ANEW:
            # What is registered lies in the file, and is not what the file is: its facts are not the file's.
            row = seal = None
            standing.lists = await self.lists.current()
            question = replace(question, known=known(None, None), receipt=None, ses=upload.ses, crls=standing.lists)
            verdict = await self._verdict(self._verdicts, question)
        if row is None and standing.other is None:
            verdict = await self._with_seal(verdict)
        return Judged(verdict, question.now_us, row, seal, standing.other)

    async def _verdict(self, cache: VerdictCache, question: Question) -> Verdict:
        try:
            return await cache.judge(question)
        except VerifierFailedError:
            return limit_reached(question.now_us)

    async def _standing(self, upload: Upload) -> _Standing:
        began, now_us = time.monotonic(), self.base.clock.now_us()
        standing = functools.partial(_standing, now_us=now_us, began=began, is_package=is_ofd(upload.document))
        return await self.base.store.read(standing, upload.digests, self.registers)

    async def _question(self, standing: _Standing, upload: Upload) -> Question:
        row, other = standing.row, standing.other
        if row is None and other is None:
            standing.lists = await self.lists.current()
        return Question(
            upload.document,
            self._roots(),
            tuple(key.vkey for key in self.secrets.ledger_keys),
            standing.now_us,
            upload.proof or await self._receipt(row if other is None else other),
            standing.known,
            upload.ses or standing.ses,
            b"" if self.secrets.sm is None else self.secrets.sm.trust_pem,
            self.tsa_pem,
            self.witness_vkeys,
            standing.lists or (),
            upload.digests[0],
        )

    async def _with_seal(self, verdict: Verdict) -> Verdict:
        """The verdict with the state of the last signer's seal, which the register may know though not the document."""
        signed = [each for each in verdict.signatures if each.kind is not SignatureKind.TIMESTAMP and each.certified]
        if not signed:
            return verdict
        last = signed[-1]
        state = await self.base.store.read(seal_of_signer, last.serial, last.certificate_sha256)
        return with_seal_of_signer(verdict, state)

    def _roots(self) -> bytes:
        """Roots of both profiles and of another authority: a hub may change them, what it sealed before stays good."""
        return pem.joined(self.root, self.secrets.roots_beside)

    async def _receipt(self, row: CertificateRow | Registered | None) -> str | None:
        """The receipt under a witnessed head that covers it; the one of the release where there is none, or where the
        ledger cannot be read.
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


def _standing(
    conn: Connection,
    digests: Sequence[str],
    registers: Sequence[Register],
    *,
    now_us: int,
    began: float,
    is_package: bool,
) -> _Standing:
    """All that the register says, of one moment."""
    row = lookup.find_certificate_by_digests(conn, digests)
    if row is None:
        other = next(filter(None, (register(conn, digests) for register in registers)), None)
        return _Standing(now_us, began, None, None, other, known(None, None) if other is None else other.known)
    seal = seal_rows.find_seal_by_id(conn, row.seal_id)
    # The seal's SM2 certificate, where the document is of a form that is sealed with it.
    beside = ses_store.find_sm2_seal(conn, seal.seal.id) if is_package and seal is not None else None
    is_whole = row.sha256 == digests[0] or lookup.find_certificate_by_digests(conn, digests[:1]) is not None
    return _Standing(
        now_us,
        began,
        row,
        seal,
        None,
        known(row, seal, () if beside is None else (beside.certificate,)),
        ses_store.sidecar_of(conn, row.number),
        is_whole,
    )
