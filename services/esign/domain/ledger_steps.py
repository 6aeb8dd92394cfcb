"""The step ledger: whether a receipt is of this document, or of what it was before its renewal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.esign.domain import ledger
from services.esign.domain.errors import EsignError
from services.esign.domain.findings import Findings
from services.esign.domain.note import VerifierKey
from services.esign.domain.pdf import Document
from services.esign.domain.verdict import Status
from services.esign.domain.witness import Policy


@dataclass(frozen=True, slots=True)
class Logged:
    """A document's entry, and where the bytes that it is of end."""

    entry: ledger.Entry
    end: int


def logged(
    found: Findings,
    document: Document,
    receipt: str | None,
    log_keys: Sequence[VerifierKey],
    policy: Policy | None,
    *,
    ends: Sequence[int],
    online: bool,
) -> Logged | None:
    """`ends`: where versions of the document end after which nothing came but validation data and document timestamps;
    the entry may be of one of them.
    """
    if receipt is None:
        status = Status.UNKNOWN if online else Status.NOT_CHECKED
        found.add("ledger", status, "NO_RECEIPT", "没有存证回执，未核验", "no receipt to check")
        return None
    try:
        entry, checkpoint = ledger.check_receipt(ledger.parse_receipt(receipt), log_keys, policy=policy)
    except EsignError as cause:
        unknown = cause.reason in {"NOTE_UNSIGNED", "LOG_UNKNOWN", "COSIGNATURES_PENDING"}
        found.add("ledger", Status.UNKNOWN if unknown else Status.INVALID, cause.reason, cause.zh, cause.en)
        return None
    end = _end_of(document, entry, ends)
    if end is None:
        _refuse(found, "回执不是该文件的", "the receipt is of another document")
        return None
    zh, en = "见证联署未核验", "witness cosignatures not required"
    if policy is not None:
        present, known = len(policy.check(ledger.parse_receipt(receipt).checkpoint)), len(policy.witnesses)
        zh, en = f"{known} 家见证方中 {present} 家联署", f"cosigned by {present} of {known} known witnesses"
        if present < known:
            zh, en = f"{zh}，其余联署待取得", f"{en}, other cosignatures pending"
    reason, before_zh, before_en = "LOGGED", "", ""
    if end < len(document.data):
        reason, before_zh, before_en = "LOGGED_BEFORE_RENEWAL", "续期前的文件", "before its renewal, "
    found.add(
        "ledger",
        Status.VALID,
        reason,
        f"{before_zh}已存证于日志 {checkpoint.origin}（{zh}）",
        f"{before_en}in the log {checkpoint.origin}, size {checkpoint.size} ({en})",
    )
    return Logged(entry, end)


def _end_of(document: Document, entry: ledger.Entry, ends: Sequence[int]) -> int | None:
    """Where the bytes end that the entry is of; None when it is of no version of this document."""
    if entry.type is not ledger.EntryType.DOCUMENT_SEALED:
        return None
    data = document.data
    if entry.is_of(data):
        return len(data)
    digest, stated = entry.document
    state, at, view = digest.new(), 0, memoryview(data)
    for end in ends:
        state.update(view[at:end])
        at = end
        if state.digest().hex() == stated:
            return at
    return None


def about_signers(found: Findings, standing: Logged | None, signers: Iterable[bytes]) -> Logged | None:
    """The entry, unless it was made for another certificate than one of those (DER) that signed."""
    if standing is None or any(standing.entry.names(signer) for signer in signers):
        return standing
    found.steps = [step for step in found.steps if step.step != "ledger"]
    _refuse(found, "回执与签章证书不符", "the receipt names another certificate")
    return None


def _refuse(found: Findings, zh: str, en: str) -> None:
    found.add("ledger", Status.INVALID, "RECEIPT_OF_ANOTHER", zh, en)
