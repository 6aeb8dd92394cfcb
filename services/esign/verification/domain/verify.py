"""Judging a signed document, step by step. Pure: what only a server knows comes in as `Known`, the clock as a number.

Published attacks decide the order: structure first (one reading), then that the signature covers the whole file and
the gap holds nothing but itself, then cryptography, then who signed and when, then what the register and the ledger
say.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509

from services.esign.certification.domain import chain
from services.esign.certification.domain.trust import Trust
from services.esign.certification.domain.validation_data import ValidationData, path_standing, with_issuer
from services.esign.domain.findings import OF_EACH, Findings
from services.esign.domain.ofd.archive import is_package_too
from services.esign.domain.pdf import shadow, signatures
from services.esign.domain.pdf.document import Document, has_header
from services.esign.domain.pdf.sections import Place
from services.esign.domain.pdf.signatures import PdfSignature
from services.esign.domain.pdf.syntax import PdfError
from services.esign.domain.verdict import (
    Form,
    Outcome,
    Sentence,
    SignatureFinding,
    SignatureKind,
    Status,
    Step,
    Verdict,
    conclude,
)
from services.esign.revisions.domain.second_look import Look
from services.esign.ses.domain import steps as seal_steps
from services.esign.ses.domain.check import Evidence, SmTrust
from services.esign.ses.domain.values import is_seal_data
from services.esign.signing.domain import signer_steps
from services.esign.signing.domain.signature_kinds import Kind
from services.esign.signing.domain.signer_steps import OpenedSignature
from services.esign.verification.domain import (
    change_steps,
    document_time,
    ledger_steps,
    register_steps,
    transport,
    unfit_lists,
)
from services.esign.verification.domain.blank_blocks import unblamed
from services.esign.verification.domain.change_steps import History
from services.esign.verification.domain.document_time import Proofs
from services.esign.verification.domain.ledger_steps import Logged
from services.esign.verification.domain.register_steps import Known
from services.esign.verification.domain.sentences.step_sentences import MET
from services.esign.verification.domain.stamped_time import Witnesses, judge_time

__all__ = ["Known", "Trust", "judge", "without_ses", "without_use"]

# Found in one look at the bytes: places of signatures, and whether a name that acts may stand somewhere: plainly, with
# an escape in it, or inside an object stream. Behind the bytes 80 and FF some readers begin anew.
_SIGNED_PLACE = b"/ByteRange"
_TELLING = re.compile(
    rb"/(?:ByteRange|" + b"|".join(sorted(name.encode() for name in shadow.ACTIVE)) + rb")(?![A-Za-z0-9])"
    rb"|/[A-Za-z0-9]{0,12}#[2-7][0-9A-Fa-f]|/ObjStm|/OpenAction[\x80\xff]"
)

_NO_SES = Step(
    "ses",
    Status.NOT_CHECKED,
    "NO_SES",
    "文件内没有 GB/T 38540 电子签章，也没有附上签章文件（.ses）",
    "there is no GB/T 38540 seal inside the document, and no seal file (.ses) was given with it",
)
_SES_UNSEEN = Step(
    "ses",
    Status.NOT_CHECKED,
    "SES_UNSEEN",
    "文件或其签名未能读取，或签名不成立，没有查看是否有 GB/T 38540 电子签章",
    "the document or its signatures were not read, or do not hold, so nobody looked for a GB/T 38540 seal",
)


def without_ses(found: Findings, signed: Sequence[SignatureFinding]) -> Step:
    """The step where no seal signature was judged: there is none, or what may hold it was not read."""
    unsigned = any(step.reason in _UNSIGNED for step in found.steps if step.step == "coverage")
    read = all(each.signer or each.kind is SignatureKind.TIMESTAMP for each in signed)
    return _NO_SES if unsigned or (signed and read) else _SES_UNSEEN


# Reasons of the step coverage that say that every signature was looked for.
_UNSIGNED = frozenset({"NO_SIGNATURE", "SIGNATURE_REMOVED", "TIMESTAMP_ONLY"})


@dataclass(frozen=True, slots=True)
class _Case:
    """One document under judgement, and what everything is judged by."""

    document: Document
    history: History
    trust: Trust
    known: Known | None
    now_us: int
    trust_any_signer: bool
    sm: Callable[[], SmTrust] | None

    @property
    def tsa_roots(self) -> tuple[x509.Certificate, ...]:
        return (*self.trust.roots, *self.trust.tsa_roots)


@dataclass(slots=True)
class _One:
    """One signature under judgement."""

    signature: PdfSignature
    found: Findings
    opened: OpenedSignature | None = None
    certified: bool = False
    proven_us: int | None = None


def judge(
    pdf: bytes,
    *,
    trust: Trust,
    now_us: int,
    receipt: str | None = None,
    known: Known | None = None,
    trust_any_signer: bool = False,
    ses: Callable[[int | None], Step] | None = None,
    look: Look | None = None,
    sm: Callable[[], SmTrust] | None = None,
) -> Verdict:
    """The verdict on `pdf`. Never raises for a bad document.

    `known` None means offline: what only the register could say is not_checked. `trust_any_signer` leaves the issuer
    unjudged and never gives VALID. `ses` judges the seal signature beside the document, if there is one, by
    the moment that is proven of the document (µs).
    `look` draws pages; without it a document that changed after signing is never VALID. `sm` gives the seal makers that
    are trusted for seal signatures inside the document; it is asked when there is one.
    """
    found = Findings(now_us, now_us)
    document, appended, places = _parse(found, pdf)
    history = None if document is None else change_steps.judge(found, document, look, places)
    signed: tuple[SignatureFinding, ...] = ()
    if document is not None and history is not None:
        if appended:
            history = change_steps.appended(found, history, pdf[document.end :])
        signed = _signed(found, _Case(document, history, trust, known, now_us, trust_any_signer, sm), receipt)
    register_steps.document_step(found, known)
    if ses is not None:
        found.take(
            [ses(next((each.proven_us for each in reversed(signed) if each.kind is not SignatureKind.TIMESTAMP), None))]
        )
    elif all(step.step != "ses" for step in found.steps):
        found.steps.append(without_ses(found, signed))
    at_best = Outcome.INDETERMINATE if trust_any_signer else Outcome.VALID
    verdict = conclude(found.steps, found.as_of_us if known is None else now_us, at_best=at_best)
    form = Form.PDF if has_header(pdf) else Form.UNREADABLE
    return unblamed(Verdict(verdict.outcome, verdict.as_of_us, verdict.steps, signed, form), pdf)


def _parse(found: Findings, pdf: bytes) -> tuple[Document | None, bool, int]:
    """The document, whether bytes were appended to it that are no part of it, and in how many places it may have been
    signed, earlier versions included.
    """
    appended = False
    try:
        document = Document(pdf)
        document.catalog()
    except PdfError as cause:
        earlier = None if cause.limit else _before_what_was_appended(pdf)
        if earlier is None:
            _unread(found, cause, pdf)
            return None, False, 0
        document, appended = earlier, True
    telling = _TELLING.findall(document.data, 0, document.end)
    places = telling.count(_SIGNED_PLACE)
    try:
        active = _active(document) if len(telling) > places or _is_packed(document) else []
        if shadow.acts_on_opening(document):
            active.append(shadow.OPENING)
    except PdfError as cause:
        _unread(found, cause, pdf)
        return document, appended, places
    if is_package_too(pdf):
        zh, en = "文件同时是 PDF 和压缩包，未作判断", "the file is a PDF and a package at once: not judged"
        found.add("parse", Status.UNKNOWN, "TWO_FACED", zh, en)
    elif active:
        zh, en = "文件含有脚本等活动内容，打开时显示的内容可能变化", f"active content: {', '.join(active)}"
        found.add("parse", Status.UNKNOWN, "ACTIVE_CONTENT", zh, en)
    else:
        found.add("parse", Status.VALID, "PARSED", "文件结构可以解读", "the document can be read")
    return document, appended, places


def _unread(found: Findings, cause: PdfError, data: bytes) -> None:
    """Steps on a file that cannot be read. It may be damaged, beyond this reader or no PDF at all: none of it says that
    it was forged.
    """
    if cause.reason == "NOT_A_PDF" and data.startswith(_RECEIPT):
        zh, en = "这是存证回执（.tlog-proof），不是文件本身", "a receipt of the ledger (.tlog-proof), not the document"
        found.add("parse", Status.UNKNOWN, "IS_RECEIPT", zh, en)
        return
    if cause.reason == "NOT_A_PDF" and is_seal_data(data):
        zh, en = "这是国密签章数据（.ses），不是文件本身", "a GB/T 38540 seal (.ses), not the document"
        found.add("parse", Status.UNKNOWN, "IS_SEAL_DATA", zh, en)
        return
    if not cause.limit and transport.lines_rewritten(data):
        found.add("parse", Status.UNKNOWN, "LINES_REWRITTEN", *LINES_REWRITTEN)
        return
    zh = "核验该文件超出限定的工作量" if cause.limit else "文件无法解读"
    what = _UNREAD.get(cause.reason) or (MET[cause.reason].zh if cause.reason in MET else "")
    zh = f"{zh}：{what}" if what else zh
    found.add("parse", Status.UNKNOWN, cause.reason, zh, f"the file cannot be read: {cause}")


LINES_REWRITTEN = ("传输时换行被改写，文件无法解读", "its line ends were rewritten on its way, so it cannot be read")
# How a receipt begins (C2SP tlog-proof).
_RECEIPT = b"c2sp.org/tlog-proof@"
# Why a file cannot be read, where `MET` has no name for it.
_UNREAD = {
    "NOT_A_PDF": "开头不是 PDF 或 OFD 的格式",
    "EMPTY_FILE": "文件是空的（0 字节）",
    "ENCRYPTED": "文件加了密码或权限保护",
    "HEADER_BEHIND": "PDF 内容之前还有别的数据",
    "UNFINISHED": "文件没有正常结尾，可能不完整",
}


def _before_what_was_appended(pdf: bytes) -> Document | None:
    """The newest version that can be read and that a signature covers, when the file as a whole cannot be read."""
    for end in change_steps.earlier_ends(pdf, len(pdf)):
        try:
            document = Document(pdf, end)
            if any(signature.covers_whole(document) for signature in signatures.find(document)):
                return document
        except PdfError:
            continue
    return None


def _is_packed(document: Document) -> bool:
    """Tells whether objects are in object streams, by whatever name these go."""
    if all(each.kind == "table" and each.companion is None for each in document.sections):
        return False
    return any(entry.place == Place.IN_STREAM for entry in document.entries.values())


def _active(document: Document) -> list[str]:
    """Names by which a document acts. Raises PdfError where something in it cannot be read, which may act as well, or
    reading all of it is more work than is given to a file.
    """
    try:
        document.read_all()
    except PdfError as cause:
        if cause.limit or not shadow.acting(document.census.names):
            raise
    return shadow.acting(document.census.names)


def _signed(found: Findings, case: _Case, receipt: str | None) -> tuple[SignatureFinding, ...]:
    """Everything that depends on who signed: each signature by itself, the last one with ledger and register."""
    present = case.history.present
    signers = signatures.by_signers(present)
    last = signers[-1]
    found.as_of_us = last.claimed_us if last.claimed_us is not None else case.now_us
    entry = ledger_steps.logged(
        found,
        case.document,
        receipt,
        case.trust.log_keys,
        case.trust.policy,
        ends=[end for end in case.history.ends if end >= case.history.renewed_from],
        online=case.known is not None,
    )
    data = ValidationData.of(case.document).with_lists(case.trust.crls)
    stamps = [s for s in present if s.is_timestamp]
    logged = (entry.end, entry.entry.time_us) if entry is not None else None
    proofs = document_time.prove(case.document, stamps, case.tsa_roots, data, case.now_us, logged)
    if present[-1].is_timestamp and proofs.read[present[-1].number].time_us is None:
        change_steps.covers_no_more(found)
    every = [_One(signature, Findings(case.now_us, _stated(signature, case.now_us))) for signature in signers]
    for one in every:
        one.opened = signer_steps.opened(one.found, one.signature, one.signature.certificates)
    entry = ledger_steps.about_signers(found, entry, (one.opened.cms.signer for one in every if one.opened is not None))
    for one in every:
        _judge(one, case, proofs, data, entry if one.signature is last else None)
    _together(found, every, last, proofs)
    whole = next(step for step in found.steps if step.step == "changes")
    since = [case.history.changes(signature, whole) for signature in present]
    return tuple(
        _timestamp(case, signature, proofs, step)
        if signature.is_timestamp
        else _reported(case, next(one for one in every if one.signature is signature), step)
        for signature, step in zip(present, since, strict=True)
    )


def _stated(signature: PdfSignature, now_us: int) -> int:
    """Each is judged by its own moment, not by that of who signed later."""
    return now_us if signature.claimed_us is None else signature.claimed_us


def _judge(one: _One, case: _Case, proofs: Proofs, data: ValidationData, entry: Logged | None) -> None:
    opened = one.opened
    if opened is None:
        return
    sm = case.sm() if case.sm is not None and opened.seal is not None else None
    if not signer_steps.is_intact(one.found, case.document.data, opened, sm):
        return
    data = data.with_carried(opened.cms)
    path = signer_steps.path_of(
        one.found,
        opened.signer,
        (*opened.others, *(seal_steps.between(sm) if sm is not None else ())),
        case.trust.roots,
        trust_any_signer=case.trust_any_signer,
        beside=data.loaded(),
        data=data,
    )
    one.certified = path is not None and not case.trust_any_signer
    signature = one.signature
    timed = judge_time(
        opened.cms,
        path,
        case.tsa_roots,
        Witnesses(
            opened.claimed_us,
            case.now_us,
            proofs.of(signature.covered_to),
            entry.entry.time_us if entry is not None else None,
            data,
        ),
    )
    one.found.steps.append(timed.step)
    stated_us = one.found.as_of_us if opened.claimed_us is None else opened.claimed_us
    one.found.as_of_us = timed.told_us or stated_us
    one.proven_us = timed.proven_us
    then_us = timed.proven_us or stated_us
    then = path_standing(path or (), data, opened.claimed_us, timed.proven_us, now_us=case.now_us)
    if opened.seal is not None:
        seal_steps.since(one.found, opened.seal.seal, sm, Evidence(data, timed.proven_us))
    last = signature is signatures.by_signers(case.history.present)[-1]
    known = case.known if last else None
    unfit = without_use(path, data, case.trust, then_us, case.now_us, is_proven=timed.proven_us is not None)
    register_steps.seal_steps(one.found, known, opened.signer_sha256, then, logged=entry is not None, unfit=unfit)


def without_use(
    path: Sequence[x509.Certificate] | None,
    data: ValidationData,
    trust: Trust,
    then_us: int,
    now_us: int,
    *,
    is_proven: bool,
) -> Sentence | None:
    """Says which of the verifier's lists say nothing of the signer's certificate, and why; None where one does."""
    if not path or not trust.crls:
        return None
    issuer = next(iter(with_issuer(path, data)[1:]), None)
    given = tuple(unfit_lists.named(trust.crls, trust.crl_names))
    return unfit_lists.told(path[0], issuer, given, then_us, now_us, is_proven=is_proven)


def _together(found: Findings, every: Sequence[_One], last: PdfSignature, proofs: Proofs) -> None:
    """The document is as good as the worst of its signatures; what is told is of the last one where all are alike."""
    for one in every:
        if one.signature is last:
            found.steps += one.found.steps
            found.as_of_us = one.found.as_of_us
    for one in every:
        if one.signature is not last:
            found.take(
                s
                for s in one.found.steps
                if s.step == "ses" or (s.step in OF_EACH and s.status in {Status.UNKNOWN, Status.INVALID})
            )
    found.take(proofs.wrong)


def _reported(case: _Case, one: _One, since: Step) -> SignatureFinding:
    opened = one.opened
    signer, issuer = ("", "") if opened is None else document_time.names_of(opened.signer)
    return SignatureFinding(
        name=one.signature.name,
        kind=SignatureKind.CMS if opened is None else _KINDS.get(opened.kind, SignatureKind.CMS),
        outcome=_outcome(one.found.steps, case, one.signature),
        covers=case.history.covers(one.signature, case.document),
        signer=signer,
        issuer=issuer,
        certified=one.certified,
        claimed_us=one.signature.claimed_us if opened is None else opened.claimed_us,
        proven_us=one.proven_us,
        later=case.history.later(one.signature),
        steps=(since, *(step for step in one.found.steps if step.step in OF_EACH or step.step == "ses")),
        serial="" if opened is None else chain.serial_of(opened.signer),
        certificate_sha256="" if opened is None else opened.signer_sha256,
    )


def _timestamp(case: _Case, signature: PdfSignature, proofs: Proofs, since: Step) -> SignatureFinding:
    read = proofs.read.get(signature.number)
    return SignatureFinding(
        name=signature.name,
        kind=SignatureKind.TIMESTAMP,
        outcome=_outcome([read.step] if read else [], case, signature, needed=("time",)),
        covers=case.history.covers(signature, case.document),
        signer=read.authority if read else "",
        issuer=read.issuer if read else "",
        certified=read is not None and read.step.status is Status.VALID,
        claimed_us=read.stated_us if read else None,
        proven_us=read.time_us if read is not None and read.step.status is Status.VALID else None,
        later=case.history.later(signature),
        steps=(since, read.step) if read else (since,),
    )


_KINDS = {Kind.GM_CMS: SignatureKind.GM_CMS, Kind.SES: SignatureKind.SES}
_NEEDED = ("integrity", "signer", "chain", "time")


def _outcome(steps: Sequence[Step], case: _Case, signature: PdfSignature, needed: Sequence[str] = _NEEDED) -> Outcome:
    """The outcome of one signature by itself, with what came after it."""
    statuses = {step.status for step in steps}
    if case.history.disturbed(signature):
        statuses.add(case.history.status)
    valid = {step.step for step in steps if step.status is Status.VALID}
    if Status.INVALID in statuses:
        return Outcome.INVALID
    return Outcome.VALID if Status.UNKNOWN not in statuses and valid >= set(needed) else Outcome.INDETERMINATE
