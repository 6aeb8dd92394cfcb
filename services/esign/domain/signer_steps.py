"""Whether a signature is over the document, and who made it: the steps integrity, signer and chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from cryptography import x509

from services.esign.domain import chain, cms_reader
from services.esign.domain.chain import ChainError
from services.esign.domain.cms_reader import CmsError, SignedCms
from services.esign.domain.findings import Findings
from services.esign.domain.signatures import PdfSignature
from services.esign.domain.verdict import Status


@dataclass(frozen=True, slots=True)
class OpenedSignature:
    """A signature with its CMS read: the signer's certificate and what else came with it."""

    signature: PdfSignature
    cms: SignedCms
    signer: x509.Certificate
    others: tuple[x509.Certificate, ...]

    @property
    def signer_sha256(self) -> str:
        return sha256(self.cms.signer).hexdigest()


def opened(found: Findings, signature: PdfSignature) -> OpenedSignature | None:
    """None, with its finding, when the CMS is not one that can be judged."""
    try:
        cms = cms_reader.read(cms_reader.unpadded(signature.cms))
        signer = chain.load(cms.signer)
        others = tuple(chain.load(c) for c in cms.certificates if c != cms.signer)
    except (CmsError, ChainError) as cause:
        _unreadable(found, cause)
        return None
    return OpenedSignature(signature, cms, signer, others)


def _unreadable(found: Findings, cause: CmsError | ChainError) -> None:
    unsupported = cause.unsupported if isinstance(cause, CmsError) else cause.unknown
    status = Status.UNKNOWN if unsupported else Status.INVALID
    found.add("integrity", status, cause.reason, "签名数据不合规或不受支持", f"signature data: {cause}")


def is_intact(found: Findings, data: bytes, one: OpenedSignature) -> bool:
    """The step integrity."""
    cms = one.cms
    try:
        holds = cms.digest(*one.signature.signed_parts(data)) == cms.message_digest
        if not holds:
            found.add(
                "integrity",
                Status.INVALID,
                "DIGEST",
                "文件内容与签名不符，已被篡改",
                "the document is not what was signed",
            )
        elif not cms.names_its_certificate():
            found.add(
                "integrity",
                Status.INVALID,
                "CERTIFICATE_SWAPPED",
                "签名所指证书与所附证书不符",
                "the signature names another certificate",
            )
        elif not cms.signature_holds(one.signer):
            found.add("integrity", Status.INVALID, "SIGNATURE", "签名值无效", "the signature value is wrong")
        else:
            found.add(
                "integrity", Status.VALID, "INTACT", "内容完整，签名值有效", "content intact, signature value right"
            )
            return True
    except CmsError as cause:
        _unreadable(found, cause)
    return False


def path_of(
    found: Findings,
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    *,
    trust_any_signer: bool,
) -> tuple[x509.Certificate, ...] | None:
    """The signer's path, root last, with the steps signer and chain; None when nobody trusted vouches for it."""
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
        return (signer,)
    try:
        path = chain.build(signer, others, roots)
    except ChainError as cause:
        found.add("chain", Status.UNKNOWN if cause.unknown else Status.INVALID, cause.reason, cause.zh, cause.en)
        return None
    root = _common_name(path[-1])
    found.add(
        "chain", Status.VALID, "TRUSTED", f"证书链可信，根证书：{root}", f"certificate path to trusted root {root}"
    )
    return path


@lru_cache(maxsize=1024)
def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()
