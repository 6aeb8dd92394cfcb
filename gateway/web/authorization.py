"""The person side of an authorisation: check the request, sign in, consent, go back to the platform that asked.

No state is kept between the pages: the request's own parameters travel in the query, and only those this module knows.
The browser is sent to another site only where identity has said so, so there is no open redirect to find.
"""

import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.web import bodies, cookies
from gateway.web.config import Web
from gateway.web.failures import status_of, text_of
from gateway.web.pages import Pages, language_of
from gateway.web.peers import Peers, ask_again
from gateway.web.texts import text
from shuniu.api.identity.v1 import signin_pb2
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.ids import new_ulid

PARAMETERS = tuple(field.name for field in signin_pb2.AuthorizationParameters.DESCRIPTOR.fields)
_NEVER_BACK = frozenset({"CLIENT_UNKNOWN", "REDIRECT_URI_MISMATCH"})
# Longer than any real request; a longer one is somebody's experiment.
_MAX_QUERY = 8192


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorisation request that identity has accepted."""

    parameters: signin_pb2.AuthorizationParameters
    client_name: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The session that this browser is signed in with."""

    display_name: str
    ial: int
    since_s: float
    """The time at which the session was opened."""


_OBJECTS = frozenset({"request", "request_uri"})
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
# What is asked of this one visit, and does not go along to the sign-in page and back.
_ABOUT_NOW = frozenset({"prompt", "max_age"}) | _OBJECTS


@dataclass(frozen=True, slots=True)
class Wanted:
    """The way in which an authorisation request wants the person to be asked (OpenID Connect Core 3.1.2.1)."""

    prompt: frozenset[str]
    max_age_s: int | None

    @classmethod
    def of(cls, request: Request) -> "Wanted | None":
        """None for what is not a request: `none` beside another value, an age that is no number."""
        prompt = frozenset(request.query_params.get("prompt", "").split())
        age = request.query_params.get("max_age", "")
        if not prompt <= _PROMPTS or ("none" in prompt and len(prompt) > 1):
            return None
        if age and not (age.isascii() and age.isdigit() and len(age) < 10):
            return None
        return cls(prompt, int(age) if age else None)

    def content_with(self, person: SignedIn) -> bool:
        """Tells whether this sign-in will do, or the person is to sign in anew."""
        if self.prompt & {"login", "select_account"}:
            return False
        return self.max_age_s is None or (self.max_age_s > 0 and time.time() - person.since_s <= self.max_age_s)


def query_of(parameters: signin_pb2.AuthorizationParameters) -> str:
    """The parameters as a query, `?` included; empty when this is no authorisation request."""
    found = [(name, getattr(parameters, name)) for name in PARAMETERS if getattr(parameters, name)]
    return f"?{urlencode(found)}" if parameters.client_id else ""


def parameters_of(request: Request) -> signin_pb2.AuthorizationParameters:
    """Raises INVALID_ARGUMENT for parameters that come twice (RFC 6749 3.1) or are beyond all size."""
    query = request.url.query
    if len(query) > _MAX_QUERY:
        raise errors.invalid_field("query", "REQUEST_TOO_LONG", "The request is too long.", "请求过长。")
    found = bodies.fields(query)
    return signin_pb2.AuthorizationParameters(**{name: found[name] for name in PARAMETERS if name in found})


class Authorization:
    """Shared by the sign-in pages: what was asked, who is there, and the way back."""

    def __init__(self, settings: Web, peers: Peers, pages: Pages) -> None:
        self._issuer = settings.hub.issuer
        self._peers = peers
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/oauth2/authorize", self.authorize, methods=["GET"]),
            Route("/oauth2/authorize", self.authorize_by_form, methods=["POST"]),
            Route("/consent", self.consent, methods=["POST"]),
        ]

    async def authorize(self, request: Request) -> Response:
        """OpenID Connect Core 3.1.2: to the sign-in page, or to the question whether to agree."""
        try:
            parameters = parameters_of(request)
            asked = await self.check(request, parameters)
        except HubError as error:
            return await self.refused(request, error)
        for name in _OBJECTS & request.query_params.keys():
            # Never ignored: what is in it would have counted before what stands beside it (6.1).
            return self.back(parameters, f"{name}_not_supported")
        wanted = Wanted.of(request)
        if wanted is None:
            return self.back(parameters, "invalid_request")
        person = await self.signed_in(request)
        fresh = person is not None and wanted.content_with(person)
        if "none" in wanted.prompt:
            # We ask each time: what cannot be shown cannot be agreed to.
            return self.back(parameters, "interaction_required" if fresh else "login_required")
        if person is None or not fresh:
            return self._pages.redirect(f"/sign-in{query_of(parameters)}")
        return self._question(request, asked, person)

    async def authorize_by_form(self, request: Request) -> Response:
        """The same by POST (OpenID Connect Core 3.1.2.1), turned into a GET so that the cookie comes along."""
        try:
            form = await bodies.form(request)
            parameters = signin_pb2.AuthorizationParameters(**{n: form[n] for n in PARAMETERS if n in form})
        except HubError as error:
            return await self.refused(request, error)
        query = query_of(parameters)
        about = urlencode({name: form[name] for name in sorted(_ABOUT_NOW & form.keys())})
        return self._pages.redirect(f"/oauth2/authorize{query}{'&' if query else '?'}{about}".rstrip("&?"))

    async def consent(self, request: Request) -> Response:
        """The person's answer. Only after identity has accepted the request again does anything lead away from here."""
        try:
            parameters = parameters_of(request)
            form = await bodies.form(request)
            self._pages.forms.check(request, form.get("form_token", ""))
            await self.check(request, parameters)
        except HubError as error:
            return await self.refused(request, error)
        if form.get("decision") != "allow":
            return self.back(parameters, "access_denied")
        try:
            answer = await ask_again(
                request,
                self._peers.open_id.Authorize,
                signin_pb2.AuthorizeRequest(
                    request_id=form.get("request_id", ""),
                    parameters=parameters,
                    session_token=cookies.session_of(request),
                ),
            )
        except HubError as error:
            if error.code is Code.UNAUTHENTICATED:
                return self._pages.redirect(f"/sign-in{query_of(parameters)}")
            if "oauth_error" in error.metadata and error.reason not in _NEVER_BACK:
                return self.back(parameters, error.metadata["oauth_error"])
            return await self.refused(request, error)
        return self._pages.redirect(answer.redirect_to)

    async def check(self, request: Request, parameters: signin_pb2.AuthorizationParameters) -> Asked:
        """Raises HubError as CheckAuthorization does."""
        answer = await ask_again(
            request,
            self._peers.open_id.CheckAuthorization,
            signin_pb2.CheckAuthorizationRequest(parameters=parameters),
            seconds=3.0,
        )
        return Asked(parameters, answer.client_name, tuple(answer.scopes))

    async def signed_in(self, request: Request) -> SignedIn | None:
        """Raises HubError when identity cannot say."""
        token = cookies.session_of(request)
        if not token:
            return None
        try:
            answer = await ask_again(
                request,
                self._peers.sign_in.GetSession,
                signin_pb2.GetSessionRequest(session_token=token),
                seconds=3.0,
            )
        except HubError as error:
            if error.code is Code.UNAUTHENTICATED:
                return None
            raise
        return SignedIn(answer.display_name, answer.ial, answer.authenticated_at.ToMicroseconds() / 1e6)

    def back(self, parameters: signin_pb2.AuthorizationParameters, error: str) -> Response:
        """An error response to the platform (RFC 6749 4.1.2.1, RFC 9207). `parameters` were accepted by identity."""
        return self._pages.redirect(self._error_uri(parameters.redirect_uri, parameters.state, error))

    async def refused(self, request: Request, error: HubError) -> Response:
        """A refusal of identity. It goes back to the platform only if identity vouches for the redirect URI."""
        if "oauth_error" in error.metadata and error.reason not in _NEVER_BACK:
            parameters = parameters_of(request)
            if await self._vouched(request, parameters):
                return self.back(parameters, error.metadata["oauth_error"])
        language = language_of(request)
        # For the person it is the platform's mistake, unless it is a matter of trying again.
        wrong = error.code is Code.INVALID_ARGUMENT
        paragraph = text("authorize_refused", language) if wrong else text_of(error, language)
        return self._pages.message(
            request,
            "error_title",
            paragraph,
            status=status_of(error),
            reason=error.reason,
            here="/oauth2/authorize",
        )

    async def _vouched(self, request: Request, parameters: signin_pb2.AuthorizationParameters) -> bool:
        """Tells whether the redirect URI is the client's: the same request must be accepted with all else beyond
        doubt.
        """
        proper = signin_pb2.AuthorizationParameters(
            client_id=parameters.client_id,
            redirect_uri=parameters.redirect_uri,
            response_type="code",
            scope="openid",
            code_challenge="A" * 43,
            code_challenge_method="S256",
        )
        try:
            await self.check(request, proper)
        except HubError:
            return False
        return True

    def _error_uri(self, redirect_uri: str, state: str, error: str) -> str:
        parts = urlsplit(redirect_uri)
        added = {"error": error, **({"state": state} if state else {}), "iss": self._issuer}
        query = "&".join(part for part in (parts.query, urlencode(added)) if part)
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))

    def _question(self, request: Request, asked: Asked, person: SignedIn) -> Response:
        return self._pages.render(
            request,
            "consent.html",
            form_targets=(asked.parameters.redirect_uri,),
            client_name=asked.client_name,
            scopes=asked.scopes,
            person=person,
            request_id=new_ulid(SystemClock()),
            authorization=query_of(asked.parameters),
        )
