"""Web behind the real edge, over TLS: who a platform is comes from its certificate, and nobody can say it for himself."""

import ssl
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from gateway.envoy import control
from gateway.envoy.testing import ISSUER, TRUST_DOMAIN, EdgeWorld, Identity
from gateway.too_large import sentences
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.domain.reader import check_token
from services.esign.timestamps.service import TimestampService
from shuniu.api.esign.v1 import timestamp_pb2, timestamp_pb2_grpc
from shuniu.kit.rpc.server import Servicer
from tests.support.esign import NOW_US, setting
from tests.support.timestamps import authority
from tests.support.web_land import CERTIFICATE, PASSWORD, REDIRECT, WebLand, authorization, web_land

pytestmark = pytest.mark.asyncio(loop_scope="module")
GRANT = {"grant_type": "client_credentials", "client_id": "mengsuban"}


@dataclass
class Place:
    world: EdgeWorld
    edge: control.RunningEdge
    land: WebLand

    def http(self, listener: str, identity: Identity | None = None) -> httpx.AsyncClient:
        context = ssl.create_default_context(cadata=self.world.server_authority.certificate.decode())
        if identity is not None:
            with tempfile.NamedTemporaryFile() as pem:
                pem.write(identity.certificate + identity.key)
                pem.flush()
                context.load_cert_chain(pem.name)
        address = f"https://localhost:{self.edge.port(listener)}"
        return httpx.AsyncClient(verify=context, base_url=address, trust_env=False, timeout=30)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place() -> AsyncIterator[Place]:
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder:
        world = EdgeWorld(Path(folder))
        stamping = Servicer(
            timestamp_pb2_grpc.add_TimestampServiceServicer_to_server,
            TimestampService(authority()),
            timestamp_pb2.DESCRIPTOR.services_by_name["TimestampService"],
        )
        async with (
            web_land(issuer=ISSUER, beside_esign=[stamping]) as land,
            control.running(world.settings(web=f"unix:{land.socket}")) as edge,
        ):
            yield Place(world, edge, land)


async def test_the_client_is_the_certificate_of_the_connection(place: Place) -> None:
    """Identity gets URI and SHA-256 of the certificate Envoy verified, whatever a header claims."""
    platform = place.world.platforms.platform("mengsuban")
    async with place.http("platforms", platform) as http:
        answer = await http.post("/oauth2/token", data=GRANT, headers={"x-forwarded-client-cert": CERTIFICATE})
        keys = await http.get("/oauth2/jwks")
    assert (answer.status_code, keys.status_code) == (200, 200)
    seen = place.land.identity.tokens[-1]
    assert seen.certificate_uri == f"spiffe://{TRUST_DOMAIN}/platform/mengsuban"
    assert seen.certificate_sha256 not in ("", "ab" * 32)


async def test_nobody_is_a_client_without_a_certificate(place: Place) -> None:
    """A forged header on the people's listener is removed: invalid_client, and identity is not asked."""
    before = len(place.land.identity.tokens)
    async with place.http("people") as http:
        answer = await http.post("/oauth2/token", data=GRANT, headers={"x-forwarded-client-cert": CERTIFICATE})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert len(place.land.identity.tokens) == before


async def test_a_person_signs_in_and_agrees_over_tls(place: Place) -> None:
    """The whole way over HTTPS with a client that keeps cookies itself: `__Host-` cookies hold."""
    async with place.http("people") as http:
        page = await http.get(f"/oauth2/authorize{authorization()}", follow_redirects=True)
        assert page.url.path == "/sign-in"
        token = page.text.split('name="form_token" value="')[1].split('"')[0]
        fields = {"login_name": "bater", "password": PASSWORD, "form_token": token}
        consent = await http.post(f"/sign-in{authorization()}", data=fields, follow_redirects=True)
        assert consent.url.path == "/oauth2/authorize"
        hidden = {
            name: consent.text.split(f'name="{name}" value="')[1].split('"')[0] for name in ("form_token", "request_id")
        }
        back = await http.post(f"/consent{authorization()}", data={**hidden, "decision": "allow"})
    assert back.headers["location"].startswith(f"{REDIRECT}?code=")
    assert back.headers["content-security-policy"].startswith("default-src 'none'")


async def test_documents_pass_the_edge_up_to_the_limit(place: Place) -> None:
    """20 MiB arrive whole; a byte more is refused in words; far more the edge itself refuses."""
    limit = 20 * 1024 * 1024
    async with place.http("people") as http:
        accept = {"accept": "application/json"}
        fits = await http.post("/verify/upload", files={"pdf": ("a.pdf", b"x" * limit)}, headers=accept)
        over = await http.post("/verify/upload", files={"pdf": ("a.pdf", b"x" * (limit + 1))}, headers=accept)
        far = await http.post("/verify/upload", files={"pdf": ("a.pdf", b"x" * (22 * 1024 * 1024))}, headers=accept)
    assert (fits.status_code, fits.json()["verdict"]) == (200, "VALID")
    assert len(place.land.esign.seen[-1].pdf) == limit
    assert (over.status_code, over.json()["reason"]) == (413, "DOCUMENT_TOO_LARGE")
    assert far.status_code == 413


async def test_who_has_no_script_reads_a_page_where_the_edge_refuses(place: Place) -> None:
    """A form sent by the browser itself is answered with a page, in Chinese first, that leads back; programs get JSON."""
    browser = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    files = {"pdf": ("a.pdf", b"x" * (22 * 1024 * 1024))}
    async with place.http("people") as http:
        page = await http.post("/verify/upload", files=files, headers=browser)
        program = await http.post("/verify/upload", files=files)
        style = await http.get("/static/style.css")
    assert (page.status_code, page.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert (style.status_code, '"/static/style.css"' in page.text) == (200, True)
    # The same words and the same look as where the page's script or the web process says it.
    for said in ('class="alert calm"', "没有核验", *sentences(20 * 1024 * 1024)):
        assert said in page.text
    assert 'href="/verify"' in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert (program.status_code, program.json()["details"][0]["reason"]) == (413, "REQUEST_TOO_LARGE")


async def test_every_page_can_be_reached_through_the_edge(place: Place) -> None:
    """No route of web is forgotten at the people's listener, and the access log holds no query."""
    paths = [
        "/",
        "/sign-in",
        "/register",
        "/sign-out",
        "/verify",
        "/v",
        "/v/worker.js",
        "/verify/trust",
        "/oauth2/logout",
    ]
    async with place.http("people") as http:
        answers = [await http.get(path) for path in [*paths, "/static/style.css", "/.well-known/openid-configuration"]]
        await http.get(f"/sign-in{authorization(state='query-marker')}")
    assert [answer.status_code for answer in answers] == [200] * 11
    assert "query-marker" not in (place.world.root / "access.log").read_text()


@pytest.mark.parametrize("path", ["/nothing", "/server_info", "/verification", "/v9", "/index.php"])
async def test_an_unknown_address_is_a_page(place: Place, path: str) -> None:
    """In Chinese first, with the way home; JSON for a program that asks for it. Nothing of gRPC."""
    async with place.http("people") as http:
        page = await http.get(path, headers={"accept": "text/html"})
        program = await http.get(path, headers={"accept": "application/json"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "没有这个页面" in page.text
    assert (program.status_code, program.json()["reason"]) == (404, "NOT_FOUND")


async def test_what_browsers_and_robots_ask_for_is_there(place: Place) -> None:
    """An icon, and a file that keeps crawlers away."""
    async with place.http("people") as http:
        icon, robots = await http.get("/favicon.ico"), await http.get("/robots.txt")
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
    assert (robots.status_code, robots.text) == (200, "User-agent: *\nDisallow: /\n")


async def test_programs_get_timestamps_without_a_certificate_of_their_own(place: Place) -> None:
    """POST /tsa on the people's listener is open to everybody; on the platforms' listener there is no such path."""
    question = timestamp.query(sha256(b"document").digest(), 7)
    kind = {"content-type": "application/timestamp-query"}
    async with place.http("people") as http:
        answer = await http.post("/tsa", content=question, headers=kind)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/timestamp-reply")
    token = timestamp.read_answer(answer.content)
    assert check_token(token, (b"document",), (setting().root.certificate,), NOW_US).time_us == NOW_US
    async with place.http("platforms", place.world.platforms.platform("mengsuban")) as http:
        assert (await http.post("/tsa", content=question, headers=kind)).status_code == 404
