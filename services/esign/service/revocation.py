"""RevocationService: OCSP and CRL of the seal CA. States are read from the store at each call, so a change shows at
once.
"""

from dataclasses import dataclass, field
from typing import Any

from services.esign import store
from services.esign.domain import pki, revocation
from services.esign.domain.pki import Authority
from services.esign.domain.revocation import CertificateStanding, Standing
from services.esign.domain.seals import SealState
from shuniu.api.esign.v1 import timestamp_pb2 as pb
from shuniu.api.esign.v1 import timestamp_pb2_grpc
from shuniu.kit.foundation import Foundation

_DAY_US = 86_400 * 1_000_000
_STANDING = {SealState.SUSPENDED: Standing.HELD, SealState.REVOKED: Standing.REVOKED}


@dataclass(slots=True)
class Revocation(timestamp_pb2_grpc.RevocationServiceServicer):
    """Answers with a key of its own that the seal CA certifies for days; nothing of it is kept."""

    base: Foundation
    seal_ca: Authority
    _responder: Authority | None = field(default=None)
    _made_us: int = 0

    async def AnswerOcsp(self, request: pb.AnswerOcspRequest, context: Any) -> pb.AnswerOcspResponse:
        asked, serial = revocation.asked_serial(request.der, self.seal_ca)
        if asked is None:
            return pb.AnswerOcspResponse(der=revocation.unreadable())
        row = None if serial is None else await self.base.store.read(store.standing_of, f"{serial:x}")
        found = None if row is None else _standing(row)
        now_us = self.base.clock.now_us()
        return pb.AnswerOcspResponse(der=revocation.answer(asked, found, self._current(now_us), now_us))

    async def GetCrl(self, request: pb.GetCrlRequest, context: Any) -> pb.GetCrlResponse:
        rows = await self.base.store.read(store.revoked_certificates)
        found = [_standing(row) for row in rows]
        return pb.GetCrlResponse(der=revocation.crl(self.seal_ca, found, self.base.clock.now_us()))

    def _current(self, now_us: int) -> Authority:
        if self._responder is None or now_us - self._made_us > pki.OCSP_DAYS * _DAY_US // 2:
            self._responder = pki.make_ocsp_responder(self.seal_ca, self.base.hub.name, now_us)
            self._made_us = now_us
        return self._responder


def _standing(row: store.StandingRow) -> CertificateStanding:
    return CertificateStanding(int(row.serial, 16), _STANDING.get(row.state, Standing.GOOD), row.since_us)
