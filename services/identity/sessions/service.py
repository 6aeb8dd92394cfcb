"""SignInService: registration with real-name proof, sign-in, sessions. Called by the web process."""

import hashlib
import hmac
import secrets
from typing import Any

import grpc
from sqlalchemy import Connection

from services.identity import metrics
from services.identity.config import IdentitySettings
from services.identity.domain import identity_documents, names
from services.identity.domain.secret_hashes import token_hash
from services.identity.keys.secrets import Secrets
from services.identity.persons import store as person_store
from services.identity.persons.store import Person, Proof
from services.identity.platforms import store as platform_store
from services.identity.requests.private import PrivateRequests
from services.identity.service.refusals import of_rules
from services.identity.sessions import ending
from services.identity.sessions.domain import sessions, sign_in
from services.identity.sessions.domain.sessions import Session
from services.identity.sessions.domain.sign_in import FailureLimit
from services.identity.sessions.domain.token_families import EndReason
from services.identity.sessions.passwords import Passwords, PoolFullError
from services.identity.sessions.refusals import answered
from services.identity.sessions.store import credentials
from services.identity.sessions.store import sessions as session_store
from services.identity.sessions.store.credentials import Credential
from shuniu.api.exchange.v1 import query_pb2, query_pb2_grpc
from shuniu.api.identity.v1 import signin_pb2 as pb
from shuniu.api.identity.v1 import signin_pb2_grpc, vault_pb2, vault_pb2_grpc
from shuniu.china_time import civil_date
from shuniu.kit import errors
from shuniu.kit.crypto import profile
from shuniu.kit.errors import Code, HubError
from shuniu.kit.feeds.serving import FeedServer
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc.caller import current_caller
from shuniu.kit.rpc.client import ask, ask_again
from shuniu.kit.store import audit
from shuniu.kit.store.audit import AuditRecord, Outcome
from shuniu.rules import RuleError, Violation

_AUTHORITY_SECONDS = 15.0
_PROVED = 2
"""ial of a person whose name and number the authority found to match."""
_AWAY = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.NOT_FOUND, Code.PERMISSION_DENIED})


class SignInService(signin_pb2_grpc.SignInServiceServicer):
    """Registers persons, signs them in and ends their sessions."""

    def __init__(
        self,
        base: Foundation,
        settings: IdentitySettings,
        keys: Secrets,
        private: PrivateRequests,
        feed: FeedServer,
        passwords: Passwords,
        vault: grpc.aio.Channel,
        exchange: grpc.aio.Channel,
    ) -> None:
        self._base = base
        self._settings = settings
        self._keys = keys
        self._private = private
        self._feed = feed
        self._passwords = passwords
        self._vault = vault_pb2_grpc.VaultServiceStub(vault)
        self._authority = query_pb2_grpc.AuthorityServiceStub(exchange)
        self._limit = FailureLimit(settings.sign_in_failures, settings.sign_in_window_seconds * 1_000_000)

    async def RegisterPerson(self, request: pb.RegisterPersonRequest, context: Any) -> pb.RegisterPersonResponse:
        answer = await self._private.answered(request, pb.RegisterPersonResponse)
        if answer is not None:
            return answer
        record = self._checked(request)
        index = self._login_index(request.login_name)
        if await self._base.store.read(credentials.find_credential, index) is not None:
            raise _name_taken()
        proof = await self._prove(record)
        put = vault_pb2.PutPersonRequest(request_id=request.request_id, record=record, confirm=True)
        kept: vault_pb2.PutPersonResponse = await ask_again(self._vault.PutPerson, put)
        password_hash = await self._hashed(request.password)

        def work(conn: Connection) -> pb.RegisterPersonResponse:
            if credentials.find_credential(conn, index) is not None:
                raise _name_taken()
            if credentials.has_credential(conn, kept.person_id):
                raise errors.exists(
                    "PERSON_REGISTERED",
                    "This person has registered already; sign in with the login name chosen then.",
                    "该人员已注册，请使用原登录名登录。",
                )
            person_store.put(conn, Person(kept.person_id, kept.display_name, _PROVED), proof)
            credentials.add_credential(conn, index, Credential(kept.person_id, password_hash), proof.verified_us)
            return pb.RegisterPersonResponse(ial=_PROVED)

        response = await self._private.mutate(
            request, pb.RegisterPersonResponse, work, target=f"person/{kept.person_id}"
        )
        metrics.REGISTRATIONS.labels("registered").inc()
        return response

    async def SignIn(self, request: pb.SignInRequest, context: Any) -> pb.SignInResponse:
        now = self._base.clock.now_us()
        index = self._login_index(request.login_name)
        credential, seen = await self._base.store.read(_sign_in_rows, index)
        if self._limit.exceeded(seen, now):
            metrics.SIGN_INS.labels("limited").inc()
            raise _too_often()
        try:
            right = await self._passwords.matches(credential.password_hash if credential else None, request.password)
        except PoolFullError:
            metrics.SIGN_INS.labels("limited").inc()
            raise _too_often() from None
        if credential is None or not right:
            await self._base.write(self._count_failure, index)
            metrics.SIGN_INS.labels("refused").inc()
            raise errors.unauthenticated("SIGN_IN_FAILED", "Login name or password is wrong.", "登录名或密码错误。")
        response = await self._open_session(request, credential.person_id, index, had_failures=seen is not None)
        metrics.SIGN_INS.labels("opened").inc()
        return response

    async def GetSession(self, request: pb.GetSessionRequest, context: Any) -> pb.GetSessionResponse:
        hashed = token_hash(request.session_token)
        with answered():
            session, person = await self._base.store.read(_session_person, hashed, self._base.clock.now_us())
        response = pb.GetSessionResponse(display_name=person.display_name, ial=person.ial)
        response.authenticated_at.FromMicroseconds(session.authenticated_us)
        return response

    async def EndSession(self, request: pb.EndSessionRequest, context: Any) -> pb.EndSessionResponse:
        hashed = token_hash(request.session_token)
        session = await self._base.store.read(session_store.find_by_secret, hashed)

        def work(conn: Connection) -> pb.EndSessionResponse:
            if session is not None:
                ending.end(self._base, conn, session, EndReason.LOGOUT)
            return pb.EndSessionResponse()

        target = f"session/{session.session_id}" if session else "session"
        response = await self._private.mutate(request, pb.EndSessionResponse, work, target=target)
        self._feed.wake()
        return response

    async def _open_session(
        self, request: pb.SignInRequest, person_id: str, index: str, *, had_failures: bool
    ) -> pb.SignInResponse:
        now = self._base.clock.now_us()
        secret = secrets.token_urlsafe(32)
        opened = Session(
            new_ulid(self._base.clock), person_id, now, now + self._settings.session_hours * 3600 * 1_000_000
        )

        def work(conn: Connection) -> pb.SignInResponse:
            if had_failures:
                credentials.clear_failures(conn, index)
            session_store.add(conn, opened, token_hash(secret))
            response = pb.SignInResponse(session_token=secret)
            response.expires_at.FromMicroseconds(opened.expires_us)
            return response

        return await self._private.mutate(request, pb.SignInResponse, work, target=f"person/{person_id}")

    def _count_failure(self, conn: Connection, index: str) -> None:
        counted = self._limit.counted(credentials.find_failures(conn, index), self._base.clock.now_us())
        credentials.put_failures(conn, index, counted)
        record = AuditRecord(
            actor=current_caller().platform,
            actor_kind="service",
            action="SignIn",
            object=f"login/{index[:16]}",
            outcome=Outcome.REFUSED,
        )
        audit.append(conn, record, algorithm=profile.of(self._base.hub.profile).audit_hash)

    def _login_index(self, login_name: str) -> str:
        folded = sign_in.folded(login_name)
        return hmac.digest(self._keys.login_index, folded.encode(), hashlib.sha256).hex()

    def _checked(self, request: pb.RegisterPersonRequest) -> vault_pb2.VaultRecord:
        """The person's record in its one spelling. Raises INVALID_ARGUMENT with every violation."""
        today = civil_date(self._base.clock.now_us())
        rules = [
            *sign_in.check_login_name(request.login_name),
            *sign_in.check_password(request.password, request.login_name),
        ]
        found = [Violation(each.field, each.reason, each.en, each.zh) for each in rules]
        record = vault_pb2.VaultRecord()
        try:
            record.full_name = names.check(request.full_name).text
        except RuleError as error:
            found += of_rules(error, {"name": "full_name"})
        try:
            document = identity_documents.check(request.document.type, request.document.number, today=today)
            record.document_type, record.document_number = document.type, document.normalised
        except RuleError as error:
            found += of_rules(error, {"type": "document.type", "number": "document.number"})
        if found:
            raise errors.invalid(found)
        return record

    async def _prove(self, record: vault_pb2.VaultRecord) -> Proof:
        """Asks the authority; it gets sealed data and answers with a code, never with data."""
        platform = self._settings.authority_platform
        row = await self._base.store.read(platform_store.find_platform, platform)
        key = row.encryption_key if row is not None and row.working else ""
        if not key:
            raise _authority_away()
        seal = vault_pb2.SealCandidateRequest(record=record, receiver_jwk=key, receiver=platform)
        candidate: vault_pb2.SealCandidateResponse = await ask_again(self._vault.SealCandidate, seal)
        question = query_pb2.VerifySubjectRequest(resource=self._settings.authority_resource, subject=candidate.sealed)
        try:
            answer: query_pb2.VerifySubjectResponse = await ask(
                self._authority.VerifySubject, question, timeout=_AUTHORITY_SECONDS
            )
        except HubError as error:
            if error.code in _AWAY:
                metrics.REGISTRATIONS.labels("authority_away").inc()
                raise _authority_away() from None
            raise
        if answer.result != "MATCH":
            metrics.REGISTRATIONS.labels("mismatch").inc()
            # The same words for a wrong name and an unknown number: neither tells who exists.
            raise errors.precondition(
                "REAL_NAME_MISMATCH",
                "Name and document number do not match the register; compare them with the document.",
                "姓名与证件号码核验不一致，请对照证件核对后重试。",
            )
        return Proof(answer.transaction_id, answer.evidence_sha256, self._base.clock.now_us(), answer.evidence_sm3)

    async def _hashed(self, password: str) -> str:
        try:
            return await self._passwords.hash(password)
        except PoolFullError:
            raise _too_often() from None


def _sign_in_rows(conn: Connection, index: str) -> tuple[Credential | None, sign_in.Failures | None]:
    return credentials.find_credential(conn, index), credentials.find_failures(conn, index)


def _session_person(conn: Connection, secret_hash: str, now_us: int) -> tuple[Session, Person]:
    session = sessions.live(session_store.find_by_secret(conn, secret_hash), now_us)
    person = person_store.find_person(conn, session.person_id)
    if person is None:
        raise sessions.SessionEndedError
    return session, person


def _name_taken() -> HubError:
    return errors.exists("LOGIN_NAME_TAKEN", "This login name is taken; choose another.", "该登录名已被使用，请更换。")


def _too_often() -> HubError:
    return errors.exhausted(
        "SIGN_IN_LIMIT", "Too many attempts; wait a while and try again.", "尝试次数过多，请稍后再试。"
    )


def _authority_away() -> HubError:
    return errors.unavailable(
        "AUTHORITY_AWAY",
        "The authority that proves real names does not answer; try again later with the same request_id.",
        "实名核验服务暂不可用，请稍后使用相同的 request_id 重试。",
    )
