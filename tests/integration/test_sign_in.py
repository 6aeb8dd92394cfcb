"""Registration, sign-in, tokens and reveal against the real identity and vault; exchange is a stand-in."""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
import pytest_asyncio

from services.esign.flows.consents import Consents
from services.esign.flows.domain import consent as flow_consent
from services.esign.flows.domain.consent import ConsentError
from services.identity.domain.check_digits import citizen_check
from shuniu.api.common.v1 import operations_pb2, operations_pb2_grpc, registry_pb2, registry_pb2_grpc
from shuniu.api.exchange.v1 import case_pb2
from shuniu.api.identity.v1 import (
    person_pb2,
    person_pb2_grpc,
    platform_pb2,
    platform_pb2_grpc,
    signin_pb2_grpc,
    signing_pb2,
    signing_pb2_grpc,
    vault_pb2,
    vault_pb2_grpc,
)
from shuniu.api.identity.v1 import signin_pb2 as pb
from shuniu.kit.crypto import sealing
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.rpc.client import error_of
from shuniu.kit.testing.postgresql import new_database
from tests.support.identity_land import (
    AUTHORITY,
    ISSUER,
    Certificate,
    IdentityLand,
    PlatformKeys,
    StandInExchange,
    certificate_of,
    claims_of,
    headers,
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


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
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


@pytest_asyncio.fixture
async def stubs(world: World) -> AsyncIterator[Stubs]:
    async with (
        world.land.channel("identity.peer", "web") as peer,
        world.land.channel("identity.peer", "exchange") as from_exchange,
        world.land.channel("identity.edge") as edge,
        world.land.channel("vault.peer", "identity") as vault,
    ):
        yield Stubs(
            signin_pb2_grpc.SignInServiceStub(peer),
            signin_pb2_grpc.OpenIdServiceStub(peer),
            registry_pb2_grpc.RegistryFeedServiceStub(peer),
            person_pb2_grpc.PersonServiceStub(from_exchange),
            person_pb2_grpc.RevealServiceStub(edge),
            platform_pb2_grpc.PlatformAdminServiceStub(edge),
            vault_pb2_grpc.VaultServiceStub(vault),
            operations_pb2_grpc.OperationsServiceStub(peer),
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


async def test_a_person_registers_signs_in_and_a_platform_gets_tokens(world, stubs):
    """Bound to the certificate, pairwise, five minutes, with levels; userinfo gives name and birth, never a number."""
    citizen, session, answer = await tokens(world, stubs)
    claims = claims_of(answer.access_token)
    member = world.members["app-one"]
    assert (claims["iss"], claims["aud"], claims["client_id"], claims["kind"]) == (
        ISSUER,
        "shuniu",
        "app-one",
        "person",
    )
    assert (claims["ial"], claims["aal"]) == (2, 1)
    assert claims["exp"] - claims["iat"] == answer.expires_in == 300
    assert claims["cnf"] == {"x5t#S256": member.certificate.binding}
    assert "nbf" not in claims
    identity = claims_of(answer.id_token)
    assert (identity["sub"], identity["aud"], identity["nonce"], identity["acr"]) == (
        claims["sub"],
        "app-one",
        "n-1",
        "L2",
    )
    info = await stubs.openid.GetUserInfo(
        pb.GetUserInfoRequest(access_token=answer.access_token, certificate_sha256=member.certificate.sha256)
    )
    assert (info.sub, info.name, info.ial) == (claims["sub"], citizen.name, 2)
    assert (info.birthdate.year, info.birthdate.month, info.birthdate.day) == (1990, 3, 7)
    shown = await stubs.sign_in.GetSession(pb.GetSessionRequest(session_token=session))
    assert shown.display_name == "阿*****"
    resolved = await stubs.persons.ResolveSubject(
        person_pb2.ResolveSubjectRequest(platform="app-one", subject=claims["sub"])
    )
    assert len(resolved.person_id) == 22
    assert resolved.ial == 2


async def test_two_platforms_know_one_person_by_different_names(world, stubs):
    """The same session at two sectors gives two subjects, the same sector the same one again."""
    citizen = await register(world, stubs)
    session = await signed_in(stubs, citizen)
    subjects = []
    for client in ("app-one", "app-two", "app-one"):
        code, verifier = await authorised(stubs, session, client)
        answer = await with_code(stubs, world.members[client], code, verifier)
        subjects.append(claims_of(answer.access_token)["sub"])
    assert subjects[0] == subjects[2] != subjects[1]


async def test_unknown_names_and_wrong_passwords_look_the_same_and_are_limited_alike(world, stubs):
    """Same code, reason and text; the limit refuses both; a right password before the limit clears the count."""
    citizen = await register(world, stubs)
    answers = []
    for login in (citizen.login, f"nobody-{secrets.token_hex(4)}"):
        said = []
        for _ in range(4):
            wrong = pb.SignInRequest(request_id=request_id(), login_name=login, password="wrong password")
            error = await refused(stubs.sign_in.SignIn(wrong))
            said.append((error.code, error.reason, error.en, error.zh))
        answers.append(said)
    assert answers[0] == answers[1]
    assert [reason for _, reason, _, _ in answers[0]] == [*["SIGN_IN_FAILED"] * 3, "SIGN_IN_LIMIT"]


async def test_unknown_and_wrong_take_about_the_same_time(world, stubs):
    """A password check is made for nobody, too: the medians differ by less than a password check takes."""
    citizen = await register(world, stubs)
    took: dict[str, list[float]] = {"known": [], "unknown": []}
    for _ in range(3):
        for kind, login in (("known", citizen.login), ("unknown", f"nobody-{secrets.token_hex(4)}")):
            began = time.perf_counter()
            await refused(
                stubs.sign_in.SignIn(
                    pb.SignInRequest(request_id=request_id(), login_name=login, password="wrong password")
                )
            )
            took[kind].append(time.perf_counter() - began)
    known, unknown = (sorted(times)[1] for times in took.values())
    assert unknown > known / 3


async def test_a_code_works_once_and_its_replay_ends_what_it_began(world, stubs):
    """Code one-time; after a replay the refresh token of the first use is refused."""
    citizen = await register(world, stubs)
    member = world.members["app-one"]
    code, verifier = await authorised(stubs, await signed_in(stubs, citizen), "app-one")
    first = await with_code(stubs, member, code, verifier)
    error = await refused(with_code(stubs, member, code, verifier))
    assert (error.reason, error.metadata["oauth_error"]) == ("GRANT_INVALID", "invalid_grant")
    error = await refused(
        stubs.openid.IssueToken(token_request(member, "refresh_token", refresh_token=first.refresh_token))
    )
    assert error.metadata["oauth_error"] == "invalid_grant"


async def test_a_code_needs_its_client_redirect_uri_and_verifier(world, stubs):
    """Another client, URI or verifier is invalid_grant and leaves the code to its owner."""
    citizen = await register(world, stubs)
    member, other = world.members["app-one"], world.members["app-two"]
    code, verifier = await authorised(stubs, await signed_in(stubs, citizen), "app-one")
    for call in (
        with_code(stubs, other, code, verifier),
        with_code(stubs, member, code, verifier, redirect_uri="https://app.example/back"),
        with_code(stubs, member, code, secrets.token_urlsafe(40)),
        with_code(stubs, member, code, ""),
        with_code(stubs, member, "no-such-code", verifier),
    ):
        assert (await refused(call)).metadata["oauth_error"] == "invalid_grant"
    assert (await with_code(stubs, member, code, verifier)).access_token


async def test_refresh_rotates_repeats_the_same_successor_and_a_late_return_ends_the_session(world, stubs):
    """The answer that got lost comes again; two generations later it is theft: family, session and feed say so."""
    _, session, first = await tokens(world, stubs)
    member = world.members["app-one"]
    sid = claims_of(first.access_token)["sid"]

    async def refreshed(token: str) -> pb.IssueTokenResponse:
        return await stubs.openid.IssueToken(token_request(member, "refresh_token", refresh_token=token))

    second, again = await refreshed(first.refresh_token), await refreshed(first.refresh_token)
    fewer = token_request(member, "refresh_token", refresh_token=first.refresh_token, scope="case.read item.write")
    assert (await stubs.openid.IssueToken(fewer)).scope == "case.read"
    assert second.refresh_token == again.refresh_token != first.refresh_token
    third = await refreshed(second.refresh_token)
    assert (await refused(refreshed(first.refresh_token))).metadata["oauth_error"] == "invalid_grant"
    assert (await refused(refreshed(third.refresh_token))).metadata["oauth_error"] == "invalid_grant"
    error = await refused(stubs.sign_in.GetSession(pb.GetSessionRequest(session_token=session)))
    assert error.reason == "SESSION_ENDED"
    page = await stubs.feed.PullRegistry(registry_pb2.PullRegistryRequest())
    assert sid in [ended.session_id for ended in page.ended_sessions]


async def test_another_platforms_refresh_token_is_worthless(world, stubs):
    """A refresh token is bound to its client; a stranger's try does not harm the owner."""
    _, _, first = await tokens(world, stubs)
    stolen = token_request(world.members["app-two"], "refresh_token", refresh_token=first.refresh_token)
    assert (await refused(stubs.openid.IssueToken(stolen))).metadata["oauth_error"] == "invalid_grant"
    own = token_request(world.members["app-one"], "refresh_token", refresh_token=first.refresh_token)
    assert (await stubs.openid.IssueToken(own)).access_token


async def test_sign_out_voids_everything_and_the_feed_tells_it(world, stubs):
    """After EndSession no refresh, no userinfo, no session; ending it twice is no error."""
    _, session, answer = await tokens(world, stubs)
    member = world.members["app-one"]
    for _ in range(2):
        await stubs.sign_in.EndSession(pb.EndSessionRequest(request_id=request_id(), session_token=session))
    again = token_request(member, "refresh_token", refresh_token=answer.refresh_token)
    assert (await refused(stubs.openid.IssueToken(again))).metadata["oauth_error"] == "invalid_grant"
    info = pb.GetUserInfoRequest(access_token=answer.access_token, certificate_sha256=member.certificate.sha256)
    assert (await refused(stubs.openid.GetUserInfo(info))).reason == "TOKEN_INVALID"


async def test_userinfo_refuses_foreign_bindings_and_forged_tokens(world, stubs):
    """Another certificate, none, another algorithm, a changed payload or an ID token in its place."""
    _, _, answer = await tokens(world, stubs)
    right, other = world.members["app-one"].certificate.sha256, world.members["app-two"].certificate.sha256
    head, body, signature = answer.access_token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    changed = base64.urlsafe_b64encode(json.dumps(claims_of(answer.access_token) | {"ial": 4}).encode())
    for token, sha256 in (
        (answer.access_token, other),
        (answer.access_token, ""),
        (answer.access_token, "zz"),
        (f"{none}.{body}.", right),
        (f"{head}.{changed.rstrip(b'=').decode()}.{signature}", right),
        (answer.id_token, right),
        ("", right),
        ("a.b.c", right),
        ("\u0000" * 9000, right),
    ):
        info = pb.GetUserInfoRequest(access_token=token, certificate_sha256=sha256)
        assert (await refused(stubs.openid.GetUserInfo(info))).reason == "TOKEN_INVALID"


async def test_client_credentials_give_what_is_registered_and_asked(world, stubs):
    """Scopes ∩ registry; the client is who the certificate says; operators get theirs the same way."""
    bureau = world.members["bureau"]
    answer = await stubs.openid.IssueToken(token_request(bureau, "client_credentials"))
    claims = claims_of(answer.access_token)
    assert (claims["kind"], claims["sub"], claims["scope"]) == ("platform", "bureau", "case.handle")
    assert not answer.refresh_token
    wanted = token_request(bureau, "client_credentials", scope="admin.system item.write")
    assert (await refused(stubs.openid.IssueToken(wanted))).metadata["oauth_error"] == "invalid_scope"
    for changed in (
        {"client_id": "app-one"},
        {"certificate_sha256": world.members["app-one"].certificate.sha256},
        {"certificate_uri": "spiffe://evil.test/platform/bureau"},
        {"certificate_uri": "", "client_id": ""},
    ):
        error = await refused(stubs.openid.IssueToken(token_request(bureau, "client_credentials", **changed)))
        assert error.metadata["oauth_error"] == "invalid_client"
    operator = world.land.operator("security")
    answer = await stubs.openid.IssueToken(
        pb.IssueTokenRequest(
            grant_type="client_credentials",
            client_id="security",
            certificate_sha256=operator.sha256,
            certificate_uri=operator.uri,
        )
    )
    claims = claims_of(answer.access_token)
    assert (claims["kind"], claims["scope"]) == ("operator", "admin.security")
    error = await refused(stubs.openid.IssueToken(token_request(bureau, "password")))
    assert error.metadata["oauth_error"] == "unsupported_grant_type"


async def test_authorisation_requests_are_checked(world, stubs):
    """Unknown client and wrong URI never redirect; the rest carries the OAuth error; L3 is not reached by ial 2."""
    session = await signed_in(stubs, await register(world, stubs))
    plain = {"CLIENT_UNKNOWN": {"client_id": "nobody"}, "REDIRECT_URI_MISMATCH": {"redirect_uri": REDIRECT + "/x"}}
    for reason, changed in plain.items():
        wanted, _ = parameters(**{"client": "app-one", **{k: v for k, v in changed.items() if k != "client_id"}})
        wanted.client_id = changed.get("client_id", "app-one")
        error = await refused(stubs.openid.CheckAuthorization(pb.CheckAuthorizationRequest(parameters=wanted)))
        assert error.reason == reason
        assert "oauth_error" not in error.metadata
    for expected, changed in (
        ("unsupported_response_type", {"response_type": "token"}),
        ("invalid_request", {"code_challenge_method": "plain"}),
        ("invalid_request", {"code_challenge": ""}),
        ("invalid_request", {"state": "x" * 2000}),
        ("invalid_scope", {"scope": "item.write"}),
    ):
        wanted, _ = parameters("app-one", **changed)
        error = await refused(stubs.openid.CheckAuthorization(pb.CheckAuthorizationRequest(parameters=wanted)))
        assert error.metadata["oauth_error"] == expected
    wanted, _ = parameters("app-one", acr_values="L3")
    error = await refused(
        stubs.openid.Authorize(pb.AuthorizeRequest(request_id=request_id(), parameters=wanted, session_token=session))
    )
    assert error.metadata["oauth_error"] == "unmet_authentication_requirements"
    shown = await stubs.openid.CheckAuthorization(
        pb.CheckAuthorizationRequest(parameters=parameters("app-one", acr_values="L2")[0])
    )
    assert (shown.client_name, list(shown.scopes)) == (
        "平台 app-one",
        ["openid", "profile", "case.apply", "case.read"],
    )


async def test_a_suspended_platform_gets_no_tokens_and_no_authorisation(world, stubs):
    """At once: client_credentials, refresh and new authorisations are refused."""
    _, _, answer = await tokens(world, stubs, "to-suspend")
    member = world.members["to-suspend"]
    await stubs.admin.SuspendPlatform(
        platform_pb2.SuspendPlatformRequest(request_id=request_id(), code="to-suspend"),
        metadata=world.land.as_operator("security"),
    )
    for call in (
        token_request(member, "client_credentials"),
        token_request(member, "refresh_token", refresh_token=answer.refresh_token),
    ):
        assert (await refused(stubs.openid.IssueToken(call))).metadata["oauth_error"] == "invalid_client"
    wanted, _ = parameters("to-suspend")
    error = await refused(stubs.openid.CheckAuthorization(pb.CheckAuthorizationRequest(parameters=wanted)))
    assert error.reason == "CLIENT_UNKNOWN"
    info = pb.GetUserInfoRequest(access_token=answer.access_token, certificate_sha256=member.certificate.sha256)
    assert (await refused(stubs.openid.GetUserInfo(info))).reason == "TOKEN_INVALID"


async def test_registration_names_every_violation_and_keeps_to_the_authoritys_word(world, stubs):
    """All violations at once; mismatch and unknown say the same; taken names, second registrations and an absent
    authority are refused; nothing of a refused person is kept.
    """
    bad = pb.RegisterPersonRequest(
        request_id=request_id(),
        login_name="x",
        password="short",
        full_name="",
        document=pb.IdentityDocument(type="111", number="150102199003070012"),
    )
    error = await refused(stubs.sign_in.RegisterPerson(bad))
    assert {violation.field for violation in error.violations} == {
        "login_name",
        "password",
        "full_name",
        "document.number",
    }
    right = Citizen(f"user-{secrets.token_hex(6)}", "乌云", citizen_number())
    said = set()
    for known_name in (None, "别人"):
        if known_name:
            world.exchange.register[("111", right.number)] = known_name
        error = await refused(stubs.sign_in.RegisterPerson(registration(right)))
        said.add((error.code, error.reason, error.en, error.zh))
    assert [reason for _, reason, _, _ in said] == ["REAL_NAME_MISMATCH"]
    unknown = await stubs.vault.PutPerson(
        vault_pb2.PutPersonRequest(
            request_id=request_id(),
            record=vault_pb2.VaultRecord(document_type="111", document_number=right.number, full_name=right.name),
        )
    )
    assert (unknown.known, unknown.person_id) == (False, "")
    world.exchange.away = True
    try:
        assert (await refused(stubs.sign_in.RegisterPerson(registration(right)))).reason == "AUTHORITY_AWAY"
    finally:
        world.exchange.away = False
    world.exchange.register[("111", right.number)] = right.name
    wanted = registration(right)
    assert await stubs.sign_in.RegisterPerson(wanted) == await stubs.sign_in.RegisterPerson(wanted)
    taken = Citizen(right.login.upper(), "别人", citizen_number())
    assert (await refused(stubs.sign_in.RegisterPerson(registration(taken)))).reason == "LOGIN_NAME_TAKEN"
    second = Citizen(f"user-{secrets.token_hex(6)}", right.name, right.number)
    assert (await refused(stubs.sign_in.RegisterPerson(registration(second)))).reason == "PERSON_REGISTERED"
    as_login = Citizen(right.number, right.name, right.number)
    error = await refused(stubs.sign_in.RegisterPerson(registration(as_login)))
    assert error.reason == "LOGIN_NAME_IS_NUMBER"


@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [
        ("553", "911124198108030024", "SMITH JOHN"),
        ("154", "830000199201300022", "陳大文"),
        ("414", "E12345678", "𠮷田·阿依古丽"),
    ],
)
async def test_foreigners_and_rare_characters_register_too(world, stubs, kind, number, name):
    """Foreign permanent residents, Taiwan residents, passports and ideographs beyond the basic plane."""
    world.exchange.register[(kind, number)] = name
    wanted = pb.RegisterPersonRequest(
        request_id=request_id(),
        login_name=f"user-{secrets.token_hex(6)}",
        password=PASSWORD,
        full_name=name,
        document=pb.IdentityDocument(type=kind, number=number),
    )
    assert (await stubs.sign_in.RegisterPerson(wanted)).ial == 2


@pytest.mark.parametrize("text", ["' OR 1=1 --", "\u202eabc", "\x00", "😀" * 40, "x" * 100_000, "../../etc"])
async def test_hostile_strings_are_refused_in_words(world, stubs, text):
    """No incident, whatever stands in a field."""
    calls = [
        stubs.sign_in.SignIn(pb.SignInRequest(request_id=request_id(), login_name=text, password=text)),
        stubs.sign_in.RegisterPerson(
            pb.RegisterPersonRequest(
                request_id=request_id(),
                login_name=text,
                password=text,
                full_name=text,
                document=pb.IdentityDocument(type=text, number=text),
            )
        ),
        stubs.sign_in.GetSession(pb.GetSessionRequest(session_token=text)),
        stubs.openid.IssueToken(
            pb.IssueTokenRequest(
                grant_type=text, client_id=text, certificate_uri=text, certificate_sha256=text, code=text
            )
        ),
        stubs.persons.ResolveSubject(person_pb2.ResolveSubjectRequest(platform=text, subject=text)),
    ]
    for call in calls:
        assert (await refused(call)).reason not in {"INCIDENT", "UNKNOWN"}


async def _applicant(world: World, stubs: Stubs) -> tuple[Citizen, str, list[tuple[str, str]]]:
    citizen, _, answer = await tokens(world, stubs)
    claims = claims_of(answer.access_token)
    resolved = await stubs.persons.ResolveSubject(
        person_pb2.ResolveSubjectRequest(platform="app-one", subject=claims["sub"])
    )
    return citizen, resolved.person_id, headers(world.members["app-one"].certificate, claims)


def _as_platform(member: Member) -> list[tuple[str, str]]:
    claims = {
        "kind": "platform",
        "client_id": member.code,
        "scope": "case.handle",
        "cnf": {"x5t#S256": member.certificate.binding},
    }
    return headers(member.certificate, claims)


async def test_only_the_handling_agency_of_an_open_case_sees_the_applicant_and_the_applicant_sees_that(world, stubs):
    """Sealed to the agency's key; others, closed and unknown cases are refused; the person reads who asked and why."""
    citizen, person_id, as_person = await _applicant(world, stubs)
    case = case_pb2.GetCasePartiesResponse(
        person_id=person_id, handler_platform="bureau", state=case_pb2.CASE_STATE_PROCESSING
    )
    code = f"case-{secrets.token_hex(4)}"
    world.exchange.cases[code] = case
    bureau = world.members["bureau"]

    def asked(**changed) -> person_pb2.RevealApplicantRequest:
        usual = {
            "request_id": request_id(),
            "case_code": code,
            "fields": ["full_name", "document_number", "birth_date"],
            "purpose": "核对申请人",
        }
        return person_pb2.RevealApplicantRequest(**{**usual, **changed})

    wanted = asked()
    answer = await stubs.reveal.RevealApplicant(wanted, metadata=_as_platform(bureau))
    assert await stubs.reveal.RevealApplicant(wanted, metadata=_as_platform(bureau)) == answer
    assert sealing.unseal(bureau.keys.sealing, answer.sealed.jwe) == {
        "full_name": citizen.name,
        "document_number": citizen.number,
        "birth_date": "1990-03-07",
    }
    other = world.members["other-bureau"]
    for request, member, reason in (
        (asked(), other, "NOT_HANDLING_AGENCY"),
        (asked(case_code="no-such-case"), bureau, "NOT_HANDLING_AGENCY"),
        (asked(fields=["full_name", "password"]), bureau, "FIELD_UNKNOWN"),
        (asked(fields=[]), bureau, "FIELD_UNKNOWN"),
        (asked(purpose=f"for {citizen.number}"), bureau, "PURPOSE_HOLDS_NUMBER"),
    ):
        assert (await refused(stubs.reveal.RevealApplicant(request, metadata=_as_platform(member)))).reason == reason
    case.state = case_pb2.CASE_STATE_DELIVERED
    assert (await refused(stubs.reveal.RevealApplicant(asked(), metadata=_as_platform(bureau)))).reason == "CASE_CLOSED"
    listed = await stubs.reveal.ListReveals(person_pb2.ListRevealsRequest(page_size=1), metadata=as_person)
    assert [(row.receiver, row.case_code, row.purpose) for row in listed.reveals] == [("bureau", code, "核对申请人")]


async def test_services_get_data_for_their_own_purposes_only(world, stubs):
    """exchange may ask for register-query, not for document; the receiver's key decides who can read."""
    citizen, person_id, _ = await _applicant(world, stubs)
    wanted = person_pb2.SealPersonRequest(
        person_id=person_id, fields=["document_number"], platform=AUTHORITY, purpose="register-query"
    )
    answer = await stubs.persons.SealPerson(wanted)
    assert sealing.unseal(world.members[AUTHORITY].keys.sealing, answer.sealed.jwe) == {
        "document_number": citizen.number
    }
    several = person_pb2.BatchSealPersonRequest(requests=[wanted, wanted])
    opened = [
        sealing.unseal(world.members[AUTHORITY].keys.sealing, one.sealed.jwe)
        for one in (await stubs.persons.BatchSealPerson(several)).responses
    ]
    assert opened == [{"document_number": citizen.number}] * 2
    wanted.purpose = "document"
    assert (await refused(stubs.persons.SealPerson(wanted))).reason == "PURPOSE_REFUSED"
    several.requests.append(wanted)
    assert (await refused(stubs.persons.BatchSealPerson(several))).reason == "PURPOSE_REFUSED"
    unknown = person_pb2.SealPersonRequest(
        person_id="x" * 22, fields=["full_name"], platform=AUTHORITY, purpose="register-query"
    )
    assert (await refused(stubs.persons.SealPerson(unknown))).reason == "PERSON_UNKNOWN"


async def test_the_vault_serves_identity_alone(world, stubs):
    """Another process of the hub is refused, whatever it asks."""
    async with world.land.channel("vault.peer", "exchange") as channel:
        stub = vault_pb2_grpc.VaultServiceStub(channel)
        error = await refused(stub.SealFields(vault_pb2.SealFieldsRequest(person_id="x")))
    assert error.reason == "VAULT_CALLER"


async def test_consent_to_sign_is_bound_to_its_documents_and_read_offline(world, stubs):
    """Levels of the session, five minutes, one list; esign's reader accepts it, nobody takes it for an access token."""
    _, session, answer = await tokens(world, stubs)
    member = world.members["app-one"]
    claims = claims_of(answer.access_token) | {"scope": "flow.sign"}
    as_person = headers(member.certificate, claims)
    flow, digest = "01JZ00000000000000000000SE", hashlib.sha256(b"document").hexdigest()
    item = signing_pb2.SigningItem(flow=flow, step="applicant", document_sha256=digest)
    request = signing_pb2.AuthoriseSigningRequest(request_id=request_id(), items=[item])
    async with world.land.channel("identity.edge") as edge, world.land.channel("identity.peer", "esign") as peer:
        signing = signing_pb2_grpc.SigningServiceStub(edge)
        made = await signing.AuthoriseSigning(request, metadata=as_person)
        assert made == await signing.AuthoriseSigning(request, metadata=as_person)
        reader = Consents(peer, ISSUER, SystemClock())
        consent = await reader.read(made.authorisation)
        now_s = int(time.time())
        flow_consent.check(
            consent,
            platform="app-one",
            subject=claims["sub"],
            list_sha256=flow_consent.list_of_steps([flow_consent.Act(flow, "applicant", digest)]),
            now_s=now_s,
        )
        assert (consent.ial, consent.aal, consent.expires_s - consent.issued_s) == (2, 1, 300)
        assert made.expires_at.seconds == consent.expires_s
        said = claims_of(made.authorisation)
        assert (said["flow"], said["step"], said["document_sha256"], said["count"]) == (flow, "applicant", digest, 1)
        passed_off = pb.GetUserInfoRequest(
            access_token=made.authorisation, certificate_sha256=member.certificate.sha256
        )
        assert (await refused(stubs.openid.GetUserInfo(passed_off))).reason == "TOKEN_INVALID"
        with pytest.raises(ConsentError):
            await reader.read(answer.access_token)
        wrong = signing_pb2.SigningItem(flow="f", step="S", document_sha256="x")
        for items, hashes, reasons in (
            ([wrong], [], {"FLOW_FORM", "STEP_FORM", "HASH_FORM"}),
            ([], [], {"SIGNING_LIST"}),
            ([item], [bytes(32)], {"SIGNING_LIST"}),
            ([], [bytes(31)], {"HASH_LENGTH"}),
        ):
            bad = signing_pb2.AuthoriseSigningRequest(request_id=request_id(), items=items, hashes=hashes)
            refusal = await refused(signing.AuthoriseSigning(bad, metadata=as_person))
            assert {one.reason for one in refusal.violations} == reasons
        await stubs.sign_in.EndSession(pb.EndSessionRequest(request_id=request_id(), session_token=session))
        late = signing_pb2.AuthoriseSigningRequest(request_id=request_id(), items=[item])
        assert (await refused(signing.AuthoriseSigning(late, metadata=as_person))).reason == "SESSION_ENDED"


async def test_keys_rotate_published_first(world, stubs):
    """The next key is in the JWKS at once and signs twice the JWKS life later; asking twice gives the same one."""
    before = json.loads((await stubs.openid.GetProviderDocuments(pb.GetProviderDocumentsRequest())).jwks)
    first = await stubs.admin.RotateKeys(
        platform_pb2.RotateKeysRequest(request_id=request_id()), metadata=world.land.as_operator("security")
    )
    second = await stubs.admin.RotateKeys(
        platform_pb2.RotateKeysRequest(request_id=request_id()), metadata=world.land.as_operator("security")
    )
    assert first == second
    documents = await stubs.openid.GetProviderDocuments(pb.GetProviderDocumentsRequest())
    published = {key["kid"] for key in json.loads(documents.jwks)["keys"]}
    assert published == {key["kid"] for key in before["keys"]} | {first.next_kid}
    assert not any("d" in key for key in json.loads(documents.jwks)["keys"])
    assert first.active_from.seconds - time.time() > 100
    answer = await stubs.openid.IssueToken(token_request(world.members["bureau"], "client_credentials"))
    header = json.loads(base64.urlsafe_b64decode(answer.access_token.split(".")[0] + "=="))
    assert header["kid"] != first.next_kid
    assert header["typ"] == "at+jwt"
    assert json.loads(documents.discovery)["issuer"] == ISSUER


async def test_z_nothing_stands_in_clear_and_the_audit_chains_hold(world, stubs):
    """No number, name, password, login name or token in identity's database or any log; the audit is unbroken."""
    citizen, session, answer = await tokens(world, stubs)
    await stubs.openid.GetUserInfo(
        pb.GetUserInfoRequest(
            access_token=answer.access_token, certificate_sha256=world.members["app-one"].certificate.sha256
        )
    )
    needles = (citizen.number, citizen.name, PASSWORD, citizen.login, session, answer.refresh_token)
    # PostgreSQL keeps its files elsewhere; what is written is the same.
    files = [*world.land.root.glob("*.log"), *(world.land.data / "db").iterdir()]
    assert len(files) >= 3
    for file in files:
        content = file.read_bytes()
        assert not [needle for needle in needles if needle.encode() in content], file
    report = await stubs.operations.VerifyAudit(operations_pb2.VerifyAuditRequest())
    assert report.intact
    assert report.records > 20
