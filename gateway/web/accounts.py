"""Sign-in, registration, sign-out and the home page. Passwords and document numbers pass through and leave no trace."""

import dataclasses
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.web import bodies, cookies, texts
from gateway.web.authorization import Asked, Authorization, SignedIn, parameters_of, query_of
from gateway.web.failures import status_of, text_of
from gateway.web.pages import Pages, language_of
from gateway.web.peers import Peers, ask_again, ask_through_restart
from shuniu.api.identity.v1 import signin_pb2
from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.ids import new_ulid

# Contract field → form field.
_FIELDS = {
    "login_name": "login_name",
    "password": "password",
    "full_name": "full_name",
    "document.type": "document_type",
    "document.number": "document_number",
    "type": "document_type",
    "number": "document_number",
}
# What is shown again after an error. Never a password, never a document number.
_SHOWN_AGAIN = ("login_name", "full_name", "document_type")


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct. `field` is empty when it concerns no field alone."""

    field: str
    text: str


class Accounts:
    """The pages of a person's account."""

    def __init__(self, peers: Peers, pages: Pages, authorization: Authorization) -> None:
        self._peers = peers
        self._pages = pages
        self._authorization = authorization

    def routes(self) -> list[Route]:
        return [
            Route("/", self.home, methods=["GET"]),
            Route("/sign-in", self.sign_in_page, methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/register", self.register_page, methods=["GET"]),
            Route("/register", self.register, methods=["POST"]),
            Route("/sign-out", self.sign_out_page, methods=["GET"]),
            Route("/oauth2/logout", self.sign_out_page, methods=["GET"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
        ]

    async def home(self, request: Request) -> Response:
        person: SignedIn | None = None
        try:
            person = await self._authorization.signed_in(request)
        except HubError:
            pass  # identity is away: the page still leads to verification
        return self._pages.render(request, "home.html", person=person)

    async def sign_in_page(self, request: Request) -> Response:
        try:
            asked = await self._asked(request)
        except HubError as error:
            return await self._authorization.refused(request, error)
        return self._sign_in_form(request, asked)

    async def sign_in(self, request: Request) -> Response:
        try:
            asked = await self._asked(request)
        except HubError as error:
            return await self._authorization.refused(request, error)
        form: Mapping[str, str] = {}
        try:
            form = await bodies.form(request)
            self._pages.forms.check(request, form.get("form_token", ""))
            return await self._enter(request, asked, form.get("login_name", ""), form.get("password", ""))
        except HubError as error:
            return self._sign_in_form(request, asked, form, error)

    async def register_page(self, request: Request) -> Response:
        try:
            asked = await self._asked(request)
        except HubError as error:
            return await self._authorization.refused(request, error)
        return self._register_form(request, asked)

    async def register(self, request: Request) -> Response:
        """Registers and signs in, so that the person does not type the password twice."""
        try:
            asked = await self._asked(request)
        except HubError as error:
            return await self._authorization.refused(request, error)
        form: Mapping[str, str] = {}
        try:
            form = await bodies.form(request)
            self._pages.forms.check(request, form.get("form_token", ""))
            answer = await ask_through_restart(
                request,
                self._peers.sign_in.RegisterPerson,
                signin_pb2.RegisterPersonRequest(
                    request_id=form.get("request_id", ""),
                    login_name=form.get("login_name", "").strip(),
                    password=form.get("password", ""),
                    full_name=form.get("full_name", "").strip(),
                    document=signin_pb2.IdentityDocument(
                        type=form.get("document_type", ""), number=form.get("document_number", "").strip()
                    ),
                ),
                # The authority may take 15 s; the edge waits 35.
                seconds=25.0,
            )
        except HubError as error:
            return self._register_form(request, asked, form, error)
        browser = cookies.with_mark(answer.session.browser, cookies.browser_of(request))
        return self._entered(asked, answer.session, browser)

    async def sign_out_page(self, request: Request) -> Response:
        """RP-initiated logout asks the person too (OpenID Connect RP-Initiated Logout 1.0, 2)."""
        person = await self._authorization.signed_in(request)
        if person is None:
            return self._signed_out(request)
        return self._pages.render(request, "sign_out.html", here="/sign-out", person=person)

    async def sign_out(self, request: Request) -> Response:
        form = await bodies.form(request)
        if "form_token" not in form:
            # From a platform: its POST brings no cookie of ours, so the person is asked by the page.
            return self._pages.redirect("/sign-out")
        self._pages.forms.check(request, form["form_token"])
        token = cookies.session_of(request)
        if token:
            await ask_again(
                request,
                self._peers.sign_in.EndSession,
                signin_pb2.EndSessionRequest(request_id=new_ulid(SystemClock()), session_token=token),
            )
        return self._signed_out(request)

    async def _asked(self, request: Request) -> Asked | None:
        """The authorisation that led here, or None when the person came alone."""
        parameters = parameters_of(request)
        if not parameters.client_id:
            return None
        return await self._authorization.check(request, parameters)

    async def _enter(self, request: Request, asked: Asked | None, login_name: str, password: str) -> Response:
        answer = await ask_again(
            request,
            self._peers.sign_in.SignIn,
            signin_pb2.SignInRequest(
                request_id=new_ulid(SystemClock()),
                login_name=login_name.strip(),
                password=password,
                browser=cookies.browser_of(request),
            ),
        )
        return self._entered(asked, answer, answer.browser)

    def _entered(self, asked: Asked | None, session: signin_pb2.SignInResponse, browser: str) -> Response:
        # Always our own page, named here: nothing in the request can lead elsewhere.
        response = self._pages.redirect(f"/oauth2/authorize{query_of(asked.parameters)}" if asked else "/")
        cookies.set_session(response, session.session_token, session.expires_at.ToSeconds(), browser)
        return response

    def _sign_in_form(
        self,
        request: Request,
        asked: Asked | None,
        form: Mapping[str, str] | None = None,
        error: HubError | None = None,
    ) -> Response:
        return self._form(request, "sign_in.html", "/sign-in", asked, form, error)

    def _register_form(
        self,
        request: Request,
        asked: Asked | None,
        form: Mapping[str, str] | None = None,
        error: HubError | None = None,
    ) -> Response:
        return self._form(request, "register.html", "/register", asked, form, error)

    def _form(
        self,
        request: Request,
        template: str,
        here: str,
        asked: Asked | None,
        form: Mapping[str, str] | None,
        error: HubError | None,
    ) -> Response:
        language = language_of(request)
        found = problems(error, language)
        given = form or {}
        return self._pages.render(
            request,
            template,
            status=status_of(error) if error else 200,
            here=here,
            # After signing in the way may lead straight back to the platform.
            form_targets=(asked.parameters.redirect_uri,) if asked else (),
            client_name=asked.client_name if asked else "",
            authorization=query_of(asked.parameters) if asked else "",
            problems=found,
            wrong=dict.fromkeys(_FIELDS.values(), "") | {problem.field: problem.text for problem in found},
            given={name: given.get(name, "") for name in _SHOWN_AGAIN},
            document_types=texts.document_types(language),
            request_id=new_ulid(SystemClock()),
        )

    def _signed_out(self, request: Request) -> Response:
        response = self._pages.message(
            request,
            "signed_out",
            texts.text("signed_out_text", language_of(request)),
            status=200,
            here="/sign-out",
        )
        cookies.clear_session(response)
        return response


def problems(error: HubError | None, language: str) -> list[Problem]:
    """The words for the person: each violation beside its field, or the one sentence of the error."""
    if error is None:
        return []
    if not error.violations:
        return [Problem("", text_of(error, language))]
    return [
        Problem(_FIELDS.get(violation.field, ""), _sentence(violation.en) if language == "en" else violation.zh)
        for violation in error.violations
    ]


def _sentence(text: str) -> str:
    """Rules speak in fragments ("use 8 to 128 characters"); beside a field they stand alone."""
    return text[:1].upper() + text[1:]
