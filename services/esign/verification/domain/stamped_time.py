"""Finds when a signature was made: the authorities' word, the signer's and the ledger's."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from services.esign.certification.domain import chain
from services.esign.certification.domain.validation_data import NOTHING, ValidationData
from services.esign.domain import moments
from services.esign.domain.cms.signed_cms import SignedCms
from services.esign.domain.verdict import Status, Step
from services.esign.timestamps.domain.reader import NOT_RELIED_ON, TimestampInvalidError, check_token
from services.esign.verification.domain.document_time import vouched

# Clocks of honest machines differ by less; a signature from further ahead is from a wrong clock or a lie. µs.
CLOCK_TOLERANCE_US = 300 * 1_000_000
# Sealing and logging are one operation; an entry further from the stated time than this is not about that moment.
LOGGED_WITHIN_US = 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class StampedTime:
    """The step `time`, and the moment by which the signature is proven to have existed (µs); None when none is.
    `accuracy_us`: by how much that is later than the time that the proof states.
    """

    step: Step
    proven_us: int | None = None
    accuracy_us: int = 0

    @property
    def told_us(self) -> int | None:
        """The time that the proof itself states, µs."""
        return None if self.proven_us is None else self.proven_us - self.accuracy_us


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Holds what else speaks for a signature's time, µs: what its signer states, the moment by which the signed bytes
    are proven to have existed (document timestamps), the ledger's, and now. `data` came with the document.
    """

    claimed_us: int | None
    now_us: int
    proven_us: int | None = None
    logged_us: int | None = None
    data: ValidationData = NOTHING

    def contradicted(self, *, stamped: bool) -> bool:
        """Tells whether the ledger's entry is of quite another moment than the signer states. What is stamped may be
        logged later, when the last of several has signed: back-dating shows in the stamp.
        """
        if self.claimed_us is None or self.logged_us is None:
            return False
        late_us = self.logged_us - self.claimed_us
        return late_us < -LOGGED_WITHIN_US or (not stamped and late_us > LOGGED_WITHIN_US)

    @property
    def existed_us(self) -> int | None:
        return min((each for each in (self.proven_us, self.logged_us) if each is not None), default=None)


def judge_time(
    cms: SignedCms,
    path: Sequence[x509.Certificate] | None,
    roots: Sequence[x509.Certificate],
    others: Witnesses,
) -> StampedTime:
    """The step `time` of one signature, whose signer's path is `path`."""
    if others.contradicted(stamped=bool(cms.timestamp_tokens)):
        return _invalid("TIME_CONTRADICTED", "签名时间与存证日志不符", "the ledger contradicts the stated time")
    if cms.timestamp_tokens:
        return _judge_stamps(cms, path, roots, others)
    if cms.has_unknown_attribute:
        return _unknown(
            "TIMESTAMP_NOT_JUDGED",
            "签名附有不能识别的未签名属性",
            "the signature carries unsigned attributes that are not judged here",
        )
    return _judge_claim(path, others)


def _judge_claim(path: Sequence[x509.Certificate] | None, others: Witnesses) -> StampedTime:
    """By what the signer states and others prove; no timestamp speaks."""
    claimed, now = others.claimed_us, others.now_us
    if claimed is None and others.proven_us is None:
        return _unknown("TIME_MISSING", "签名没有时间", "the signature states no time")
    if claimed is not None and claimed > now + CLOCK_TOLERANCE_US:
        # The signer's clock is wrong, or this one.
        return _unknown(
            "TIME_IN_FUTURE", "签名时间晚于本机当前时间", "the stated time lies ahead of this computer's clock"
        )
    if path is None:
        return _unknown(
            "TIME_WITHOUT_CHAIN", "证书链未确认，不能判定签名时效", "without a trusted path the time says nothing"
        )
    if not _was_valid_at_claim(path, claimed):
        return _outside(path, others)
    if others.logged_us is not None:
        existed_us = others.logged_us if others.proven_us is None else min(others.logged_us, others.proven_us)
        if not (chain.valid_at(path, existed_us) or chain.valid_at(path, existed_us - CLOCK_TOLERANCE_US)):
            return _ended()
        step = Step(
            "time", Status.VALID, "TIME_LOGGED", "签名时间有存证日志佐证", "the ledger confirms the stated time"
        )
        return StampedTime(step, existed_us)
    if others.proven_us is not None:
        return _by_document(path, others.proven_us, claimed)
    if chain.valid_at(path, now):
        step = Step(
            "time",
            Status.VALID,
            "STILL_VALID",
            "签名时间由签章方声明，证书至今有效",
            "time stated by the signer; the certificates are valid to this day",
        )
        return StampedTime(step)
    return _unknown(
        "TIME_NOT_PROVEN", "证书已过期，签名时间无佐证", "certificates have expired and nothing proves the time"
    )


def _was_valid_at_claim(path: Sequence[x509.Certificate], claimed_us: int | None) -> bool:
    """Tells whether the certificates were valid when the signer says that he signed, if he says it. One may have been
    made a moment ago, by an issuer whose clock is a little ahead of his.
    """
    return claimed_us is None or any(
        chain.valid_at(path, each) for each in (claimed_us, claimed_us + CLOCK_TOLERANCE_US)
    )


def _outside(path: Sequence[x509.Certificate], others: Witnesses) -> StampedTime:
    """The word on a signer who states a moment at which a certificate was not valid: INVALID where the ledger or a
    timestamp proves that moment, else UNKNOWN, for his clock may have been wrong.
    """
    begin_us = max(moments.us(each.not_valid_before_utc) for each in path)
    was_before = others.existed_us is not None and others.existed_us + CLOCK_TOLERANCE_US < begin_us
    zh, en = "签名时间不在证书有效期内", "a certificate was not valid at the stated time"
    if others.logged_us is not None or was_before:
        return _invalid("OUTSIDE_VALIDITY", zh, en)
    return _unknown("OUTSIDE_VALIDITY", zh, en)


def _by_document(path: Sequence[x509.Certificate], proven_us: int, claimed_us: int | None) -> StampedTime:
    if claimed_us is not None and claimed_us > proven_us + CLOCK_TOLERANCE_US:
        return _ahead()
    if not chain.valid_at(path, proven_us):
        return _ended()
    step = Step(
        "time",
        Status.VALID,
        "TIME_STAMPED",
        "签名时间有文档时间戳或存证日志佐证",
        "a document timestamp or the ledger proves that the signature existed by then",
    )
    return StampedTime(step, proven_us)


def _judge_stamps(
    cms: SignedCms, path: Sequence[x509.Certificate] | None, roots: Sequence[x509.Certificate], others: Witnesses
) -> StampedTime:
    """By the signature timestamps: one that proves is enough, unless another is wrong; else the first one's word."""
    judged = [_judge_stamp(cms, token, path, roots, others) for token in cms.timestamp_tokens]
    wrong = next((each for each in judged if each.step.status is Status.INVALID), None)
    proven = min((each for each in judged if each.proven_us is not None), key=lambda e: e.proven_us or 0, default=None)
    found = wrong or proven or judged[0]
    if found.step.reason not in NOT_RELIED_ON:
        return found
    without = _judge_claim(path, others)
    zh, en = f"{found.step.zh}，不予采信；{without.step.zh}", f"{found.step.en}; without it: {without.step.en}"
    return StampedTime(Step("time", without.step.status, without.step.reason, zh, en), without.proven_us)


def _judge_stamp(
    cms: SignedCms,
    stamp: bytes,
    path: Sequence[x509.Certificate] | None,
    roots: Sequence[x509.Certificate],
    others: Witnesses,
) -> StampedTime:
    # A token need not bring its authority's certificate.
    beside = (*cms.certificates, *others.data.certificates)
    try:
        token = check_token(stamp, (cms.signature,), roots, others.now_us, beside)
    except TimestampInvalidError as cause:
        status = Status.UNKNOWN if cause.unknown else Status.INVALID
        return StampedTime(Step("time", status, cause.reason, cause.zh, cause.en))
    if path is None:
        return _unknown(
            "TIME_WITHOUT_CHAIN", "证书链未确认，不能判定签名时效", "without a trusted path the time says nothing"
        )
    existed_us = others.existed_us
    if others.claimed_us is not None and others.claimed_us > token.latest_us + CLOCK_TOLERANCE_US:
        return _ahead()
    if existed_us is not None and token.time_us - token.accuracy_us > existed_us + CLOCK_TOLERANCE_US:
        return _ahead()
    if not vouched(token, others.data, others.now_us if existed_us is None else existed_us):
        return _unknown(
            "TSA_ENDED",
            "时间戳机构证书已过期或已撤销，此后没有更新的时间证明",
            "the authority's certificate has ended or was revoked, and no newer proof covers its timestamp",
        )
    if not (chain.valid_at(path, token.time_us) and chain.valid_at(path, token.latest_us)):
        return _ended()
    if not _was_valid_at_claim(path, others.claimed_us):
        return _outside(path, others)
    step = Step("time", Status.VALID, "TIME_STAMPED", "签名时间有时间戳佐证", "a timestamp proves the time")
    return StampedTime(step, token.latest_us, token.accuracy_us)


def _ended() -> StampedTime:
    return _unknown(
        "TIME_NOT_PROVEN",
        "有证明的时间签章证书不在有效期内",
        "the signer's certificates were not valid at the moment that is proven",
    )


def _ahead() -> StampedTime:
    """The signer's clock may have been fast, and anybody may have had the timestamp made."""
    return _unknown("TIME_AHEAD", "声明的签名时间晚于时间戳", "the stated time lies after the timestamp")


def _invalid(reason: str, zh: str, en: str) -> StampedTime:
    return StampedTime(Step("time", Status.INVALID, reason, zh, en))


def _unknown(reason: str, zh: str, en: str) -> StampedTime:
    return StampedTime(Step("time", Status.UNKNOWN, reason, zh, en))
