"""A verdict as the contract has it: steps, three sentences, signatures."""

from collections.abc import Mapping

from services.esign.domain.verdict import Sentence, SignatureFinding, Step, Verdict
from services.esign.verification.domain.sentences import verdict_words
from services.esign.verification.domain.sentences.verdict_words import Summary
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.one_line import one_line


def verdict_view(verdict: Verdict, about: Mapping[str, str]) -> pb.Verdict:
    """`about`: what is known of the document; see the contract."""
    found = pb.Verdict(
        verdict=verdict.outcome.value,
        steps=map(_step, verdict.steps),
        document=about,
        summary=_summary(verdict_words.explain(verdict)),
        signatures=map(_signature, verdict.signatures),
        form=verdict.form.value,
    )
    found.as_of.FromMicroseconds(verdict.as_of_us)
    return found


def _step(step: Step) -> pb.VerdictStep:
    zh, en = one_line(step.zh), one_line(step.en)
    return pb.VerdictStep(
        step=step.step, status=step.status.value, reason=step.reason, text=f"{zh} / {en}", zh=zh, en=en
    )


def _sentence(sentence: Sentence) -> pb.Sentence:
    return pb.Sentence(zh=one_line(sentence.zh), en=one_line(sentence.en))


def _summary(summary: Summary) -> pb.VerdictSummary:
    return pb.VerdictSummary(
        verdict=_sentence(summary.verdict),
        cause=None if summary.cause is None else _sentence(summary.cause),
        advice=_sentence(summary.advice),
    )


def _signature(signature: SignatureFinding) -> pb.SignatureReport:
    found = pb.SignatureReport(
        name=signature.name,
        kind=signature.kind.value,
        verdict=signature.outcome.value,
        signer=signature.signer,
        issuer=signature.issuer,
        certified=signature.certified,
        covers=_sentence(signature.covers),
        later=map(_sentence, signature.later),
        steps=map(_step, signature.steps),
    )
    if signature.claimed_us is not None:
        found.claimed_at.FromMicroseconds(signature.claimed_us)
    if signature.proven_us is not None:
        found.proven_at.FromMicroseconds(signature.proven_us)
    return found
