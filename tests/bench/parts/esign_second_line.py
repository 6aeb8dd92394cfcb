"""`esign.second_line`: what drawing both versions of a document costs, and how many documents need it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome
from services.esign.revisions import rendering
from services.esign.revisions.domain import second_look
from services.esign.revisions.domain.second_look import Comparison, Version
from services.esign.signing.domain import long_term as longterm
from services.esign.verification.domain import verify
from tests.bench import esign
from tests.support import documents as attack
from tests.support.esign import page, sealed, setting
from tests.support.longterm import data, ocsp, stamped
from tests.support.multisign import both, token
from tests.support.timestamps import authority

TRUST = Trust((setting().root.certificate,))


def documents() -> dict[str, bytes]:
    """One of each kind that the hub issues or meets."""
    step = longterm.begin_renewal(stamped(), data(ocsp()), authority().max_size())
    return {
        "certificate": sealed(),
        "certificate with timestamp": stamped(),
        "signed elsewhere": attack.foreign_sign(page()),
        "renewed (B-LTA)": step.finish(token(step.digest)),
        "contract of two": both("layout"),
    }


class _Counted:
    """The renderer, and the processor time that it took."""

    def __init__(self) -> None:
        self.asked = 0
        self.seconds = 0.0

    def look(self, pdf: bytes, versions: Sequence[Version]) -> Comparison:
        began = time.process_time()
        found = rendering.look(pdf, versions)
        self.asked += 1
        self.seconds += time.process_time() - began
        return found


def _unseen(_pdf: bytes, _versions: Sequence[Version]) -> Comparison:
    return Comparison(second_look.Seen.SAME)


async def run() -> list[dict[str, Any]]:
    made, counted = await asyncio.to_thread(documents), _Counted()
    for pdf in made.values():
        assert verify.judge(pdf, trust=TRUST, now_us=attack.now_us(), look=counted.look).outcome is Outcome.VALID
    drawn, renewed = counted.asked, made["renewed (B-LTA)"]

    def with_both() -> None:
        verify.judge(renewed, trust=TRUST, now_us=attack.now_us(), look=rendering.look)

    def with_the_first() -> None:
        verify.judge(renewed, trust=TRUST, now_us=attack.now_us(), look=_unseen)

    both_lines, first = await asyncio.to_thread(esign.rounds, ((with_both, 20), (with_the_first, 60)))
    return [
        esign.row("esign.second_line", both_lines, "changed documents/s/core", first),
        esign.row("esign.second_line.cost", 1000 * (1 / both_lines - 1 / first), "ms a document that changed"),
        esign.row("esign.second_line.share", 100 * drawn / len(made), "% of the kinds of documents need it"),
    ]
