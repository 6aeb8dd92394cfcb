"""The edge as the outside meets it: a real Envoy before stand-ins of the services."""

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
import websockets
from cryptography import x509

from gateway.envoy.testing import TRUST_DOMAIN, Authority, Identity, TokenSigner
from shuniu.api.catalogue.v1 import item_pb2, item_pb2_grpc
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc
from shuniu.api.exchange.v1 import query_pb2, query_pb2_grpc
from shuniu.api.identity.v1 import person_pb2, person_pb2_grpc, signin_pb2, signin_pb2_grpc
from shuniu.kit.testing.clock import eventually
from tests.support.edge_land import Running, bearer, create, edge_land, reason, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Running]:
    async with edge_land() as found:
        yield found


@pytest.fixture
def bureau(running: Running) -> Identity:
    return running.world.platforms.platform("bureau")


class TestCallerForwarding:
    async def test_platform_and_claims_reach_the_service(self, running, bureau):
        """A platform's certificate and token arrive as XFCC and claims; the token itself stays at the edge."""
        token = running.world.signer.token("bureau", bureau)
        headers = await create(running.channel(bureau), *bearer(token))
        parts = dict(part.split("=", 1) for part in headers["x-forwarded-client-cert"].split(";"))
        assert parts["URI"] == f"spiffe://{TRUST_DOMAIN}/platform/bureau"
        assert parts["Hash"] == bureau.sha256
        claims = headers["x-shuniu-claims"]
        assert json.loads(base64.urlsafe_b64decode(claims + "=="))["client_id"] == "bureau"
        assert "authorization" not in headers

    async def test_forged_headers_are_dropped(self, running, bureau):
        """Whatever a caller writes of himself in our headers is gone or replaced before a service sees it."""
        forged = (
            ("x-forwarded-client-cert", f"Hash={'0' * 64};URI=spiffe://{TRUST_DOMAIN}/platform/other"),
            ("x-shuniu-claims", "e30"),
            ("x-shuniu-service", "identity"),
            ("x-shuniu-anything", "1"),
            ("x-envoy-retry-on", "5xx"),
            ("x-request-id", "chosen"),
        )
        token = running.world.signer.token("bureau", bureau)
        headers = await create(running.channel(bureau), *bearer(token), *forged)
        assert "other" not in headers["x-forwarded-client-cert"]
        assert "," not in headers["x-forwarded-client-cert"]
        assert headers["x-shuniu-claims"] != "e30"
        assert headers["x-request-id"] != "chosen"
        assert not {"x-shuniu-service", "x-shuniu-anything", "x-envoy-retry-on"} & headers.keys()

    @pytest.mark.parametrize("listener", ["people", "platforms"])
    async def test_forged_headers_without_token(self, running, bureau, listener):
        """A call open to everybody carries no claims and, on the people listener, no certificate."""
        stub = item_pb2_grpc.ItemServiceStub(running.channel(bureau if listener == "platforms" else None, listener))
        answer = await stub.GetItem(
            item_pb2.GetItemRequest(name="i"),
            metadata=(("x-shuniu-claims", "e30"), ("x-forwarded-client-cert", "Hash=1;URI=spiffe://x")),
            timeout=10,
        )
        headers = json.loads(answer.item.id)
        assert "x-shuniu-claims" not in headers
        assert ("x-forwarded-client-cert" in headers) == (listener == "platforms")
        assert "URI=spiffe://x" not in headers.get("x-forwarded-client-cert", "")

    async def test_web_sees_no_forged_header(self, running):
        """The web process is behind the same strip."""
        async with running.http(None, "people") as client:
            forged = {"X-Shuniu-Claims": "e30", "X-Shuniu-Service": "identity", "X-Shuniu-Sender": "192.0.2.1"}
            answer = await client.get("/verify", headers=forged)
        found = {name: value for name, value in answer.json()["headers"].items() if name.startswith("x-shuniu-")}
        assert found == {"x-shuniu-sender": "127.0.0.1"}


class TestCertificates:
    @pytest.mark.parametrize("kind", ["none", "foreign", "expired", "not_yet", "service", "no_uri"])
    async def test_unproved_client_cannot_connect(self, running, kind):
        """No certificate, a foreign or expired one, or one that names no platform: no connection at all."""
        ours = running.world.platforms
        service = x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/service/identity")
        identity = {
            "none": lambda: None,
            "foreign": lambda: Authority("platform CA").platform("bureau"),
            "expired": lambda: ours.platform("bureau", from_days=-3.0, to_days=-1.0),
            "not_yet": lambda: ours.platform("bureau", from_days=1.0, to_days=2.0),
            "service": lambda: ours.issue(service),
            "no_uri": lambda: ours.issue(x509.DNSName("bureau.example")),
        }[kind]()
        failure = await refused(create(running.channel(identity)))
        assert failure.code() is grpc.StatusCode.UNAVAILABLE

    async def test_people_are_asked_for_no_certificate(self, running):
        async with running.http(None, "people") as client:
            assert (await client.get("/")).status_code == 200


class TestTokens:
    async def test_missing_token(self, running, bureau):
        """A call that needs a token gets a typed refusal without one."""
        failure = await refused(create(running.channel(bureau)))
        assert failure.code() is grpc.StatusCode.UNAUTHENTICATED
        assert reason(failure) == "TOKEN_INVALID"

    @pytest.mark.parametrize(
        "kind", ["expired", "audience", "issuer", "no_expiry", "other_key", "none", "hs256", "garbage", "not_yet"]
    )
    @pytest.mark.parametrize("rpc", ["required", "open"])
    async def test_wrong_token(self, running, bureau, kind, rpc):
        """A token that is wrong in any way is refused, even where none is needed."""
        signer = running.world.signer
        now = int(time.time())
        good = signer.token("bureau", bureau)

        def unsigned(header: dict[str, str], signature: str) -> str:
            encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
            return f"{encoded}.{good.split('.')[1]}.{signature}"

        token = {
            "expired": lambda: signer.token("bureau", bureau, exp=now - 61, iat=now - 600),
            "not_yet": lambda: signer.token("bureau", bureau, nbf=now + 120),
            "audience": lambda: signer.token("bureau", bureau, aud="another"),
            "issuer": lambda: signer.token("bureau", bureau, iss="https://elsewhere.example"),
            "no_expiry": lambda: signer.token("bureau", bureau, exp=None),
            "other_key": lambda: TokenSigner("test").token("bureau", bureau),
            "none": lambda: unsigned({"alg": "none"}, ""),
            "hs256": lambda: unsigned({"alg": "HS256", "kid": "test"}, "c2lnbmF0dXJl"),
            "garbage": lambda: "not.a.token",
        }[kind]()
        channel = running.channel(bureau)
        if rpc == "required":
            failure = await refused(create(channel, *bearer(token)))
        else:
            stub = item_pb2_grpc.ItemServiceStub(channel)
            failure = await refused(stub.GetItem(item_pb2.GetItemRequest(name="i"), metadata=bearer(token), timeout=10))
        assert failure.code() is grpc.StatusCode.UNAUTHENTICATED

    async def test_token_in_query_is_no_token(self, running, bureau):
        """A token belongs in the Authorization header: elsewhere it would be logged."""
        token = running.world.signer.token("bureau", bureau)
        async with running.http(bureau) as client:
            answer = await client.post(f"/v1/items?access_token={token}", json={})
        assert answer.status_code in (400, 401)


class TestRouting:
    async def test_internal_rpcs_are_not_there(self, running, bureau):
        """What only the hub's own processes may call is unknown on both listeners."""
        token = running.world.signer.token("bureau", bureau)
        for channel in (running.channel(bureau), running.channel(None, "people")):
            sign_in = signin_pb2_grpc.SignInServiceStub(channel)
            person = person_pb2_grpc.PersonServiceStub(channel)
            for call in (
                sign_in.GetSession(signin_pb2.GetSessionRequest(), metadata=bearer(token), timeout=10),
                person.ResolveSubject(person_pb2.ResolveSubjectRequest(), metadata=bearer(token), timeout=10),
            ):
                failure = await refused(call)
                assert failure.code() is grpc.StatusCode.UNIMPLEMENTED
                assert reason(failure) == "RPC_UNKNOWN"

    async def test_platform_rpcs_are_not_on_the_people_listener(self, running):
        failure = await refused(create(running.channel(None, "people")))
        assert failure.code() is grpc.StatusCode.UNIMPLEMENTED
        async with running.http(None, "people") as client:
            assert (await client.post("/v1/items", json={})).status_code == 404

    @pytest.mark.parametrize("path", ["/oauth2/jwks", "/.well-known/openid-configuration"])
    async def test_platforms_reach_the_token_endpoints(self, running, bureau, path):
        async with running.http(bureau) as client:
            assert (await client.get(path)).status_code == 200
            assert (await client.post("/oauth2/token", data={"grant_type": "client_credentials"})).status_code == 200

    async def test_web_checks_its_own_tokens(self, running, bureau):
        """Web asks identity about a token itself, so it gets the token, and the certificate it is bound to."""
        async with running.http(bureau) as client:
            headers = (await client.get("/oauth2/userinfo", headers=dict(bearer("opaque")))).json()["headers"]
        assert headers["authorization"] == "Bearer opaque"
        assert bureau.sha256 in headers["x-forwarded-client-cert"]

    @pytest.mark.parametrize("path", ["/", "/sign-in", "/oauth2/authorize", "/static/page.css", "/v/abc", "/elsewhere"])
    async def test_pages_are_not_on_the_platforms_listener(self, running, bureau, path):
        async with running.http(bureau) as client:
            assert (await client.get(path)).status_code == 404

    @pytest.mark.parametrize(
        "path", ["/", "/sign-in", "/register", "/verify", "/v/abc", "/static/page.css", "/oauth2/authorize?a=b"]
    )
    async def test_pages_are_on_the_people_listener(self, running, path):
        async with running.http(None, "people") as client:
            answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.json()["path"] == path.partition("?")[0]

    @pytest.mark.parametrize("path", ["/verification", "/v1x", "/stats", "/server_info", "/favicon.ico"])
    async def test_other_paths_are_webs(self, running, path):
        """Whoever mistyped an address meets web, which has a page for that."""
        async with running.http(None, "people") as client:
            assert (await client.get(path)).json()["path"] == path

    @pytest.mark.parametrize("path", ["/..%2fadmin", "/v1/nothing"])
    async def test_escaped_paths_and_unknown_calls_are_nowhere(self, running, path):
        async with running.http(None, "people") as client:
            assert (await client.get(path)).status_code in (400, 404)


class TestTranscoding:
    async def test_get_with_path_and_query(self, running):
        async with running.http(None, "people") as client:
            one = await client.get("/v1/items/证明")
            many = await client.get("/v1/items", params={"page_size": 7})
        assert one.json()["item"]["title"] == "证明"
        assert many.json() == {"items": [], "nextPageToken": "7"}

    @pytest.mark.parametrize("listener", ["people", "platforms"])
    async def test_body_of_its_own_media_type(self, running, bureau, listener):
        """A status list comes as the token itself, with its media type and what caches need, to whoever asks."""
        async with running.http(bureau if listener == "platforms" else None, listener) as client:
            answer = await client.get("/v1/licences/status-lists/7")
        assert (answer.status_code, answer.text) == (200, "a.b.7")
        assert answer.headers["content-type"] == "application/statuslist+jwt"
        assert (answer.headers["cache-control"], answer.headers["etag"]) == ("public, no-cache", '"1"')

    async def test_post_with_token(self, running, bureau):
        token = running.world.signer.token("bureau", bureau)
        async with running.http(bureau) as client:
            answer = await client.post("/v1/items", json={"item": {"title": "甲"}}, headers=dict(bearer(token)))
        assert answer.status_code == 200
        assert answer.json()["item"]["title"] == "甲"

    async def test_error_details_in_json(self, running):
        """A REST caller gets the same reason and both languages as a gRPC caller."""
        async with running.http(None, "people") as client:
            answer = await client.get("/v1/items/unknown")
        assert answer.status_code == 404
        details = answer.json()["details"]
        assert details[0]["reason"] == "ITEM_UNKNOWN"
        assert details[1] == {
            "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
            "locale": "zh-CN",
            "message": "没有该事项。",
        }

    async def test_edge_errors_in_json(self, running, bureau):
        """The edge's own refusals speak the same vocabulary."""
        async with running.http(bureau) as client:
            answers = [
                (await client.post("/v1/items", json={}), 401, "TOKEN_INVALID"),
                (await client.get("/v1/no-such-thing"), 404, "RPC_UNKNOWN"),
                (await client.get("/v1/items", params={"nonsense": "1"}), 400, "REQUEST_MALFORMED"),
            ]
        for answer, status, expected in answers:
            assert answer.status_code == status
            assert answer.json()["details"][0]["reason"] == expected

    async def test_malformed_json(self, running):
        async with running.http(None, "people") as client:
            answer = await client.post(
                "/v1/verification:document", content=b'{"pdf": [', headers={"content-type": "application/json"}
            )
        assert answer.status_code == 400


class TestLimits:
    async def test_oversize_call(self, running, bureau):
        """A call larger than 4 MiB is refused at the edge, over gRPC and over REST; the text names the limits and warns of
        making a signed document smaller.
        """
        token = running.world.signer.token("bureau", bureau)
        request = item_pb2.CreateItemRequest(item=item_pb2.Item(title="x" * (4 << 20)))
        stub = item_pb2_grpc.ItemEditServiceStub(running.channel(bureau))
        failure = await refused(stub.CreateItem(request, metadata=bearer(token), timeout=10))
        assert reason(failure) == "REQUEST_TOO_LARGE"
        async with running.http(bureau) as client:
            answer = await client.post(
                "/v1/items", json={"item": {"title": "x" * (4 << 20)}}, headers=dict(bearer(token))
            )
        assert answer.json()["details"][0]["reason"] == "REQUEST_TOO_LARGE"
        assert "21 MiB" in answer.json()["message"]
        assert "压缩" in answer.json()["details"][1]["message"]

    async def test_document_may_be_large(self, running):
        """A document of 20 MiB passes for verification, over gRPC and over REST; 22 MiB does not."""
        pdf = b"x" * (20 << 20)
        stub = esign_pb2_grpc.VerificationServiceStub(running.channel(None, "people"))
        answer = await stub.VerifyDocument(esign_pb2.VerifyDocumentRequest(pdf=pdf), timeout=30)
        assert answer.verdict.verdict == str(len(pdf))
        async with running.http(None, "people") as client:
            body = json.dumps({"pdf": base64.b64encode(pdf).decode()})
            over_rest = await client.post(
                "/v1/verification:document", content=body, headers={"content-type": "application/json"}, timeout=30
            )
        assert over_rest.json()["verdict"]["verdict"] == str(len(pdf))
        failure = await refused(stub.VerifyDocument(esign_pb2.VerifyDocumentRequest(pdf=b"x" * (22 << 20)), timeout=30))
        assert reason(failure) == "REQUEST_TOO_LARGE"

    async def test_upload_to_web(self, running):
        async with running.http(None, "people") as client:
            fits = await client.post("/verify/upload", content=b"x" * (20 << 20), timeout=30)
            too_large = await client.post("/verify/upload", content=b"x" * (22 << 20), timeout=30)
        assert fits.json()["bytes"] == 20 << 20
        assert too_large.status_code == 413

    async def test_large_headers(self, running, bureau):
        async with running.http(bureau) as client:
            answer = await client.get("/v1/items", headers={"x-large": "x" * 40_000})
        assert answer.status_code == 431

    async def test_rate_limit_is_per_platform(self, running):
        """A platform beyond its rate gets RESOURCE_EXHAUSTED and over REST 429; another one is not touched."""
        noisy, quiet = (running.world.platforms.platform(code) for code in ("noisy", "quiet"))

        async def inbox(identity: Identity, code: str) -> httpx.Response:
            token = running.world.signer.token(code, identity)
            async with running.http(identity) as client:
                return await client.get("/v1/inbox", headers=dict(bearer(token)))

        answers = [await inbox(noisy, "noisy") for _ in range(8)]
        limited = [answer for answer in answers if answer.status_code == 429]
        assert limited
        assert limited[0].json()["details"][0]["reason"] == "RATE_LIMITED"
        assert limited[0].headers["retry-after"] == "1"
        assert (await inbox(quiet, "quiet")).status_code != 429
        stub = query_pb2_grpc.ProviderServiceStub(running.channel(noisy))
        token = running.world.signer.token("noisy", noisy)

        async def serve() -> grpc.StatusCode:
            call = stub.Serve(iter([query_pb2.ServeRequest()]), metadata=bearer(token), timeout=10)
            return await call.code()

        codes = [await serve() for _ in range(8)]
        assert grpc.StatusCode.RESOURCE_EXHAUSTED in codes


class TestSuspension:
    async def test_effective_within_a_second_on_open_connections(self, running):
        """A suspended platform is refused on the connection it already has, within a second; others are not."""
        first, second = (running.world.platforms.platform(code) for code in ("first", "second"))
        channels = {
            code: (running.channel(identity), bearer(running.world.signer.token(code, identity)))
            for code, identity in (("first", first), ("second", second))
        }
        for channel, token in channels.values():
            await create(channel, *token)
        began = time.monotonic()
        running.edge.suspended.apply_suspended(frozenset({"first"}))

        async def is_refused() -> grpc.aio.AioRpcError | None:
            channel, token = channels["first"]
            try:
                await create(channel, *token)
            except grpc.aio.AioRpcError as error:
                return error
            return None

        failure = await eventually(is_refused, within=5.0)
        assert time.monotonic() - began < 1.0
        assert failure.code() is grpc.StatusCode.PERMISSION_DENIED
        assert reason(failure) == "PLATFORM_SUSPENDED"
        channel, token = channels["second"]
        await create(channel, *token)
        async with running.http(first) as client:
            answer = await client.post("/oauth2/token")
            assert answer.status_code == 403
            assert answer.json()["details"][0]["reason"] == "PLATFORM_SUSPENDED"

        running.edge.suspended.apply_suspended(frozenset())

        async def works_again() -> bool:
            return await is_refused() is None

        await eventually(works_again, within=5.0)


class TestStreams:
    async def test_stream_both_ways(self, running, bureau):
        """A stream passes message by message; it is not gathered at the edge."""
        token = running.world.signer.token("bureau", bureau)
        call = query_pb2_grpc.ProviderServiceStub(running.channel(bureau)).Serve(metadata=bearer(token))
        for word in ("a", "b"):
            await call.write(query_pb2.ServeRequest(hello=query_pb2.ServeHello(resources=[word])))
            assert (await call.read()).call_id == word
        await call.done_writing()

    async def test_websocket_to_the_bus(self, running):
        """A bureau with nothing but HTTPS on one port reaches the bus."""
        address = f"wss://127.0.0.1:{running.edge.port('people')}/bus"
        async with websockets.connect(address, ssl=running.tls(None), proxy=None) as connection:
            await connection.send("CONNECT")
            assert await connection.recv() == "/ CONNECT"

    async def test_bus_is_for_websockets_only(self, running):
        async with running.http(None, "people") as client:
            assert (await client.get("/bus")).json()["path"] == "/bus", "web, which has no such page"


class TestOperations:
    async def test_ops_port(self, running):
        """Metrics and health are served, the rest of the admin interface is not."""
        address = (running.world.run / "edge.ops").read_text().strip()
        async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as client:
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
            metrics = await client.get("/metrics")
            assert "envoy_http_downstream_rq_total" in metrics.text
            for path in ("/", "/quitquitquit", "/config_dump", "/stats", "/metrics/../config_dump"):
                assert (await client.post(path)).status_code in (404, 405)
                assert (await client.get(path)).status_code == 404

    async def test_admin_socket_is_ours_alone(self, running):
        socket = running.world.run / "edge.admin.sock"
        assert socket.stat().st_mode & 0o777 == 0o600

    async def test_access_log(self, running, bureau):
        """One JSON line a request, with the request id that caller and service saw, and without query."""
        async with running.http(None, "people") as client:
            answer = await client.get("/verify?code=hidden-code")
        request_id = answer.headers["x-request-id"]
        assert answer.json()["headers"]["x-request-id"] == request_id

        def line() -> dict[str, Any] | None:
            lines = (running.world.root / "access.log").read_text().splitlines()
            return next((entry for entry in map(json.loads, lines) if entry["request_id"] == request_id), None)

        entry = await eventually(line)
        assert entry["path"] == "/verify"
        assert entry["status"] == 200
        assert "hidden-code" not in (running.world.root / "access.log").read_text()
