"""Web over a real socket, with identity and esign played by small servicers of the same contract."""

import asyncio
import base64
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from google.type import date_pb2

from gateway.web import app
from gateway.web.config import Web, WebSettings
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc
from shuniu.api.identity.v1 import signin_pb2, signin_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc.server import Servicer, peer_listener
from shuniu.rules import Violation

TRUST_DOMAIN = "hub.nmg.example"
REDIRECT = "https://app.example/cb"
PASSWORD = "correct-horse-马"
CERTIFICATE = f"Hash={'ab' * 32};URI=spiffe://{TRUST_DOMAIN}/platform/mengsuban"


def authorization(**changed: str) -> str:
    """The query of a proper authorisation request."""
    return "?" + urlencode(
        {
            "client_id": "mengsuban",
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "openid profile case.apply",
            "state": "s t/1",
            "code_challenge": "c" * 43,
            "code_challenge_method": "S256",
            **changed,
        }
    )


@dataclass
class Identity:
    """People and sessions in memory, with the errors of the contract."""

    sessions: dict[str, str] = field(default_factory=dict)
    registered: dict[str, signin_pb2.RegisterPersonRequest] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    browsers: list[str] = field(default_factory=list)
    codes: list[signin_pb2.AuthorizeRequest] = field(default_factory=list)
    tokens: list[signin_pb2.IssueTokenRequest] = field(default_factory=list)
    issue: Callable[[signin_pb2.IssueTokenRequest], signin_pb2.IssueTokenResponse] | None = None
    breaks: bool = False
    session_age_s: int = 0
    redirects: dict[str, str] = field(default_factory=lambda: {"mengsuban": REDIRECT})

    async def RegisterPerson(self, request: Any, _context: Any) -> Any:
        found = []
        if len(request.password) < 8:
            found.append(
                Violation("password", "PASSWORD_SHORT", "Use 8 to 128 characters.", "密码应为 8 至 128 个字符。")
            )
        if request.document.type == "111" and len(request.document.number) != 18:
            found.append(
                Violation(
                    "document.number", "DOCUMENT_LENGTH", "An identity card has 18 digits.", "身份证号码应为 18 位。"
                )
            )
        if found:
            raise errors.invalid(found)
        self.registered[request.login_name] = request
        return signin_pb2.RegisterPersonResponse(ial=2, session=self._opened(request.login_name))

    async def SignIn(self, request: Any, _context: Any) -> Any:
        if request.password != PASSWORD:
            raise errors.unauthenticated("SIGN_IN_FAILED", "Login name or password is wrong.", "登录名或密码不正确。")
        self.browsers.append(request.browser)
        return self._opened(request.login_name)

    def _opened(self, login_name: str) -> signin_pb2.SignInResponse:
        token = base64.urlsafe_b64encode(login_name.encode()).decode() + "x" * 40
        self.sessions[token] = login_name
        answer = signin_pb2.SignInResponse(session_token=token, browser=f"mark-{len(self.browsers)}")
        answer.expires_at.FromSeconds(int(time.time()) + 3600)
        return answer

    async def GetSession(self, request: Any, _context: Any) -> Any:
        if self.breaks:
            raise RuntimeError("marker-secret-7733")
        if request.session_token not in self.sessions:
            raise errors.unauthenticated("SESSION_ENDED", "Sign in again.", "请重新登录。")
        answer = signin_pb2.GetSessionResponse(display_name="巴**", ial=2)
        answer.authenticated_at.FromSeconds(int(time.time()) - self.session_age_s)
        return answer

    async def EndSession(self, request: Any, _context: Any) -> Any:
        self.ended.append(request.session_token)
        self.sessions.pop(request.session_token, None)
        return signin_pb2.EndSessionResponse()

    async def CheckAuthorization(self, request: Any, _context: Any) -> Any:
        parameters = request.parameters
        if parameters.client_id not in self.redirects:
            raise errors.invalid_field("client_id", "CLIENT_UNKNOWN", "Unknown client.", "未知的平台。")
        if parameters.redirect_uri != self.redirects[parameters.client_id]:
            raise errors.invalid_field("redirect_uri", "REDIRECT_URI_MISMATCH", "Not registered.", "未登记的回调地址。")
        if parameters.scope == "nonsense":
            raise HubError(
                Code.INVALID_ARGUMENT,
                "SCOPE_REFUSED",
                "None is granted.",
                "未获授权。",
                metadata={"oauth_error": "invalid_scope"},
            )
        return signin_pb2.CheckAuthorizationResponse(client_name="蒙速办 <b>", scopes=parameters.scope.split())

    async def Authorize(self, request: Any, _context: Any) -> Any:
        if request.session_token not in self.sessions:
            raise errors.unauthenticated("SESSION_ENDED", "Sign in again.", "请重新登录。")
        self.codes.append(request)
        query = urlencode({"code": "c0de", "state": request.parameters.state, "iss": "https://hub.example"})
        return signin_pb2.AuthorizeResponse(redirect_to=f"{request.parameters.redirect_uri}?{query}")

    async def IssueToken(self, request: Any, _context: Any) -> Any:
        self.tokens.append(request)
        if self.issue is not None:
            return self.issue(request)
        return signin_pb2.IssueTokenResponse(access_token="at.jwt", expires_in=300, scope="case.read")

    async def GetUserInfo(self, request: Any, _context: Any) -> Any:
        if request.access_token != "good":
            raise errors.unauthenticated("TOKEN_INVALID", "Ask for a new token.", "令牌无效。")
        return signin_pb2.GetUserInfoResponse(
            sub="pairwise", name="巴特尔", ial=2, birthdate=date_pb2.Date(year=1990, month=3, day=7)
        )

    async def RevokeToken(self, request: Any, _context: Any) -> Any:
        self.revoked.append(f"{request.client_id}:{request.token}")
        return signin_pb2.RevokeTokenResponse()

    async def GetProviderDocuments(self, _request: Any, _context: Any) -> Any:
        return signin_pb2.GetProviderDocumentsResponse(
            jwks=b'{"keys":[]}', discovery=b'{"issuer":"https://hub.example"}'
        )


SUMMARIES = {
    "VALID": (("文件真实有效。", "The document is genuine."), None, ("请核对持有人。", "Compare it with its holder.")),
    "INVALID": (
        ("文件在签章之后被改动过。", "The document was changed."),
        ("内容与签章时不一致。", "It is not what was signed."),
        ("不要接受此文件。", "Do not accept it."),
    ),
    "INDETERMINATE": (
        ("签名者的身份无法确认。", "Who signed it cannot be confirmed."),
        ("颁发机构未列入信任名单。", "Its authority is not trusted here."),
        ("请联系出具单位核实。", "Ask the issuer."),
    ),
}


def verdict(kind: str) -> esign_pb2.Verdict:
    """A verdict as esign gives it, of each kind."""
    status = {"VALID": "valid", "INVALID": "invalid", "INDETERMINATE": "unknown"}[kind]
    found = esign_pb2.Verdict(
        verdict=kind,
        form="pdf",
        document={
            "number": "ZM1500002026000017",
            "title": "无犯罪记录证明",
            "issuer": "呼和浩特市公安局",
            "date": "2026-11-20",
        },
    )
    for name, said in zip(("verdict", "cause", "advice"), SUMMARIES[kind], strict=True):
        if said is not None:
            sentence = getattr(found.summary, name)
            sentence.zh, sentence.en = said
    found.as_of.FromSeconds(1_795_000_000)
    signature = found.signatures.add(
        name="Seal",
        kind="cms",
        verdict=kind,
        signer="呼和浩特市公安局",
        issuer="内蒙古政务枢纽",
        certified=kind != "INDETERMINATE",
        covers=esign_pb2.Sentence(zh="整个文件", en="the whole file"),
    )
    signature.claimed_at.FromSeconds(1_795_000_000)
    rows = [
        ("parse", "valid", "OK", "文件结构正确。 / The structure is correct."),
        ("coverage", "valid", "OK", "签名覆盖整个文件。 / The signature covers the whole file."),
        ("integrity", status, "OK" if status == "valid" else "DIGEST", "摘要比对。 / The digests were compared."),
        ("chain", "valid", "OK", "证书链到达受信任的根。 / The chain ends at a trusted root."),
        ("seal_now", status, "OK", "印章状态已核对。 / The state of the seal was asked."),
        ("ses", "not_checked", "NO_SES", "文件不含电子签章结构。 / The document holds no seal structure."),
    ]
    for step, state, reason, text in rows:
        found.steps.add(step=step, status=state, reason=reason, text=text)
    return found


@dataclass
class Esign:
    """Judges by what is asked of it."""

    answer: str = "VALID"
    jwks: str = '{"keys":[]}'
    seen: list[Any] = field(default_factory=list)
    # Set while judging takes longer than anybody waits.
    slow: bool = False
    refusal: HubError | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def VerifyDocument(self, request: Any, _context: Any) -> Any:
        self.seen.append(request)
        if self.refusal is not None:
            raise self.refusal
        if self.slow:
            self.begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        return esign_pb2.VerifyDocumentResponse(verdict=verdict(self.answer))

    async def VerifyQr(self, request: Any, _context: Any) -> Any:
        self.seen.append(request)
        return esign_pb2.VerifyQrResponse(verdict=verdict(self.answer))

    async def VerifyByHash(self, request: Any, _context: Any) -> Any:
        self.seen.append(request)
        return esign_pb2.VerifyByHashResponse(verdict=verdict(self.answer))

    async def VerifyByNumber(self, request: Any, _context: Any) -> Any:
        self.seen.append(request)
        if not request.HasField("issued_on"):
            raise errors.invalid(
                [Violation("issued_on", "PROOF_MISSING", "Give the date of issue.", "请填写签发日期。")]
            )
        return esign_pb2.VerifyByNumberResponse(verdict=verdict(self.answer))

    async def GetTrust(self, _request: Any, _context: Any) -> Any:
        return esign_pb2.GetTrustResponse(qr_jwks=self.jwks)


@dataclass
class WebLand:
    """Web at `url`, and who stands behind it."""

    identity: Identity
    esign: Esign
    settings: Web
    url: str
    socket: str
    stop_esign: Callable[[], Any]

    def browser(self, **headers: str) -> httpx.AsyncClient:
        """A client that keeps no cookies by itself: `__Host-` cookies need HTTPS, so tests carry them."""
        transport = httpx.AsyncHTTPTransport(uds=self.socket) if self.socket else None
        return httpx.AsyncClient(base_url=self.url, transport=transport, headers=headers, timeout=30)


@contextlib.asynccontextmanager
async def web_land(
    *,
    address: str = "",
    issuer: str = "https://hub.example",
    beside_esign: Sequence[Servicer] = (),
    verification: Any = None,
    **web: Any,
) -> AsyncIterator[WebLand]:
    """`beside_esign` are further servicers at esign's peer address; `verification` judges instead of the small one."""
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder:
        run = Path(folder)
        hub = HubSettings("150000", "内蒙古政务枢纽", TRUST_DOMAIN, issuer, run / "data", run)
        settings = Web(hub, WebSettings(address=address, **web))
        identity, esign = Identity(), Esign()
        signin = signin_pb2.DESCRIPTOR.services_by_name
        peers = [
            peer_listener(
                f"unix:{run}/identity.peer.sock",
                [
                    Servicer(signin_pb2_grpc.add_SignInServiceServicer_to_server, identity, signin["SignInService"]),
                    Servicer(signin_pb2_grpc.add_OpenIdServiceServicer_to_server, identity, signin["OpenIdService"]),
                ],
                TRUST_DOMAIN,
            ),
            peer_listener(
                f"unix:{run}/esign.peer.sock",
                [
                    Servicer(
                        esign_pb2_grpc.add_VerificationServiceServicer_to_server,
                        verification or esign,
                        esign_pb2.DESCRIPTOR.services_by_name["VerificationService"],
                    ),
                    *beside_esign,
                ],
                TRUST_DOMAIN,
            ),
        ]
        async with app.build(settings) as process:
            for listener in [*peers, *process.listeners]:
                await listener.start()
            listening = process.listeners[0].address
            unix = listening.startswith("unix:")
            try:
                yield WebLand(
                    identity,
                    esign,
                    settings,
                    "http://web" if unix else f"http://localhost:{listening.rpartition(':')[2]}",
                    listening.removeprefix("unix:") if unix else "",
                    lambda: peers[1].stop(0),
                )
            finally:
                await asyncio.gather(*(listener.stop(1) for listener in [*process.listeners, *peers]))
