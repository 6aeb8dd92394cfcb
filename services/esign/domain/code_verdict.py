"""The verdict on a QR code: it speaks for the code and what the register says, never for a page it is printed on."""

from collections.abc import Iterable

from services.esign.domain.verdict import STEPS, Outcome, Status, Step, Verdict


def conclude_code(steps: Iterable[Step], as_of_us: int) -> Verdict:
    """VALID when signature and register both say yes; steps that concern a file are not_checked."""
    found = {step.step: step for step in steps}
    whole = tuple(found.get(name) or _of_the_file(name) for name in STEPS)
    statuses = {step.status for step in whole}
    if Status.INVALID in statuses:
        outcome = Outcome.INVALID
    elif Status.UNKNOWN in statuses or not {"integrity", "document"} <= set(found):
        outcome = Outcome.INDETERMINATE
    else:
        outcome = Outcome.VALID
    return Verdict(outcome, as_of_us, whole)


def _of_the_file(name: str) -> Step:
    return Step(
        name,
        Status.NOT_CHECKED,
        "CODE_ONLY",
        "仅核验二维码;如需核验文件内容请上传文件",
        "only the code was judged; upload the file to have it judged",
    )
