"""Identity and the vault as they run, with enrolled platforms and a stand-in for exchange; persons sign in at them."""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest

from shuniu.api.common.v1 import operations_pb2_grpc, registry_pb2_grpc
from shuniu.api.identity.v1 import (
    person_pb2_grpc,
    platform_pb2,
    platform_pb2_grpc,
    signin_pb2_grpc,
    vault_pb2_grpc,
)
from shuniu.api.identity.v1 import signin_pb2 as pb
from shuniu.kit.rpc.client import error_of
from shuniu.kit.testing.postgresql import new_database
from shuniu.national_numbers import citizen_check
from tests.support.identity_land import (
    AUTHORITY,
    ISSUER,
    Certificate,
    IdentityLand,
    PlatformKeys,
    StandInExchange,
    certificate_of,
    identity_land,
    request_id,
)

REDIRECT = "https://app.example/back?from=hub"
PASSWORD = "correct horse battery"
_numbers = iter(range(1, 999))


def citizen_number() -> str:
    body = f"15010219900307{next(_numbers):03d}"
    return body + citizen_check(body)


@dataclass
class Member:
    """An enrolled platform."""

    keys: PlatformKeys
    certificate: Certificate

    @property
    def code(self) -> str:
        return self.keys.code


@dataclass
class World:
    land: IdentityLand
    exchange: StandInExchange
    members: dict[str, Member]


async def _enrol(land: IdentityLand, code: str, scopes: list[str]) -> Member:
    keys = PlatformKeys(code)
    async with land.channel("identity.edge") as channel:
        row = platform_pb2.Platform(
            code=code,
            name=f"平台 {code}",
            kind=platform_pb2.PLATFORM_KIND_PROVINCE,
            division="150000",
            scopes=scopes,
            redirect_uris=[REDIRECT],
        )
        made = await platform_pb2_grpc.PlatformAdminServiceStub(channel).CreatePlatform(
            platform_pb2.CreatePlatformRequest(request_id=request_id(), platform=row),
            metadata=land.as_operator("system"),
        )
        answer = await platform_pb2_grpc.EnrolmentServiceStub(channel).Enrol(
            platform_pb2.EnrolRequest(
                request_id=request_id(), code=code, token=made.enrolment_token, csr_pem=keys.csr, jwks=keys.jwks
            )
        )
    return Member(keys, certificate_of(answer.certificate_pem.encode()))


async def _members(land: IdentityLand) -> dict[str, Member]:
    person = ["case.apply", "case.read"]
    wanted = {
        AUTHORITY: ["resource.provide"],
        "app-one": person,
        "app-two": person,
        "bureau": ["case.handle"],
        "other-bureau": ["case.handle"],
        "to-suspend": person,
    }
    return {code: await _enrol(land, code, scopes) for code, scopes in wanted.items()}


STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@contextmanager
def sign_in_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """For a fixture with `params=STORES`."""
    settings, vault = {}, {}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_url")
        settings, vault = ({"database_url": asyncio.run(new_database(server))} for _ in range(2))
    with identity_land(sign_in_failures=3, vault=vault, **settings) as land:
        members = asyncio.run(_members(land))
        exchange = StandInExchange(land, members[AUTHORITY].keys)
        yield World(land, exchange, members)
        exchange.stop()


@dataclass
class Stubs:
    sign_in: signin_pb2_grpc.SignInServiceStub
    openid: signin_pb2_grpc.OpenIdServiceStub
    feed: registry_pb2_grpc.RegistryFeedServiceStub
    persons: person_pb2_grpc.PersonServiceStub
    reveal: person_pb2_grpc.RevealServiceStub
    admin: platform_pb2_grpc.PlatformAdminServiceStub
    vault: vault_pb2_grpc.VaultServiceStub
    operations: operations_pb2_grpc.OperationsServiceStub


@asynccontextmanager
async def stubs_of(world: World) -> AsyncIterator[Stubs]:
    async with (
        world.land.channel("identity.peer", "web") as peer,
        world.land.channel("identity.peer", "exchange") as from_exchange,
        world.land.channel("identity.edge") as edge,
        world.land.channel("vault.peer", "identity") as vault,
        world.land.channel("identity.peer", "cli") as cli,
    ):
        yield Stubs(
            signin_pb2_grpc.SignInServiceStub(peer),
            signin_pb2_grpc.OpenIdServiceStub(peer),
            registry_pb2_grpc.RegistryFeedServiceStub(from_exchange),
            person_pb2_grpc.PersonServiceStub(from_exchange),
            person_pb2_grpc.RevealServiceStub(edge),
            platform_pb2_grpc.PlatformAdminServiceStub(edge),
            vault_pb2_grpc.VaultServiceStub(vault),
            operations_pb2_grpc.OperationsServiceStub(cli),
        )


async def refused(call):
    """The HubError with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return error_of(failure.value)


@dataclass
class Citizen:
    login: str
    name: str
    number: str


async def register(world: World, stubs: Stubs, *, name: str = "阿拉坦其其格", number: str = "") -> Citizen:
    citizen = Citizen(f"user-{secrets.token_hex(6)}", name, number or citizen_number())
    world.exchange.register[("111", citizen.number)] = citizen.name
    answer = await stubs.sign_in.RegisterPerson(registration(citizen), timeout=20)
    assert answer.ial == 2
    return citizen


def registration(citizen: Citizen) -> pb.RegisterPersonRequest:
    return pb.RegisterPersonRequest(
        request_id=request_id(),
        login_name=citizen.login,
        password=PASSWORD,
        full_name=citizen.name,
        document=pb.IdentityDocument(type="111", number=citizen.number),
    )


async def signed_in(stubs: Stubs, citizen: Citizen) -> str:
    answer = await stubs.sign_in.SignIn(
        pb.SignInRequest(request_id=request_id(), login_name=citizen.login, password=PASSWORD)
    )
    return answer.session_token


def parameters(client: str, **changed) -> tuple[pb.AuthorizationParameters, str]:
    verifier = secrets.token_urlsafe(40)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    usual = {
        "client_id": client,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid profile case.apply case.read",
        "state": "s & t",
        "nonce": "n-1",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return pb.AuthorizationParameters(**{**usual, **changed}), verifier


async def authorised(stubs: Stubs, session: str, client: str, **changed) -> tuple[str, str]:
    """A code and its verifier."""
    wanted, verifier = parameters(client, **changed)
    answer = await stubs.openid.Authorize(
        pb.AuthorizeRequest(request_id=request_id(), parameters=wanted, session_token=session)
    )
    query = parse_qs(urlsplit(answer.redirect_to).query)
    assert (query["state"], query["iss"], query["from"]) == (["s & t"], [ISSUER], ["hub"])
    return query["code"][0], verifier


def token_request(member: Member, grant: str, **fields) -> pb.IssueTokenRequest:
    return pb.IssueTokenRequest(
        **{
            "grant_type": grant,
            "client_id": member.code,
            "certificate_sha256": member.certificate.sha256,
            "certificate_uri": member.certificate.uri,
            **fields,
        }
    )


async def with_code(stubs: Stubs, member: Member, code: str, verifier: str, **changed) -> pb.IssueTokenResponse:
    fields = {"code": code, "redirect_uri": REDIRECT, "code_verifier": verifier, **changed}
    return await stubs.openid.IssueToken(token_request(member, "authorization_code", **fields))


async def tokens(world: World, stubs: Stubs, client: str = "app-one") -> tuple[Citizen, str, pb.IssueTokenResponse]:
    citizen = await register(world, stubs)
    session = await signed_in(stubs, citizen)
    member = world.members[client]
    code, verifier = await authorised(stubs, session, client)
    return citizen, session, await with_code(stubs, member, code, verifier)
