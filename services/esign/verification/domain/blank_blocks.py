"""Blocks of a file that never came: a download of several parts, or one into a file of full size, leaves zeros where a
part is missing. Whether somebody put them there cannot be told, so nobody is accused; nothing is accepted either.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.esign.domain.verdict import Outcome, SignatureFinding, Status, Step, Verdict

# Files are written in blocks of so many bytes, or multiples, from such a multiple on.
_BLOCK = 4096
_BLANK = bytes(_BLOCK)
# Of the last block, which ends where the file does.
_LEAST = 512
_ZH = "文件中有整块内容是零，可能是下载或拷贝时缺失的"
_EN = "whole blocks of the file are zeros, which may be missing from a download or a copy"
# What says of such a file that it was changed, and what is said instead.
_INSTEAD = {
    ("parse", "PACKAGE_BROKEN"): Step("parse", Status.UNKNOWN, "BLANK_BLOCKS", _ZH, _EN),
    ("changes", "STRAY_BYTES"): Step("changes", Status.UNKNOWN, "BLANK_BLOCKS", _ZH, _EN),
    ("integrity", "DIGEST"): Step("integrity", Status.UNKNOWN, "BLANK_BLOCKS", _ZH, _EN),
}


def unblamed(verdict: Verdict, data: bytes) -> Verdict:
    """The verdict, where a file with such a block fails as a damaged one does: UNKNOWN instead of INVALID."""
    if verdict.outcome is not Outcome.INVALID or not any(map(_is_accusing, verdict.steps)) or not has_blank(data):
        return verdict
    steps = _unblamed(verdict.steps)
    return replace(
        verdict,
        outcome=_outcome(verdict.outcome, steps),
        steps=steps,
        signatures=tuple(map(_signature, verdict.signatures)),
    )


def has_blank(data: bytes) -> bool:
    """Tells whether a whole block is zeros, or what there is of the last one."""
    last = data[len(data) - len(data) % _BLOCK :]
    if len(last) >= _LEAST and not last.strip(b"\0"):
        return True
    return any(data.startswith(_BLANK, at) for at in range(0, len(data) - _BLOCK + 1, _BLOCK))


def _signature(found: SignatureFinding) -> SignatureFinding:
    steps = _unblamed(found.steps)
    return replace(found, steps=steps, outcome=_outcome(found.outcome, steps))


def _unblamed(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(_INSTEAD[step.step, step.reason] if _is_accusing(step) else step for step in steps)


def _is_accusing(step: Step) -> bool:
    return step.status is Status.INVALID and (step.step, step.reason) in _INSTEAD


def _outcome(before: Outcome, steps: Sequence[Step]) -> Outcome:
    is_open = before is Outcome.INVALID and all(step.status is not Status.INVALID for step in steps)
    return Outcome.INDETERMINATE if is_open else before
