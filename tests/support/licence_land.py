"""Licences behind a real gRPC server, on the seals of `seal_land`: an agency, a holder with a wallet, verifiers."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc

from services.esign.config import EsignSettings
from services.esign.licences.domain import jose, status_list
from services.esign.licences.service import LicenceCredentialService
from services.esign.wiring.licences import open_licences
from shuniu.api.esign.v1 import licence_pb2 as pb
from shuniu.api.esign.v1 import licence_pb2_grpc
from shuniu.api.exchange.v1 import case_pb2
from shuniu.kit.rpc.server import edge_listener
from shuniu.kit.rpc.stages import nobody_refused
from tests.support.licences import AUDIENCE, FACTS, PERSON, Wallet
from tests.support.seal_land import AGENCY, PERSON_ID, POLICE, TRUST, SealLand, headers, rid, seal_land

READER = headers("platform", POLICE, "case.read")
TYPE = "residence_permit"


@dataclass
class Land:
    """Who lives in it: what the neighbours say can be changed by a test."""

    seals: SealLand
    licences: LicenceCredentialService
    channel: grpc.aio.Channel
    parties: Any
    person: dict[str, str] = field(default_factory=lambda: {**PERSON, "document_type": "111"})
    asked: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def stub(self) -> Any:
        return licence_pb2_grpc.LicenceCredentialServiceStub(self.channel)

    def now_us(self) -> int:
        return self.seals.base.clock.now_us()

    async def proof(self, wallet: Wallet) -> str:
        fresh = await self.stub.NewNonce(pb.NewNonceRequest())
        return wallet.proof(fresh.audience, fresh.nonce, self.now_us())

    async def request(self, wallet: Wallet, **more: Any) -> pb.IssueLicenceRequest:
        fields = {"request_id": rid(), "case_code": "NMG202606010001", "type": TYPE, "facts": FACTS, **more}
        return pb.IssueLicenceRequest(**{"proof_jwt": await self.proof(wallet), **fields})

    async def issued(self, wallet: Wallet, **more: Any) -> pb.Licence:
        return (await self.stub.IssueLicence(await self.request(wallet, **more), metadata=AGENCY)).licence

    async def in_wallet(self, wallet: Wallet | None = None, **more: Any) -> tuple[Wallet, pb.Licence]:
        """A licence issued, downloaded and kept by its holder."""
        wallet = wallet or Wallet()
        found = await self.issued(wallet, **more)
        given = await self.stub.DownloadLicence(pb.DownloadLicenceRequest(number=found.number), metadata=READER)
        wallet.keep(given.sd_jwt)
        return wallet, found

    async def revoked(self, licence: pb.Licence) -> None:
        request = pb.RevokeLicenceRequest(request_id=rid(), number=licence.number, reason="测试")
        await self.stub.RevokeLicence(request, metadata=AGENCY)

    async def nonce(self) -> str:
        return (await self.stub.NewNonce(pb.NewNonceRequest())).nonce

    async def verified(self, presentation: str, nonce: str, **more: Any) -> pb.VerifyPresentationResponse:
        fields = {"request_id": rid(), "audience": AUDIENCE, **more}
        request = pb.VerifyPresentationRequest(presentation=presentation, nonce=nonce, **fields)
        answer: pb.VerifyPresentationResponse = await self.stub.VerifyPresentation(request)
        return answer

    async def shown(self, wallet: Wallet, *names: str) -> pb.VerifyPresentationResponse:
        """What a verifier learns of a presentation made for him now."""
        nonce = await self.nonce()
        return await self.verified(wallet.present(*names, nonce=nonce, now_us=self.now_us()), nonce)

    async def status(self, licence: pb.Licence) -> int:
        """The licence's status by the list that is served."""
        number = licence.status_list_uri.rpartition("/")[2]
        answer = await self.stub.GetStatusList(pb.GetStatusListRequest(list=number))
        token = jose.parse(answer.token.data.decode(), status_list.TYP)
        assert answer.token.content_type == "application/statuslist+jwt"
        signer = status_signer(token)
        found = status_list.read(token.text, licence.status_list_uri, signer, self.now_us())
        return found.at(licence.status_index)


def status_signer(token: jose.Token) -> Any:
    from cryptography import x509

    return x509.load_der_x509_certificate(jose.certificates(token)[0]).public_key()


def step(answer: pb.VerifyPresentationResponse, name: str) -> tuple[str, str]:
    return next((s.status, s.reason) for s in answer.verdict.steps if s.step == name)


class _Neighbours:
    def __init__(self) -> None:
        self.land: Land | None = None

    async def parties(self, case_code: str) -> Any:
        assert self.land is not None
        return self.land.parties

    async def person(self, _person: str, fields: tuple[str, ...], case_code: str, _key: Any) -> dict[str, str]:
        assert self.land is not None
        self.land.asked.append(tuple(fields))
        return {name: self.land.person.get(name, "") for name in fields}

    async def person_id(self, platform: str, subject: str) -> str:
        return PERSON_ID if subject == "somebody" else "q" * 22


@contextlib.asynccontextmanager
async def licence_land(kept: Path | None = None, *, seal: bool = True, **settings: Any) -> AsyncIterator[Land]:
    """`seal` False: the hub that was kept has its seal."""
    async with seal_land(kept=kept) as seals:
        people: Any = _Neighbours()
        part = open_licences(replace(seals.opened, settings=EsignSettings(**settings), neighbours=people), seals.slots)
        licences = part.licences
        address = f"unix:{seals.folder}/l.sock"
        listener = edge_listener(address, part.edge, TRUST, nobody_refused)
        await listener.start()
        channel = grpc.aio.insecure_channel(address)
        parties = case_pb2.GetCasePartiesResponse(
            handler_platform=POLICE,
            source_platform="app",
            person_id=PERSON_ID,
            division="150100",
            state=case_pb2.CASE_STATE_GRANTED,
            result_template=TYPE,
        )
        land = people.land = Land(seals, licences, channel, parties)
        if seal:
            await seals.active()
        try:
            yield land
        finally:
            await channel.close()
            await listener.stop(0)
