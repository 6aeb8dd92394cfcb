"""Verdicts without the file: on a QR code, on a hash, on a number. They speak for what the register says of it, never
for a page that was printed or a file that was not seen.
"""

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum

from services.esign.domain.verdict import STEPS, Form, Outcome, Status, Step, Verdict


class Asked(Enum):
    """Names what was given instead of the file: the steps that must be there for VALID, and what those of the file
    are.
    """

    CODE = (
        Form.CODE,
        {"integrity", "document"},
        Step(
            "",
            Status.NOT_CHECKED,
            "CODE_ONLY",
            "仅核验二维码；如需核验文件内容请上传文件",
            "only the code was judged; upload the file to have it judged",
        ),
    )
    HASH = (
        Form.HASH,
        {"ledger", "document"},
        Step(
            "",
            Status.NOT_CHECKED,
            "FILE_NOT_SEEN",
            "仅凭摘要核验，未查看文件本身",
            "asked by hash: the file itself was not looked at",
        ),
    )
    NUMBER = (
        Form.NUMBER,
        {"ledger", "document"},
        Step(
            "",
            Status.NOT_CHECKED,
            "FILE_NOT_SEEN",
            "仅凭编号核验，未查看文件，不能说明手中文件的内容未被改动",
            "asked by number: no file was looked at, so this says nothing of the content of the one in hand",
        ),
    )

    def __init__(self, form: Form, needed: set[str], of_the_file: Step) -> None:
        self.form, self.needed, self.of_the_file = form, frozenset(needed), of_the_file


# What the register and the ledger say of a document that they have, and how its absence is called.
_REGISTERED = frozenset({"seal_then", "seal_now", "ledger"})
_MISSING = frozenset({"DOCUMENT_UNKNOWN", "NO_MATCH"})
_STANDS = Step("document", Status.NOT_CHECKED, "", "", "")


def conclude_code(steps: Iterable[Step], as_of_us: int, asked: Asked = Asked.CODE) -> Verdict:
    """VALID when all that is needed says yes; steps that concern the file are not_checked."""
    found = {step.step: step for step in steps}
    missing = found.get("document", _STANDS).reason in _MISSING
    whole = tuple(
        found.get(name)
        or (_not_asked(name) if missing and name in _REGISTERED else replace(asked.of_the_file, step=name))
        for name in STEPS
    )
    statuses = {step.status for step in whole}
    if Status.INVALID in statuses:
        outcome = Outcome.INVALID
    elif Status.UNKNOWN in statuses or not all(
        name in found and found[name].status is Status.VALID for name in asked.needed
    ):
        outcome = Outcome.INDETERMINATE
    else:
        outcome = Outcome.VALID
    return Verdict(outcome, as_of_us, whole, form=asked.form)


def _not_asked(name: str) -> Step:
    zh, en = "登记中没有相符的文件，没有可查询的", "nothing registered fits, so there was nothing to look up"
    return Step(name, Status.NOT_CHECKED, "NOTHING_REGISTERED", zh, en)
