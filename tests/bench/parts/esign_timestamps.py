"""`esign.tsa`, `esign.pades_bt`, `esign.verify_stamped`: answers of the timestamp authority, seals that carry its
tokens, and verdicts on them.
"""

import asyncio
import io
from hashlib import sha256
from typing import Any

from asn1crypto import tsp
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.timestamps import TimeStamper

from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome
from services.esign.signing.domain import pades
from services.esign.timestamps.domain import token as timestamp
from services.esign.verification.domain import verify
from tests.bench import esign
from tests.support.esign import NOW_US, page, setting
from tests.support.timestamps import authority


class OurAuthority(TimeStamper):
    """Hands pyHanko's requests to the same authority, so that both sides pay for the same token."""

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        return tsp.TimeStampResp.load(authority().answer(req.dump()))


class StampingPyHanko(esign.PyHanko):
    """PAdES B-T by pyHanko."""

    def __init__(self) -> None:
        super().__init__()
        self._stamper = OurAuthority()

    def sign(self) -> bytes:
        metadata = signers.PdfSignatureMetadata(
            field_name="Seal1",
            md_algorithm="sha256",
            certify=True,
            docmdp_permissions=MDPPerm.NO_CHANGES,
            subfilter=SigSeedSubFilter.PADES,
        )
        out = io.BytesIO()
        signers.sign_pdf(
            IncrementalPdfFileWriter(io.BytesIO(self._page)),
            metadata,
            signer=self._signer,
            timestamper=self._stamper,
            output=out,
        )
        return out.getvalue()


async def run() -> list[dict[str, Any]]:
    tsa, pdf, seal, peer = authority(), page(), setting().seal, StampingPyHanko()
    query, room = timestamp.query(sha256(pdf).digest(), 1 << 63), tsa.max_size()

    def seal_and_stamp() -> bytes:
        signature = pades.signed(pdf, seal, NOW_US, token=room)
        return signature.stamped(tsa.token(sha256(signature.value).digest()))

    stamped, trust = seal_and_stamp(), Trust((setting().root.certificate,))

    def judge() -> None:
        assert verify.judge(stamped, trust=trust, now_us=esign.LATER_US).outcome is Outcome.VALID

    # pyHanko runs an event loop of its own.
    found = await asyncio.to_thread(
        esign.rounds, ((lambda: tsa.answer(query), 400), (seal_and_stamp, 200), (peer.sign, 6), (judge, 100))
    )
    return [
        esign.row("esign.tsa", found[0], "timestamps/s/core"),
        esign.row("esign.pades_bt", found[1], "signatures/s/core", found[2]),
        esign.row("esign.verify_stamped", found[3], "documents/s/core"),
    ]
