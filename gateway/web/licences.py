"""Checking a licence that somebody presents: a question for his wallet, then the verdict on what it answers.

Nothing of a session is used, so the form needs no token. What the holder disclosed is shown once and kept nowhere.
"""

import dataclasses
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.web import bodies, metrics
from gateway.web.pages import Pages, beijing, language_of
from gateway.web.peers import Peers, ask, ask_again
from gateway.web.texts import text
from gateway.web.verdicts import Shown, label, shown
from gateway.web.verification import judged
from shuniu.api.esign.v1 import licence_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.errors import HubError

PAGE = "/verify/licence"
_AGES = "age_equal_or_over"
# What belongs to the credential and says nothing of its holder.
_TECHNICAL = frozenset({"vct", "iat", "nbf", "exp", "cnf", "status", "title", "issuing_authority"})


class LicencePage:
    """The page: whom and what to ask the wallet, and what it answered."""

    def __init__(self, audience: str, peers: Peers, pages: Pages) -> None:
        self._audience = audience
        self._peers = peers
        self._pages = pages

    def routes(self) -> list[Route]:
        return [Route(PAGE, self.page, methods=["GET"]), Route(PAGE, self.judge, methods=["POST"])]

    async def page(self, request: Request) -> Response:
        return await self._shown(request)

    async def judge(self, request: Request) -> Response:
        language = language_of(request)
        try:
            given = await bodies.form(request)
            presentation = given.get("presentation", "").strip()
            if not presentation:
                raise errors.invalid_field(
                    "presentation", "PRESENTATION_EMPTY", "Paste what the wallet shows.", "请粘贴持有人出示的内容。"
                )
            question = pb.VerifyPresentationRequest(
                # The form's own number: a reload asks the same question, and is no replay.
                request_id=given.get("question", ""),
                presentation=presentation,
                audience=self._audience,
                nonce=given.get("nonce", ""),
            )
            answer = await ask_again(request, self._peers.licences.VerifyPresentation, question, seconds=8.0)
            claims = await self._claims(request, answer, language)
            # A name for programs; the title says it to people.
            answer.verdict.document.pop("type", None)
            found = shown(answer.verdict, language, "licence_")
        except HubError as error:
            return await self._shown(request, error=error)
        metrics.VERDICTS.labels("licence", label(answer.verdict)).inc()
        return await self._shown(request, verdict=dataclasses.replace(found, facts=(*found.facts, *claims)))

    async def _claims(
        self, request: Request, answer: pb.VerifyPresentationResponse, language: str
    ) -> list[tuple[str, str]]:
        if not answer.claims_json:
            return []
        types = await ask_again(request, self._peers.licences.ListLicenceTypes, pb.ListLicenceTypesRequest())
        wanted = next((each for each in types.types if each.name == answer.verdict.document["type"]), pb.LicenceType())
        names = {claim.name: claim.en if language == "en" else claim.zh for claim in wanted.claims}
        return list(readable(json.loads(answer.claims_json), names, language))

    async def _shown(
        self, request: Request, *, verdict: Shown | None = None, error: HubError | None = None
    ) -> Response:
        """With a new question; without one while esign is away, since nothing could be judged then either."""
        nonce = ""
        try:
            nonce = (await ask(request, self._peers.licences.NewNonce, pb.NewNonceRequest(), seconds=5.0)).nonce
        except HubError as away:
            error = error or away
        return judged(
            self._pages,
            request,
            "licence.html",
            PAGE,
            verdict,
            error,
            audience=self._audience,
            nonce=nonce,
            question=uuid.uuid4().hex,
        )


def readable(claims: Mapping[str, Any], names: Mapping[str, str], language: str) -> Iterator[tuple[str, str]]:
    """Disclosed claims as name and value, those of objects one by one."""
    for name, value in claims.items():
        if name in _TECHNICAL:
            continue
        if name == _AGES and isinstance(value, Mapping):
            yield from ((text("licence_age", language, age=age), text("licence_yes", language)) for age in value)
        elif isinstance(value, Mapping):
            yield from readable(value, names, language)
        else:
            yield names.get(name, name), "、".join(map(str, value)) if isinstance(value, list) else str(value)
    if isinstance(claims.get("exp"), int):
        yield text("licence_until", language), beijing(claims["exp"])
