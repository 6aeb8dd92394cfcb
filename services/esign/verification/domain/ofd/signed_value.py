"""Judges SignedValue.dat over its Signature.xml: a seal signature (GB/T 38540; GM/T 0031), or a signature alone (GM/T
0010, GB/T 35275, RFC 5652). GM/T 0099 allows both; the content decides, not the type in the list.
"""

import posixpath
from dataclasses import dataclass, field

from cryptography import x509

from services.esign.certification.domain import chain
from services.esign.certification.domain.chain import ChainError
from services.esign.domain import der
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms.signed_cms import Binding, CmsError, SignedCms
from services.esign.domain.digests import SM3
from services.esign.domain.findings import Findings
from services.esign.domain.moments import DAY_US
from services.esign.domain.verdict import SignatureKind, Status, Step
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import sealed_value
from services.esign.ses.domain import steps as seal_steps
from services.esign.ses.domain import validity as seal_validity
from services.esign.ses.domain.check import Covered, SmTrust
from services.esign.ses.domain.values import Seal
from services.esign.signing.domain import signature_kinds
from services.esign.signing.domain.signature_kinds import Kind
from services.esign.verification.domain.ofd.signatures import OfdSignature


@dataclass(frozen=True, slots=True)
class SignedValue:
    """A value that holds over its Signature.xml. `cms` is what its time is judged by; `claimed_us`: what the signer
    states, µs.
    """

    kind: SignatureKind
    signer: x509.Certificate
    others: tuple[x509.Certificate, ...]
    claimed_us: int | None
    cms: SignedCms = field(repr=False)
    # What a seal signature brought; a signature alone has none.
    seal: Seal | None = field(default=None, repr=False)


_KINDS = {Kind.SES: SignatureKind.SES, Kind.CMS: SignatureKind.CMS}


def kind_of(value: bytes) -> SignatureKind:
    """A bare value counts as one of GM/T 0010, which GM/T 0099 asks for."""
    return _KINDS.get(signature_kinds.kind_of(value), SignatureKind.GM_CMS)


def judge(found: Findings, signature: OfdSignature, trust: SmTrust) -> SignedValue | None:
    """The steps integrity and ses; None when the value does not hold or cannot be judged."""
    if _is_bare(signature.value):
        found.add(
            "integrity",
            Status.UNKNOWN,
            "SIGNER_ABSENT",
            "签名值中没有签名者证书，无法确认是谁签的；请向出具单位索取带证书的签名文件",
            "a bare signature value without certificate: nobody knows who signed; ask the issuer for one that has it",
        )
        return None
    if kind_of(signature.value) is SignatureKind.SES:
        return _seal_signature(found, signature, trust)
    return _signature(found, signature)


# Seal signatures.


def _seal_signature(found: Findings, signature: OfdSignature, trust: SmTrust) -> SignedValue | None:
    try:
        parts, read = sealed_value.of_seal(signature.value)
        signer = chain.load(read.certificate)
    except CmsError as cause:
        status = Status.UNKNOWN if cause.unsupported else Status.INVALID
        found.add("integrity", status, cause.reason, "签章数据已损坏或不合规", f"seal signature: {cause}")
        return None
    except ChainError as cause:
        _unreadable(found, cause)
        return None
    covered = Covered(SM3.of(signature.xml), _protected(read.protected, signature.file))
    inspected = ses_check.inspect(signature.value, trust, found.now_us, covered)
    steps = {step.step: step for step in inspected.steps}
    # Left out here: the step `time` judges a timestamp, as in every other signature.
    inspected.steps = [step for step in inspected.steps if step.step != "timestamp" or not parts.timestamp_tokens]
    if signature.seal is not None and signature.seal != read.seal.raw:
        found.add(
            "ses",
            Status.INVALID,
            "SES_OTHER_SEAL",
            "所附印章文件与签章中的印章不是同一枚",
            "the seal's file is of another seal than the one that signed",
        )
    else:
        found.steps.append(seal_validity.named(seal_steps.summary(inspected), read.seal.info, signer))
    if not _holds(found, steps):
        return None
    return SignedValue(SignatureKind.SES, signer, (), read.time_us, parts, read.seal)


def _holds(found: Findings, steps: dict[str, Step]) -> bool:
    """The step integrity, from what was found of the seal signature; False also where its seal already failed."""
    for name in ("signature", "data_hash", "protected"):
        step = steps.get(name)
        if step is None:
            return False
        if step.status is not Status.VALID:
            found.add("integrity", step.status, step.reason, step.zh, step.en)
            return False
    found.add("integrity", Status.VALID, "INTACT", "内容完整，签名值有效", "content intact, signature value right")
    return True


def _protected(stated: str, file: str) -> str:
    """Returns what propertyInfo must be: the location of Signature.xml, from the root or from a folder above it, where
    it is a location at all. The data hash binds the file either way; a location that leads elsewhere shows that the
    signature was made for another place.
    """
    location = stated.strip().replace("\\", "/").casefold()
    if not location.endswith(".xml"):
        return stated
    leads_here = f"/{file}".casefold().endswith(posixpath.normpath(f"/{location.lstrip('/')}"))
    return stated if leads_here else f"/{file}"


def _is_bare(value: bytes) -> bool:
    """Tells whether it is nothing but the two numbers of an SM2 or ECDSA signature."""
    try:
        parts = der.parse(value).expect(der.SEQUENCE).children()
    except der.DerError:
        return False
    return len(parts) == 2 and all(part.tag == der.INTEGER for part in parts)


# Signatures alone.


def _signature(found: Findings, signature: OfdSignature) -> SignedValue | None:
    try:
        read = cms_reader.read(signature.value)
        signer = chain.load(read.signer)
        others = chain.readable(read.certificates, read.signer)
        holds = _binds(read, signature.xml, signer)
    except CmsError as cause:
        status = Status.UNKNOWN if cause.unsupported else Status.INVALID
        zh = "签名采用本系统不支持的形式，未能核验" if cause.unsupported else "签名数据已损坏或不合规"
        found.add("integrity", status, cause.reason, zh, f"signature data: {cause}")
        return None
    except ChainError as cause:
        _unreadable(found, cause)
        return None
    if holds is not None:
        found.steps.append(holds)
        return None
    found.add("integrity", Status.VALID, "INTACT", "内容完整，签名值有效", "content intact, signature value right")
    claimed_us = _stated(signature, signer) if read.signing_time_us is None else read.signing_time_us
    return SignedValue(kind_of(signature.value), signer, others, claimed_us, read)


# Makers write Signature.xml by a clock in China and call it UTC, or the other way.
_NEAR_US = DAY_US


def dated(step: Step, signature: OfdSignature, claimed_us: int | None) -> Step:
    """The step time, open where Signature.xml, which readers show, states quite another moment than the value."""
    if (
        step.status is not Status.VALID
        or claimed_us is None
        or not signature.stated
        or any(abs(each - claimed_us) <= _NEAR_US for each in signature.stated)
    ):
        return step
    zh, en = (
        "签名描述文件写的时间与签章时间相差一天以上",
        "Signature.xml states a time more than a day from the signature's",
    )
    return Step("time", Status.UNKNOWN, "TIMES_DIFFER", zh, en)


def _stated(signature: OfdSignature, signer: x509.Certificate) -> int | None:
    """Returns when Signature.xml says that it was signed; of two readings the one at which the certificate was
    valid.
    """
    inside = (at_us for at_us in signature.stated if chain.valid_at((signer,), at_us))
    return next(inside, next(iter(signature.stated), None))


def _unreadable(found: Findings, cause: ChainError) -> None:
    """Nothing is known of who signed; what he signed may be sound."""
    found.add("integrity", Status.UNKNOWN, cause.reason, f"签章证书无法解读：{cause.zh}", str(cause))


def _binds(read: SignedCms, xml: bytes, signer: x509.Certificate) -> Step | None:
    """Says what is wrong; None: it holds. Raises CmsError."""
    stated = read.binding(xml)
    if stated is Binding.NONE:
        return Step(
            "integrity",
            Status.INVALID,
            "DIGEST",
            "签名描述文件与签名不符，已被篡改",
            "Signature.xml is not what was signed",
        )
    binding = read.borne_out(stated, signer, xml)
    if binding is None:
        return Step("integrity", Status.INVALID, "SIGNATURE", "签名值无效", "the signature value is wrong")
    # GM/T 0099 signs the file's digest, and some makers take that for a message of its own. Whatever else the structure
    # says of it then stands outside the signature, where anybody writes it.
    if binding is Binding.INSIDE:
        return Step(
            "integrity",
            Status.UNKNOWN,
            "DIGEST_INSIDE",
            "签名的内容只是文件的摘要，签名人不一定知道自己签的是这份文件",
            "what was signed is but the document's digest, as a message of its own: its signer may have meant another",
        )
    if binding is Binding.WEAK or read.weak:
        return Step(
            "integrity",
            Status.UNKNOWN,
            "WEAK_DIGEST",
            "签名使用的摘要算法已不安全，未能确认内容完整；请出具单位重新签名",
            "signed with a digest that no longer holds; the issuer should sign anew",
        )
    if read.certificate_reference is not None and not read.names_its_certificate():
        return Step(
            "integrity",
            Status.INVALID,
            "CERTIFICATE_SWAPPED",
            "签名所指证书与所附证书不符",
            "the signature names another certificate",
        )
    return None
