"""Hostile input against a whole hub, through its real edge: everything wrong is refused in words and changes nothing.

What the edge alone decides (sizes, headers, certificates, tokens of every wrong kind against stand-ins of the services)
is proved in tests/integration/test_edge.py, single documents in tests/unit/esign; here is what only the whole can show.
"""

import asyncio
import base64
import datetime as dt
import json
import ssl
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from examples.hub_client.session import Session, request_id
from examples.provincial_app.browser import Browser
from shuniu.api.catalogue.v1 import item_pb2
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc
from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc
from tests.support.hub import NATS_WEBSOCKET, Land, details_of, hub_with_region, refusal

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120), *NATS_WEBSOCKET]
APPLY = "/shuniu.api.exchange.v1.CaseService/ApplyCase"
TYPED = {"INVALID_REQUEST", "REQUEST_MALFORMED", "REQUEST_TOO_LARGE", "REQUEST_ID_REQUIRED"}


@dataclass
class Scene:
    """A hub whose bureaus rest, a signed-in person and what the person may apply for."""

    land: Land
    token: str
    other_token: str
    id_token: str
    item: item_pb2.Item
    elsewhere: item_pb2.Item

    @property
    def app(self) -> Session:
        return self.land.stage.app.session

    @property
    def cases(self) -> case_pb2_grpc.CaseServiceStub:
        return case_pb2_grpc.CaseServiceStub(self.app.channel)

    def application(self, **form: str) -> case_pb2.ApplyCaseRequest:
        return case_pb2.ApplyCaseRequest(
            request_id=request_id(), item_code=self.item.code, form=form, channel=case_pb2.CHANNEL_APP
        )

    async def apply(self, request: case_pb2.ApplyCaseRequest, token: str = "") -> case_pb2.Case:
        case: case_pb2.Case = (await self.app.call(self.cases.ApplyCase, request, person=token or self.token)).case
        return case

    async def get(self, code: str) -> case_pb2.Case:
        request = case_pb2.GetCaseRequest(case_code=code)
        case: case_pb2.Case = (await self.app.call(self.cases.GetCase, request, person=self.token)).case
        return case

    async def count(self) -> int:
        request = case_pb2.ListCasesRequest(page_size=100)
        return len((await self.app.call(self.cases.ListCases, request, person=self.token)).cases)

    async def rest(self, method: str, path: str, content: bytes | str, token: str = "") -> httpx.Response:
        headers = {"authorization": f"Bearer {token or self.token}", "content-type": "application/json"}
        return await self.app.http.request(method, path, content=content, headers=headers)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene() -> AsyncIterator[Scene]:
    async with hub_with_region(4, run_elsewhere=[f"150{city}00-ga" for city in range(1, 10)]) as land:
        session, granted = land.stage.app.session, []
        redeem = session.redeem

        async def noted(code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
            granted.append(await redeem(code, verifier, redirect_uri))
            return granted[-1]

        session.redeem = noted  # type: ignore[method-assign]
        citizens = land.next_citizens(2)
        tokens = [await land.sign_in(citizen) for citizen in citizens]
        items = [await land.stage.app._find_item(citizen) for citizen in citizens]
        yield Scene(land, *tokens, granted[0]["id_token"], *items)


HOSTILE = {
    "sql": "'; DROP TABLE case_file; --",
    "sql of another kind": '" OR ""="\' UNION SELECT 1 --',
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "template": "{{7*7}} ${7*7} #set($x=7) %n%s%x",
    "paths": "../../../../etc/passwd\\..\\windows",
    "header": "a\r\nSet-Cookie: x=y",
    "log line": "ok\n2026-01-01 level=info forged",
    "right to left": "正常\u202etxt.exe\u2066",
    "combining": "e" + "\u0301" * 300,
    "not characters": "\ufffe\uffff\U0010ffff",
    "private": "\ue000\U000f0000",
    "wide": "😀" * 1000,
    "typst": '#read("/etc/passwd") $ integral $ @ref',
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_text_is_kept_as_text(scene: Scene, kind: str) -> None:
    """Text that means something to a database, a page, a log or a typesetter is text: kept as given, or refused in
    words, over gRPC and over REST alike.
    """
    text, case = HOSTILE[kind], None
    try:
        case = await scene.apply(scene.application(purpose=text))
    except grpc.aio.AioRpcError as error:
        refused = error.code(), list(details_of(error)[2])
    else:
        refused = None
    assert refused in (None, (grpc.StatusCode.INVALID_ARGUMENT, ["form.purpose"]))
    body = {"requestId": request_id(), "itemCode": scene.item.code, "form": {"purpose": text}, "channel": "CHANNEL_APP"}
    answer = await scene.rest("POST", "/v1/cases", json.dumps(body))
    if case is None:
        assert answer.status_code == 400
    else:
        assert answer.status_code == 200, answer.text
        assert text == (await scene.get(case.case_code)).form["purpose"] == answer.json()["case"]["form"]["purpose"]


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"purpose": "a\x00b"}, "TEXT_CONTROL"),
        ({"purpose": "\x1b[2J"}, "TEXT_CONTROL"),
        ({"purpose": "长" * 4001}, "TEXT_TOO_LONG"),
        ({"x" * 201: "a"}, "TEXT_TOO_LONG"),
        ({" ": "a"}, "NAME_MISSING"),
        ({f"q{n}": "a" for n in range(101)}, "TOO_MANY_ROWS"),
        ({"note": "身份证 11010519491231002X"}, "IDENTITY_NUMBER_IN_FORM"),
        ({"note": "1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X"}, "IDENTITY_NUMBER_IN_FORM"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_kept_is_refused_with_its_reason(scene: Scene, form: dict[str, str], reason: str) -> None:
    """Invisible characters, what is too long or too much, identity numbers in free text: one reason each, no case."""
    before = await scene.count()
    error = await refusal(scene.apply(scene.application(**form)), reason)
    assert {reason} == set(details_of(error)[2].values())
    assert before == await scene.count()
    assert "11010519491231002" not in str(error).replace(" ", "")


async def test_malformed_bytes_are_refused_in_words(scene: Scene) -> None:
    """Bytes that are no message, strings that are no UTF-8 (lone surrogates), JSON that is none or too deep: typed
    refusals from the contract, never an unknown error.
    """
    raw = scene.app.channel.unary_unary(APPLY, request_serializer=bytes, response_deserializer=bytes)
    surrogate = b"\x0a\x08abcdefgh\x12\x03\xed\xa0\x80"
    for content in (b"\xff\xff\xff\xff", b"\x0a\x7f", surrogate, b"\x0a\x02\xc3\x28" + b"\x08" * 50):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await raw(content, metadata=(("authorization", f"Bearer {scene.token}"),), timeout=10)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, (content, caught.value)
        assert details_of(caught.value)[0] in TYPED
    good = {"requestId": request_id(), "itemCode": scene.item.code, "channel": "CHANNEL_APP"}
    wrong: list[bytes | str] = [
        "",
        "{",
        "[]",
        "null",
        b"\xff\xfe{}",
        b'{"requestId": "\xed\xa0\x80abcdefgh"}',
        '{"requestId": "\\ud800abcdefgh", "itemCode": "x"}',
        '{"form": ' + '{"a":' * 5000 + "1" + "}" * 5001,
        json.dumps({**good, "form": ["not", "a", "map"]}),
        json.dumps({**good, "form": {"a": {"b": 1}}}),
        json.dumps({**good, "channel": "CHANNEL_TELEPATHY"}),
        json.dumps({**good, "channel": 1e99}),
        json.dumps({**good, "itemCode": {"$ne": 1}}),
        json.dumps({**good, "requestId": 7}),
    ]
    before = await scene.count()
    for body in wrong:
        answer = await scene.rest("POST", "/v1/cases", body)
        assert answer.status_code in (400, 413), (body[-60:], answer.status_code, answer.text)
        assert answer.json()["details"][0]["reason"] in TYPED, answer.text
    assert before == await scene.count()


async def test_unknown_fields_are_named_in_json_and_passed_over_in_protobuf(scene: Scene) -> None:
    """Who misspells a field in JSON learns which; protobuf has no names, and a caller of a newer contract is served: what nobody
    here knows changes nothing. Neither smuggles in what only the hub decides.
    """
    good = {"requestId": request_id(), "itemCode": scene.item.code, "channel": "CHANNEL_APP", "form": {"purpose": "新"}}
    smuggled = {**good, "noSuchField": [1, {"a": 2}], "state": "CASE_STATE_DELIVERED", "personId": "x"}
    before = await scene.count()
    answer = await scene.rest("POST", "/v1/cases", json.dumps(smuggled))
    named = {each["field"] for each in answer.json()["details"][2]["fieldViolations"]}
    assert (answer.status_code, named) == (400, {"noSuchField", "state", "personId"})
    assert before == await scene.count()
    raw = scene.app.channel.unary_unary(
        APPLY, request_serializer=bytes, response_deserializer=case_pb2.ApplyCaseResponse.FromString
    )
    # Field 9999, length-delimited.
    content = scene.application(purpose="新").SerializeToString() + b"\xfa\xf0\x04\x03abc"
    made = await raw(content, metadata=(("authorization", f"Bearer {scene.token}"),), timeout=10)
    assert dict(made.case.form) == {"purpose": "新"}


async def test_wrong_values_of_the_right_type_are_refused(scene: Scene) -> None:
    """Numbers out of range, unknown enum values, forged page tokens, codes of the wrong form."""
    calls: list[tuple[Any, Any]] = [
        (scene.cases.ListCases, case_pb2.ListCasesRequest(page_size=-1)),
        (scene.cases.ListCases, case_pb2.ListCasesRequest(page_token="../../etc/passwd")),
        (scene.cases.ListCases, case_pb2.ListCasesRequest(page_token=base64.urlsafe_b64encode(b"x" * 64).decode())),
        (
            scene.cases.ApplyCase,
            case_pb2.ApplyCaseRequest(request_id=request_id(), item_code=scene.item.code, channel=77),
        ),
        (scene.cases.ApplyCase, case_pb2.ApplyCaseRequest(request_id="short", item_code=scene.item.code)),
        (scene.cases.ApplyCase, case_pb2.ApplyCaseRequest(request_id="a" * 65, item_code=scene.item.code)),
        (scene.cases.ApplyCase, case_pb2.ApplyCaseRequest(item_code=scene.item.code)),
    ]
    for method, request in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await scene.app.call(method, request, person=scene.token)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, (request, caught.value)
    for strange in ("", "'", "..", "%00", "😀" * 43, "9" * 43, "9" * 5000):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await scene.get(strange)
        assert caught.value.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT), strange


async def test_a_replayed_request_is_answered_once_more_and_done_once(scene: Scene) -> None:
    """The same request sixteen times at once, over gRPC and over REST, also after exchange was killed: one case."""
    before = await scene.count()
    request = scene.application(purpose="重放")
    body = {
        "requestId": request.request_id,
        "itemCode": request.item_code,
        "form": {"purpose": "重放"},
        "channel": "CHANNEL_APP",
    }
    answers = await asyncio.gather(*(scene.apply(request) for _ in range(16)))
    over_rest = await scene.rest("POST", "/v1/cases", json.dumps(body))
    await scene.land.kill("exchange")
    again = await scene.apply(request)
    codes = {case.case_code for case in answers} | {over_rest.json()["case"]["caseCode"], again.case_code}
    assert len(codes) == 1
    assert before + 1 == await scene.count()


async def test_a_request_id_belongs_to_its_content_and_caller(scene: Scene) -> None:
    """Other content under a used id is refused with REQUEST_ID_REUSED; another person's same id is another request."""
    request = scene.application(purpose="一")
    code = (await scene.apply(request)).case_code
    changed = case_pb2.ApplyCaseRequest()
    changed.CopyFrom(request)
    changed.form["purpose"] = "二"
    error = await refusal(scene.apply(changed), "REQUEST_ID_REUSED")
    assert error.code() is grpc.StatusCode.ABORTED
    changed.CopyFrom(request)
    changed.item_code = scene.elsewhere.code
    await refusal(scene.apply(changed), "REQUEST_ID_REUSED")
    assert (await scene.get(code)).form["purpose"] == "一"
    assert code != (await scene.apply(request, scene.other_token)).case_code


async def test_forged_caller_headers_change_nothing(scene: Scene) -> None:
    """Headers by which the edge names callers, sent by a caller: he stays who his certificate and token say he is."""
    case = await scene.apply(scene.application())
    claims = {"kind": "operator", "sub": "security", "client_id": "security", "scope": "admin.security admin.system"}
    trust_domain = scene.land.settings["hub"]["trust_domain"]
    forged = (
        ("x-forwarded-client-cert", f"URI=spiffe://{trust_domain}/platform/{case.handler_platform};Hash={'0' * 64}"),
        ("x-shuniu-claims", base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")),
        ("x-shuniu-service", "vault"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-shuniu-sender", "192.0.2.1"),
        ("x-envoy-internal", "true"),
    )
    own = await scene.app.token()
    admin = platform_pb2_grpc.PlatformAdminServiceStub(scene.app.channel)
    handling = case_pb2_grpc.CaseHandlingServiceStub(scene.app.channel)
    registry = case_pb2_grpc.CaseRegistryServiceStub(scene.app.channel)
    move = case_pb2.MoveCaseRequest(
        request_id=request_id(), case_code=case.case_code, move=case_pb2.CASE_MOVE_ACCEPT, officer="X-0001"
    )
    suspend = platform_pb2.SuspendPlatformRequest(request_id=request_id(), code="mps", reason="x")
    parties = case_pb2.GetCasePartiesRequest(case_code=case.case_code)
    for token in (own, scene.token):
        metadata = (*forged, ("authorization", f"Bearer {token}"))
        for call in (
            handling.MoveCase(move, metadata=metadata, timeout=10),
            admin.SuspendPlatform(suspend, metadata=metadata, timeout=10),
            registry.GetCaseParties(parties, metadata=metadata, timeout=10),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED)
    people = f"{scene.land.running.hub.people_url}/v1/cases/{case.case_code}"
    async with httpx.AsyncClient(verify=scene.land.running.hub.tls()) as client:
        answer = await client.get(people, headers=dict(forged))
    assert answer.status_code in (401, 403, 404)
    assert (await scene.get(case.case_code)).state == case_pb2.CASE_STATE_SUBMITTED


def _json_part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_tokens_of_others_and_altered_tokens_are_refused(scene: Scene) -> None:
    """Real tokens of this hub: altered, unsigned, of another kind, or held by another platform than theirs."""
    case = await scene.apply(scene.application())
    head, payload, signature = scene.token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert "cnf" in claims
    public = (await scene.app.http.get("/oauth2/jwks")).text
    altered = {
        "other subject": f"{head}.{_json_part({**claims, 'sub': 'someone'})}.{signature}",
        "operator": f"{head}.{_json_part({**claims, 'kind': 'operator', 'scope': 'admin.security'})}.{signature}",
        "no algorithm": f"{_json_part({'alg': 'none', 'typ': 'at+jwt'})}.{payload}.",
        "symmetric": f"{_json_part({'alg': 'HS256', 'typ': 'at+jwt'})}.{payload}.{_hs256(public, payload)}",
        "no signature": f"{head}.{payload}.",
        "identity token": scene.id_token,
        "words": "not.a.token",
        "long": "a" * 6000,
    }
    request = case_pb2.GetCaseRequest(case_code=case.case_code)
    for kind, token in altered.items():
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await scene.cases.GetCase(request, metadata=(("authorization", f"Bearer {token}"),), timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, (kind, caught.value)
        answer = await scene.rest("GET", f"/v1/cases/{case.case_code}", "", token)
        assert answer.status_code == 401, kind
    # Bound to the app's certificate: worth nothing to a bureau, not even to the one that handles the case.
    thief = scene.land.bureau(case.handler_platform).session
    for token in (scene.token, await scene.app.token()):
        stub = case_pb2_grpc.CaseServiceStub(thief.channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetCase(request, metadata=(("authorization", f"Bearer {token}"),), timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    # And nobody gets a token for another client than his certificate names.
    stolen = await thief.http.post("/oauth2/token", data={"grant_type": "client_credentials", "client_id": "security"})
    assert stolen.status_code in (400, 401)
    assert stolen.json()["error"] == "invalid_client"


def _hs256(key: str, payload: str) -> str:
    import hmac

    signed = f"{_json_part({'alg': 'HS256', 'typ': 'at+jwt'})}.{payload}"
    return base64.urlsafe_b64encode(hmac.digest(key.encode(), signed.encode(), "sha256")).decode().rstrip("=")


def _certificate(
    name: str, uri: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None, *, days: int = 30
) -> tuple[bytes, bytes]:
    """(certificate, key), PEM: signed by the issuer, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=40))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = built.public_bytes(serialization.Encoding.PEM)
    return chain + (issuer[0].public_bytes(serialization.Encoding.PEM) if issuer else b""), pem


async def test_certificates_made_by_outsiders_do_not_connect(scene: Scene, tmp_path: Path) -> None:
    """Signed by itself, or by an enrolled platform's own key as if that were an authority: no connection."""
    own = scene.app.credentials
    leaf = x509.load_pem_x509_certificates(own.certificate_pem)[0]
    key = serialization.load_pem_private_key(own.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    uri = f"spiffe://{scene.land.settings['hub']['trust_domain']}/operator/security"
    for kind, issuer in (("itself", None), ("a platform", (leaf, key))):
        certificate, private = _certificate("security", uri, issuer)
        file = tmp_path / f"{kind}.pem"
        file.write_bytes(certificate + private)
        context = ssl.create_default_context(cadata=own.trust_pem.decode())
        context.load_cert_chain(file)
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            async with httpx.AsyncClient(verify=context, base_url=scene.land.running.hub.platforms_url) as client:
                form = {"grant_type": "client_credentials", "client_id": "security"}
                await client.post("/oauth2/token", data=form)


async def test_a_guessed_enrolment_token_opens_nothing(scene: Scene) -> None:
    """Empty, guessed and malformed tokens for a platform that is enrolled already are refused with a typed error."""
    enrolments = platform_pb2_grpc.EnrolmentServiceStub(
        grpc.aio.secure_channel(
            scene.land.running.hub.people, grpc.ssl_channel_credentials(scene.land.running.hub.trust_pem)
        )
    )
    for token in ("", "guess", "A" * 43, "' OR 1=1 --", "\x00" * 8):
        request = platform_pb2.EnrolRequest(request_id=request_id(), code="mps", token=token, csr_pem="x", jwks="{}")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await enrolments.Enrol(request, timeout=10)
        assert caught.value.code() in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.PERMISSION_DENIED,
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.NOT_FOUND,
        ), caught.value


async def test_pages_show_hostile_input_as_text_or_not_at_all(scene: Scene) -> None:
    """A name of markup is refused by the page, and the page never repeats it as markup."""
    hub = scene.land.running.hub
    markup = "<script>alert(document.domain)</script>"
    browser = Browser(hub.people_url, hub.tls())
    try:
        page = await browser._client.get("/register")
        fields = {
            "login_name": f"evil{uuid.uuid4().hex[:8]}",
            "password": "a-long-enough-password",
            "full_name": markup,
            "document_type": "111",
            "document_number": '"><img src=x onerror=alert(1)>',
        }
        from examples.provincial_app.browser import _read

        action, preset = next(form for form in _read(page).forms if "full_name" in form[1])
        answer = await browser._client.post(action or "/register", data={**preset, **fields})
        assert 400 <= answer.status_code < 500
        assert markup not in answer.text
        assert "<img src=x" not in answer.text
        assert "script-src" in answer.headers["content-security-policy"]
        reflected = await browser._client.get("/verify", params={"q": markup, "lang": markup})
        assert markup not in reflected.text
    finally:
        await browser.close()


async def test_the_hub_came_through_it_whole(scene: Scene) -> None:
    """After all of that no part died (but exchange, which was killed on purpose), nothing is unknown to the logs, and a
    person is signed in.
    """
    restarts = {name: part["restarts"] for name, part in scene.land.parts().items()}
    assert {**dict.fromkeys(restarts, 0), "exchange": 1} == restarts
    assert await scene.land.sign_in(scene.land.next_citizens(1)[0])
    for log in sorted((scene.land.running.data / "logs").glob("*.log")):
        text = log.read_text("utf-8", errors="replace")
        assert "Traceback" not in text, log.name
        assert '"event": "incident"' not in text, log.name
