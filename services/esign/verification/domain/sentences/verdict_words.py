"""Three sentences for a clerk: the verdict, its cause, what to do."""

from dataclasses import dataclass
from typing import Any

from services.esign.domain.verdict import NOT_REACHED, Form, Outcome, Sentence, Status, Step, Verdict
from services.esign.verification.domain.sentences import document_sentences, licence_sentences
from services.esign.verification.domain.sentences.step_sentences import MET, of_status
from services.esign.verification.domain.sentences.verdict_sentences import (
    GOOD,
    GOOD_FILLED,
    GOOD_LICENCE_OFFLINE,
    GOOD_OFFLINE,
    GOOD_OFFLINE_ANYWHERE,
    GOOD_RENEWED,
    ITEMS,
    OPEN,
    RECEIPT_FIRST,
    REFUSING,
    REISSUE,
    RESTING_ON,
    UNCONFIRMED,
    Words,
)

# What follows from another step that failed or is no duty, and says nothing of its own.
_ECHOES = frozenset(
    {
        *(NOT_REACHED, "TIME_WITHOUT_CHAIN", "SES_WITHOUT_DOCUMENT", "NO_SES", "SES_UNSEEN", "NO_TIMESTAMP"),
        *("SIGNER_CLAIMED", "NOTHING_REGISTERED", "FILE_NOT_SEEN", "CODE_ONLY"),
    }
)
# What was left unjudged and keeps a verdict from being VALID.
_LEFT_OUT = frozenset({"ANY_SIGNER", "HOLDER_NOT_ASKED"})
# Steps about the certificate and its names: the name is unconfirmed because the chain is.
_NAMING = ("signer", "chain")
_OF_STEP = {**licence_sentences.OF_STEP, **document_sentences.OF_STEP}
_OF_REASON = {**licence_sentences.OF_REASON, **document_sentences.OF_REASON}
_OF_EACH_SIGNATURE = frozenset({"integrity", "signer", "chain", "time", "seal_then"})
# What lawfully came after signing, and is worth a word.
_GOOD_SINCE = {"RENEWED": GOOD_RENEWED, "FILLED": GOOD_FILLED}
_OF_A_FILE = frozenset({Form.PDF, Form.OFD})


@dataclass(frozen=True, slots=True)
class Summary:
    """`cause` is None when the verdict is VALID."""

    verdict: Sentence
    cause: Sentence | None
    advice: Sentence

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.as_json(),
            "cause": None if self.cause is None else self.cause.as_json(),
            "advice": self.advice.as_json(),
        }


def explain(verdict: Verdict) -> Summary:
    """The verdict in three sentences."""
    if verdict.outcome is Outcome.VALID:
        words = _good(verdict)
        return Summary(words.verdict, None, words.advice)
    step = cause_of(verdict)
    words = words_of(step, verdict.form)
    it = ITEMS[verdict.form]
    what = MET.get(_bare(step.reason)) or Sentence(step.zh.rstrip("。"), step.en.rstrip("."))
    told = [
        Sentence(sentence.zh.format(it=it.zh, what=what.zh), sentence.en.format(it=it.en, what=what.en))
        for sentence in (_borne_out(verdict, words.verdict), words.cause, _nearest(verdict, words.advice))
    ]
    return Summary(told[0], _of_how_many(verdict, step, told[1]), told[2])


def _borne_out(verdict: Verdict, said: Sentence) -> Sentence:
    """Says what holds, or that something is unconfirmed, where the steps do not say that it holds."""
    wanted = RESTING_ON.get(said.zh, ())
    doubted = any(step.step in wanted and step.status is not Status.VALID for step in verdict.steps)
    return UNCONFIRMED if doubted else said


def _nearest(verdict: Verdict, advice: Sentence) -> Sentence:
    """The advice that takes less trouble: a receipt proves the time of signing, and no fitting one was looked at."""
    without = any(step.step == "ledger" and step.status is not Status.VALID for step in verdict.steps)
    return RECEIPT_FIRST if advice is REISSUE and without and verdict.form in _OF_A_FILE else advice


def _of_how_many(verdict: Verdict, step: Step, cause: Sentence) -> Sentence:
    """The cause, with the number of signatures it concerns where others are well."""
    whole, wrong = len(verdict.signatures), sum(s.outcome is not Outcome.VALID for s in verdict.signatures)
    if step.step not in _OF_EACH_SIGNATURE or not 0 < wrong < whole:
        return cause
    return Sentence(
        f"共 {whole} 个签名和印章，其中 {wrong} 个：{cause.zh}", f"{wrong} of {whole} signatures: {cause.en}"
    )


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict's JSON form with its three sentences; see docs/verdict.schema.json."""
    return {**verdict.as_json(), "summary": explain(verdict).as_json()}


def cause_of(verdict: Verdict) -> Step:
    """The root cause of a verdict other than VALID: the first step that failed by itself."""
    wrong = [step for step in verdict.steps if step.status is Status.INVALID]
    open_ = [step for step in verdict.steps if step.status is Status.UNKNOWN or step.reason in _LEFT_OUT]
    for candidates in (wrong, open_, verdict.steps):
        if own := [step for step in candidates if not _is_echo(step)]:
            return _not_the_name_alone(own)
    return verdict.steps[0]


def reached(verdict: Verdict) -> tuple[Step, ...]:
    """The steps that were made; the others say only that one before them failed."""
    return tuple(step for step in verdict.steps if step.reason != NOT_REACHED)


def not_made(verdict: Verdict) -> Sentence | None:
    """One line for all steps that were not made; None when all were."""
    count = len(verdict.steps) - len(reached(verdict))
    if not count:
        return None
    return Sentence(f"其余 {count} 项因此未核验", f"{count} further check{' was' if count == 1 else 's were'} not made")


def words_of(step: Step, form: Form) -> Words:
    """The words on a step that is not VALID: its reason's own words, else its step's. A reason that may be said of what
    is wrong and of what is not known is told by its step where its own words are of the other kind.
    """
    candidates = (
        licence_sentences.OF_FORM.get((form, step.reason)),
        _OF_STEP.get((step.step, step.reason)),
        _OF_REASON.get(step.reason),
        _OF_REASON.get(_bare(step.reason)),
    )
    unfit = OPEN if step.status is Status.INVALID else REFUSING
    fitting = (each for each in candidates if each is not None and each.verdict.zh not in unfit)
    return next(fitting, None) or of_status(step.step, step.status)


def own_words(step: str, reason: str) -> Words | None:
    """Returns the words for a reason in one step; None when the reason has the same words in every step."""
    return _OF_STEP.get((step, reason))


def is_told(step: str, reason: str) -> bool:
    """Tells whether a reason has words of its own, or a name in its step's sentence, or follows from another."""
    return (step, reason) in _OF_STEP or any(
        each in _OF_REASON or each in MET or each in _ECHOES for each in (reason, _bare(reason))
    )


def _bare(reason: str) -> str:
    """Takes the prefix off a reason. What was found of a seal beside the document has its reason behind `SES_`."""
    return reason.removeprefix("SES_")


def _is_echo(step: Step) -> bool:
    return step.status is Status.VALID or step.reason in _ECHOES


def _not_the_name_alone(failing: list[Step]) -> Step:
    """A name is unconfirmed because nobody trusted issued the certificate: that is the cause."""
    first = failing[0]
    if first.step not in _NAMING or (first.step, first.reason) in _OF_STEP or first.reason in _OF_REASON:
        return first
    return next((step for step in failing if step.step == "chain"), first)


def _good(verdict: Verdict) -> Words:
    unasked = any(step.step == "document" and step.status is Status.NOT_CHECKED for step in verdict.steps)
    if verdict.form is Form.LICENCE and unasked:
        return GOOD_LICENCE_OFFLINE
    if verdict.form in _OF_A_FILE and unasked:
        logged = any(step.step == "ledger" and step.status is Status.VALID for step in verdict.steps)
        return GOOD_OFFLINE if logged else GOOD_OFFLINE_ANYWHERE
    since = next((step.reason for step in verdict.steps if step.step == "changes"), "")
    return _GOOD_SINCE.get(since) or GOOD[verdict.form]
