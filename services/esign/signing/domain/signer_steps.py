"""Judges whether a signature is over the document, and who made it: the steps integrity, signer and chain."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from cryptography import x509

from services.esign.certification.domain import chain, paths
from services.esign.certification.domain.chain import ChainError
from services.esign.certification.domain.validation_data import NOTHING, Then, ValidationData, path_standing
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms.signed_cms import Binding, CmsError, SignedCms
from services.esign.domain.cms.signed_data import OID_GM_DATA
from services.esign.domain.common_names import called
from services.esign.domain.findings import Findings
from services.esign.domain.kept import kept
from services.esign.domain.pdf.signatures import PdfSignature
from services.esign.domain.shown_names import shown
from services.esign.domain.verdict import Status
from services.esign.ses.domain import sealed_value
from services.esign.ses.domain import steps as seal_steps
from services.esign.ses.domain.check import SmTrust
from services.esign.ses.domain.values import SealSignature
from services.esign.signing.domain import signature_kinds
from services.esign.signing.domain.signature_kinds import Kind


@dataclass(frozen=True, slots=True)
class OpenedSignature:
    """A signature of any kind, read: the signer's certificate and what else came with it. `seal` is there when
    /Contents holds a seal signature (GB/T 38540).
    """

    signature: PdfSignature
    cms: SignedCms
    signer: x509.Certificate
    others: tuple[x509.Certificate, ...]
    kind: Kind = Kind.CMS
    seal: SealSignature | None = None

    @property
    def signer_sha256(self) -> str:
        return sha256(self.cms.signer).hexdigest()

    @property
    def claimed_us(self) -> int | None:
        """The moment at which the signer says that he signed: by /M, else inside the signature. µs since 1970."""
        return self.signature.claimed_us if self.signature.claimed_us is not None else self.cms.signing_time_us


def opened(found: Findings, signature: PdfSignature, certificates: Sequence[bytes] = ()) -> OpenedSignature | None:
    """None, with its finding, when /Contents holds nothing that can be judged. `certificates` (DER): those of the
    signature dictionary's /Cert, the signer's first.
    """
    cms: SignedCms | None = None
    try:
        kind, cms, seal = _read(signature.cms, certificates)
        return OpenedSignature(
            signature, cms, chain.load(cms.signer), chain.readable(cms.certificates, cms.signer), kind, seal
        )
    except CmsError as cause:
        _unreadable(found, cause)
    except ChainError as cause:
        if cms is not None and cms.certificate_reference is not None and not cms.names_its_certificate():
            _swapped(found)
        else:
            found.add("integrity", Status.UNKNOWN, cause.reason, f"签章证书无法解读：{cause.zh}", str(cause))
    return None


def _read(contents: bytes, certificates: Sequence[bytes]) -> tuple[Kind, SignedCms, SealSignature | None]:
    """A CMS is tried first: nearly every signature is one. Raises CmsError."""
    try:
        cms = cms_reader.read(cms_reader.unpadded(contents))
    except CmsError:
        match signature_kinds.kind_of(contents):
            case Kind.SES:
                return Kind.SES, *sealed_value.of_seal(contents)
            case Kind.RAW_RSA:
                return Kind.RAW_RSA, sealed_value.of_raw_rsa(contents, certificates), None
            case _:
                raise
    return (Kind.GM_CMS if cms.content_type == OID_GM_DATA else Kind.CMS), cms, None


def _unreadable(found: Findings, cause: CmsError) -> None:
    if cause.unsupported:
        zh, en = "签名采用本系统不支持的形式，未能核验", f"a form of signature that is not judged here: {cause}"
        found.add("integrity", Status.UNKNOWN, cause.reason, zh, en)
    else:
        found.add("integrity", Status.INVALID, cause.reason, "签名数据已损坏或不合规", f"signature data: {cause}")


def _swapped(found: Findings) -> None:
    found.add(
        "integrity",
        Status.INVALID,
        "CERTIFICATE_SWAPPED",
        "签名所指证书与所附证书不符",
        "the signature names another certificate",
    )


def is_intact(found: Findings, data: bytes, one: OpenedSignature, sm: SmTrust | None = None) -> bool:
    """The step integrity, and for a seal signature the step `ses` by `sm`. False ends the judgement of it."""
    cms, parts = one.cms, one.signature.signed_parts(data)
    if one.seal is not None:
        found.steps.append(seal_steps.in_file(one.signature.cms, one.seal, parts, sm, found.now_us))
    try:
        binding = cms.binding(*parts)
        if binding is Binding.NONE:
            found.add(
                "integrity",
                Status.INVALID,
                "DIGEST",
                "文件内容与签名不符，已被篡改",
                "the document is not what was signed",
            )
        elif cms.certificate_reference is not None and not cms.names_its_certificate():
            _swapped(found)
        elif (borne_out := cms.borne_out(binding, one.signer, *parts)) is None:
            _wrong_value(found, binding)
        else:
            _holds(found, cms, borne_out)
            return True
    except CmsError as cause:
        _unreadable(found, cause)
    return False


def _wrong_value(found: Findings, binding: Binding) -> None:
    if binding is Binding.DIRECT:
        zh, en = (
            "文件内容与签名不符，或签名值无效",
            "the document is not what was signed, or the signature value is wrong",
        )
        found.add("integrity", Status.INVALID, "SIGNATURE", zh, en)
    else:
        found.add("integrity", Status.INVALID, "SIGNATURE", "签名值无效", "the signature value is wrong")


def _holds(found: Findings, cms: SignedCms, binding: Binding) -> None:
    if binding is Binding.WEAK or cms.weak:
        found.add(
            "integrity",
            Status.UNKNOWN,
            "WEAK_ALGORITHM",
            "内容与签名相符，但签名所用的摘要算法（SHA-1 或 MD5）已不安全，不能据此认定文件未被篡改",
            "content and signature agree, but by a digest algorithm (SHA-1 or MD5) that no longer proves anything",
        )
    elif binding is Binding.INSIDE:
        found.add(
            "integrity",
            Status.UNKNOWN,
            "DIGEST_INSIDE",
            "签名的内容只是文件的摘要，签名人不一定知道自己签的是这份文件",
            "what was signed is but the document's digest, as a message of its own: its signer may have meant another",
        )
    elif cms.certificate_reference is None:
        found.add(
            "integrity",
            Status.VALID,
            "INTACT_UNNAMED",
            "内容完整，签名值有效；签名本身未载明所用证书",
            "content intact, signature value right; the signature does not name its certificate",
        )
    else:
        found.add("integrity", Status.VALID, "INTACT", "内容完整，签名值有效", "content intact, signature value right")


def path_of(
    found: Findings,
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    *,
    trust_any_signer: bool,
    beside: Sequence[x509.Certificate] = (),
    data: ValidationData = NOTHING,
) -> tuple[x509.Certificate, ...] | None:
    """The signer's path, root last, with the steps signer and chain; None when nobody trusted vouches for it. A name
    that nobody vouches for is a claim, and is told as one. `beside`: certificates that anybody may have stored, which
    are asked where the signature's own do not do. `data`: of several paths one is taken whose authorities these lists
    do not name: an authority's earlier certificate may be revoked as superseded.
    """
    if trust_any_signer:
        _claimed(found, signer, Status.NOT_CHECKED)
        found.add(
            "chain",
            Status.NOT_CHECKED,
            "ANY_SIGNER",
            "按要求未核验证书颁发机构",
            "the issuer was left unjudged, as asked",
        )
        return (signer,)
    if not roots:
        _claimed(found, signer, Status.UNKNOWN)
        found.add(
            "chain", Status.UNKNOWN, "NO_ROOTS", "核验方没有任何可信任的根证书", "the verifier trusts no root at all"
        )
        return None
    try:
        build = partial(
            paths.build,
            rule=paths.check_document_path,
            moments=(found.as_of_us, found.now_us),
            is_shunned=lambda path: (
                len(path) > 2 and path_standing(path[1:], data, None, None) in {Then.UNPROVEN, Then.UNCLEAR}
            ),
        )
        path = _built(build, signer, others, beside, roots)
    except ChainError as cause:
        _claimed(found, signer, Status.UNKNOWN)
        found.add("chain", Status.UNKNOWN if cause.unknown else Status.INVALID, cause.reason, cause.zh, cause.en)
        return None
    _certified(found, signer)
    root = _common_name(path[-1])
    if len(path) == 1:
        zh, en = f"签章证书本身受信任：{root}", f"the signer's own certificate is trusted: {root}"
        found.add("chain", Status.VALID, "TRUSTED_ITSELF", zh, en)
    else:
        zh, en = f"证书链可信，根证书：{root}", f"certificate path to trusted root {root}"
        found.add("chain", Status.VALID, "TRUSTED", zh, en)
    return path


def _built(
    build: Callable[..., tuple[x509.Certificate, ...]],
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    beside: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
) -> tuple[x509.Certificate, ...]:
    """Raises ChainError."""
    if beside:
        with suppress(ChainError):
            return build(signer, others, roots)
    return build(signer, (*others, *beside), roots)


def _claimed(found: Findings, signer: x509.Certificate, status: Status) -> None:
    name = _common_name(signer)
    found.add("signer", status, "SIGNER_CLAIMED", f"证书自称：{name}", f"the certificate claims: {name}")


def _certified(found: Findings, signer: x509.Certificate) -> None:
    name = _common_name(signer)
    try:
        chain.check_document_signer(signer)
    except ChainError as cause:
        status = Status.UNKNOWN if cause.unknown else Status.INVALID
        found.add("signer", status, cause.reason, f"{cause.zh}：{name}", f"{cause.en}: {name}")
    else:
        found.add("signer", Status.VALID, "SIGNER", f"签章单位：{name}", f"signed by {name}")


@kept(1024)
def _common_name(certificate: x509.Certificate) -> str:
    return shown(called(certificate.subject))
