"""The verdict on a presented licence: one object, the steps in order; anything unknown is INDETERMINATE, never VALID.

The issuer is the subject of the certificate in `x5c` (draft-ietf-oauth-sd-jwt-vc, "Inline X.509 Certificates"): nothing
is fetched from addresses that stand in what is judged, and the roots are those of documents.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.certification.domain import chain, paths, pki
from services.esign.certification.domain.validation_data import NOTHING, Then, path_standing
from services.esign.domain.cms.signature_value import public_key_of
from services.esign.domain.errors import EsignError, TokenMalformedError
from services.esign.domain.findings import Findings
from services.esign.domain.moments import DAY_US
from services.esign.domain.verdict import Form, Outcome, Status, Step, Verdict, unreached
from services.esign.licences.domain import jose, key_binding, sd_jwt
from services.esign.licences.domain.jose import Token
from services.esign.licences.domain.key_binding import Expected
from services.esign.licences.domain.sd_jwt import Presentation
from services.esign.licences.domain.types import TYP, LicenceState
from services.esign.seals.domain.life import Seal, SealState
from services.esign.verification.domain import register_steps
from services.esign.verification.domain.document_time import names_of

STEPS = (
    *("parse", "coverage", "integrity", "signer", "chain", "time", "holder"),
    *("seal_then", "seal_now", "document", "ledger"),
)
_ESSENTIAL = frozenset({"parse", "coverage", "integrity", "signer", "chain", "time", "holder"})
_ONLINE = ("seal_then", "seal_now", "document", "ledger")
# What was logged further from the stated time than this is not about that moment.
_LOGGED_WITHIN_US = DAY_US
_MAY_SIGN = Step("signer", Status.VALID, "SIGNER_MAY_SIGN", "签章证书可用于签名", "the certificate is for signing")


@dataclass(frozen=True, slots=True)
class Registered:
    """The register's facts about a licence. `ledger_index` below 0: not logged yet. `issued_us` in µs."""

    state: LicenceState
    seal: Seal
    issued_us: int
    ledger_index: int


class NotRegistered(Enum):
    """The reason why the register says nothing of a licence."""

    UNKNOWN = "not in the register"
    OFFLINE = "the register cannot be asked"


@dataclass(frozen=True, slots=True)
class Judged:
    """`claims` are those disclosed, empty unless the verdict is VALID: nobody should read what is not."""

    verdict: Verdict
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Beside:
    """The material that a reader has beside a licence when he cannot ask the register: steps in the place of the
    register's, lists of revoked certificates (DER), and the moment (µs) by which the ledger had the licence; None:
    nothing proves one.
    """

    steps: tuple[Step, ...] = ()
    crls: tuple[bytes, ...] = ()
    logged_us: int | None = None


NOTHING_BESIDE = Beside()


def token_digests(text: str) -> tuple[str, ...]:
    """SHA-256 (hex) of what the issuer signed, with the signature in each of its spellings: the register knows a
    licence by one of them.
    """
    tokens = jose.spellings(text.partition("~")[0])
    return tuple(sha256(token.encode("utf-8", "replace")).hexdigest() for token in tokens)


def judge(
    text: str,
    roots: Sequence[x509.Certificate],
    expected: Expected | None,
    now_us: int,
    register: Registered | NotRegistered,
    *,
    beside: Beside = NOTHING_BESIDE,
) -> Judged:
    """`expected` None: nobody asked the holder, so his step stays not_checked and nothing is VALID."""
    steps: list[Step] = []
    claims: dict[str, Any] = {}
    try:
        found = sd_jwt.parse(text, TYP)
    except TokenMalformedError as error:
        return Judged(_conclude([_bad("parse", error)], now_us))
    steps.append(_good("parse", "LICENCE_READ", "内容完整可读", "it reads well"))
    if not isinstance(found.token.payload.get("vct"), str):
        return Judged(_conclude([_invalid("parse", "TYPE_LACKING", "未说明证照类型", "it names no type")], now_us))
    try:
        claims = sd_jwt.reveal(found.token.payload, found.disclosures)
    except TokenMalformedError as error:
        return Judged(_conclude([*steps, _bad("coverage", error)], now_us))
    steps.append(
        _good(
            "coverage", "DISCLOSURES_SIGNED", "披露内容均由签发者签名", "every disclosure is covered by the signature"
        )
    )
    steps += _signature_steps(found, roots, register)
    existed_us = register.issued_us if isinstance(register, Registered) else beside.logged_us
    steps.append(_time_step(found.token, claims, roots, existed_us, now_us))
    steps.append(_holder_step(found, claims, expected))
    steps += _register_steps(register)
    if not isinstance(register, Registered):
        steps += [*_revoked(found.token, roots, beside, now_us), *beside.steps]
    verdict = _conclude(steps, now_us)
    return Judged(verdict, claims if verdict.outcome is Outcome.VALID else {})


def replayed(judged: Judged, error: EsignError) -> Judged:
    """The same judgement with the holder's proof refused, because it was good once before or is past its time."""
    steps = [step for step in judged.verdict.steps if step.step != "holder"]
    return Judged(_conclude([*steps, _bad("holder", error)], judged.verdict.as_of_us))


def issuer_path(token: Token, roots: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """From who signed a licence to a trusted root, as of a document. Raises ChainError, TokenMalformedError."""
    signer, *others = [chain.load(der) for der in jose.certificates(token)]
    made = token.payload.get("iat")
    moments = (made * 1_000_000,) if isinstance(made, int) else ()
    return paths.build(signer, others, roots, paths.check_document_path, moments=moments)


def _signature_steps(
    found: Presentation, roots: Sequence[x509.Certificate], register: Registered | NotRegistered
) -> list[Step]:
    try:
        signer = chain.load(jose.certificates(found.token)[0])
        key = public_key_of(signer)
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise TokenMalformedError("ALGORITHM", "the signer's key is not P-256", "签发者密钥不是 P-256")
        jose.check(found.token, key)
    except (EsignError, chain.ChainError) as error:
        return [_bad("integrity", error)]
    steps = [_good("integrity", "SIGNATURE_VALID", "签发者签名有效", "the issuer's signature is right")]
    try:
        chain.check_signer(signer)
    except chain.ChainError as error:
        return [*steps, _bad("signer", error)]
    try:
        path = issuer_path(found.token, roots)
    except (EsignError, chain.ChainError) as error:
        return [*steps, _MAY_SIGN, _bad("chain", error)]
    steps.append(_issuer_step(path, register))
    made = found.token.payload.get("iat")
    if not isinstance(made, int) or not chain.valid_at(path, made * 1_000_000):
        return [*steps, _invalid("chain", "CERTIFICATE_EXPIRED", "签发时证书不在有效期内", "no valid certificate then")]
    name, root = (names_of(each)[0] for each in (signer, path[-1]))
    zh, en = f"证书链可信，签章证书属于：{name}，根证书：{root}", f"path from the certificate of {name} to root {root}"
    return [*steps, _good("chain", "CHAIN_TRUSTED", zh, en)]


def _issuer_step(path: Sequence[x509.Certificate], register: Registered | NotRegistered) -> Step:
    """Tells whether the signer may issue licences: the register knows what was issued; else the certificate's purpose
    says it, for anybody's certificate signs.
    """
    if paths.has_purpose(path, pki.LICENCE_ISSUING.dotted_string):
        return _good("signer", "SIGNER_MAY_SIGN", "签章证书可用于签发证照", "the certificate is for issuing licences")
    if isinstance(register, Registered):
        return _MAY_SIGN
    return Step(
        "signer",
        Status.UNKNOWN,
        "ISSUER_UNPROVEN",
        "签章证书没有签发证照的用途，不能确认签发者有权签发",
        "the certificate is not for issuing licences: nothing says that its holder may",
    )


def _revoked(token: Token, roots: Sequence[x509.Certificate], beside: Beside, now_us: int) -> list[Step]:
    """The step seal_then by lists of revoked certificates, where they speak of the issuer's."""
    made = token.payload.get("iat")
    try:
        path = issuer_path(token, roots)
    except (EsignError, chain.ChainError):
        return []
    if not isinstance(made, int):
        return []
    then_us = made * 1_000_000
    then = path_standing(path, NOTHING.with_lists(beside.crls), then_us, beside.logged_us, now_us=now_us)
    if then is Then.UNSAID:
        return []
    found = Findings(then_us, then_us)
    register_steps.seal_steps(found, None, "", then, logged=False)
    return found.steps


def _time_step(
    token: Token, claims: Mapping[str, Any], roots: Sequence[x509.Certificate], existed_us: int | None, now_us: int
) -> Step:
    """`existed_us`: the moment by which register or ledger had the licence (µs); None: nothing proves one."""
    now = now_us / 1e6
    try:
        made, starts, ends = (jose.integer(claims, name) for name in ("iat", "nbf", "exp"))
    except TokenMalformedError as error:
        return _bad("time", error)
    # RFC 9901, 9.7: without these a verifier cannot know whether it is still good.
    if made is None or ends is None:
        return _invalid(
            "time", "VALIDITY_UNKNOWN", "缺少签发时间或有效期", "it does not say when it was issued or ends"
        )
    if made > now + jose.AHEAD_SECONDS or (starts is not None and starts > now + jose.AHEAD_SECONDS):
        return _invalid("time", "NOT_YET_VALID", "尚未生效", "not valid yet")
    if ends <= now:
        return _invalid("time", "LICENCE_EXPIRED", "证照已过有效期", "past its validity")
    if existed_us is not None and abs(existed_us - made * 1_000_000) > _LOGGED_WITHIN_US:
        return Step(
            "time",
            Status.UNKNOWN,
            "TIME_CONTRADICTED",
            "证照载明的签发时间与存证或登记的时间不符",
            "the stated time of issue is not that of ledger or register",
        )
    if not _was_issued_in_time(token, roots, existed_us, now_us):
        return Step(
            "time",
            Status.UNKNOWN,
            "TIME_NOT_PROVEN",
            "签发者证书已过期，签发时间无佐证",
            "the issuer's certificates have expired and nothing proves the time of issue",
        )
    return _good("time", "LICENCE_IN_TIME", "证照在有效期内", "inside its validity")


def _was_issued_in_time(token: Token, roots: Sequence[x509.Certificate], existed_us: int | None, now_us: int) -> bool:
    """Tells whether the issuer's certificates are valid now, or were when the licence is proven to have existed: what
    the licence says of its time is the issuer's word alone, and a key whose certificate has ended may be in other
    hands. Without a path the step chain says what is wrong.
    """
    try:
        path = issuer_path(token, roots)
    except (EsignError, chain.ChainError):
        return True
    return chain.valid_at(path, now_us) or (existed_us is not None and chain.valid_at(path, existed_us))


def _holder_step(found: Presentation, claims: Mapping[str, Any], expected: Expected | None) -> Step:
    if expected is None:
        return Step(
            "holder",
            Status.NOT_CHECKED,
            "HOLDER_NOT_ASKED",
            "未提供受众和随机数，无法核验出示人就是持有人",
            "without audience and nonce nobody can tell whether the holder presents it",
        )
    try:
        key_binding.check_binding(found, claims.get("cnf"), expected)
    except EsignError as error:
        return _bad("holder", error)
    return _good("holder", "HOLDER_PROVEN", "由持有人当场出示", "presented by its holder, for this question, just now")


def _register_steps(register: Registered | NotRegistered) -> list[Step]:
    if register is NotRegistered.OFFLINE:
        return [
            Step(name, Status.NOT_CHECKED, "OFFLINE", "离线无法查询", "cannot be asked offline") for name in _ONLINE
        ]
    if register is NotRegistered.UNKNOWN:
        return [
            Step(name, Status.UNKNOWN, "LICENCE_UNKNOWN", "登记中没有该证照", "not in the register") for name in _ONLINE
        ]
    return [*_seal_steps(register), _state_step(register.state), _ledger_step(register.ledger_index)]


def _seal_steps(register: Registered) -> list[Step]:
    if register.seal.invalid_at(register.issued_us):
        return [
            _invalid(
                "seal_then", "SEAL_INVALID_THEN", "签发时印章已失效", "the seal counted for nothing when it was issued"
            ),
            # Whatever it is now makes nothing good.
            unreached("seal_now"),
        ]
    state = register.seal.state
    return [
        _good("seal_then", "SEAL_ACTIVE_THEN", "签发时印章有效", "the seal was active when it was issued"),
        _good(
            "seal_now",
            f"SEAL_{state}",
            "印章现仍有效" if state is SealState.ACTIVE else "印章现已停用，签发在停用之前",
            f"the seal is {state} now",
        ),
    ]


def _state_step(state: LicenceState) -> Step:
    if state is LicenceState.VALID:
        return _good("document", "LICENCE_STANDS", "证照未被注销或暂停", "the licence stands")
    if state is LicenceState.SUSPENDED:
        return _invalid("document", "LICENCE_SUSPENDED", "证照已暂停使用", "suspended by its issuer")
    return _invalid("document", "LICENCE_REVOKED", "证照已注销", "revoked by its issuer")


def _ledger_step(index: int) -> Step:
    if index < 0:
        return Step("ledger", Status.UNKNOWN, "LOG_PENDING", "存证尚未完成", "not logged yet")
    return _good("ledger", "LOGGED", f"已存证，序号 {index}", f"logged at {index}")


def _conclude(steps: Iterable[Step], as_of_us: int) -> Verdict:
    found = {step.step: step for step in steps}
    whole = tuple(found.get(name) or unreached(name) for name in STEPS)
    statuses = {step.status for step in whole}
    clear = found.keys() >= set(STEPS) and all(step.status is Status.VALID for step in whole if step.step in _ESSENTIAL)
    if Status.INVALID in statuses:
        outcome = Outcome.INVALID
    else:
        outcome = Outcome.VALID if clear and Status.UNKNOWN not in statuses else Outcome.INDETERMINATE
    form = Form.LICENCE if found["parse"].status is Status.VALID else Form.UNREADABLE
    return Verdict(outcome, as_of_us, whole, form=form)


def _good(step: str, reason: str, zh: str, en: str) -> Step:
    return Step(step, Status.VALID, reason, zh, en)


def _invalid(step: str, reason: str, zh: str, en: str) -> Step:
    return Step(step, Status.INVALID, reason, zh, en)


def _bad(step: str, error: EsignError | chain.ChainError) -> Step:
    unknown = isinstance(error, chain.ChainError) and error.unknown
    return Step(step, Status.UNKNOWN if unknown else Status.INVALID, error.reason, error.zh, error.en)
