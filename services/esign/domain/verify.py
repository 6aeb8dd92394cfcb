"""Judging a signed document, step by step. Pure: what only a server knows comes in as `Known`, the clock as a number.

Published attacks decide the order: structure first (one reading), then that the signature covers the whole file and
the gap holds nothing but itself, then cryptography, then who signed and when, then what the register and the ledger
say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from cryptography import x509

from services.esign.domain import chain, changes, cms_reader, der, ledger, signatures
from services.esign.domain.certificates import CertificateState
from services.esign.domain.chain import ChainError
from services.esign.domain.cms_reader import CmsError, SignedCms
from services.esign.domain.errors import EsignError
from services.esign.domain.note import VerifierKey
from services.esign.domain.pdf import Document
from services.esign.domain.pdf_syntax import PdfError
from services.esign.domain.seals import SealState
from services.esign.domain.shadow import ACTIVE
from services.esign.domain.signatures import PdfSignature
from services.esign.domain.stamped_time import judge_stamp
from services.esign.domain.verdict import Outcome, Status, Step, Verdict, conclude
from services.esign.domain.witness import Policy

# Clocks of honest machines differ by less; a signature from further ahead is from a wrong clock or a lie.
CLOCK_TOLERANCE_US = 300 * 1_000_000
# Sealing and logging are one operation; an entry further from the stated time than this is not about that moment.
LOGGED_WITHIN_US = 3600 * 1_000_000
# Steps that every signature of a document goes through.
_OF_EACH = frozenset({"integrity", "signer", "chain", "time"})
_GRAVITY = {Status.VALID: 0, Status.NOT_CHECKED: 1, Status.UNKNOWN: 2, Status.INVALID: 3}
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


@dataclass(frozen=True, slots=True)
class Known:
    """What the hub's register says of the document: its own state, and its seal's at signing and now. None: not in
    the register.
    """

    document: CertificateState | None
    seal_then: SealState | None
    seal_now: SealState | None
    certificate_sha256: str = ""


@dataclass(slots=True)
class _Findings:
    now_us: int
    steps: list[Step]
    as_of_us: int
    # What earlier signatures of the document failed.
    spoiled: list[Step] = field(default_factory=list)

    def take_worst(self) -> None:
        """A document is as good as the worst of its signatures."""
        for bad in self.spoiled:
            standing = next((s for s in self.steps if s.step == bad.step), None)
            if standing is None or _GRAVITY[bad.status] > _GRAVITY[standing.status]:
                self.steps = [s for s in self.steps if s is not standing] + [bad]

    def add(self, step: str, status: Status, reason: str, zh: str, en: str) -> None:
        self.steps.append(Step(step, status, reason, zh, en))


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
    found = _Findings(now_us, [], now_us)
    at_best = Outcome.INDETERMINATE if trust_any_signer else Outcome.VALID
    document = _parse(found, pdf)
    if document is not None:
        present = _signatures(found, document)
        signers = signatures.by_signers(present)
        for earlier in signers[:-1]:
            apart = _Findings(now_us, [], now_us)
            _signed(apart, document, earlier, trust, None, None, trust_any_signer=trust_any_signer)
            found.spoiled += [s for s in apart.steps if s.step in _OF_EACH and s.status is not Status.VALID]
        if signers:
            _signed(found, document, signers[-1], trust, receipt, known, trust_any_signer=trust_any_signer)
            found.take_worst()
    if known is None:
        found.add(
            "document",
            Status.NOT_CHECKED,
            "OFFLINE",
            "离线核验，未查询该文件是否已撤销",
            "offline: not asked whether the document stands",
        )
        found.add(
            "seal_now",
            Status.NOT_CHECKED,
            "OFFLINE",
            "离线核验，未查询印章现状",
            "offline: the seal's present state was not asked",
        )
    else:
        _document_state(found, known)
    found.steps.append(ses or NO_SES)
    verdict = conclude(found.steps, found.as_of_us if known is None else now_us, at_best=at_best)
    return Verdict(verdict.outcome, verdict.as_of_us, verdict.steps, readable=pdf.startswith(b"%PDF-"))


def _parse(found: _Findings, pdf: bytes) -> Document | None:
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


def _signatures(found: _Findings, document: Document) -> Sequence[PdfSignature]:
    """All signatures in the order of their coverage; none when what they cover is already wrong."""
    try:
        present = signatures.find(document)
    except PdfError as cause:
        status = Status.UNKNOWN if cause.unsupported else Status.INVALID
        found.add("coverage", status, cause.reason, "签名结构不合规", f"signature structure: {cause}")
        return ()
    if not signatures.by_signers(present):
        found.add("coverage", Status.INVALID, "NO_SIGNATURE", "文件没有电子签名", "the document is not signed")
        return ()
    if not all(signature.ends_its_revision(document) for signature in present):
        found.add(
            "coverage",
            Status.INVALID,
            "COVERAGE",
            "签名没有覆盖到其所在版本的结尾",
            "a signature ends in the middle of a revision, or covers another than its own",
        )
        return ()
    if present[-1].covers_whole(document):
        found.add("coverage", Status.VALID, "WHOLE_FILE", "签名覆盖整个文件", "the signature covers the whole file")
    else:
        found.add("coverage", Status.VALID, "REVISION", "签名覆盖其所在版本", "the signature covers its revision")
    _changes(found, document, present)
    return present


def _changes(found: _Findings, document: Document, present: Sequence[PdfSignature]) -> None:
    certified = any(s.permission is not None for s in present)
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
    else:
        found.add(
            "changes",
            Status.VALID,
            "SIGNED_ONLY",
            "首个签名之后只有签名和验证数据",
            "after the first signature nothing was added but signatures and validation data",
        )


def _signed(
    found: _Findings,
    document: Document,
    signature: PdfSignature,
    trust: Trust,
    receipt: str | None,
    known: Known | None,
    *,
    trust_any_signer: bool,
) -> None:
    found.as_of_us = signature.claimed_us if signature.claimed_us is not None else found.now_us
    entry = _ledger(found, document.data, receipt, trust, online=known is not None)
    try:
        cms = cms_reader.read(_unpadded(signature.cms))
        signer = chain.load(cms.signer)
        others = [chain.load(c) for c in cms.certificates if c != cms.signer]
        sound = _integrity(found, document.data, signature, cms, signer)
    except (CmsError, ChainError) as cause:
        unsupported = cause.unsupported if isinstance(cause, CmsError) else cause.unknown
        status = Status.UNKNOWN if unsupported else Status.INVALID
        found.add("integrity", status, cause.reason, "签名数据不合规或不受支持", f"signature data: {cause}")
        return
    if not sound:
        return
    path = _who(found, signer, others, trust, trust_any_signer=trust_any_signer)
    entry = _about_this_seal(found, entry, cms)
    _when(found, path, signature, cms, entry, (*trust.roots, *trust.tsa_roots))
    _seal(found, entry, known, cms)


def _unpadded(contents: bytes) -> bytes:
    """The CMS without the zero bytes that fill /Contents; anything else behind it is refused."""
    try:
        end = der.parse_prefix(contents).end
    except der.DerError as cause:
        raise CmsError("CMS_SYNTAX", str(cause)) from cause
    if any(contents[end:]):
        raise CmsError("CONTENTS_TAIL", "bytes behind the signature inside /Contents")
    return contents[:end]


def _integrity(
    found: _Findings, data: bytes, signature: PdfSignature, cms: SignedCms, signer: x509.Certificate
) -> bool:
    if cms.digest(*signature.signed_parts(data)) != cms.message_digest:
        found.add(
            "integrity", Status.INVALID, "DIGEST", "文件内容与签名不符，已被篡改", "the document is not what was signed"
        )
    elif not cms.names_its_certificate():
        found.add(
            "integrity",
            Status.INVALID,
            "CERTIFICATE_SWAPPED",
            "签名所指证书与所附证书不符",
            "the signature names another certificate",
        )
    elif not cms.signature_holds(signer):
        found.add("integrity", Status.INVALID, "SIGNATURE", "签名值无效", "the signature value is wrong")
    else:
        found.add("integrity", Status.VALID, "INTACT", "内容完整，签名值有效", "content intact, signature value right")
        return True
    return False


def _who(
    found: _Findings,
    signer: x509.Certificate,
    others: list[x509.Certificate],
    trust: Trust,
    *,
    trust_any_signer: bool,
) -> Sequence[x509.Certificate] | None:
    try:
        chain.check_signer(signer)
        found.add(
            "signer", Status.VALID, "SIGNER", f"签章单位：{_common_name(signer)}", f"signed by {_common_name(signer)}"
        )
    except ChainError as cause:
        found.add("signer", Status.UNKNOWN if cause.unknown else Status.INVALID, cause.reason, cause.zh, cause.en)
    if trust_any_signer:
        found.add(
            "chain",
            Status.NOT_CHECKED,
            "ANY_SIGNER",
            "按要求未核验证书颁发机构",
            "the issuer was left unjudged, as asked",
        )
        return [signer]
    try:
        path = chain.build(signer, others, trust.roots)
    except ChainError as cause:
        found.add("chain", Status.UNKNOWN if cause.unknown else Status.INVALID, cause.reason, cause.zh, cause.en)
        return None
    root = _common_name(path[-1])
    found.add(
        "chain", Status.VALID, "TRUSTED", f"证书链可信，根证书：{root}", f"certificate path to trusted root {root}"
    )
    return path


def _when(
    found: _Findings,
    path: Sequence[x509.Certificate] | None,
    signature: PdfSignature,
    cms: SignedCms,
    entry: ledger.Entry | None,
    roots: Sequence[x509.Certificate],
) -> None:
    claimed, now = signature.claimed_us, found.now_us
    if cms.has_unsigned_attributes and (entry is None or not _contradicted(entry, claimed)):
        stamped = judge_stamp(cms, claimed, path, roots, now, tolerance_us=CLOCK_TOLERANCE_US)
        found.steps.append(stamped.step)
        found.as_of_us = stamped.proven_us or found.as_of_us
    elif claimed is None:
        found.add("time", Status.UNKNOWN, "TIME_MISSING", "签名没有时间", "the signature states no time")
    elif claimed > now + CLOCK_TOLERANCE_US:
        found.add(
            "time", Status.INVALID, "TIME_IN_FUTURE", "签名时间晚于当前时间", "the stated time lies in the future"
        )
    elif path is None:
        found.add(
            "time",
            Status.UNKNOWN,
            "TIME_WITHOUT_CHAIN",
            "证书链未确认，不能判定签名时效",
            "without a trusted path the time says nothing",
        )
    elif not chain.valid_at(path, claimed):
        found.add(
            "time",
            Status.INVALID,
            "OUTSIDE_VALIDITY",
            "签名时间不在证书有效期内",
            "a certificate was not valid at the stated time",
        )
    elif entry is not None and not _contradicted(entry, claimed):
        found.as_of_us = entry.time_us
        found.add("time", Status.VALID, "TIME_LOGGED", "签名时间有存证日志佐证", "the ledger confirms the stated time")
    elif entry is not None:
        found.add(
            "time",
            Status.INVALID,
            "TIME_CONTRADICTED",
            "签名时间与存证日志不符",
            "the ledger contradicts the stated time",
        )
    elif chain.valid_at(path, now):
        found.add(
            "time",
            Status.VALID,
            "STILL_VALID",
            "签名时间由签章方声明，证书至今有效",
            "time stated by the signer; the certificates are valid to this day",
        )
    else:
        found.add(
            "time",
            Status.UNKNOWN,
            "TIME_NOT_PROVEN",
            "证书已过期，签名时间无佐证",
            "certificates have expired and nothing proves the time",
        )


def _contradicted(entry: ledger.Entry, claimed_us: int | None) -> bool:
    return claimed_us is not None and abs(entry.time_us - claimed_us) > LOGGED_WITHIN_US


def _ledger(found: _Findings, data: bytes, receipt: str | None, trust: Trust, *, online: bool) -> ledger.Entry | None:
    if receipt is None:
        status = Status.UNKNOWN if online else Status.NOT_CHECKED
        found.add("ledger", status, "NO_RECEIPT", "没有存证回执，未核验", "no receipt to check")
        return None
    try:
        entry, checkpoint = ledger.check_receipt(ledger.parse_receipt(receipt), trust.log_keys, policy=trust.policy)
    except EsignError as cause:
        unknown = cause.reason in {"NOTE_UNSIGNED", "LOG_UNKNOWN", "COSIGNATURES_PENDING"}
        found.add("ledger", Status.UNKNOWN if unknown else Status.INVALID, cause.reason, cause.zh, cause.en)
        return None
    if entry.type is not ledger.EntryType.DOCUMENT_SEALED or not entry.is_of(data):
        found.add(
            "ledger", Status.INVALID, "RECEIPT_OF_ANOTHER", "回执不是该文件的", "the receipt is of another document"
        )
        return None
    zh, en = "见证联署未核验", "witness cosignatures not required"
    if trust.policy is not None:
        present, known = len(trust.policy.check(ledger.parse_receipt(receipt).checkpoint)), len(trust.policy.witnesses)
        zh, en = f"{known} 家见证方中 {present} 家联署", f"cosigned by {present} of {known} known witnesses"
        if present < known:
            zh, en = f"{zh}，其余联署待取得", f"{en}, other cosignatures pending"
    found.add(
        "ledger",
        Status.VALID,
        "LOGGED",
        f"已存证于日志 {checkpoint.origin}（{zh}）",
        f"in the log {checkpoint.origin}, size {checkpoint.size} ({en})",
    )
    return entry


def _about_this_seal(found: _Findings, entry: ledger.Entry | None, cms: SignedCms) -> ledger.Entry | None:
    """The entry, unless it was made for another certificate than the one that signed."""
    if entry is None or entry.names(cms.signer):
        return entry
    found.steps = [step for step in found.steps if step.step != "ledger"]
    found.add(
        "ledger", Status.INVALID, "RECEIPT_OF_ANOTHER", "回执与签章证书不符", "the receipt names another certificate"
    )
    return None


def _seal(found: _Findings, entry: ledger.Entry | None, known: Known | None, cms: SignedCms) -> None:
    if known is None:
        if entry is None:
            found.add(
                "seal_then",
                Status.NOT_CHECKED,
                "OFFLINE",
                "离线核验，未查询用印时印章状态",
                "offline: the seal's state at signing was not asked",
            )
        else:
            found.add(
                "seal_then",
                Status.VALID,
                "SEAL_LOGGED",
                "存证日志载明用印时印章有效",
                "the log took the entry while the seal was active",
            )
        return
    then, now = known.seal_then, known.seal_now
    if then is None or now is None or known.certificate_sha256 != sha256(cms.signer).hexdigest():
        for step in ("seal_then", "seal_now"):
            found.add(step, Status.UNKNOWN, "SEAL_UNKNOWN", "登记中没有这枚印章", "the seal is not in the register")
        return
    if then is SealState.ACTIVE:
        found.add("seal_then", Status.VALID, "SEAL_ACTIVE", "用印时印章有效", "the seal was active at signing")
    else:
        found.add("seal_then", Status.INVALID, f"SEAL_{then}", "用印时印章不可用", f"the seal was {then} at signing")
    if now is SealState.ACTIVE:
        found.add("seal_now", Status.VALID, "SEAL_ACTIVE", "印章现仍有效", "the seal is active now")
    elif entry is not None:
        found.add(
            "seal_now",
            Status.VALID,
            f"SEAL_{now}_SINCE",
            "印章现已停用，用印在停用之前",
            f"the seal is {now} now; it signed before that",
        )
    else:
        found.add(
            "seal_now",
            Status.UNKNOWN,
            f"SEAL_{now}",
            "印章现已停用，用印时间无佐证",
            f"the seal is {now} now and nothing proves when it signed",
        )


def _document_state(found: _Findings, known: Known) -> None:
    if known.document is CertificateState.VALID:
        found.add("document", Status.VALID, "DOCUMENT_STANDS", "该文件未被撤销", "the document stands")
    elif known.document is CertificateState.REVOKED:
        found.add(
            "document",
            Status.INVALID,
            "DOCUMENT_REVOKED",
            "该文件已被出具单位撤销",
            "the issuer has withdrawn the document",
        )
    else:
        found.add(
            "document", Status.UNKNOWN, "DOCUMENT_UNKNOWN", "登记中没有该文件", "the document is not in the register"
        )


@lru_cache(maxsize=1024)
def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()
