"""One document to judge and its verdict, as plain values: they cross into the process that reads the document."""

from dataclasses import dataclass, field
from functools import lru_cache, partial

from cryptography import x509

from services.esign.certification.domain import pem
from services.esign.certification.domain.trust import Trust
from services.esign.domain.ofd.archive import is_ofd
from services.esign.domain.verdict import Step, Verdict
from services.esign.ledger.domain import witness
from services.esign.ledger.domain.note import VerifierKey, parse_vkey
from services.esign.revisions.second_line import look
from services.esign.ses import document as ses_document
from services.esign.ses.domain.check import SmTrust
from services.esign.verification.domain.verify import Known, judge


@dataclass(frozen=True, slots=True)
class Question:
    """One document to judge; see `judge`."""

    pdf: bytes = field(repr=False)
    roots_pem: bytes
    vkeys: tuple[str, ...]
    now_us: int
    receipt: str | None
    known: Known | None
    # Seal signature beside the document, and the SM2 certificates trusted for it; empty: there is none.
    ses: bytes = field(default=b"", repr=False)
    sm_pem: bytes = b""
    # Roots of an outside timestamp authority; empty: there is none.
    tsa_pem: bytes = b""
    # The hub's witnesses: their cosignatures are counted and shown, not demanded.
    witness_vkeys: tuple[str, ...] = ()
    # What the hub's own CRLs say, for documents that are not in its register.
    crls: tuple[bytes, ...] = ()
    # SHA-256 (hex) of `pdf`, where it has been computed already.
    pdf_sha256: str = ""

    @property
    def size(self) -> int:
        """Bytes that it alone keeps in memory: what its sender gave. What the hub trusts is shared by all questions."""
        return len(self.pdf) + len(self.ses) + len((self.receipt or "").encode("utf-8", "surrogatepass"))


def answer(question: Question) -> Verdict:
    """The verdict. Never raises for a bad document."""
    known = [witness.parse_vkey(text) for text in question.witness_vkeys]
    trust = Trust(
        _certificates(question.roots_pem),
        _keys(question.vkeys),
        policy=witness.Policy.k_of_n(known, 0) if known else None,
        tsa_roots=_certificates(question.tsa_pem),
        crls=question.crls,
    )
    if is_ofd(question.pdf):
        # Most documents are PDFs; who judges one need not wait for this to be imported.
        from services.esign.verification.domain.ofd.judge import judge_ofd

        return judge_ofd(
            question.pdf,
            trust=trust,
            sm_trust=_sm_trust(question),
            now_us=question.now_us,
            known=question.known,
            receipt=question.receipt,
        )
    return judge(
        question.pdf,
        trust=trust,
        now_us=question.now_us,
        receipt=question.receipt,
        known=question.known,
        ses=partial(_ses, question) if question.ses else None,
        look=look,
        sm=partial(_sm_trust, question),
    )


def _ses(question: Question, proven_us: int | None) -> Step:
    trusted = _certificates(question.sm_pem)
    return ses_document.check(question.pdf, question.ses, trusted, question.now_us, proven_us, question.crls)


def _sm_trust(question: Question) -> SmTrust:
    return ses_document.trust((*_certificates(question.roots_pem), *_certificates(question.sm_pem)))


# Trust material is the same from question to question.
@lru_cache(maxsize=16)
def _certificates(bundle: bytes) -> tuple[x509.Certificate, ...]:
    return pem.certificates(bundle)


@lru_cache(maxsize=16)
def _keys(vkeys: tuple[str, ...]) -> tuple[VerifierKey, ...]:
    return tuple(parse_vkey(text) for text in vkeys)
