"""Token endpoint: issues tokens for its three grant types. One unit of work stores the result, also of a refusal."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from services.identity import metrics
from services.identity.config import IdentitySettings
from services.identity.domain.secret_hashes import token_hash
from services.identity.keys.secrets import Secrets
from services.identity.openid import store as openid_store
from services.identity.openid.clients import KnownClient, authenticate
from services.identity.openid.domain import authorization
from services.identity.openid.domain.authorization import OAuthError, Redeemed, Redemption
from services.identity.openid.domain.claims import Client, PersonHere
from services.identity.openid.tokens import Tokens
from services.identity.persons import store as person_store
from services.identity.persons.domain import pairwise
from services.identity.platforms.domain.platforms import OPENID_SCOPES
from services.identity.sessions import ending
from services.identity.sessions.domain import sessions, token_families
from services.identity.sessions.domain.sessions import Session, SessionEndedError
from services.identity.sessions.domain.token_families import EndReason, Family, GrantRefusedError, Presented
from services.identity.sessions.store import families
from services.identity.sessions.store import sessions as session_store
from shuniu.api.identity.v1 import signin_pb2 as pb
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens for a client; `expires_in` in seconds."""

    access_token: str
    expires_in: int
    scopes: tuple[str, ...]
    id_token: str = ""
    refresh_token: str = ""


@dataclass(frozen=True, slots=True)
class _Granted:
    """Decision of a unit of work about a person's tokens."""

    client: Client
    session: Session
    person: PersonHere
    scopes: tuple[str, ...]
    nonce: str


class TokenEndpoint:
    """Issues tokens for authorization_code, refresh_token and client_credentials."""

    def __init__(self, base: Foundation, settings: IdentitySettings, keys: Secrets, tokens: Tokens) -> None:
        self._base = base
        self._family_us = settings.refresh_hours * 3600 * 1_000_000
        self._keys = keys
        self._tokens = tokens

    async def issue(self, request: pb.IssueTokenRequest) -> Issued:
        """Raises OAuthError and GrantRefusedError."""
        if request.grant_type == "authorization_code":
            return await self._redeem(request)
        if request.grant_type == "refresh_token":
            return await self._rotate(request)
        client: KnownClient = await self._base.store.read(self._client, request)
        if request.grant_type == "client_credentials":
            return self._for_client(client, request.scope)
        raise _grant_type()

    def _client(self, conn: Connection, request: pb.IssueTokenRequest) -> KnownClient:
        return authenticate(
            conn,
            self._base.hub.trust_domain,
            request.certificate_uri,
            request.certificate_sha256,
            request.client_id,
            self._base.clock.now_us(),
        )

    def _platform(self, conn: Connection, request: pb.IssueTokenRequest) -> KnownClient:
        """The platform that calls, read in the unit of work that grants: a suspension before its commit counts."""
        client = self._client(conn, request)
        if client.platform is None:
            raise _grant_type()
        return client

    def _for_client(self, client: KnownClient, wanted: str) -> Issued:
        own = tuple(scope for scope in client.scopes if scope not in OPENID_SCOPES)
        scopes = authorization.granted(wanted, set(own), own)
        life = self._tokens.life(self._base.clock.now_us())
        token = self._tokens.for_client(client.client, scopes, life)
        return Issued(token, life.expires_s - life.issued_s, scopes)

    async def _redeem(self, request: pb.IssueTokenRequest) -> Issued:
        hashed = token_hash(request.code)
        family_id = new_ulid(self._base.clock)
        refresh = self._derived(f"code {request.code}")

        def work(conn: Connection) -> _Granted | None:
            now = self._base.clock.now_us()
            client = self._platform(conn, request)
            by = Redemption(client.client.code, request.redirect_uri, request.code_verifier)
            code = openid_store.find_code(conn, hashed)
            if code is None:
                raise GrantRefusedError
            begun = families.find_family(conn, code.family_id) if code.family_id else None
            meaning, used = authorization.redeemed(code, by, begun, family_id, now)
            if meaning is Redeemed.REPLAYED:
                self._end_family(conn, begun, now)
                return None
            session = _live(conn, code.session_id, now)
            if meaning is Redeemed.FIRST:
                openid_store.use_code(conn, hashed, used)
                expires = min(session.expires_us, now + self._family_us)
                family = token_families.begun(family_id, session.session_id, by.platform, code.scope, now, expires)
                families.add_family(conn, family, token_hash(refresh))
                session_store.add_client(conn, session.session_id, by.platform)
            return self._granted(conn, client, session, code.scope, code.nonce)

        granted = await self._base.write(work)
        if granted is None:
            metrics.REPLAYS.labels("code").inc()
            raise GrantRefusedError
        return self._for_person(granted, refresh)

    async def _rotate(self, request: pb.IssueTokenRequest) -> Issued:
        hashed = token_hash(request.refresh_token)
        successor = self._derived(request.refresh_token)

        def work(conn: Connection) -> _Granted | None:
            now = self._base.clock.now_us()
            client = self._platform(conn, request)
            known = families.find_token(conn, hashed)
            if known is None:
                raise GrantRefusedError
            family = known.family
            meaning, after = token_families.presented(family, known.generation, client.client.code, now)
            if meaning is Presented.REPLAYED:
                families.put_family(conn, family, after)
                self._end_session(conn, family.session_id)
                return None
            session = _live(conn, family.session_id, now)
            if meaning is Presented.ROTATED:
                families.put_family(conn, family, after)
                families.add_token(conn, after, token_hash(successor))
            granted = self._granted(conn, client, session, family.scope, "")
            # RFC 6749 6: fewer scopes may be asked for, never more.
            return replace(granted, scopes=authorization.granted(request.scope, set(granted.scopes), granted.scopes))

        granted = await self._base.write(work)
        if granted is None:
            metrics.REPLAYS.labels("refresh_token").inc()
            raise GrantRefusedError
        return self._for_person(granted, successor)

    def _derived(self, secret: str) -> str:
        """The refresh token that follows a code or token: derived and not stored, so that a repeated request gets the
        same one; nobody else can predict it.
        """
        digest = hmac.digest(self._keys.refresh_successor, secret.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _granted(self, conn: Connection, client: KnownClient, session: Session, scope: str, nonce: str) -> _Granted:
        person = person_store.find_person(conn, session.person_id)
        if person is None or client.platform is None:
            raise GrantRefusedError
        # What was granted then and is still granted to the platform now.
        allowed = {*client.scopes, *OPENID_SCOPES}
        scopes = tuple(name for name in scope.split() if name in allowed)
        here = PersonHere(
            self._subject(conn, person.person_id, client.platform.sector),
            session.session_id,
            person.ial,
            session.aal,
            session.authenticated_us // 1_000_000,
        )
        return _Granted(client.client, session, here, scopes, nonce)

    def _subject(self, conn: Connection, person_id: str, sector: str) -> str:
        kept = person_store.find_subject(conn, person_id, sector)
        if kept is not None:
            return kept
        made = pairwise.subject(self._keys.pairwise, person_id, sector)
        person_store.add_subject(conn, person_id, sector, made)
        return made.value

    def _for_person(self, granted: _Granted, refresh: str) -> Issued:
        client = granted.client
        life = self._tokens.life(self._base.clock.now_us(), granted.session.expires_us)
        access = self._tokens.for_person(client, granted.scopes, life, granted.person)
        identity = ""
        if "openid" in granted.scopes:
            identity = self._tokens.identity(client, life, granted.person, granted.nonce, access)
        return Issued(access, life.expires_s - life.issued_s, granted.scopes, identity, refresh)

    def _end_family(self, conn: Connection, family: Family | None, now_us: int) -> None:
        if family is not None and not family.ended:
            families.put_family(conn, family, token_families.ended(family, EndReason.REUSE_DETECTED, now_us))

    def _end_session(self, conn: Connection, session_id: str) -> None:
        """A refresh token that comes back late was stolen, or its successor was: no token of that session stays."""
        session = session_store.find_session(conn, session_id)
        if session is not None:
            ending.end(self._base, conn, session, EndReason.REUSE_DETECTED)


def _grant_type() -> OAuthError:
    return OAuthError(
        "unsupported_grant_type",
        "GRANT_TYPE",
        "Use authorization_code, refresh_token or client_credentials.",
        "grant_type 只支持 authorization_code、refresh_token 和 client_credentials。",
    )


def _live(conn: Connection, session_id: str, now_us: int) -> Session:
    try:
        return sessions.live(session_store.find_session(conn, session_id), now_us)
    except SessionEndedError:
        raise GrantRefusedError from None
