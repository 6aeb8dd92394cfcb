"""Document timestamps (ISO 32000-2, 12.8.5; PAdES B-LTA, ETSI EN 319 142-1): what they prove, newest first.

A document timestamp proves that everything before it existed, as long as its authority's certificate holds. When that
ends, the proof stands only if something newer, made in time, covers it: another document timestamp, or the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509

from services.esign.certification.domain import chain
from services.esign.certification.domain.validation_data import MAY_BE_REVOKED, ValidationData, path_standing
from services.esign.domain import moments
from services.esign.domain.cms.reader import unpadded
from services.esign.domain.cms.signed_cms import CmsError
from services.esign.domain.common_names import called
from services.esign.domain.kept import kept
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.signatures import PdfSignature
from services.esign.domain.shown_names import shown
from services.esign.domain.verdict import Status, Step
from services.esign.timestamps.domain.reader import NOT_RELIED_ON, CheckedToken, TimestampInvalidError, check_token


@dataclass(frozen=True, slots=True)
class ReadStamp:
    """The finding on one document timestamp: the step, its time (µs) and whose it is, as far as somebody vouches for
    it; `stated_us` is the time that it states by itself.
    """

    step: Step
    time_us: int | None = None
    authority: str = ""
    issuer: str = ""
    stated_us: int | None = None


@dataclass(slots=True)
class Proofs:
    """Moments by which parts of the file existed: bytes from the start to `covered_to`, and when (µs); and what is
    wrong with those that prove nothing.
    """

    known: list[tuple[int, int]] = field(default_factory=list)
    wrong: list[Step] = field(default_factory=list)
    # What each timestamp says, by the number of its signature dictionary.
    read: dict[int, "ReadStamp"] = field(default_factory=dict)
    # How many document timestamps prove something, and until when (µs) the newest does so by itself.
    stamps: int = 0
    until_us: int = 0

    def of(self, end: int) -> int | None:
        """The earliest moment by which the bytes up to `end` are proven to have existed."""
        return min((time_us for covered_to, time_us in self.known if covered_to >= end), default=None)


def prove(
    document: Document,
    stamps: Sequence[PdfSignature],
    roots: Sequence[x509.Certificate],
    data: ValidationData,
    now_us: int,
    logged: tuple[int, int] | None,
) -> Proofs:
    """Finds what the document timestamps `stamps` (in the order of their coverage) and the ledger prove. `logged`: the
    bytes that an entry of the ledger is of, and its time.
    """
    found = Proofs([logged] if logged is not None else [])
    for stamp in reversed(stamps):
        _judge(found, document, stamp, roots, data, now_us)
    return found


def _judge(
    found: Proofs,
    document: Document,
    stamp: PdfSignature,
    roots: Sequence[x509.Certificate],
    data: ValidationData,
    now_us: int,
) -> None:
    try:
        parts = stamp.signed_parts(document.data)
        token = check_token(unpadded(stamp.cms), parts, roots, now_us, others=data.certificates)
    except TimestampInvalidError as cause:
        if cause.reason in NOT_RELIED_ON:
            # It proves nothing; nothing is wrong with the document for that.
            step = Step(
                "time", Status.UNKNOWN, cause.reason, f"文档时间戳：{cause.zh}", f"document timestamp: {cause.en}"
            )
            found.read[stamp.number] = ReadStamp(step, stated_us=cause.stated_us)
            return
        status = Status.UNKNOWN if cause.unknown else Status.INVALID
        zh, en = f"文档时间戳：{cause.zh}", f"document timestamp: {cause.en}"
        _wrong(found, stamp, Step("time", status, cause.reason, zh, en), cause.stated_us)
        return
    except CmsError as cause:
        status = Status.UNKNOWN if cause.unsupported else Status.INVALID
        zh, en = "文档时间戳数据不合规", f"document timestamp: {cause}"
        _wrong(found, stamp, Step("time", status, cause.reason, zh, en))
        return
    newer = found.of(stamp.covered_to)
    stands = vouched(token, data, now_us if newer is None else newer)
    found.read[stamp.number] = ReadStamp(
        Step("time", Status.VALID, "STAMPED", "文档时间戳有效", "the document timestamp holds")
        if stands
        else Step(
            "time", Status.UNKNOWN, "STAMP_EXPIRED", "文档时间戳已失效", "the document timestamp proves nothing now"
        ),
        token.time_us,
        *names_of(token.path[0]),
        stated_us=token.time_us,
    )
    if stands:
        found.known.append((stamp.gap[0], token.latest_us))
        found.until_us = found.until_us or moments.us(token.path[0].not_valid_after_utc)
        found.stamps += 1


def _wrong(found: Proofs, stamp: PdfSignature, step: Step, stated_us: int | None = None) -> None:
    found.wrong.append(step)
    found.read[stamp.number] = ReadStamp(step, stated_us=stated_us)


@kept(1024)
def names_of(certificate: x509.Certificate) -> tuple[str, str]:
    """The names of its holder and of its issuer: the common name, else all of it."""
    return shown(called(certificate.subject)), shown(called(certificate.issuer))


def vouched(token: CheckedToken, data: ValidationData, at_us: int) -> bool:
    """Tells whether a timestamp still proves something at `at_us` (µs): its authority's certificates had not ended, and
    nothing that came with the document or with it says that one was revoked, or may say it.
    """
    beside = data.with_certificates(token.certificates)
    standing = path_standing(token.path, beside, token.time_us, at_us)
    return chain.valid_at(token.path, at_us) and standing not in MAY_BE_REVOKED
