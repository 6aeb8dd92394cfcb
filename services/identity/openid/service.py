"""OpenIdService: authorisation, tokens, userinfo, revocation, documents. Called by the web process."""

import datetime as dt
import json
import secrets
from typing import Any

from google.type import date_pb2
from sqlalchemy import Connection

from services.identity import metrics
from services.identity.config import IdentitySettings
from services.identity.domain.secret_hashes import token_hash
from services.identity.keys.provider import ProviderKeys
from services.identity.openid import store
from services.identity.openid.domain import authorization, claims
from services.identity.openid.domain.authorization import Code, Parameters
from services.identity.openid.profiles import Profiles
from services.identity.openid.refusals import answered
from services.identity.openid.token_endpoint import Issued, TokenEndpoint
from services.identity.openid.tokens import Tokens
from services.identity.persons import store as person_store
from services.identity.platforms import store as platform_store
from services.identity.platforms.domain.platforms import OPENID_SCOPES, Platform
from services.identity.requests.private import PrivateRequests
from services.identity.sessions.domain import sessions, token_families
from services.identity.sessions.domain.sessions import Session, SessionEndedError
from services.identity.sessions.domain.token_families import EndReason
from services.identity.sessions.store import families
from services.identity.sessions.store import sessions as session_store
from shuniu.api.identity.v1 import signin_pb2 as pb
from shuniu.api.identity.v1 import signin_pb2_grpc
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.caller import binding_of


class OpenIdService(signin_pb2_grpc.OpenIdServiceServicer):
    """Thin steps over pure state machines."""

    def __init__(
        self,
        base: Foundation,
        settings: IdentitySettings,
        private: PrivateRequests,
        provider: ProviderKeys,
        tokens: Tokens,
        endpoint: TokenEndpoint,
        profiles: Profiles,
    ) -> None:
        self._base = base
        self._private = private
        self._provider = provider
        self._tokens = tokens
        self._endpoint = endpoint
        self._profiles = profiles
        document = claims.discovery(
            base.hub.issuer,
            settings.platform_url or base.hub.issuer,
            (*sorted(OPENID_SCOPES), "case.apply", "case.read", "flow.sign"),
        )
        # Made once: it changes with the settings only.
        self._discovery = json.dumps(document).encode()

    async def CheckAuthorization(
        self, request: pb.CheckAuthorizationRequest, context: Any
    ) -> pb.CheckAuthorizationResponse:
        parameters = _parameters(request.parameters)
        client = await self._base.store.read(platform_store.find_platform, parameters.client_id)
        with answered():
            scopes = authorization.check(parameters, client)
        assert client is not None
        return pb.CheckAuthorizationResponse(client_name=client.name, scopes=scopes)

    async def Authorize(self, request: pb.AuthorizeRequest, context: Any) -> pb.AuthorizeResponse:
        parameters = _parameters(request.parameters)
        session_hash = token_hash(request.session_token)
        secret = secrets.token_urlsafe(32)

        def work(conn: Connection) -> pb.AuthorizeResponse:
            now = self._base.clock.now_us()
            scopes = authorization.check(parameters, platform_store.find_platform(conn, parameters.client_id))
            session = sessions.live(session_store.find_by_secret(conn, session_hash), now)
            person = person_store.find_person(conn, session.person_id)
            if person is None:
                raise SessionEndedError
            authorization.check_assurance(parameters.acr_values, person.ial)
            code = Code(
                session.session_id,
                parameters.client_id,
                parameters.redirect_uri,
                " ".join(scopes),
                parameters.nonce,
                parameters.code_challenge,
                now + authorization.CODE_LIFE_US,
            )
            store.add_code(conn, token_hash(secret), code)
            store.put_consent(conn, person.person_id, parameters.client_id, code.scope, now)
            target = authorization.redirect(
                parameters.redirect_uri, code=secret, state=parameters.state, iss=self._base.hub.issuer
            )
            return pb.AuthorizeResponse(redirect_to=target)

        with answered():
            return await self._private.mutate(
                request, pb.AuthorizeResponse, work, target=f"platform/{parameters.client_id[:64]}"
            )

    async def IssueToken(self, request: pb.IssueTokenRequest, context: Any) -> pb.IssueTokenResponse:
        with answered():
            issued = await self._endpoint.issue(request)
        metrics.TOKENS.labels(request.grant_type).inc()
        return _token_response(issued)

    async def GetUserInfo(self, request: pb.GetUserInfoRequest, context: Any) -> pb.GetUserInfoResponse:
        now = self._base.clock.now_us()
        with answered():
            token = self._tokens.read(request.access_token, _binding(request.certificate_sha256), now)
            session = await self._base.store.read(_token_session, token, now)
            person = await self._base.store.read(person_store.find_person, session.person_id)
        assert person is not None
        response = pb.GetUserInfoResponse(sub=str(token["sub"]), ial=person.ial)
        if "profile" in str(token["scope"]).split():
            with answered():
                profile = await self._profiles.of(
                    person.person_id,
                    str(token["client_id"]),
                    session.session_id,
                    lambda conn: _token_session(conn, token, self._base.clock.now_us()),
                )
            response.name = profile.full_name
            if profile.birth_date:
                response.birthdate.CopyFrom(_date(profile.birth_date))
        return response

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Any) -> pb.RevokeTokenResponse:
        hashed = token_hash(request.token)

        def work(conn: Connection) -> pb.RevokeTokenResponse:
            known = families.find_token(conn, hashed)
            if known is not None and known.family.platform == request.client_id and not known.family.ended:
                over = token_families.ended(known.family, EndReason.REVOKED, self._base.clock.now_us())
                families.put_family(conn, known.family, over)
            return pb.RevokeTokenResponse()

        return await self._private.mutate(
            request, pb.RevokeTokenResponse, work, target=f"platform/{request.client_id[:64]}"
        )

    async def GetProviderDocuments(
        self, request: pb.GetProviderDocumentsRequest, context: Any
    ) -> pb.GetProviderDocumentsResponse:
        return pb.GetProviderDocumentsResponse(jwks=self._provider.jwks, discovery=self._discovery)


def _token_session(conn: Connection, token: dict[str, Any], now_us: int) -> Session:
    """The live session of a person's token. Raises TokenInvalidError."""
    client: Platform | None = platform_store.find_platform(conn, str(token.get("client_id", "")))
    try:
        session = sessions.live(session_store.find_session(conn, str(token.get("sid", ""))), now_us)
    except SessionEndedError:
        raise claims.TokenInvalidError from None
    if token.get("kind") != "person" or client is None or not client.working:
        raise claims.TokenInvalidError
    return session


def _binding(sha256: str) -> str:
    try:
        return binding_of(sha256)
    except ValueError:
        raise claims.TokenInvalidError from None


def _parameters(came: pb.AuthorizationParameters) -> Parameters:
    return Parameters(
        came.client_id,
        came.redirect_uri,
        came.response_type,
        came.scope,
        came.state,
        came.nonce,
        came.code_challenge,
        came.code_challenge_method,
        came.acr_values,
    )


def _token_response(issued: Issued) -> pb.IssueTokenResponse:
    return pb.IssueTokenResponse(
        access_token=issued.access_token,
        expires_in=issued.expires_in,
        scope=" ".join(issued.scopes),
        id_token=issued.id_token,
        refresh_token=issued.refresh_token,
    )


def _date(text: str) -> date_pb2.Date:
    day = dt.date.fromisoformat(text)
    return date_pb2.Date(year=day.year, month=day.month, day=day.day)
