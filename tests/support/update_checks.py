"""What has to hold for every update of a signed document, whatever it holds."""

import time
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import PdfError
from services.esign.domain.verdict import Status, Step
from services.esign.revisions import rendering
from services.esign.revisions.domain import changes, second_look
from services.esign.revisions.domain.second_look import Look, Version
from services.esign.verification.domain import verify
from tests.support import drawing
from tests.support.documents import now_us
from tests.support.update_seeds import Updated
from tests.support.verdicts import TRUST

# A verdict without drawing takes milliseconds; the machine may be busy.
MOST_SECONDS = 3.0
# What MuPDF and Poppler take for free there, the other readers find in the hybrid section's stream: to them it differs
# before anything was added.
_READ_OTHERWISE = frozenset({"hybrid, packed"})
drawn_before = lru_cache(maxsize=64)(drawing.by_pdfium)


@dataclass(slots=True)
class Tally:
    """What a run of updates came to: kinds by how often they were there and how often the first line let them pass."""

    updates: int = 0
    passed: int = 0
    accepted: int = 0
    elsewhere: int = 0
    slowest: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    passing: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.updates += other.updates
        self.passed += other.passed
        self.accepted += other.accepted
        self.elsewhere += other.elsewhere
        self.slowest = max(self.slowest, other.slowest)
        self.kinds += other.kinds
        self.passing += other.passing
        self.violations += other.violations

    def check(self, updated: Updated, directory: Path | None = None) -> None:
        """Judges and draws one update. `directory`: other renderers are asked too, with their files there."""
        self.updates += 1
        self.kinds.update(set(updated.kinds))
        begun = time.thread_time()
        try:
            passed = passes_first_line(updated.after)
        except Exception as cause:
            self._say(updated, f"raised {type(cause).__name__}")
            return
        taken = time.thread_time() - begun
        self.slowest = max(self.slowest, taken)
        if taken > MOST_SECONDS:
            self._say(updated, f"took {taken:.1f} s")
        if not passed:
            return
        self.passed += 1
        self.passing.update(set(updated.kinds))
        looked = step_changes(updated.after, rendering.look)
        accepted = looked is not None and looked.status is Status.VALID
        self.accepted += accepted
        for version in versions(updated.after):
            before = updated.after[: version.end]
            if page := drawing.differs(before, updated.after, version.patches, read=drawn_before):
                self._say(updated, f"{'both lines let' if accepted else 'the first line lets'} page {page} differ")
            elif directory is not None and accepted and updated.base not in _READ_OTHERWISE:
                self.elsewhere += 1
                if name := drawing.differs_elsewhere(before, updated.after, version.patches, directory):
                    self._say(updated, f"{name} shows another page")

    def _say(self, updated: Updated, what: str) -> None:
        self.violations.append(f"{updated.seed} {updated.base}: {what}: {', '.join(updated.kinds)}")


def step_changes(pdf: bytes, look: Look | None) -> Step | None:
    """The step `changes` of the whole verdict; None when it was not reached."""
    verdict = verify.judge(pdf, trust=TRUST, now_us=now_us(), look=look)
    return next((step for step in verdict.steps if step.step == "changes"), None)


def passes_first_line(pdf: bytes) -> bool:
    """Whether nothing but the lack of a renderer keeps the step `changes` from being valid."""
    step = step_changes(pdf, None)
    return step is not None and (step.status is Status.VALID or step.reason in {"PAGES_NOT_COMPARED", "PAGES_TOO_MANY"})


def versions(pdf: bytes) -> list[Version]:
    """Earlier versions, and where the first line lets them look different."""
    document = Document(pdf)
    try:
        pages = len(document.pages())
    except PdfError:
        pages = 1
    return second_look.versions(changes.history(document, signatures.find(document)), pages)
