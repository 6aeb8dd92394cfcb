"""`esign.pades_lta`, `esign.verify_lta`, `esign.countersign`: long-term documents made and judged, and one more signer."""

import asyncio
from typing import Any

from services.esign.certification.domain.trust import Trust
from services.esign.domain.cms.signed_data import OpenedCms
from services.esign.domain.verdict import Outcome
from services.esign.signing.domain import long_term as longterm
from services.esign.signing.domain import multisign
from tests.bench import esign
from tests.support.esign import NOW_US, page, setting
from tests.support.longterm import data, ocsp, stamped
from tests.support.multisign import FIELDS, RED, signed
from tests.support.timestamps import authority
from tests.support.verdicts import judged


async def run() -> list[dict[str, Any]]:
    tsa, template, trust = authority(), setting().seal.cms, Trust((setting().root.certificate,))
    room, kept, before = tsa.max_size(), data(ocsp()), stamped()
    first = signed(multisign.prepare(page(), FIELDS), "甲方")

    def archive() -> bytes:
        step = longterm.begin_renewal(before, kept, room)
        return step.finish(tsa.token(step.digest))

    def countersign() -> bytes:
        size = template.max_size_with(room)
        step = multisign.begin(first, "乙方", size=size, at_us=NOW_US, signer="乙方", appearance=RED)
        opened = OpenedCms.of(template.sign(step.digest))
        return step.finish(opened.stamped(tsa.token(multisign.SHA256.of(opened.value))))

    archived = archive()

    def judge() -> None:
        assert judged(archived, trust=trust, now_us=esign.LATER_US).outcome is Outcome.VALID

    found = await asyncio.to_thread(esign.rounds, ((archive, 200), (judge, 60), (countersign, 100)))
    return [
        esign.row("esign.pades_lta", found[0], "renewals/s/core"),
        esign.row("esign.verify_lta", found[1], "documents/s/core"),
        esign.row("esign.countersign", found[2], "signatures/s/core"),
    ]
