"""The step ledger: whether a receipt is of this document, or of what it was before its renewal."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from services.esign.domain.errors import EsignError
from services.esign.domain.findings import Findings
from services.esign.domain.pdf.document import Document
from services.esign.domain.verdict import Status
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.note import VerifierKey
from services.esign.ledger.domain.witness import Policy


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
    proved = proved_by(found, receipt, log_keys, policy, lambda entry: _end_of(document, entry, ends) is not None)
    if proved is None:
        return None
    entry, checkpoint = proved
    end = _end_of(document, entry, ends)
    assert end is not None
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


def proved_by(
    found: Findings,
    receipt: str,
    log_keys: Sequence[VerifierKey],
    policy: Policy | None,
    is_of_it: Callable[[ledger.Entry], bool],
) -> tuple[ledger.Entry, ledger.Checkpoint] | None:
    """The document's entry and the checkpoint it is under; None, with its finding, where the receipt does not prove it.

    A receipt that cannot be read, or is of another document, says nothing of this one: somebody may have taken the
    wrong file. One of this very document whose proof fails is wrong.
    """
    try:
        read = ledger.parse_receipt(receipt)
        about_it = is_of_it(ledger.decode(read.entry))
    except EsignError as cause:
        found.add("ledger", Status.UNKNOWN, cause.reason, f"回执读不了：{cause.zh}", f"unreadable receipt: {cause.en}")
        return None
    if not about_it:
        zh, en = "回执是另一份文件的，没有用来核验", "the receipt is of another document and was not used"
        found.add("ledger", Status.UNKNOWN, "RECEIPT_OF_ANOTHER", zh, en)
        return None
    try:
        return ledger.check_receipt(read, log_keys, policy=policy)
    except EsignError as cause:
        unknown = cause.reason in {"NOTE_UNSIGNED", "LOG_UNKNOWN", "COSIGNATURES_PENDING"}
        found.add("ledger", Status.UNKNOWN if unknown else Status.INVALID, cause.reason, cause.zh, cause.en)
        return None


def _end_of(document: Document, entry: ledger.Entry, ends: Sequence[int]) -> int | None:
    """Returns where the bytes end that the entry is of; None when it is of no version of this document."""
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
    # It is of these very bytes, and says that somebody else signed them.
    zh, en = "回执与签章证书不符", "the receipt names another certificate"
    found.add("ledger", Status.INVALID, "RECEIPT_OF_ANOTHER", zh, en)
    return None
