"""When a signature with a timestamp was made (PAdES B-T): the authority's word, the signer's and the ledger's."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from services.esign.domain import chain
from services.esign.domain.cms_reader import SignedCms
from services.esign.domain.timestamp_reader import TimestampInvalidError, check_token
from services.esign.domain.verdict import Status, Step


@dataclass(frozen=True, slots=True)
class StampedTime:
    """The step `time`, and the moment that is proven (µs); None when none is."""

    step: Step
    proven_us: int | None = None


def judge_stamp(
    cms: SignedCms,
    claimed_us: int | None,
    path: Sequence[x509.Certificate] | None,
    roots: Sequence[x509.Certificate],
    now_us: int,
    *,
    tolerance_us: int,
) -> StampedTime:
    """For a signature with unsigned attributes. `claimed_us` is what the signer states, `path` the signer's."""
    if cms.timestamp_token is None:
        return _unknown(
            "TIMESTAMP_NOT_JUDGED",
            "签名附有不能识别的未签名属性",
            "the signature carries unsigned attributes that are not judged here",
        )
    try:
        token = check_token(cms.timestamp_token, (cms.signature,), roots, now_us)
    except TimestampInvalidError as cause:
        status = Status.UNKNOWN if cause.unknown else Status.INVALID
        return StampedTime(Step("time", status, cause.reason, cause.zh, cause.en))
    if path is None:
        return _unknown(
            "TIME_WITHOUT_CHAIN", "证书链未确认，不能判定签名时效", "without a trusted path the time says nothing"
        )
    if claimed_us is not None and claimed_us > token.time_us + token.accuracy_us + tolerance_us:
        return StampedTime(
            Step(
                "time",
                Status.INVALID,
                "TIME_CONTRADICTED",
                "声明的签名时间晚于时间戳",
                "the stated time lies after the timestamp",
            )
        )
    if not chain.valid_at(path, token.time_us):
        return _unknown(
            "TIME_NOT_PROVEN",
            "时间戳签发时签章证书不在有效期内",
            "the signer's certificates were not valid when the timestamp was made",
        )
    step = Step("time", Status.VALID, "TIME_STAMPED", "签名时间有时间戳佐证", "a timestamp proves the time")
    return StampedTime(step, token.time_us)


def _unknown(reason: str, zh: str, en: str) -> StampedTime:
    return StampedTime(Step("time", Status.UNKNOWN, reason, zh, en))
