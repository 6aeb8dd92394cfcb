"""A seal signature beside a PDF (`FILE.pdf.ses`), judged against the document it stands for."""

from collections.abc import Iterable, Sequence

from cryptography import x509

from services.esign.certification import sm2_checks
from services.esign.certification.domain import chain, sm2_chain
from services.esign.certification.domain.chain import ChainError
from services.esign.certification.domain.sm2_chain import Sm2Certificate
from services.esign.certification.domain.validation_data import ValidationData
from services.esign.domain import der
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms.signed_cms import CmsError
from services.esign.domain.common_names import common_name
from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.signatures import PdfSignature
from services.esign.domain.pdf.syntax import PdfError
from services.esign.domain.verdict import Status, Step
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import steps as seal_steps
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.check import Covered, Evidence, SmTrust
from services.esign.ses.domain.values import SealSignature, SesError
from shuniu.kit.crypto import sm


def protected_parts(first: int, gap_end: int, rest: int) -> str:
    """The name of what a seal signature covers of a PDF (propertyInfo): the ByteRange itself."""
    return f"/ByteRange[0 {first} {gap_end} {rest}]"


def trust(certificates: Iterable[x509.Certificate]) -> SmTrust:
    """The SM2 ones among certificates that somebody chose to trust; malformed ones are passed over."""
    found: list[Sm2Certificate] = []
    for certificate in certificates:
        try:
            if sm2_chain.is_sm2(certificate):
                found.append(sm2_chain.of(certificate))
        except ChainError:
            continue
    return ses_check.trust(found, sm2_checks.verifies if sm.available() else None, sm.sm3)


def covered(pdf: bytes) -> Covered:
    """The bytes that a seal signature beside `pdf` must be over: what its last signer's signature covers. Raises
    PdfError.
    """
    return _covered(pdf, _last(Document(pdf)))


def check(
    pdf: bytes,
    sidecar: bytes,
    trusted: Sequence[x509.Certificate],
    now_us: int,
    proven_us: int | None = None,
    crls: Sequence[bytes] = (),
) -> Step:
    """The step `ses` of a document's verdict. Never raises for bad bytes.

    A seal file that cannot be read, or is of another document by the digest it states, says nothing of this one:
    somebody may have taken the wrong file, or not all of it came. One of this very document that fails is wrong.

    Beyond the seal signature itself: its seal must be of the organisation that signed the PDF. `proven_us`: the moment
    by which that organisation's signature is proven to have existed; a seal of the same organisation over the same
    bytes counts as equally old, because a later one would say nothing new. The moment it states is not before the
    one that those bytes state. `crls` (DER): those at hand beside the PDF's own.
    """
    try:
        document = Document(pdf)
        last = _last(document)
        wanted, organisation = _covered(pdf, last), _organisation(last)
    except PdfError as cause:
        # Other steps report what is wrong with the document.
        zh, en = "文件无法解读，国密签章无从核验", f"no document: {cause}"
        return Step("ses", Status.UNKNOWN, "SES_WITHOUT_DOCUMENT", zh, en)
    if (unfit := _unfit(sidecar, wanted)) is not None:
        return unfit
    evidence = Evidence(ValidationData.of(document).with_lists(crls), proven_us)
    found = ses_check.inspect(sidecar, trust(trusted), now_us, wanted, evidence)
    step = seal_steps.summary(found)
    if step.status is Status.VALID and found.seal is not None and found.seal.info.name != organisation:
        zh, en = "国密签章与文件签名的单位名称不同", "the seal is of another organisation than the PDF's signer"
        return Step("ses", Status.UNKNOWN, "SES_OTHER_ORGANISATION", zh, en)
    return step


def _unfit(sidecar: bytes, wanted: Covered) -> Step | None:
    """The reason why a seal file is not of this document; None where it is."""
    try:
        read = ses.read(sidecar)
    except SesError as cause:
        zh, en = (
            "附带的国密签章文件（.ses）不完整或读不了",
            f"the seal file (.ses) is not complete or cannot be read: {cause}",
        )
        return Step("ses", Status.UNKNOWN, "SES_UNREADABLE", zh, en)
    if not isinstance(read, SealSignature):
        zh, en = "附带的文件（.ses）是印章而不是签章", "the file (.ses) is a seal, not a seal signature"
        return Step("ses", Status.UNKNOWN, "SES_NO_SIGNATURE", zh, en)
    if read.data_hash != wanted.data_hash:
        zh, en = (
            "附带的国密签章文件（.ses）是另一份文件的，没有用来核验",
            "the seal file (.ses) is of another document and was not used",
        )
        return Step("ses", Status.UNKNOWN, "SES_OF_ANOTHER", zh, en)
    return None


def _last(document: Document) -> PdfSignature:
    present = signatures.by_signers(signatures.find(document))
    if not present:
        raise PdfError("NO_SIGNATURE", "the document is not signed")
    return present[-1]


def _covered(pdf: bytes, last: PdfSignature) -> Covered:
    first, gap_end = last.gap
    parts = (bytes(part) for part in last.signed_parts(pdf))
    return Covered(sm.sm3(*parts), protected_parts(first, gap_end, last.covered_to - gap_end), last.claimed_us)


def _organisation(last: PdfSignature) -> str:
    """Common name of the PDF's last signer; empty when it cannot be read."""
    try:
        signer = chain.load(cms_reader.read(last.cms[: der.parse_prefix(last.cms).end]).signer)
    except (CmsError, ChainError, der.DerError):
        return ""
    return common_name(signer.subject) or ""
