"""Judging a seal or seal signature, step by step, in the order of GB/T 38540 clause 7.

parse → seal structure → maker's signature → maker's chain and time → seal validity → signature → signer in the seal's
list → its chain and time → revocation, of signer, maker and those above them → data hash → protected parts →
timestamp. A step that fails ends the run: what follows would speak about bytes nobody vouches for. Pure: SM2 and SM3
are handed in.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cryptography import x509

from services.esign.certification.domain import chain, paths, sm2_chain
from services.esign.certification.domain.chain import ChainError
from services.esign.certification.domain.sm2_chain import Sm2Certificate
from services.esign.certification.domain.validation_data import (
    MAY_BE_REVOKED,
    NOTHING,
    Then,
    ValidationData,
    path_standing,
)
from services.esign.domain import moments
from services.esign.domain.cms.signature_value import SM2_ALGORITHMS, in_der
from services.esign.domain.moments import DAY_US
from services.esign.domain.sm2 import Verify
from services.esign.domain.verdict import Outcome, Status, Step
from services.esign.ses.domain import validity as seal_validity
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.values import Seal, SealInfo, SealSignature, SesError
from services.esign.timestamps.domain.reader import TimestampInvalidError, check_token

STEPS = (
    "parse",
    "seal",
    "maker_signature",
    "maker_chain",
    "seal_validity",
    "signature",
    "signer_listed",
    "signer_chain",
    "revocation",
    "data_hash",
    "protected",
    "timestamp",
)
_OF_A_SEAL = STEPS[:5]
_MAKER, _SIGNER = "maker_chain", "signer_chain"
# What lowers nothing when it is not checked: nobody can be asked offline, and a timestamp is not a duty.
_OPTIONAL = frozenset({"revocation", "timestamp"})
# Clocks of honest machines differ by less.
_CLOCK_TOLERANCE_US = 300 * 1_000_000
# A seal is made when its certificates are there; makers' and authorities' clocks and time zones may differ by less.
_MADE_BEFORE_US = DAY_US


@dataclass(frozen=True, slots=True)
class SmTrust:
    """SM2 roots that may vouch for makers and signers, certificates between, the makers themselves, and the
    cryptography.

    Makers are named one by one: an authority's signature alone would let every holder of a seal certificate make seals.
    `verify` None: this machine has no SM2; nothing signed can then be judged.
    """

    roots: tuple[Sm2Certificate, ...] = ()
    between: tuple[Sm2Certificate, ...] = ()
    makers: tuple[Sm2Certificate, ...] = ()
    verify: Verify | None = None
    sm3: Callable[..., bytes] | None = None
    # Roots that may vouch for the authority of a timestamp on a seal signature; without them it is not judged.
    tsa_roots: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Other evidence about a seal: lists of revoked certificates, and the moment (µs) by which the sealed document is
    proven to have existed; None: nothing proves one.
    """

    data: ValidationData = NOTHING
    proven_us: int | None = None


@dataclass(frozen=True, slots=True)
class Covered:
    """The bytes that a signature must be over: SM3 of the document's part, and the name of that part. `stated_us`: the
    moment (µs) that this part itself states, before which nobody signed it; None: it states none.
    """

    data_hash: bytes
    protected: str
    stated_us: int | None = None


@dataclass(slots=True)
class Findings:
    """The parts that were read, and the steps that were found, in order."""

    steps: list[Step] = field(default_factory=list)
    seal: Seal | None = None
    signature: SealSignature | None = None

    @property
    def outcome(self) -> Outcome:
        statuses = {step.status for step in self.steps}
        if Status.INVALID in statuses:
            return Outcome.INVALID
        wanted = _OF_A_SEAL if self.signature is None else STEPS
        clear = {step.step for step in self.steps if step.status is Status.VALID}
        missing = set(wanted) - clear - _OPTIONAL
        return Outcome.INDETERMINATE if missing or Status.UNKNOWN in statuses else Outcome.VALID

    def add(self, step: str, status: Status, reason: str, zh: str, en: str) -> bool:
        self.steps.append(Step(step, status, reason, zh, en))
        return status is Status.VALID

    def refused(self, step: str, cause: ChainError) -> bool:
        status = Status.UNKNOWN if cause.unknown else Status.INVALID
        return self.add(step, status, cause.reason, cause.zh, cause.en)


def inspect(
    data: bytes, trust: SmTrust, now_us: int, covered: Covered | None = None, evidence: Evidence | None = None
) -> Findings:
    """Every step's finding on a seal or seal signature. Never raises for bad bytes. `covered` None: there is no
    document to compare with. `evidence` None: what proves the time of signing, and what lists say, is judged by who
    asks, as for every signature inside a document.
    """
    found = Findings()
    try:
        read = ses.read(data)
    except SesError as cause:
        status = Status.UNKNOWN if cause.unsupported else Status.INVALID
        found.add("parse", status, "SES_SYNTAX", "不是合规的电子印章或签章数据", str(cause))
        return found
    if isinstance(read, SealSignature):
        found.signature, found.seal = read, read.seal
        text = ("签章数据结构完整", f"seal signature, version {read.seal.version}")
    else:
        found.seal = read
        text = ("印章数据结构完整", f"seal, version {read.version}")
    found.add("parse", Status.VALID, "PARSED", *text)
    signing_us = now_us if found.signature is None else found.signature.time_us
    if not _seal(found, found.seal, trust, signing_us, now_us, evidence):
        return found
    if found.signature is not None:
        _signature(found, found.signature, trust, now_us, covered, evidence)
    elif evidence is not None and (step := maker_standing(found.seal, trust, evidence, now_us)) is not None:
        found.steps.append(step)
    return found


def _seal(
    found: Findings, seal: Seal, trust: SmTrust, at_us: int | None, now_us: int, evidence: Evidence | None
) -> bool:
    return (
        _structure(found, seal)
        and _value(found, "maker_signature", seal.maker, seal.signed, seal.signature, trust)
        and _maker(found, seal, trust, now_us)
        and _validity(found, seal, at_us, now_us, evidence)
    )


def _structure(found: Findings, seal: Seal) -> bool:
    info = seal.info
    if seal.algorithm not in SM2_ALGORITHMS:
        return found.add("seal", Status.UNKNOWN, "ALGORITHM", "印章签名算法不是 SM2", "not signed with SM2")
    if info.critical_extensions:
        return found.add(
            "seal", Status.UNKNOWN, "CRITICAL_EXTENSION", "印章含有不能识别的关键扩展", "critical extension not known"
        )
    if info.valid_from_us >= info.valid_to_us or not info.picture.data:
        return found.add(
            "seal", Status.INVALID, "SEAL_MALFORMED", "印章有效期或图像不合规", "validity or picture impossible"
        )
    if _is_older_than(info, chain.readable(info.certificates)):
        return not found.add("seal", *_TOO_OLD)
    return found.add("seal", Status.VALID, "SEAL", f"印章：{info.name}", f"seal {info.id} of {info.name}")


# The maker's word of when it was made cannot be true, or a clock was wrong.
_TOO_OLD = (
    Status.UNKNOWN,
    "SEAL_MALFORMED",
    "印章载明的制作时间早于所列证书的签发时间",
    "it says that it was made before a certificate it lists was issued",
)


def _is_older_than(info: SealInfo, certificates: Iterable[x509.Certificate]) -> bool:
    return any(info.created_us < moments.us(each.not_valid_before_utc) - _MADE_BEFORE_US for each in certificates)


def _value(found: Findings, step: str, certificate: bytes, message: bytes, signature: bytes, trust: SmTrust) -> bool:
    if trust.verify is None:
        return found.add(
            step, Status.UNKNOWN, "SM_UNAVAILABLE", "本机没有国密算法，未能核验", "no SM2 here: cannot be judged"
        )
    try:
        signer = sm2_chain.load(certificate)
        sm2_chain.check_signer(signer)
    except ChainError as cause:
        return found.refused(step, cause)
    if not trust.verify(signer.spki, message, in_der(signature)):
        return found.add(step, Status.INVALID, "SIGNATURE", "签名值无效", "the signature value is wrong")
    return found.add(step, Status.VALID, "SIGNATURE_HOLDS", f"签名有效：{signer.name}", f"signed by {signer.name}")


def _maker(found: Findings, seal: Seal, trust: SmTrust, now_us: int) -> bool:
    if seal.maker not in {maker.der for maker in trust.makers}:
        found.add(_MAKER, Status.UNKNOWN, "MAKER_UNKNOWN", "制章者不在认可名单中", "not one of the makers trusted here")
        return True
    return _path(found, _MAKER, seal.maker, trust, seal.info.created_us, now_us)


def _path(
    found: Findings,
    step: str,
    certificate: bytes,
    trust: SmTrust,
    at_us: int | None,
    now_us: int,
    doubt: Callable[[Sequence[Sm2Certificate], int], Step | None] = lambda _path, _at_us: None,
) -> bool:
    """`doubt`: what else speaks against that moment (µs)."""
    try:
        path = _built(step, certificate, trust, at_us)
        if step == _SIGNER:
            chain.check_document_signer(path[0].parsed)
    except ChainError as cause:
        # Who vouches is unknown, but what was signed can still be followed to its end.
        return found.refused(step, cause) or cause.unknown
    if at_us is None:
        return not found.add(step, Status.UNKNOWN, "TIME_MISSING", "没有可用的时间", "no time to judge at")
    if at_us > now_us + _CLOCK_TOLERANCE_US:
        # The sealer's clock is wrong, or this one.
        return not found.add(
            step,
            Status.UNKNOWN,
            "TIME_IN_FUTURE",
            "时间晚于本机当前时间",
            "the time lies ahead of this computer's clock",
        )
    near = (at_us, at_us - _CLOCK_TOLERANCE_US, at_us + _CLOCK_TOLERANCE_US)
    if not all(any(c.valid_at(moment) for moment in near) for c in path):
        return found.add(
            step, Status.INVALID, "OUTSIDE_VALIDITY", "当时证书不在有效期内", "a certificate was not valid then"
        )
    if (doubted := doubt(path, at_us)) is not None:
        found.steps.append(doubted)
        return True
    root = path[-1].name
    return found.add(step, Status.VALID, "TRUSTED", f"证书链可信，根证书：{root}", f"path to trusted root {root}")


def _built(step: str, certificate: bytes, trust: SmTrust, at_us: int | None) -> list[Sm2Certificate]:
    """The path of maker or signer to a root. Who signs is judged as the signer of any document is, by whatever door the
    seal comes in; makers are named one by one. Raises ChainError.
    """
    assert trust.verify is not None
    rule = paths.check_document_path if step == _SIGNER else paths.any_purpose
    loaded = sm2_chain.load(certificate)
    return sm2_chain.build(loaded, trust.between, trust.roots, trust.verify, rule, at_us=at_us)


def _doubt(
    path: Sequence[Sm2Certificate], at_us: int, now_us: int, covered: Covered | None, proven_us: int | None
) -> Step | None:
    """The objection to the moment that a signature outside a document states: its signer's word alone, as that of any
    signature (`stamped_time`). What the document proves counts for a moment it does not lie before.
    """
    if covered is not None and covered.stated_us is not None and at_us < covered.stated_us - _CLOCK_TOLERANCE_US:
        zh, en = (
            "声明的签章时间早于所签文件载明的签名时间",
            "the stated time lies before that of the signature it covers",
        )
        return Step(_SIGNER, Status.UNKNOWN, "TIME_CONTRADICTED", zh, en)
    is_proven = (
        proven_us is not None
        and at_us <= proven_us + _CLOCK_TOLERANCE_US
        and all(each.valid_at(proven_us) for each in path)
    )
    if is_proven or all(each.valid_at(now_us) for each in path):
        return None
    zh, en = "证书已过期，签章时间无佐证", "certificates have expired and nothing proves the time"
    return Step(_SIGNER, Status.UNKNOWN, "TIME_NOT_PROVEN", zh, en)


def _validity(found: Findings, seal: Seal, at_us: int | None, now_us: int, evidence: Evidence | None) -> bool:
    step = seal_validity.at(seal.info, at_us)
    if step.status is Status.VALID and evidence is not None:
        proven_us = evidence.proven_us
        if proven_us is not None and at_us is not None and at_us > proven_us + _CLOCK_TOLERANCE_US:
            proven_us = None
        step = seal_validity.ended(seal.info, proven_us, now_us) or step
    found.steps.append(step)
    return step.status is not Status.INVALID


def _signature(
    found: Findings,
    signature: SealSignature,
    trust: SmTrust,
    now_us: int,
    covered: Covered | None,
    evidence: Evidence | None,
) -> None:
    if signature.algorithm not in SM2_ALGORITHMS:
        found.add("signature", Status.UNKNOWN, "ALGORITHM", "签章算法不是 SM2", "not signed with SM2")
        return
    if signature.critical_extensions:
        found.add(
            "signature", Status.UNKNOWN, "CRITICAL_EXTENSION", "含有不能识别的关键扩展", "critical extension not known"
        )
        return
    if not (
        _value(found, "signature", signature.certificate, signature.signed, signature.signature, trust)
        and _listed(found, signature, trust)
        and _signer(found, signature, trust, now_us, covered, evidence)
    ):
        return
    found.steps.append(_revocation(signature, trust, evidence, now_us))
    if covered is None:
        found.add("data_hash", Status.NOT_CHECKED, "NO_DOCUMENT", "没有提供原文，未核验", "no document given")
        found.add("protected", Status.NOT_CHECKED, "NO_DOCUMENT", "没有提供原文，未核验", "no document given")
    elif signature.data_hash != covered.data_hash:
        found.add(
            "data_hash", Status.INVALID, "DIGEST", "文件内容与签章不符，已被篡改", "the document is not what was sealed"
        )
        return
    else:
        found.add("data_hash", Status.VALID, "INTACT", "文件内容与签章一致", "the document is what was sealed")
        _protected(found, signature, covered)
    _timestamp(found, signature, trust, now_us, NOTHING if evidence is None else evidence.data)


def _signer(
    found: Findings,
    signature: SealSignature,
    trust: SmTrust,
    now_us: int,
    covered: Covered | None,
    evidence: Evidence | None,
) -> bool:
    def doubt(path: Sequence[Sm2Certificate], at_us: int) -> Step | None:
        return None if evidence is None else _doubt(path, at_us, now_us, covered, evidence.proven_us)

    return _path(found, _SIGNER, signature.certificate, trust, signature.time_us, now_us, doubt)


def _revocation(signature: SealSignature, trust: SmTrust, evidence: Evidence | None, now_us: int) -> Step:
    """The worse of what the lists say of the signer and of the maker."""
    if evidence is None:
        return _NOT_ASKED
    path = _path_of(_SIGNER, signature.certificate, trust, signature.time_us)
    then = path_standing(path, evidence.data, signature.time_us, evidence.proven_us, now_us=now_us)
    maker = maker_standing(signature.seal, trust, evidence, now_us)
    if then is Then.REVOKED:
        zh, en = "签章证书已被撤销，自签章之前起无效", "the signer's or issuer's certificate is revoked since before"
        return Step("revocation", Status.INVALID, "CERTIFICATE_REVOKED", zh, en)
    if maker is not None and (maker.status is Status.INVALID or then is not Then.UNPROVEN):
        return maker
    if then is Then.UNPROVEN:
        zh, en = (
            "签章证书已被撤销，签章时间无佐证",
            "the signer's certificate is revoked, and nothing proves when it signed",
        )
        return Step("revocation", Status.UNKNOWN, "CERTIFICATE_REVOKED_SINCE", zh, en)
    if then is Then.UNCLEAR:
        return _UNCLEAR
    if then is Then.GOOD:
        zh, en = "撤销列表表明签章时证书未被撤销", "lists say that the certificate was not revoked at signing"
        return Step("revocation", Status.VALID, "CERTIFICATE_GOOD", zh, en)
    return _NOT_ASKED


_UNCLEAR = Step(
    "revocation",
    Status.UNKNOWN,
    "CERTIFICATE_UNCLEAR",
    "颁发机构的撤销记录提到证书，但未能解读",
    "a list or an answer of the authority names the certificate, may say that it is revoked, and cannot be read",
)
_NOT_ASKED = Step(
    "revocation", Status.NOT_CHECKED, "OFFLINE", "离线核验，未查询吊销状态", "offline: revocation not asked"
)


def maker_standing(seal: Seal, trust: SmTrust, evidence: Evidence, now_us: int) -> Step | None:
    """The objection of lists and calendar to the seal's maker or those above; None: none. When a seal was made its
    maker alone says, who may be a thief: revoked or ended later, the seal stands only where the sealed document is
    proven to be older.
    """
    path, made_us = _path_of(_MAKER, seal.maker, trust, now_us), seal.info.created_us
    then = path_standing(path, evidence.data, made_us, None, now_us=now_us)
    if then is Then.REVOKED:
        zh, en = "印章制作之前制章者证书已被撤销", "the maker's certificate, or its issuer's, was revoked before"
        return Step("revocation", Status.INVALID, "MAKER_REVOKED", zh, en)
    proven_us = evidence.proven_us
    ends_us = min((moments.us(each.not_valid_after_utc) for each in path), default=now_us)
    if ends_us < now_us and (proven_us is None or proven_us > ends_us):
        zh, en = (
            "制章者证书已过期，制章时间无佐证",
            "the maker's certificate has ended, and nothing proves when it made the seal",
        )
        return Step("revocation", Status.UNKNOWN, "MAKER_ENDED", zh, en)
    if then is Then.UNCLEAR:
        return _UNCLEAR
    if then is not Then.UNPROVEN or (
        proven_us is not None and path_standing(path, evidence.data, proven_us, proven_us) not in MAY_BE_REVOKED
    ):
        return None
    zh, en = (
        "制章者证书已被撤销，制章时间无佐证",
        "the maker's certificate is revoked, and nothing proves when it made the seal",
    )
    return Step("revocation", Status.UNKNOWN, "MAKER_REVOKED_SINCE", zh, en)


def _path_of(step: str, certificate: bytes, trust: SmTrust, at_us: int | None) -> tuple[x509.Certificate, ...]:
    """From a certificate to a root, valid at that moment (µs) if there is one. Empty where there is no path: the step
    about the path says why.
    """
    if trust.verify is None:
        return ()
    try:
        return tuple(each.parsed for each in _built(step, certificate, trust, at_us))
    except ChainError:
        return ()


def _timestamp(found: Findings, signature: SealSignature, trust: SmTrust, now_us: int, data: ValidationData) -> None:
    """In V4 it is of the signature's value (GB/T 38540, 6.2); what one inside the signed part of V1 is of, GM/T 0031
    leaves open.
    """
    if signature.timestamp is None:
        found.add("timestamp", Status.NOT_CHECKED, "NO_TIMESTAMP", "没有时间戳", "no timestamp")
        return
    if not trust.tsa_roots or signature.seal.version != ses.V4:
        found.add(
            "timestamp", Status.UNKNOWN, "TIMESTAMP_NOT_JUDGED", "附有时间戳，此处未能核验", "timestamp not judged here"
        )
        return
    try:
        token = check_token(signature.timestamp, (signature.signature,), trust.tsa_roots, now_us)
    except TimestampInvalidError as cause:
        found.add("timestamp", Status.UNKNOWN if cause.unknown else Status.INVALID, cause.reason, cause.zh, cause.en)
        return
    if path_standing(token.path, data.with_certificates(token.certificates), token.time_us, now_us) in MAY_BE_REVOKED:
        zh, en = "时间戳机构证书已被撤销", "the timestamp authority's certificate is revoked"
        found.add("timestamp", Status.UNKNOWN, "TSA_ENDED", zh, en)
        return
    found.add("timestamp", Status.VALID, "TIME_STAMPED", "签章时间有时间戳佐证", "a timestamp proves the time")


def _listed(found: Findings, signature: SealSignature, trust: SmTrust) -> bool:
    assert trust.sm3 is not None
    listed = signature.seal.info.lists(signature.certificate, trust.sm3(signature.certificate))
    if listed is None:
        return found.add(
            "signer_listed", Status.UNKNOWN, "DIGEST_UNKNOWN", "印章证书列表算法不受支持", "digests not known here"
        )
    if not listed:
        return found.add(
            "signer_listed", Status.INVALID, "SIGNER_NOT_LISTED", "签章证书不在印章列表中", "not in the seal's list"
        )
    if signature.seal.info.digests and _is_older_than(signature.seal.info, chain.readable([signature.certificate])):
        return not found.add("signer_listed", *_TOO_OLD)
    return found.add("signer_listed", Status.VALID, "LISTED", "签章证书在印章列表中", "in the seal's list")


def _protected(found: Findings, signature: SealSignature, covered: Covered) -> None:
    if signature.protected == covered.protected:
        found.add("protected", Status.VALID, "PROTECTED", "保护范围与文件一致", "covers what the document says")
    else:
        found.add(
            "protected",
            Status.INVALID,
            "PROTECTED_PARTS",
            "签章的保护范围与文件不符",
            "names other parts of the document",
        )


def trust(certificates: Sequence[Sm2Certificate], verify: Verify | None, sm3: Callable[..., bytes]) -> SmTrust:
    """Trust from certificates that somebody chose to trust: self-issued ones are roots, those of authorities stand
    between, all others are makers.
    """
    roots = tuple(c for c in certificates if c.parsed.issuer == c.parsed.subject)
    between = tuple(c for c in certificates if c not in roots and sm2_chain.is_authority(c))
    makers = tuple(c for c in certificates if c not in roots and c not in between)
    return SmTrust(roots, between, makers, verify, sm3)
