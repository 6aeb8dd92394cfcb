"""RevocationService: OCSP and CRL of the seal CAs, P-256 and SM2. States are read from the store at each call, so a
change shows at once.
"""

from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from sqlalchemy import Connection

from services.esign.certification.domain import pki, sm2_pki
from services.esign.certification.domain.pki import Authority
from services.esign.certification.domain.sm2_pki import Sm2Signer
from services.esign.domain.ages import is_fresh
from services.esign.domain.moments import DAY_US
from services.esign.keys import sm2 as sm_keys
from services.esign.revocation.domain import answers as revocation
from services.esign.revocation.domain import sm2_answers as sm2_revocation
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.revocation.own_list import RevocationLists, standing
from services.esign.seals.store import forgotten as forgotten_seals
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import slots as slot_rows
from services.esign.seals.store.seals import StandingRow
from shuniu.api.esign.v1 import timestamp_pb2 as pb
from shuniu.api.esign.v1 import timestamp_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.crypto import sm
from shuniu.kit.foundation import Foundation


@dataclass(slots=True)
class RevocationService(timestamp_pb2_grpc.RevocationServiceServicer):
    """Answers with keys of its own that the seal CAs certify for days; nothing of them is kept. `lists`: those that it
    gives, for the hub's own verdicts too.
    """

    base: Foundation
    seal_ca: Authority
    # None: the hub certifies no SM2 seals.
    sm2_ca: Sm2Signer | None = None
    # Seal CAs before the present one: their seals are still asked after.
    retired: tuple[Authority, ...] = ()
    sm2_retired: tuple[Sm2Signer, ...] = ()
    lists: RevocationLists = field(init=False)
    _responders: dict[int, tuple[int, Authority]] = field(default_factory=dict)
    _sm2_responders: dict[int, tuple[int, Sm2Signer]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lists = RevocationLists(self.base, self._authorities, self._sm2_authorities)

    async def AnswerOcsp(self, request: pb.AnswerOcspRequest, context: Any) -> pb.AnswerOcspResponse:
        asked = revocation.read_request(request.der)
        if asked is None:
            return pb.AnswerOcspResponse(der=revocation.unreadable())
        now_us = self.base.clock.now_us()
        for ca in self._sm2_authorities:
            if revocation.means(asked, x509.load_der_x509_certificate(ca.certificate)):
                found = await self._standing_of(asked.serial_number, seal_rows.SM2, ca.number)
                answer = sm2_revocation.answer(request.der, found, self._sm2_current(ca, now_us), now_us)
                return pb.AnswerOcspResponse(der=answer)
        meant = next((ca for ca in self._authorities if revocation.means(asked, ca.certificate)), None)
        found = await self._standing_of(asked.serial_number, seal_rows.P256, meant.number) if meant else None
        responder = self._current(meant or self.seal_ca, now_us)
        return pb.AnswerOcspResponse(der=revocation.answer(asked, found, responder, now_us))

    async def GetCrl(self, request: pb.GetCrlRequest, context: Any) -> pb.GetCrlResponse:
        family = request.family or seal_rows.P256
        if family not in {seal_rows.P256, seal_rows.SM2} or (family == seal_rows.SM2 and self.sm2_ca is None):
            raise errors.invalid_field(
                "family", "FAMILY_UNKNOWN", "Ask for P256, or SM2 where the hub has it.", "请指明 P256 或 SM2。"
            )
        return pb.GetCrlResponse(der=await self.lists.of(family, request.ca))

    @property
    def _sm2_authorities(self) -> tuple[Sm2Signer, ...]:
        return () if self.sm2_ca is None else (self.sm2_ca, *self.sm2_retired)

    @property
    def _authorities(self) -> tuple[Authority, ...]:
        return (self.seal_ca, *self.retired)

    async def _standing_of(self, serial: int, family: str, ca: int) -> CertificateStanding | None:
        """None: the register has no certificate of that number, or the ledger may revoke it in an entry that could not
        be read.
        """
        row, doubted = await self.base.store.read(_register_of, f"{serial:x}", family, ca)
        if row is not None:
            found = standing(row)
            return None if doubted and found.standing is Standing.GOOD else found
        # A key that signed once is gone before anybody could revoke its certificate.
        made_us = await self.base.store.read(slot_rows.find_once_since, f"{serial:x}")
        return None if made_us is None else CertificateStanding(serial, Standing.GOOD, made_us)

    def _current(self, ca: Authority, now_us: int) -> Authority:
        made = self._responders.get(ca.number)
        if made is None or not is_fresh(made[0], now_us, pki.OCSP_DAYS * DAY_US // 2):
            made = self._responders[ca.number] = (now_us, pki.make_ocsp_responder(ca, self.base.hub.name, now_us))
        return made[1]

    def _sm2_current(self, ca: Sm2Signer, now_us: int) -> Sm2Signer:
        made = self._sm2_responders.get(ca.number)
        if made is None or not is_fresh(made[0], now_us, pki.OCSP_DAYS * DAY_US // 2):
            key = sm_keys.pair(sm.PrivateKey.generate())
            responder = sm2_pki.make_ocsp_responder(ca, key, self.base.hub.name, now_us)
            made = self._sm2_responders[ca.number] = (now_us, responder)
        return made[1]


def _register_of(conn: Connection, serial: str, family: str, ca: int) -> tuple[StandingRow | None, bool]:
    return seal_rows.find_standing(conn, serial), forgotten_seals.may_be_revoked(conn, family, ca)
