"""A verdict as people read it: three sentences, each signature, and the steps for who wants to know more."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from gateway.web.pages import beijing
from gateway.web.texts import known, text
from shuniu.api.esign.v1 import esign_pb2
from shuniu.one_line import one_line

_VERDICTS = {"VALID": "valid", "INVALID": "invalid", "INDETERMINATE": "unknown"}
_STATUSES = frozenset({"valid", "invalid", "unknown", "not_checked"})
# A step that cannot apply, because a code was judged and no file: said once in a sentence, not nine times.
_OF_A_FILE = "CODE_ONLY"
# A step that was not made, because one before it failed: counted, not listed.
_NOT_REACHED = "NOT_REACHED"
# What follows from another step and explains nothing: a name is a claim because nobody trusted vouches for it.
_NO_CAUSE = frozenset({_NOT_REACHED, "SIGNER_CLAIMED", "TIME_WITHOUT_CHAIN"})
# What was judged is no document: neither good nor bad, whatever the word says.
_UNREADABLE = "unreadable"
_NO_CODE = "QR_MALFORMED"
_FACTS = ("title", "number", "issuer_name", "issuer", "date", "issued_on", "state")
# Facts that name the issuer, the first for people and the second for programs.
_NAME, _CODE = "issuer_name", "issuer"
# A document that nobody signed is neither good nor forged, and must not look like either.
_UNSIGNED = "NO_SIGNATURE"
# The longest common name that a certificate may hold has 64 characters (RFC 5280, ub-common-name).
_NAME_MOST = 64


@dataclass(frozen=True, slots=True)
class Step:
    """A step as shown: its name and status as code and as words."""

    step: str
    name: str
    status: str
    word: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as shown: what it is, how it stands (valid, held, invalid or unknown), who made it, and line by line
    what else is to be said of it.
    """

    status: str
    word: str
    kind: str
    who: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A verdict in the reader's language. `tone` is how it looks: valid, invalid, unknown or not_checked; `asked`: of
    which file it is, and when it was made; `digest`: SHA-256 of the file (hex), where one was seen; `left_out`
    says how many steps were not made.
    """

    verdict: str
    tone: str
    word: str
    holds: str
    asked: str
    cause: str
    advice: str
    as_of: str
    digest: str
    facts: tuple[tuple[str, str], ...]
    signatures: tuple[Signature, ...]
    steps: tuple[Step, ...]
    left_out: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def shown(verdict: esign_pb2.Verdict, language: str, texts: str = "", *, file: str = "", digest: str = "") -> Shown:
    """Makes a verdict of this moment readable, with the word named `texts`. `file`: the name of the
    judged file, `digest`: its SHA-256. An unknown word never becomes a good one.
    """
    name = verdict.verdict if verdict.verdict in _VERDICTS else "INDETERMINATE"
    key, tone = _word(verdict, name, texts)
    made = [step for step in verdict.steps if step.reason not in (_OF_A_FILE, _NOT_REACHED)]
    left_out = sum(step.reason == _NOT_REACHED for step in verdict.steps)
    summary = verdict.summary
    return Shown(
        verdict=name,
        tone=tone,
        word=text(key, language),
        holds=_said(summary.verdict, language) or text(f"summary_{name}", language),
        asked=_asked(plain(file), beijing(time.time()), language),
        cause=_said(summary.cause, language),
        advice=_said(summary.advice, language),
        as_of=beijing(verdict.as_of.seconds) if verdict.HasField("as_of") else "",
        digest=digest,
        facts=tuple(
            (known(f"fact_{fact}", language, fact), verdict.document[fact])
            for fact in sorted(verdict.document, key=_fact_order)
            if verdict.document[fact] and not (fact == _CODE and verdict.document.get(_NAME))
        ),
        signatures=tuple(_signature(each, language, refused=name == "INVALID") for each in verdict.signatures),
        steps=tuple(_steps(made, language)),
        left_out=text("steps_left_out", language, count=left_out) if left_out else "",
    )


def _word(verdict: esign_pb2.Verdict, name: str, texts: str) -> tuple[str, str]:
    """The key of the verdict's word, and its tone."""
    if verdict.form == _UNREADABLE and name != "VALID":
        return "verdict_unread", "not_checked"
    if any(step.reason == _NO_CODE for step in verdict.steps):
        return "verdict_unread", "not_checked"
    wrong = {step.reason for step in verdict.steps if step.status == "invalid"}
    if name == "INVALID" and wrong == {_UNSIGNED}:
        return "verdict_unsigned", "unknown"
    return f"verdict_{texts}{name}", _VERDICTS[name]


def label(verdict: esign_pb2.Verdict) -> str:
    """For metrics."""
    return verdict.verdict if verdict.verdict in _VERDICTS else "other"


def _said(sentence: esign_pb2.Sentence, language: str) -> str:
    return str(sentence.en if language == "en" else sentence.zh)


def _fact_order(key: str) -> tuple[int, str]:
    return (_FACTS.index(key) if key in _FACTS else len(_FACTS), key)


def _steps(steps: list[esign_pb2.VerdictStep], language: str) -> Iterator[Step]:
    """A name that nobody trusted vouches for gets no tick, whatever the step that found it says."""
    uncertified = any(step.step == "chain" and step.status != "valid" for step in steps)
    for step in steps:
        found = _step(step, language)
        if uncertified and found.step == "signer" and found.status == "valid":
            claim = text("signer_unconfirmed", language, claim=found.text)
            found = Step(found.step, found.name, "unknown", text("status_unknown", language), found.reason, claim)
        yield found


def _step(step: esign_pb2.VerdictStep, language: str) -> Step:
    status = step.status if step.status in _STATUSES else "unknown"
    return Step(
        step.step,
        known(f"step_{step.step}", language, step.step),
        status,
        text(f"status_{status}", language),
        step.reason,
        _told(step, language),
    )


def _told(step: esign_pb2.VerdictStep, language: str) -> str:
    """The step's text. Esign of an older release sends both languages in one."""
    return (step.en if language == "en" else step.zh) or in_language(step.text, language)


def _signature(report: esign_pb2.SignatureReport, language: str, *, refused: bool) -> Signature:
    """A signature that holds gets no green tick on a document that is refused."""
    # Good is only what a trusted authority vouches for.
    good = report.verdict == "VALID" and report.certified
    status = "valid" if good else "invalid" if report.verdict == "INVALID" else "unknown"
    is_changed = (
        status == "invalid" and bool(report.later) and not any(s.status == "invalid" for s in _of_itself(report))
    )
    return Signature(
        status="held" if good and refused else status,
        word=text("signature_is_changed" if is_changed else f"signature_is_{status}", language),
        kind=known(f"kind_{report.kind}", language, report.kind),
        who=_who(report, language),
        # What came after it is the cause, and has its line; what is merely unknown of it is none.
        lines=tuple(_lines(report, language, with_cause=not good and not is_changed)),
    )


def _of_itself(report: esign_pb2.SignatureReport) -> list[esign_pb2.VerdictStep]:
    """Its steps without what came after it, which has a line of its own."""
    return [step for step in report.steps if step.step != "changes" or not report.later]


def _who(report: esign_pb2.SignatureReport, language: str) -> str:
    name = plain(report.signer)
    if not name:
        # Where the chain ended early nobody looked for a name.
        return text("signer_unnamed" if report.certified else "signer_unread", language)
    return name if report.certified else text("signer_claims", language, name=name)


def _lines(report: esign_pb2.SignatureReport, language: str, *, with_cause: bool) -> Iterator[tuple[str, str]]:
    bad = [s for s in _of_itself(report) if s.status in ("invalid", "unknown") and s.reason not in _NO_CAUSE]
    if with_cause and bad:
        worst = next((step for step in bad if step.status == "invalid"), bad[0])
        yield text("cause", language), _told(worst, language)
    yield text("signature_time", language), _time(report, language)
    yield text("signature_covers", language), _said(report.covers, language)
    later = [_said(each, language) for each in report.later]
    between = "; " if language == "en" else "；"
    if later:
        yield text("signature_later", language), between.join(later)
    elif report.verdict != "INVALID":
        # Of what was not signed like this nobody can say when it was changed.
        yield text("signature_later", language), text("signature_nothing_later", language)
    if issuer := plain(report.issuer):
        by = issuer if report.certified else text("signer_claims", language, name=issuer)
        yield text("signature_issuer", language), by


def _time(report: esign_pb2.SignatureReport, language: str) -> str:
    if report.HasField("proven_at"):
        return text("time_proven", language, time=beijing(report.proven_at.seconds))
    if report.HasField("claimed_at"):
        return text("time_claimed", language, time=beijing(report.claimed_at.seconds))
    return text("time_unsaid", language)


def _asked(file: str, when: str, language: str) -> str:
    return text("asked_of", language, file=file, time=when) if file else text("asked", language, time=when)


def plain(name: str) -> str:
    """A name out of somebody's certificate: one line, no longer than one may be, and nothing in it that turns or hides
    what stands beside it.
    """
    whole = " ".join(one_line(name[: 8 * _NAME_MOST]).split())
    return whole if len(whole) <= _NAME_MOST else f"{whole[:_NAME_MOST]}…"


def in_language(both: str, language: str) -> str:
    """One language of a text that holds Chinese, then English, divided by a line break or ` / `; else all of it."""
    for divider in ("\n", " / "):
        chinese, found, english = both.partition(divider)
        if found and chinese.strip() and english.strip():
            return (english if language == "en" else chinese).strip()
    return both
