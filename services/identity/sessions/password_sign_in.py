"""Signs persons in by password: the limit of tries, the check, the session."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services.identity import metrics
from services.identity.config import IdentitySettings
from services.identity.domain.secret_hashes import token_hash
from services.identity.sessions.domain.sessions import Session
from services.identity.sessions.domain.tries import Meter, TriesSpentError
from services.identity.sessions.known_browsers import KnownBrowsers
from services.identity.sessions.login_index import LoginIndex
from services.identity.sessions.meters import Meters
from services.identity.sessions.passwords import Passwords, PoolFullError
from services.identity.sessions.refusals import sign_in_failed, too_often
from services.identity.sessions.store import credentials, tries
from services.identity.sessions.store import sessions as session_store
from services.identity.sessions.store.credentials import Credential
from shuniu.kit.crypto import profile
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc.caller import current_caller
from shuniu.kit.rpc.network import sender
from shuniu.kit.store import audit
from shuniu.kit.store.audit import AuditRecord, Outcome


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person whose password was right, the tries that it was charged with (the login's own first; none right after
    registration), and what the browser is known by from now on.
    """

    person_id: str
    meters: Sequence[Meter]
    browser: str


class PasswordSignIn:
    """Checks login names and passwords, and opens sessions."""

    def __init__(
        self,
        base: Foundation,
        settings: IdentitySettings,
        passwords: Passwords,
        login_index: LoginIndex,
        meters: Meters,
        browsers: KnownBrowsers,
    ) -> None:
        self._base = base
        self._session_us = settings.session_hours * 3600 * 1_000_000
        self._passwords = passwords
        self._login_index = login_index
        self._meters = meters
        self._browsers = browsers

    async def check(self, login_name: str, password: str, marks: str) -> SignedIn:
        """The person; `marks`: see `KnownBrowsers`. The try is counted before the password is looked at.

        Raises SIGN_IN_LIMIT, SIGN_IN_FAILED (on record).
        """
        index = self._login_index.of(login_name)
        now_s = self._base.clock.now_us() // 1_000_000
        known = self._browsers.find(marks, index, now_s)
        meters = self._meters.of_sign_in(index, sender(), known)
        try:
            credential = await self._base.write(self._counted, index, meters)
        except TriesSpentError:
            metrics.SIGN_INS.labels("limited").inc()
            raise too_often() from None
        try:
            right = await self._passwords.matches(credential.password_hash if credential else None, password)
        except PoolFullError:
            await self._base.write(tries.give_back, meters)
            metrics.SIGN_INS.labels("limited").inc()
            raise too_often() from None
        if credential is None or not right:
            await self._base.write(self._record_refusal, index)
            metrics.SIGN_INS.labels("refused").inc()
            raise sign_in_failed()
        return SignedIn(credential.person_id, meters, self._browsers.marked(marks, index, known, now_s))

    def registered(self, login_name: str, person_id: str) -> SignedIn:
        """A person who chose the password just now, at a browser that gets its first mark."""
        index = self._login_index.of(login_name)
        return SignedIn(person_id, (), self._browsers.marked("", index, "", self._base.clock.now_us() // 1_000_000))

    def open(self, conn: Connection, signed_in: SignedIn) -> tuple[Session, str]:
        """Stores a new session; returns it with its secret, of which the store holds a hash only."""
        now = self._base.clock.now_us()
        secret = secrets.token_urlsafe(32)
        opened = Session(new_ulid(self._base.clock), signed_in.person_id, now, now + self._session_us)
        tries.clear(conn, signed_in.meters[:1])
        tries.give_back(conn, signed_in.meters[1:])
        session_store.add(conn, opened, token_hash(secret))
        return opened, secret

    def _counted(self, conn: Connection, index: str, meters: Sequence[Meter]) -> Credential | None:
        tries.take(conn, meters, self._base.clock.now_us())
        return credentials.find_credential(conn, index)

    def _record_refusal(self, conn: Connection, index: str) -> None:
        record = AuditRecord(
            actor=current_caller().platform,
            actor_kind="service",
            action="SignIn",
            object=f"login/{index[:16]}",
            outcome=Outcome.REFUSED,
        )
        audit.append(conn, record, algorithm=profile.of(self._base.hub.profile).audit_hash)
