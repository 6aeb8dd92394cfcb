"""A seal signature as the step `ses` of a document's verdict, and one inside a PDF (GB/T 38540 in /Contents): seal,
maker, list and validity, by the same check as one beside the document.
"""

from cryptography import x509

from services.esign.certification.domain import chain
from services.esign.certification.domain.chain import ChainError
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms.signed_cms import CmsError
from services.esign.domain.findings import Findings
from services.esign.domain.verdict import Outcome, Status, Step
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import validity as seal_validity
from services.esign.ses.domain.check import Covered, Evidence, SmTrust
from services.esign.ses.domain.values import Seal, SealSignature


def in_file(
    contents: bytes, seal: SealSignature, parts: tuple[memoryview, memoryview], trust: SmTrust | None, now_us: int
) -> Step:
    """The step `ses` of the seal signature `seal`, read from `contents`, over the document's `parts`. Without trust in
    seal makers nothing is known of the seal.

    What it covers is the signature dictionary's ByteRange; how it calls that (propertyInfo), each maker decides.
    """
    if trust is None or trust.sm3 is None:
        return Step(
            "ses",
            Status.UNKNOWN,
            "SES_NOT_JUDGED",
            "文件内有国密电子签章，但未配置可信的制章者，未能核验印章",
            "there is a GB/T 38540 seal in the document; without trusted seal makers it cannot be judged",
        )
    try:
        data = cms_reader.unpadded(contents)
    except CmsError as cause:
        return Step("ses", Status.UNKNOWN, cause.reason, "国密签章数据未能解读", f"seal data: {cause}")
    covered = Covered(trust.sm3(*(bytes(part) for part in parts)), seal.protected)
    step = summary(ses_check.inspect(data, trust, now_us, covered))
    try:
        return seal_validity.named(step, seal.seal.info, chain.load(seal.certificate))
    except ChainError as cause:
        return Step("ses", Status.UNKNOWN, cause.reason, f"签章证书无法解读：{cause.zh}", str(cause))


def since(found: Findings, seal: Seal, trust: SmTrust | None, evidence: Evidence) -> None:
    """Lowers the step `ses` where lists or the calendar speak against the maker of a document's seal, or the seal
    itself has ended: asked last, when it is known what proves the document's age.
    """
    maker = None if trust is None else ses_check.maker_standing(seal, trust, evidence, found.now_us)
    ended = seal_validity.ended(seal.info, evidence.proven_us, found.now_us)
    found.take(of_a_document(step) for step in (maker, ended) if step is not None)


def summary(found: ses_check.Findings) -> Step:
    """All of it as the one step `ses` of a document's verdict: the first thing that is not well, or that all is."""
    for wanted in (Status.INVALID, Status.UNKNOWN):
        for step in found.steps:
            if step.status is wanted:
                return of_a_document(step)
    if found.outcome is not Outcome.VALID or found.seal is None:
        return Step("ses", Status.UNKNOWN, "SES_INCOMPLETE", "国密签章未能完整核验", "seal data not wholly judged")
    name = found.seal.info.name
    zh, en = f"国密电子签章有效：{name}", f"GB/T 38540 seal signature of {name} holds"
    return Step("ses", Status.VALID, "SES_VALID", zh, en)


def of_a_document(step: Step) -> Step:
    """A seal's step as the step `ses` of a document's verdict."""
    zh, en = f"国密签章：{step.zh}", f"seal data, {step.step}: {step.en}"
    return Step("ses", step.status, f"SES_{step.reason.removeprefix('SES_')}", zh, en)


def between(trust: SmTrust) -> tuple[x509.Certificate, ...]:
    """Authorities that stand between a seal's signer and a root: seal signatures hold no issuer's certificate."""
    return tuple(each.parsed for each in trust.between)
