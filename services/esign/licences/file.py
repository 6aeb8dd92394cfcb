"""A licence in a file, judged offline: `shuniu verify FILE.sdjwt`."""

import re
import time
from dataclasses import replace
from pathlib import Path

from services.esign.certification.domain.trust import Trust
from services.esign.domain.errors import TokenMalformedError
from services.esign.domain.verdict import Form, Outcome, Status
from services.esign.licences.domain import (
    check as licence_check,
)
from services.esign.licences.domain import (
    offline as licence_offline,
)
from services.esign.licences.domain import (
    sd_jwt,
)
from services.esign.licences.domain import (
    types as licences,
)
from services.esign.licences.domain.check import NOTHING_BESIDE, Beside, Judged, NotRegistered
from services.esign.licences.domain.key_binding import Expected
from services.esign.verification import plain_files
from services.esign.verification.files import being_written, load_trust
from services.esign.verification.offline import TrustSource

# A proof of the holder's key may be so old, s.
PROOF_SECONDS = 300
_BESIDE = (".statuslist", ".tlog-proof")
# A signed token (RFC 7515), whatever follows it.
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(~|$)")
_MOST_BESIDE = 1 << 20


def verify_licence(
    path: Path, source: TrustSource = None, *, audience: str = "", nonce: str = "", now_us: int | None = None
) -> Judged:
    """The offline verdict on a presentation. Without audience and nonce nobody knows who presents it: never VALID.

    Beside it may lie its status list (`<path>.statuslist`, as GetStatusList gives it) and the receipt of its issuing
    (`<path>.tlog-proof`). Raises OSError when a file cannot be read, TrustError when the trust directory cannot.
    """
    trust = load_trust(source)
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    expected = Expected(audience, nonce, PROOF_SECONDS, now_us) if audience and nonce else None
    try:
        return plain_files.undisturbed(
            [path, *(path.with_name(path.name + suffix) for suffix in _BESIDE)],
            lambda: _judged(path, trust, expected, now_us),
            lambda found: found.verdict.outcome is Outcome.VALID,
        )
    except plain_files.BeingWrittenError:
        return Judged(replace(being_written(now_us), form=Form.LICENCE))


def _judged(path: Path, trust: Trust, expected: Expected | None, now_us: int) -> Judged:
    """INVALID is said of a licence: what has not even the form of one is nothing to judge, and INDETERMINATE."""
    text = plain_files.beginning(path, sd_jwt.MOST_BYTES + 2).decode("utf-8", "replace").strip()
    beside = _beside(path, text, trust, now_us)
    found = licence_check.judge(text, trust.roots, expected, now_us, NotRegistered.OFFLINE, beside=beside)
    if found.verdict.readable:
        return found
    if _TOKEN.match(text):
        return Judged(replace(found.verdict, form=Form.LICENCE))
    steps = tuple(
        replace(step, status=Status.UNKNOWN) if step.status is Status.INVALID else step for step in found.verdict.steps
    )
    return Judged(replace(found.verdict, outcome=Outcome.INDETERMINATE, steps=steps))


def _beside(path: Path, text: str, trust: Trust, now_us: int) -> Beside:
    steps, logged_us = [], None
    try:
        token = sd_jwt.parse(text, licences.TYP).token
    except TokenMalformedError:
        return NOTHING_BESIDE
    lists, proof = (_text(path, suffix) for suffix in _BESIDE)
    if lists is not None:
        steps.append(licence_offline.status_step(lists, token, trust, now_us))
    if proof is not None:
        step, logged_us = licence_offline.ledger_step(proof, token.text, trust)
        steps.append(step)
    return Beside(tuple(steps), trust.crls, logged_us)


def _text(path: Path, suffix: str) -> str | None:
    beside = plain_files.companion(path, suffix, _MOST_BESIDE)
    return None if beside is None else beside.decode("utf-8", "replace")
