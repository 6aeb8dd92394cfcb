"""Judging a signed document, step by step. Pure: what only a server knows comes in as `Known`, the clock as a number.

Published attacks decide the order: structure first (one reading), then that the signature covers the whole file and
the gap holds nothing but itself, then cryptography, then who signed and when, then what the register and the ledger
say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cryptography import x509

from services.esign.domain import changes, document_time, ledger_steps, register_steps, signatures, signer_steps
from services.esign.domain.document_time import Proofs
from services.esign.domain.findings import OF_EACH, Findings
from services.esign.domain.ledger_steps import Logged
from services.esign.domain.note import VerifierKey
from services.esign.domain.pdf import Document
from services.esign.domain.pdf_syntax import PdfError
from services.esign.domain.register_steps import Known
from services.esign.domain.shadow import ACTIVE
from services.esign.domain.signatures import PdfSignature
from services.esign.domain.signer_steps import OpenedSignature
from services.esign.domain.stamped_time import Witnesses, judge_time
from services.esign.domain.validation_data import Then, ValidationData, standing
from services.esign.domain.verdict import Form, Outcome, Status, Step, Verdict, conclude
from services.esign.domain.witness import Policy

__all__ = ["NO_SES", "Known", "Trust", "judge"]

NO_SES = Step(
    "ses",
    Status.NOT_CHECKED,
    "NO_SES",
    "该文件没有 GB/T 38540 电子签章数据",
    "the document has no GB/T 38540 seal data",
)


@dataclass(frozen=True, slots=True)
class Trust:
    """Roots that may vouch for signers, keys of ledgers, and which witnesses must have cosigned."""

    roots: tuple[x509.Certificate, ...] = ()
    log_keys: tuple[VerifierKey, ...] = ()
    policy: Policy | None = None
    tsa_roots: tuple[x509.Certificate, ...] = ()
    """Roots that may vouch for timestamp authorities only; `roots` vouch for them too."""
    crls: tuple[bytes, ...] = ()
    """CRLs (DER) that the verifier has, beside those in the document."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One document under judgement, and what everything is judged by."""

    document: Document
    present: Sequence[PdfSignature]
    renewed_from: int
    trust: Trust
    known: Known | None
    now_us: int
    trust_any_signer: bool

    @property
    def tsa_roots(self) -> tuple[x509.Certificate, ...]:
        return (*self.trust.roots, *self.trust.tsa_roots)


def judge(
    pdf: bytes,
    *,
    trust: Trust,
    now_us: int,
    receipt: str | None = None,
    known: Known | None = None,
    trust_any_signer: bool = False,
    ses: Step | None = None,
) -> Verdict:
    """The verdict on `pdf`. Never raises for a bad document.

    `known` None means offline: what only the register could say is not_checked. `trust_any_signer` leaves the issuer
    unjudged and never gives VALID. `ses`: what was found of the seal signature beside the document, if there is one.
    """
    found = Findings(now_us, now_us)
    document = _parse(found, pdf)
    present, renewed_from = _signatures(found, document) if document is not None else ((), 0)
    if document is not None and present:
        _signed(found, _Case(document, present, renewed_from, trust, known, now_us, trust_any_signer), receipt)
    register_steps.document_step(found, known)
    found.steps.append(ses or NO_SES)
    at_best = Outcome.INDETERMINATE if trust_any_signer else Outcome.VALID
    verdict = conclude(found.steps, found.as_of_us if known is None else now_us, at_best=at_best)
    form = Form.PDF if pdf.startswith(b"%PDF-") else Form.UNREADABLE
    return Verdict(verdict.outcome, verdict.as_of_us, verdict.steps, form=form)


def _parse(found: Findings, pdf: bytes) -> Document | None:
    try:
        document = Document(pdf)
        document.catalog()
    except PdfError as cause:
        status = Status.UNKNOWN if cause.unsupported else Status.INVALID
        found.add(
            "parse", status, cause.reason, "文件结构不合规或无法唯一解读", f"the file has no single reading: {cause}"
        )
        return None
    active = sorted(ACTIVE & document.census.names)
    if active:
        found.add(
            "parse", Status.INVALID, "ACTIVE_CONTENT", "文件含有脚本等活动内容", f"active content: {', '.join(active)}"
        )
        return None
    found.add("parse", Status.VALID, "PARSED", "文件结构完整，只有一种解读", "every byte of the file has its place")
    return document


def _signatures(found: Findings, document: Document) -> tuple[Sequence[PdfSignature], int]:
    """All signatures in the order of their coverage, none when what they cover is already wrong; and from which byte on
    the document holds nothing but validation data and document timestamps.
    """
    try:
        present = signatures.find(document)
    except PdfError as cause:
        status = Status.UNKNOWN if cause.unsupported else Status.INVALID
        found.add("coverage", status, cause.reason, "签名结构不合规", f"signature structure: {cause}")
        return (), 0
    if not signatures.by_signers(present):
        found.add("coverage", Status.INVALID, "NO_SIGNATURE", "文件没有电子签名", "the document is not signed")
        return (), 0
    if not all(signature.ends_its_revision(document) for signature in present):
        found.add(
            "coverage",
            Status.INVALID,
            "COVERAGE",
            "签名没有覆盖到其所在版本的结尾",
            "a signature ends in the middle of a revision, or covers another than its own",
        )
        return (), 0
    if present[-1].covers_whole(document):
        found.add("coverage", Status.VALID, "WHOLE_FILE", "签名覆盖整个文件", "the signature covers the whole file")
    else:
        found.add("coverage", Status.VALID, "REVISION", "签名覆盖其所在版本", "the signature covers its revision")
    return present, _changes(found, document, present)


def _changes(found: Findings, document: Document, present: Sequence[PdfSignature]) -> int:
    certified = any(s.permission is not None for s in present)
    signed_to = signatures.by_signers(present)[-1].covered_to
    if present[0].covers_whole(document):
        found.add("changes", Status.VALID, "UNCHANGED", "签名后没有任何修改", "nothing was changed after signing")
    elif change := changes.unlawful(document, present):
        found.add(
            "changes",
            Status.INVALID if certified or change.locked else Status.UNKNOWN,
            "LOCKED" if change.locked else "CHANGED" if certified else "LATER_REVISION",
            "签名后修改了已锁定的签名域" if change.locked else "签名后文件有签名以外的修改",
            f"after a signature more was done than signing: {change.en}",
        )
    elif changes.only_validation(document, signed_to):
        found.add(
            "changes",
            Status.VALID,
            "RENEWED",
            "签名后只增加了验证数据和文档时间戳（续期）",
            "after the last signature nothing was added but validation data and document timestamps (renewal)",
        )
        return signed_to
    else:
        found.add(
            "changes",
            Status.VALID,
            "SIGNED_ONLY",
            "首个签名之后只有签名和验证数据",
            "after the first signature nothing was added but signatures and validation data",
        )
    return len(document.data)


def _signed(found: Findings, case: _Case, receipt: str | None) -> None:
    """Everything that depends on who signed: each signature by itself, the last one with ledger and register."""
    signers = signatures.by_signers(case.present)
    last = signers[-1]
    found.as_of_us = last.claimed_us if last.claimed_us is not None else case.now_us
    entry = ledger_steps.logged(
        found,
        case.document,
        receipt,
        case.trust.log_keys,
        case.trust.policy,
        renewed_from=case.renewed_from,
        online=case.known is not None,
    )
    data = ValidationData.of(case.document).with_lists(case.trust.crls)
    stamps = [s for s in case.present if s.is_timestamp]
    logged = (entry.end, entry.entry.time_us) if entry is not None else None
    proofs = document_time.prove(case.document, stamps, case.tsa_roots, data, case.now_us, logged)
    apart = [Findings(case.now_us, found.as_of_us) for _ in signers[:-1]] + [found]
    opened = [signer_steps.opened(own, signature) for own, signature in zip(apart, signers, strict=True)]
    entry = ledger_steps.about_signers(found, entry, (one.cms.signer for one in opened if one is not None))
    for own, one in zip(apart, opened, strict=True):
        if one is not None and signer_steps.is_intact(own, case.document.data, one):
            then = _one(own, case, one, proofs, data, entry if own is found else None)
            known = case.known if own is found else None
            register_steps.seal_steps(own, known, one.signer_sha256, then, logged=own is found and entry is not None)
    for own in apart[:-1]:
        found.take(s for s in own.steps if s.step in OF_EACH and s.status in {Status.UNKNOWN, Status.INVALID})
    found.take(proofs.wrong)


def _one(
    found: Findings, case: _Case, one: OpenedSignature, proofs: Proofs, data: ValidationData, entry: Logged | None
) -> Then:
    """How the signer's certificate stood, by data that came with the document."""
    others = (*one.others, *data.loaded())
    path = signer_steps.path_of(found, one.signer, others, case.trust.roots, trust_any_signer=case.trust_any_signer)
    signature = one.signature
    timed = judge_time(
        one.cms,
        path,
        case.tsa_roots,
        Witnesses(
            signature.claimed_us,
            case.now_us,
            proofs.of(signature.covered_to),
            entry.entry.time_us if entry is not None else None,
            data,
        ),
    )
    found.steps.append(timed.step)
    found.as_of_us = timed.proven_us or found.as_of_us
    return _then(path, data, found.as_of_us, timed.proven_us)


def _then(path: Sequence[x509.Certificate] | None, data: ValidationData, at_us: int, proven_us: int | None) -> Then:
    """How the signer's certificate stood, and whether one above it was revoked, by data that came with the document."""
    if path is None or len(path) < 2 or not (data.ocsps or data.crls):
        return Then.UNSAID
    found = [standing(below, above, data, at_us, proven_us) for below, above in pairwise(path)]
    for bad in (Then.REVOKED, Then.UNPROVEN):
        if bad in found:
            return bad
    return found[0]
