"""Web before the real identity and vault: the pages' promises with the rules of the service that makes them."""

import asyncio
import base64
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import pytest_asyncio

from gateway.web import app, config
from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc
from shuniu.national_numbers import citizen_check
from tests.support.identity_land import (
    AUTHORITY,
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
BODY = "15010219900307123"
NUMBER = BODY + citizen_check(BODY)
VERIFIER = secrets.token_urlsafe(40)


async def enrol(land: IdentityLand, keys: PlatformKeys, *scopes: str) -> Certificate:
    row = platform_pb2.Platform(
        code=keys.code,
        name=f"平台 {keys.code}",
        kind=platform_pb2.PLATFORM_KIND_PROVINCE,
        division="150000",
        scopes=scopes,
        redirect_uris=[REDIRECT],
    )
    async with land.channel("identity.edge") as channel:
        made = await platform_pb2_grpc.PlatformAdminServiceStub(channel).CreatePlatform(
            platform_pb2.CreatePlatformRequest(request_id=request_id(), platform=row),
            metadata=land.as_operator("system"),
        )
        answer = await platform_pb2_grpc.EnrolmentServiceStub(channel).Enrol(
            platform_pb2.EnrolRequest(
                request_id=request_id(),
                code=keys.code,
                token=made.enrolment_token,
                csr_pem=keys.csr,
                jwks=keys.jwks,
            )
        )
    return certificate_of(answer.certificate_pem.encode())


@dataclass
class World:
    land: IdentityLand
    exchange: StandInExchange
    platform: Certificate


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with identity_land() as land:
        authority = PlatformKeys(AUTHORITY)

        async def both() -> Certificate:
            await enrol(land, authority, "resource.provide")
            return await enrol(land, PlatformKeys("app-one"), "case.apply", "case.read")

        platform = asyncio.run(both())
        exchange = StandInExchange(land, authority)
        yield World(land, exchange, platform)
        exchange.stop()


@pytest_asyncio.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    settings = config.read(world.land.config)
    async with app.build(settings) as process:
        listener = process.listeners[0]
        await listener.start()
        transport = httpx.AsyncHTTPTransport(uds=str(world.land.run / "web.sock"))
        # The client believes that it speaks HTTPS, as a browser before the edge does, and so keeps the cookies.
        async with httpx.AsyncClient(base_url="http://web", transport=_Secure(transport), timeout=40) as found:
            yield found
        await listener.stop(1)


class _Secure(httpx.AsyncBaseTransport):
    """Carries cookies that a plain-HTTP client would hold back."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._cookies: dict[str, str] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        answer = await self._inner.handle_async_request(request)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value.strip('"')
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


def query(**changed: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    return "?" + urlencode(
        {
            "client_id": "app-one",
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "openid profile case.apply",
            "state": "s1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changed,
        }
    )


def hidden(page: httpx.Response) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))


async def test_one_person_from_registration_to_sign_out(world: World, http: httpx.AsyncClient) -> None:
    """Refused with every reason at its field, then registered; code, tokens, claims, revocation, the session's end."""
    world.exchange.register[("111", NUMBER)] = "阿拉坦其其格"
    page = await http.get(f"/register{query()}")
    person = {"login_name": "altan", "full_name": "阿拉坦其其格", "document_type": "111"}
    wrong = {**hidden(page), **person, "password": "short", "document_number": "123"}
    page = await http.post(f"/register{query()}", data=wrong)
    assert page.status_code == 400
    assert {"password-wrong", "document_number-wrong"} <= set(re.findall(r'class="wrong" id="([^"]+)"', page.text))

    right = {**hidden(page), **person, "password": PASSWORD, "document_number": NUMBER}
    done = await http.post(f"/register{query()}", data=right)
    assert (done.status_code, urlsplit(done.headers["location"]).path) == (303, "/oauth2/authorize")
    consent = await http.get(done.headers["location"])
    assert "阿*****" in consent.text
    assert "平台 app-one" in consent.text
    back = await http.post(f"/consent{query()}", data={**hidden(consent), "decision": "allow"})
    answer = parse_qs(urlsplit(back.headers["location"]).query)
    assert (answer["state"], answer["from"]) == (["s1"], ["hub"])

    form = {
        "grant_type": "authorization_code",
        "client_id": "app-one",
        "code": answer["code"][0],
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    certificate = {"x-forwarded-client-cert": world.platform.header}
    tokens = (await http.post("/oauth2/token", data=form, headers=certificate)).json()
    assert {"access_token", "id_token", "refresh_token", "expires_in", "scope", "token_type"} == set(tokens)
    bearer = {"authorization": f"Bearer {tokens['access_token']}", **certificate}
    claims = (await http.get("/oauth2/userinfo", headers=bearer)).json()
    assert (claims["name"], claims["birthdate"], claims["ial"]) == ("阿拉坦其其格", "1990-03-07", 2)
    again = (await http.post("/oauth2/token", data=form, headers=certificate)).json()
    assert again["refresh_token"] == tokens["refresh_token"]
    replay = await http.post("/oauth2/token", data={**form, "code_verifier": "w" * 43}, headers=certificate)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")

    leaving = await http.get("/sign-out")
    gone = await http.post("/sign-out", data=hidden(leaving))
    assert "您已退出登录" in gone.text
    after = await http.get(f"/oauth2/authorize{query()}")
    assert after.headers["location"].startswith("/sign-in?")
    ended = await http.get("/oauth2/userinfo", headers=bearer)
    assert (ended.status_code, ended.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')


async def test_refusals_go_back_only_to_the_registered_address(http: httpx.AsyncClient) -> None:
    """What OAuth calls an error returns to the platform; an address that is not registered gets nothing."""
    for changed, name in (
        ({"scope": "admin.system"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ):
        back = await http.get(f"/oauth2/authorize{query(**changed)}")
        assert back.headers["location"].startswith(f"https://app.example/back?from=hub&error={name}&state=s1&iss=")
        here = await http.get(f"/oauth2/authorize{query(**changed, redirect_uri='https://evil.example')}")
        assert (here.status_code, "location" in here.headers) == (400, False)


async def test_an_absent_authority_is_told_at_once(world: World, http: httpx.AsyncClient) -> None:
    """AUTHORITY_AWAY is a sentence on the page, not half a minute of waiting."""
    world.exchange.away = True
    try:
        page = await http.get("/register")
        fields = {"login_name": "later", "full_name": "阿拉坦", "document_type": "111", "document_number": NUMBER}
        async with asyncio.timeout(20):
            answer = await http.post("/register", data={**hidden(page), **fields, "password": PASSWORD})
    finally:
        world.exchange.away = False
    assert answer.status_code == 503
    assert 'role="alert"' in answer.text


async def test_public_documents_are_identitys_own(http: httpx.AsyncClient) -> None:
    """Discovery names the endpoints that web serves, and the keys are those that sign."""
    discovery = (await http.get("/.well-known/openid-configuration")).json()
    keys = (await http.get("/oauth2/jwks")).json()
    assert json.dumps(keys).count('"d"') == 0
    assert keys["keys"]
    for name, path in (("authorization_endpoint", "/oauth2/authorize"), ("jwks_uri", "/oauth2/jwks")):
        assert discovery[name].endswith(path)
