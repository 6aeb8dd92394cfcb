"""What this project and what an independent reader say of a document whose signers nobody vouches for."""

import io
from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, StandardDiffPolicy
from pyhanko.sign.validation.generic_cms import validate_sig_integrity

from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Status, Verdict
from services.esign.revisions.rendering import look
from services.esign.verification.domain import verify
from tests.support import documents

# What has to be right of a document, whoever signed it and when.
STEPS = ("parse", "coverage", "changes", "integrity")
# pyHanko refuses every free entry in a later save, also of numbers that no object ever had.
_POLICY = StandardDiffPolicy(
    DEFAULT_DIFF_POLICY.global_rules, DEFAULT_DIFF_POLICY.form_rule, reject_object_freeing=False
)


def verdict(pdf: bytes) -> Verdict:
    """Ours, with the renderer at hand and any signer taken as trusted."""
    return verify.judge(pdf, trust=Trust(), now_us=documents.now_us(), trust_any_signer=True, look=look)


def objections(found: Verdict) -> list[str]:
    """Each of the four steps that is not valid, as `step status REASON: why`; empty when the document is accepted."""
    return [
        f"{step.step} {step.status.value} {step.reason}: {step.en}"
        for step in found.steps
        if step.step in STEPS and step.status is not Status.VALID
    ]


def pyhanko_objections(pdf: bytes) -> list[str]:
    """The same from pyHanko: values that do not hold, coverage that is not whole, changes that its policy refuses."""
    reader = PdfFileReader(io.BytesIO(pdf), strict=False)
    found = [each for signature in reader.embedded_signatures for each in _objections(signature)]
    return found or ([] if reader.embedded_signatures else ["no signature"])


def _objections(signature: Any) -> list[str]:
    signature.compute_integrity_info(diff_policy=_POLICY)
    summary = signature.summarise_integrity_info()
    found = []
    if signature.sig_object_type != "/DocTimeStamp":
        intact, valid = validate_sig_integrity(
            signature.signer_info, signature.signer_cert, "data", signature.compute_digest()
        )
        found += [] if intact and valid else [f"{signature.field_name}: intact {intact}, valid {valid}"]
    if summary["coverage"].name not in {"ENTIRE_FILE", "ENTIRE_REVISION"}:
        found.append(f"{signature.field_name}: covers {summary['coverage'].name}")
    if not summary["docmdp_ok"]:
        found.append(f"{signature.field_name}: {summary['diff_result']}")
    return found
