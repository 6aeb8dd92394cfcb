"""Verification without sending the file: by its hash, which the browser computes, or by the number printed on it.

Nothing is changed and no session is used, so these forms need no token.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.web import bodies, metrics
from gateway.web.failures import NO_STORE, json_error, wants_json
from gateway.web.pages import Pages, language_of
from gateway.web.peers import Peers, ask_again
from gateway.web.verdicts import Shown, label, shown
from gateway.web.verification import judged
from shuniu.api.esign.v1 import esign_pb2
from shuniu.kit import errors
from shuniu.kit.errors import HubError

PAGE = "/verify/lookup"
_TEMPLATE = "lookup.html"


class Lookup:
    """The page with both forms, and what its script asks."""

    def __init__(self, peers: Peers, pages: Pages) -> None:
        self._peers = peers
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route(PAGE, self.page, methods=["GET"]),
            Route(f"{PAGE}/hash", self.by_hash, methods=["POST"]),
            Route(f"{PAGE}/number", self.by_number, methods=["POST"]),
            # A reload after a verdict leads back to the forms.
            Route(f"{PAGE}/hash", self.again, methods=["GET"]),
            Route(f"{PAGE}/number", self.again, methods=["GET"]),
        ]

    async def page(self, request: Request) -> Response:
        return judged(self._pages, request, _TEMPLATE, PAGE)

    async def again(self, _request: Request) -> Response:
        return self._pages.redirect(PAGE)

    async def by_hash(self, request: Request) -> Response:
        """Judges what is registered under a file's hash; the file stays where it is."""

        async def ask(given: Mapping[str, str]) -> esign_pb2.Verdict:
            question = esign_pb2.VerifyByHashRequest(hash=given.get("hash", "").strip())
            answer = await ask_again(request, self._peers.verification.VerifyByHash, question, seconds=5.0)
            found: esign_pb2.Verdict = answer.verdict
            return found

        return await self._answer(request, "hash", ask)

    async def by_number(self, request: Request) -> Response:
        """Judges what is registered under a number, for those who hold the document."""

        async def ask(given: Mapping[str, str]) -> esign_pb2.Verdict:
            question = esign_pb2.VerifyByNumberRequest(
                number=given.get("number", "").strip(), hash_tail=given.get("hash_tail", "").strip()
            )
            day = _day(given.get("issued_on", "").strip())
            if day is not None:
                question.issued_on.year, question.issued_on.month, question.issued_on.day = day.timetuple()[:3]
            answer = await ask_again(request, self._peers.verification.VerifyByNumber, question, seconds=5.0)
            found: esign_pb2.Verdict = answer.verdict
            return found

        return await self._answer(request, "number", ask)

    async def _answer(
        self, request: Request, kind: str, ask: Callable[[Mapping[str, str]], Awaitable[esign_pb2.Verdict]]
    ) -> Response:
        language = language_of(request)
        problem: HubError | None = None
        verdict: Shown | None = None
        try:
            found = await ask(await bodies.form(request))
        except HubError as error:
            problem = _first_violation(error)
        else:
            metrics.VERDICTS.labels(kind, label(found)).inc()
            verdict = shown(found, language, f"{kind}_")
        if not wants_json(request):
            return judged(self._pages, request, _TEMPLATE, PAGE, verdict, problem)
        if verdict is not None:
            return JSONResponse(verdict.as_json(), headers=NO_STORE)
        assert problem is not None
        return json_error(problem, language)


def _day(text: str) -> date | None:
    """A day as the browser's field writes it. Raises INVALID_ARGUMENT."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise errors.invalid_field(
            "issued_on", "DATE_FORM", "Write the date as 2026-06-01.", "日期请按 2026-06-01 的格式填写。"
        ) from None


def _first_violation(error: HubError) -> HubError:
    """The words on a field say more than that something is wrong."""
    if not error.violations:
        return error
    first: Any = error.violations[0]
    return HubError(error.code, first.reason, first.en, first.zh)
