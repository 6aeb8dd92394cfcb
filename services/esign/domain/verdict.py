"""The verdict: one object for every way of asking. Anything unknown makes it INDETERMINATE, never VALID."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.esign.domain.moments import written
from services.esign.domain.shown_names import shown

STEPS = (
    "parse",
    "coverage",
    "changes",
    "integrity",
    "signer",
    "chain",
    "time",
    "seal_then",
    "seal_now",
    "document",
    "ledger",
    "ses",
)
# Without a clear yes to each of these nothing is VALID, whatever the rest says.
_ESSENTIAL = frozenset({"parse", "coverage", "changes", "integrity", "signer", "chain", "time"})


class Status(StrEnum):
    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    NOT_CHECKED = "not_checked"

    # As it compares; that of an enumeration is a call for each look into a set.
    __hash__ = str.__hash__


class Outcome(StrEnum):
    VALID = "VALID"
    INVALID = "INVALID"
    INDETERMINATE = "INDETERMINATE"


@dataclass(frozen=True, slots=True)
class Step:
    """One step's finding. `reason` UPPER_SNAKE; `zh` and `en` for people."""

    step: str
    status: Status
    reason: str
    zh: str
    en: str

    @property
    def text(self) -> str:
        return f"{self.zh} / {self.en}"

    def as_json(self) -> dict[str, str]:
        return {
            "step": self.step,
            "status": self.status.value,
            "reason": self.reason,
            "text": self.text,
            "zh": self.zh,
            "en": self.en,
        }


class Form(StrEnum):
    """The kind of thing that was judged."""

    PDF = "pdf"
    OFD = "ofd"
    CODE = "code"
    HASH = "hash"
    NUMBER = "number"
    LICENCE = "licence"
    # Neither PDF nor OFD: there was nothing to judge.
    UNREADABLE = "unreadable"


class SignatureKind(StrEnum):
    """The kind of a signature: a CMS (RFC 5652), one by GM/T 0010, a seal signature by GB/T 38540, a timestamp
    token.
    """

    CMS = "cms"
    GM_CMS = "gm_cms"
    SES = "ses"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence for people."""

    zh: str
    en: str

    def as_json(self) -> dict[str, str]:
        return {"zh": self.zh, "en": self.en}


@dataclass(frozen=True, slots=True)
class SignatureFinding:
    """One signature of a document: what it covers, who says so, what came after it.

    `name`, `signer` and `issuer` come out of the file or its certificates, and are kept as they may be shown: one line,
    96 characters at most. While `certified` is False nobody trusted vouches for them. Times in µs, None where there is
    none.
    """

    name: str
    kind: SignatureKind
    outcome: Outcome
    covers: Sentence
    signer: str = ""
    issuer: str = ""
    certified: bool = False
    claimed_us: int | None = None
    proven_us: int | None = None
    later: tuple[Sentence, ...] = ()
    steps: tuple[Step, ...] = ()
    # Serial number and SHA-256 (hex) of the signer's certificate: the register finds its seal by them. Not in the JSON.
    serial: str = ""
    certificate_sha256: str = ""

    def __post_init__(self) -> None:
        for of_strangers in ("name", "signer", "issuer"):
            object.__setattr__(self, of_strangers, shown(getattr(self, of_strangers)))

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind.value,
            "verdict": self.outcome.value,
            "signer": self.signer,
            "issuer": self.issuer,
            "certified": self.certified,
            "claimed_at": None if self.claimed_us is None else written(self.claimed_us),
            "proven_at": None if self.proven_us is None else written(self.proven_us),
            "covers": self.covers.as_json(),
            "later": [each.as_json() for each in self.later],
            "steps": [step.as_json() for step in self.steps],
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """`as_of_us`: the time the verdict speaks for (µs). `steps` holds all twelve, in order; `signatures` one finding
    for each signature of the file, in the order they were made.
    """

    outcome: Outcome
    as_of_us: int
    steps: tuple[Step, ...]
    signatures: tuple[SignatureFinding, ...] = ()
    form: Form = Form.PDF

    @property
    def readable(self) -> bool:
        """Tells whether there was anything to judge."""
        return self.form is not Form.UNREADABLE

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.step == name)

    def as_json(self) -> dict[str, Any]:
        """See docs/verdict.schema.json."""
        return {
            "schema": SCHEMA,
            "verdict": self.outcome.value,
            "as_of": written(self.as_of_us),
            "form": self.form.value,
            "steps": [step.as_json() for step in self.steps],
            "signatures": [signature.as_json() for signature in self.signatures],
        }


NOT_REACHED = "NOT_REACHED"
"""Reason of a step that was not made because an earlier one failed."""
SCHEMA = "urn:shuniu:verdict:1"
"""Name and version of the verdict's JSON form: a new number when a reader of the old one would be misled."""


def conclude(steps: Iterable[Step], as_of_us: int, *, at_best: Outcome = Outcome.VALID) -> Verdict:
    """The verdict over the steps found; one that lacks a step is not VALID. `at_best` caps it."""
    found = {step.step: step for step in steps}
    whole = tuple(found.get(name) or unreached(name) for name in STEPS)
    statuses = {step.status for step in whole}
    clear = found.keys() >= set(STEPS) and all(step.status is Status.VALID for step in whole if step.step in _ESSENTIAL)
    if Status.INVALID in statuses:
        outcome = Outcome.INVALID
    elif Status.UNKNOWN in statuses or not clear or at_best is not Outcome.VALID:
        outcome = Outcome.INDETERMINATE
    else:
        outcome = Outcome.VALID
    return Verdict(outcome, as_of_us, whole)


def unjudged(now_us: int) -> Verdict:
    """The verdict where the verifier itself failed on a file: nothing is known of it."""
    zh, en = "核验程序在处理该文件时出错，未能核验", "the verifier failed on this file: it is not judged"
    return conclude([Step("parse", Status.UNKNOWN, "VERIFIER_FAILED", zh, en)], now_us)


def unreached(name: str) -> Step:
    """A step that nobody made, because one before it failed: that one says what it does to the verdict."""
    return Step(
        name, Status.NOT_CHECKED, NOT_REACHED, "前面的步骤未通过，没有核验", "not checked: an earlier step failed"
    )
