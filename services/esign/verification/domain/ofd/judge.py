"""Judging a signed OFD document by the steps of every verdict, in the order of `domain/verify.py`: one reading of the
package, what the signatures cover, whether that is unchanged, then who signed and when, then register and ledger.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import chain
from services.esign.certification.domain.trust import Trust
from services.esign.certification.domain.validation_data import NOTHING, ValidationData, path_standing
from services.esign.domain.findings import OF_EACH, Findings
from services.esign.domain.ofd import package
from services.esign.domain.ofd.archive import is_ofd
from services.esign.domain.ofd.errors import OfdError
from services.esign.domain.ofd.package import Package
from services.esign.domain.verdict import (
    STEPS,
    Form,
    Outcome,
    SignatureFinding,
    Status,
    Step,
    Verdict,
    conclude,
)
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import Entry
from services.esign.ses.domain import steps as seal_steps
from services.esign.ses.domain.check import Evidence, SmTrust
from services.esign.signing.domain import signer_steps
from services.esign.verification.domain import ledger_steps, register_steps, transport
from services.esign.verification.domain.blank_blocks import unblamed
from services.esign.verification.domain.ofd import coverage, signatures, signed_value
from services.esign.verification.domain.ofd.coverage import Covered
from services.esign.verification.domain.ofd.signed_value import SignedValue
from services.esign.verification.domain.register_steps import Known
from services.esign.verification.domain.stamped_time import Witnesses, judge_time
from services.esign.verification.domain.verify import LINES_REWRITTEN, without_ses, without_use

__all__ = ["is_ofd", "judge_ofd"]

_EACH = OF_EACH | {"ses"}
_OPTIONAL = frozenset({"seal_then", "ses"})
# As makers number signatures: 1, s001.
_NUMBER = re.compile("[A-Za-z]{0,3}[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class _Case:
    """Holds the trust, the register's facts and the time (µs) by which a package is judged."""

    trust: Trust
    sm_trust: SmTrust
    known: Known | None
    now_us: int
    entry: Entry | None
    trust_any_signer: bool

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        own = tuple(root.parsed for root in self.sm_trust.roots if root.parsed not in self.trust.roots)
        return (*self.trust.roots, *own)

    @property
    def data(self) -> ValidationData:
        return NOTHING.with_lists(self.trust.crls)


@dataclass(slots=True)
class _One:
    """One signature while it is being judged."""

    covered: Covered
    found: Findings
    value: SignedValue | None = None
    certified: bool = False
    proven_us: int | None = None


def judge_ofd(
    data: bytes,
    *,
    trust: Trust,
    sm_trust: SmTrust,
    now_us: int,
    known: Known | None = None,
    receipt: str | None = None,
    trust_any_signer: bool = False,
) -> Verdict:
    """The verdict on an OFD package. Never raises for a bad document.

    `trust` and `known` as in `verify.judge`; `sm_trust` holds the seal makers, and SM2. `receipt` is the ledger's, the
    same for a document's PDF and OFD. `trust_any_signer` leaves the issuer unjudged and never gives VALID.
    """
    found = Findings(now_us, now_us)
    judged: list[_One] = []
    opened = _parse(found, data)
    if opened is not None:
        entry = _logged(found, data, receipt, trust, online=known is not None)
        case = _Case(trust, sm_trust, known, now_us, entry, trust_any_signer)
        judged = _signed(found, opened, case)
    register_steps.document_step(found, known)
    told = tuple(_told(opened, one) for one in judged) if opened is not None else ()
    if all(step.step != "ses" for step in found.steps):
        found.steps.append(without_ses(found, told))
    at_best = Outcome.INDETERMINATE if trust_any_signer else Outcome.VALID
    verdict = conclude(found.steps, found.as_of_us if known is None else now_us, at_best=at_best)
    return unblamed(Verdict(verdict.outcome, verdict.as_of_us, verdict.steps, told, Form.OFD), data)


def _parse(found: Findings, data: bytes) -> Package | None:
    try:
        opened = package.read(data)
        opened.check_all()
    except OfdError as cause:
        if transport.lines_rewritten(data):
            found.add("parse", Status.UNKNOWN, "LINES_REWRITTEN", *LINES_REWRITTEN)
        else:
            _refused(found, "parse", cause)
        return None
    found.add("parse", Status.VALID, "PARSED", "文件结构完整，只有一种解读", "every byte of the file has its place")
    return opened


def _refused(found: Findings, step: str, cause: OfdError) -> None:
    found.add(step, Status.UNKNOWN if cause.unsupported else Status.INVALID, cause.reason, cause.zh, cause.en)


def _signed(found: Findings, opened: Package, case: _Case) -> list[_One]:
    try:
        present = signatures.find(opened)
        covered = coverage.cover(opened, present)
    except OfdError as cause:
        _refused(found, "coverage", cause)
        return []
    if not covered:
        found.add("coverage", Status.INVALID, "NO_SIGNATURE", "文件没有电子签名", "the document is not signed")
        return []
    coverage.steps(found, opened, covered)
    judged = [_One(one, Findings(case.now_us, case.now_us)) for one in covered]
    for one in judged:
        _judge(one, case, is_last=one is judged[-1])
    last = judged[-1]
    found.as_of_us = last.found.as_of_us
    for one in judged:
        grave = {Status.UNKNOWN, Status.INVALID}
        found.take(s for s in one.found.steps if s.step in _EACH and (one is last or s.status in grave))
    found.take(s for s in last.found.steps if s.step == "seal_now")
    return judged


def _judge(one: _One, case: _Case, *, is_last: bool) -> None:
    """Everything about one signature; what register and ledger say is about the last."""
    own = one.found
    if not one.covered.is_intact:
        own.add(
            "integrity",
            Status.INVALID,
            "DIGEST",
            "文件内容与签名不符，已被篡改",
            "the document is not what was signed",
        )
        return
    value = one.value = signed_value.judge(own, one.covered.signature, case.sm_trust)
    if value is None:
        return
    others = (*value.others, *(between.parsed for between in case.sm_trust.between))
    data = case.data.with_carried(value.cms)
    path = signer_steps.path_of(
        own, value.signer, others, case.roots, trust_any_signer=case.trust_any_signer, data=data
    )
    one.certified = path is not None and not case.trust_any_signer
    entry = case.entry if is_last else None
    tsa_roots = (*case.roots, *case.trust.tsa_roots)
    logged_us = None if entry is None else entry.time_us
    timed = judge_time(
        value.cms,
        path,
        tsa_roots,
        Witnesses(value.claimed_us, case.now_us, None, logged_us, data),
    )
    own.steps.append(signed_value.dated(timed.step, one.covered.signature, value.claimed_us))
    one.proven_us = timed.proven_us
    stated_us = case.now_us if value.claimed_us is None else value.claimed_us
    own.as_of_us = timed.told_us or stated_us
    then_us = timed.proven_us or stated_us
    then = path_standing(path or (), data, value.claimed_us, timed.proven_us, now_us=case.now_us)
    if value.seal is not None:
        seal_steps.since(own, value.seal, case.sm_trust, Evidence(data, timed.proven_us))
    known = case.known if is_last else None
    unfit = without_use(path, data, case.trust, then_us, case.now_us, is_proven=timed.proven_us is not None)
    signer = _known_as(value, known, entry)
    register_steps.seal_steps(own, known, signer, then, logged=entry is not None, unfit=unfit)


def _known_as(value: SignedValue, known: Known | None, entry: Entry | None) -> str:
    """The certificate by which the register knows the seal: the signer's own, or, where the ledger took in these very
    bytes as a form of the document that another certificate of the seal sealed, that one.
    """
    if known is not None and entry is not None and entry.certificate_sha256 == known.certificate_sha256 != "":
        return known.certificate_sha256
    return sha256(value.signer.public_bytes(Encoding.DER)).hexdigest()


def _logged(found: Findings, data: bytes, receipt: str | None, trust: Trust, *, online: bool) -> Entry | None:
    """The step ledger: the document's entry, when the receipt is of this very package."""
    if receipt is None:
        status = Status.UNKNOWN if online else Status.NOT_CHECKED
        found.add("ledger", status, "NO_RECEIPT", "没有存证回执，未核验", "no receipt to check")
        return None
    proved = ledger_steps.proved_by(
        found,
        receipt,
        trust.log_keys,
        trust.policy,
        lambda entry: entry.type is ledger.EntryType.DOCUMENT_SEALED and entry.is_of_ofd(data),
    )
    if proved is None:
        return None
    entry, checkpoint = proved
    zh, en = _witnessed(receipt, trust)
    found.add(
        "ledger",
        Status.VALID,
        "LOGGED",
        f"已存证于日志 {checkpoint.origin}（{zh}）",
        f"in the log {checkpoint.origin}, size {checkpoint.size} ({en})",
    )
    return entry


def _witnessed(receipt: str, trust: Trust) -> tuple[str, str]:
    if trust.policy is None:
        return "见证联署未核验", "witness cosignatures not required"
    present = len(trust.policy.check(ledger.parse_receipt(receipt).checkpoint))
    known = len(trust.policy.witnesses)
    zh, en = f"{known} 家见证方中 {present} 家联署", f"cosigned by {present} of {known} known witnesses"
    return (zh, en) if present == known else (f"{zh}，其余联署待取得", f"{en}, other cosignatures pending")


def _told(opened: Package, one: _One) -> SignatureFinding:
    """The report on one signature."""
    signature, value = one.covered.signature, one.value
    steps = [coverage.coverage_step(one.covered), coverage.changes_step(opened, one.covered), *one.found.steps]
    return SignatureFinding(
        # Nobody signs the list: an ID that is a word would speak for somebody.
        name=signature.id if _NUMBER.fullmatch(signature.id) else signature.file,
        kind=signed_value.kind_of(signature.value) if value is None else value.kind,
        outcome=_outcome(steps),
        covers=coverage.covers(opened, one.covered),
        signer="" if value is None else _common_name(value.signer.subject),
        issuer="" if value is None else _common_name(value.signer.issuer),
        certified=one.certified,
        claimed_us=next(iter(signature.stated), None) if value is None else value.claimed_us,
        proven_us=one.proven_us,
        later=coverage.later(one.covered),
        steps=tuple(sorted(steps, key=lambda step: STEPS.index(step.step))),
        serial="" if value is None else chain.serial_of(value.signer),
        certificate_sha256="" if value is None else sha256(value.signer.public_bytes(Encoding.DER)).hexdigest(),
    )


def _outcome(steps: Sequence[Step]) -> Outcome:
    statuses = {step.status for step in steps}
    if Status.INVALID in statuses:
        return Outcome.INVALID
    clear = {step.step for step in steps if step.status is Status.VALID}
    wanted = {"coverage", "changes"} | (OF_EACH - _OPTIONAL)
    return Outcome.VALID if wanted <= clear and Status.UNKNOWN not in statuses else Outcome.INDETERMINATE


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
