"""SignInService: registration with real-name proof, sign-in, sessions. Called by the web process."""

from typing import Any

from sqlalchemy import Connection

from services.identity import metrics
from services.identity.domain.secret_hashes import token_hash
from services.identity.persons import store as person_store
from services.identity.persons.store import Person
from services.identity.requests.private import PrivateRequests
from services.identity.sessions import ending
from services.identity.sessions.domain import registration, sessions
from services.identity.sessions.domain.sessions import Session
from services.identity.sessions.domain.token_families import EndReason
from services.identity.sessions.password_sign_in import PasswordSignIn, SignedIn
from services.identity.sessions.refusals import answered
from services.identity.sessions.registration import Admission, Registration
from services.identity.sessions.store import sessions as session_store
from shuniu.api.identity.v1 import signin_pb2 as pb
from shuniu.api.identity.v1 import signin_pb2_grpc
from shuniu.china_time import civil_date
from shuniu.kit.foundation import Foundation


class SignInService(signin_pb2_grpc.SignInServiceServicer):
    """Registers persons, signs them in and ends their sessions."""

    def __init__(
        self,
        base: Foundation,
        private: PrivateRequests,
        *,
        registration: Registration,
        sign_in: PasswordSignIn,
    ) -> None:
        self._base = base
        self._private = private
        self._registration = registration
        self._sign_in = sign_in

    async def RegisterPerson(self, request: pb.RegisterPersonRequest, context: Any) -> pb.RegisterPersonResponse:
        answer = await self._private.answered(request, pb.RegisterPersonResponse)
        if answer is not None:
            return answer
        with answered():
            registrant = registration.checked(
                request.login_name,
                request.password,
                request.full_name,
                request.document.type,
                request.document.number,
                today=civil_date(self._base.clock.now_us()),
            )
            admitted = await self._registration.admit(
                request.request_id, request.login_name, request.password, registrant
            )
            signed_in = self._sign_in.registered(request.login_name, admitted.person.person_id)
            response = await self._private.mutate(
                request,
                pb.RegisterPersonResponse,
                lambda conn: self._registered(conn, admitted, signed_in),
                target=f"person/{admitted.person.person_id}",
            )
        metrics.REGISTRATIONS.labels("registered").inc()
        return response

    def _registered(self, conn: Connection, admitted: Admission, signed_in: SignedIn) -> pb.RegisterPersonResponse:
        self._registration.store(conn, admitted)
        return pb.RegisterPersonResponse(ial=admitted.person.ial, session=self._opened(conn, signed_in))

    async def SignIn(self, request: pb.SignInRequest, context: Any) -> pb.SignInResponse:
        answer = await self._private.answered(request, pb.SignInResponse)
        if answer is not None:
            # A retry is no second try; the session may have ended since, and its secret opens nothing then.
            return answer
        signed_in = await self._sign_in.check(request.login_name, request.password, request.browser)
        response = await self._private.mutate(
            request,
            pb.SignInResponse,
            lambda conn: self._opened(conn, signed_in),
            target=f"person/{signed_in.person_id}",
        )
        metrics.SIGN_INS.labels("opened").inc()
        return response

    def _opened(self, conn: Connection, signed_in: SignedIn) -> pb.SignInResponse:
        opened, secret = self._sign_in.open(conn, signed_in)
        response = pb.SignInResponse(session_token=secret, browser=signed_in.browser)
        response.expires_at.FromMicroseconds(opened.expires_us)
        return response

    async def GetSession(self, request: pb.GetSessionRequest, context: Any) -> pb.GetSessionResponse:
        hashed = token_hash(request.session_token)
        with answered():
            session, person = await self._base.store.read(_session_person, hashed, self._base.clock.now_us())
        response = pb.GetSessionResponse(display_name=person.display_name, ial=person.ial)
        response.authenticated_at.FromMicroseconds(session.authenticated_us)
        return response

    async def EndSession(self, request: pb.EndSessionRequest, context: Any) -> pb.EndSessionResponse:
        session = await self._base.store.read(session_store.find_by_secret, token_hash(request.session_token))
        return await self._private.mutate(
            request,
            pb.EndSessionResponse,
            lambda conn: self._ended(conn, session),
            target=f"session/{session.session_id}" if session else "session",
        )

    def _ended(self, conn: Connection, session: Session | None) -> pb.EndSessionResponse:
        if session is not None:
            ending.end(self._base, conn, session, EndReason.LOGOUT)
        return pb.EndSessionResponse()


def _session_person(conn: Connection, secret_hash: str, now_us: int) -> tuple[Session, Person]:
    session = sessions.live(session_store.find_by_secret(conn, secret_hash), now_us)
    person = person_store.find_person(conn, session.person_id)
    if person is None:
        raise sessions.SessionEndedError
    return session, person
