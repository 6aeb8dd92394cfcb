"""Signs persons in by password: the limit of failures, the check, the session."""

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection

from services.identity import metrics
from services.identity.config import IdentitySettings
from services.identity.domain.secret_hashes import token_hash
from services.identity.sessions.domain.sessions import Session
from services.identity.sessions.domain.sign_in import FailureLimit, Failures
from services.identity.sessions.login_index import LoginIndex
from services.identity.sessions.passwords import Passwords, PoolFullError
from services.identity.sessions.refusals import sign_in_failed, too_often
from services.identity.sessions.store import credentials
from services.identity.sessions.store import sessions as session_store
from services.identity.sessions.store.credentials import Credential
from shuniu.kit.crypto import profile
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc.caller import current_caller
from shuniu.kit.store import audit
from shuniu.kit.store.audit import AuditRecord, Outcome


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person whose password was right. `index`: see `LoginIndex`; `had_failures`: wrong tries are on record."""

    person_id: str
    index: str
    had_failures: bool


class PasswordSignIn:
    """Checks login names and passwords, and opens sessions."""

    def __init__(
        self, base: Foundation, settings: IdentitySettings, passwords: Passwords, login_index: LoginIndex
    ) -> None:
        self._base = base
        self._session_us = settings.session_hours * 3600 * 1_000_000
        self._passwords = passwords
        self._login_index = login_index
        self._limit = FailureLimit(settings.sign_in_failures, settings.sign_in_window_seconds * 1_000_000)

    async def check(self, login_name: str, password: str) -> SignedIn:
        """The person. Raises SIGN_IN_LIMIT, SIGN_IN_FAILED (counted and on record)."""
        index = self._login_index.of(login_name)
        credential, seen = await self._base.store.read(_credential_and_failures, index)
        if self._limit.exceeded(seen, self._base.clock.now_us()):
            metrics.SIGN_INS.labels("limited").inc()
            raise too_often()
        try:
            right = await self._passwords.matches(credential.password_hash if credential else None, password)
        except PoolFullError:
            metrics.SIGN_INS.labels("limited").inc()
            raise too_often() from None
        if credential is None or not right:
            await self._base.write(self._count_failure, index)
            metrics.SIGN_INS.labels("refused").inc()
            raise sign_in_failed()
        return SignedIn(credential.person_id, index, seen is not None)

    def open(self, conn: Connection, signed_in: SignedIn) -> tuple[Session, str]:
        """Stores a new session; returns it with its secret, of which the store holds a hash only."""
        now = self._base.clock.now_us()
        secret = secrets.token_urlsafe(32)
        opened = Session(new_ulid(self._base.clock), signed_in.person_id, now, now + self._session_us)
        if signed_in.had_failures:
            credentials.clear_failures(conn, signed_in.index)
        session_store.add(conn, opened, token_hash(secret))
        return opened, secret

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


def _credential_and_failures(conn: Connection, index: str) -> tuple[Credential | None, Failures | None]:
    return credentials.find_credential(conn, index), credentials.find_failures(conn, index)
