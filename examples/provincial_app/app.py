"""One person's way through the app: sign-in, search, application, correction, certificate, verification, evaluation."""

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import grpc
import httpx

from examples.city_bureau.bureau import Received
from examples.hub_client.credentials import Hub
from examples.hub_client.inbox import Event, Inbox
from examples.hub_client.session import GrantRefusedError, Session, request_id
from examples.provincial_app.browser import Browser
from examples.provincial_app.citizen import Citizen
from shuniu.api.catalogue.v1 import item_pb2, item_pb2_grpc
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc
from shuniu.api.events.v1 import events_pb2
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc

REDIRECT_URI = "https://app.example.invalid/callback"
Result = TypeVar("Result")


# How long one step of a bureau may take before the journey is given up.
HANDLED_WITHIN_S = 120


class JourneyError(Exception):
    """A person was not served; the text names the step."""


@dataclass(frozen=True, slots=True)
class Served:
    """The documents that a person ended up with."""

    case_code: str
    certificate_number: str
    verified_upload: bool
    verified_qr: bool
    evaluated: bool


class App:
    """The app's server side."""

    def __init__(
        self, session: Session, inbox: Inbox, certificates: Path, observe: Callable[[str, float], None]
    ) -> None:
        self.session = session
        self.inbox = inbox
        self.received = Received()
        self._certificates_dir = certificates
        self._observe = observe
        self._moved: dict[str, asyncio.Event] = {}
        self._items = item_pb2_grpc.ItemServiceStub(session.channel)
        self._cases = case_pb2_grpc.CaseServiceStub(session.channel)
        self._certificates = esign_pb2_grpc.CertificateServiceStub(session.channel)

    async def run(self) -> None:
        """Listens for progress until cancelled."""
        await self.inbox.run(self._on_event)

    async def _on_event(self, event: Event) -> None:
        if self.received.note(event) and event.type == "shuniu.exchange.case.moved.v1":
            change = events_pb2.CaseChanged.FromString(event.data)
            self._signal(change.case_code).set()

    def _signal(self, case_code: str) -> asyncio.Event:
        return self._moved.setdefault(case_code, asyncio.Event())

    async def serve(self, citizen: Citizen) -> Served:
        """The whole journey. Raises JourneyError."""
        token = await self._timed("sign_in", self._sign_in(citizen))
        item = await self._timed("search", self._find_item(citizen))
        case = await self._timed("apply", self._apply(citizen, token, item))
        case = await self._timed("handling", self._follow(case.case_code, token))
        certificate = await self._timed("download", self._download(case, token))
        upload = await self._timed("verify_upload", self._verify_upload(certificate))
        qr = await self._timed("verify_qr", self._verify_qr(certificate))
        evaluated = await self._timed("evaluate", self._evaluate(case, token))
        return Served(case.case_code, certificate.certificate.number, upload, qr, evaluated)

    async def _timed(self, step: str, work: Awaitable[Result]) -> Result:
        started = time.monotonic()
        try:
            result = await work
        except Exception as error:
            # No exception text: it may quote what the person typed.
            raise JourneyError(f"{step}: {type(error).__name__} {_cause(error)}") from error
        self._observe(step, time.monotonic() - started)
        return result

    async def _sign_in(self, citizen: Citizen) -> str:
        """Registers, signs in and consents over HTTPS as a browser does; returns the access token."""
        hub = self.session.hub
        browser = Browser(hub.people_url, hub.tls())
        try:
            await browser.submit(
                "/register",
                {
                    "login_name": citizen.login_name,
                    "password": citizen.password,
                    "full_name": citizen.full_name,
                    "document_type": citizen.document_type,
                    "document_number": citizen.document_number,
                },
            )
            try:
                return await self._authorised(browser, citizen)
            except GrantRefusedError:
                # The hub was away for longer than a code lives; the person is asked once more.
                return await self._authorised(browser, citizen)
        finally:
            await browser.close()

    async def _authorised(self, browser: Browser, citizen: Citizen) -> str:
        """One authorisation with PKCE. Raises GrantRefusedError when its code is refused."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        state = secrets.token_urlsafe(16)
        query = urlencode(
            {
                "client_id": self.session.credentials.code,
                "redirect_uri": REDIRECT_URI,
                "response_type": "code",
                "scope": "openid profile case.apply case.read flow.sign",
                "state": state,
                "nonce": secrets.token_urlsafe(16),
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        back = await browser.authorize(f"/oauth2/authorize?{query}", citizen)
        answer = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        if answer.get("state") != state or answer.get("iss") != await browser.issuer():
            raise JourneyError("the answer is not for our request")
        tokens = await self.session.redeem(answer["code"], verifier, REDIRECT_URI)
        return str(tokens["access_token"])

    async def _find_item(self, citizen: Citizen) -> item_pb2.Item:
        request = item_pb2.SearchItemsRequest(query="无犯罪记录证明", division=citizen.division, page_size=10)
        answer = await self.session.call(self._items.SearchItems, request)
        for hit in answer.hits:
            if hit.item.division == citizen.division and hit.item.level == item_pb2.ITEM_LEVEL_IMPLEMENTING:
                item: item_pb2.Item = hit.item
                return item
        raise JourneyError("no such item in this city")

    async def _apply(self, citizen: Citizen, token: str, item: item_pb2.Item) -> case_pb2.Case:
        request = case_pb2.ApplyCaseRequest(
            request_id=request_id(),
            item_code=item.code,
            form={"purpose": "就业", "serial": str(citizen.serial)},
            materials=[case_pb2.GivenMaterial(name="申请书", sha256="0" * 64, media_type="application/pdf")],
            channel=case_pb2.CHANNEL_APP,
        )
        answer = await self.session.call(self._cases.ApplyCase, request, person=token)
        case: case_pb2.Case = answer.case
        return case

    async def _follow(self, case_code: str, token: str) -> case_pb2.Case:
        """Waits for events of the case, gives what is asked for, until it is delivered."""
        supplemented = False
        while True:
            signal = self._signal(case_code)
            signal.clear()
            answer = await self.session.call(
                self._cases.GetCase, case_pb2.GetCaseRequest(case_code=case_code), person=token
            )
            case: case_pb2.Case = answer.case
            if case.state == case_pb2.CASE_STATE_DELIVERED:
                return case
            if case.state in (case_pb2.CASE_STATE_REFUSED, case_pb2.CASE_STATE_NOT_ACCEPTED):
                raise JourneyError(f"case ended as {case_pb2.CaseState.Name(case.state)}")
            if case.state == case_pb2.CASE_STATE_CORRECTION and not supplemented:
                supplemented = True
                given = [
                    case_pb2.GivenMaterial(name=name, sha256="1" * 64, media_type="application/pdf")
                    for name in case.missing_materials
                ]
                await self.session.call(
                    self._cases.SupplementCase,
                    case_pb2.SupplementCaseRequest(
                        request_id=f"supplement-{case_code}", case_code=case_code, materials=given
                    ),
                    person=token,
                )
            try:
                await asyncio.wait_for(signal.wait(), HANDLED_WITHIN_S)
            except TimeoutError:
                state = case_pb2.CaseState.Name(case.state)
                raise JourneyError(f"{case_code} stayed {state} for {HANDLED_WITHIN_S} s") from None

    async def _download(self, case: case_pb2.Case, token: str) -> esign_pb2.DownloadCertificateResponse:
        answer: esign_pb2.DownloadCertificateResponse = await self.session.call(
            self._certificates.DownloadCertificate,
            esign_pb2.DownloadCertificateRequest(number=case.certificate_number),
            person=token,
        )
        if hashlib.sha256(answer.pdf).hexdigest() != answer.certificate.sha256:
            raise JourneyError("the document is not the one that was issued")
        path = self._certificates_dir / f"{answer.certificate.number}.pdf"
        path.write_bytes(answer.pdf)
        path.with_name(path.name + ".tlog-proof").write_text(answer.tlog_proof)
        if answer.ses:
            path.with_name(path.name + ".ses").write_bytes(answer.ses)
        return answer

    async def _verify_upload(self, certificate: esign_pb2.DownloadCertificateResponse) -> bool:
        hub = self.session.hub
        return await upload_verdict(hub.people_url, hub, certificate.pdf) == "VALID"

    async def _verify_qr(self, certificate: esign_pb2.DownloadCertificateResponse) -> bool:
        hub = self.session.hub
        async with httpx.AsyncClient(base_url=hub.people_url, verify=hub.tls(), timeout=30) as client:
            answer = await again(
                lambda: client.post("/v1/verification:qr", json={"content": certificate.certificate.qr})
            )
        return bool(answer.json()["verdict"]["verdict"] == "VALID")

    async def _evaluate(self, case: case_pb2.Case, token: str) -> bool:
        request = case_pb2.EvaluateCaseRequest(
            request_id=f"evaluate-{case.case_code}", case_code=case.case_code, level=1, channel=case_pb2.CHANNEL_APP
        )
        answer = await self.session.call(self._cases.EvaluateCase, request, person=token)
        return bool(answer.case.evaluation == 1)


async def upload_verdict(url: str, hub: Hub, pdf: bytes) -> str:
    """The word of the verification endpoint on a document."""
    async with httpx.AsyncClient(base_url=url, verify=hub.tls(), timeout=60) as client:
        body = {"pdf": base64.b64encode(pdf).decode()}
        answer = await again(lambda: client.post("/v1/verification:document", json=body))
    return str(answer.json()["verdict"]["verdict"])


async def again(send: Callable[[], Awaitable[httpx.Response]], within: float = 60) -> httpx.Response:
    """Sends until it is answered; the hub may be restarting."""
    until = time.monotonic() + within
    while True:
        try:
            answer = await send()
            if answer.status_code < 500 or time.monotonic() > until:
                answer.raise_for_status()
                return answer
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(0.2)


def _cause(error: BaseException) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    if isinstance(error, (JourneyError, RuntimeError)):
        return str(error)
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} at {error.request.url.path}"
    return ""
