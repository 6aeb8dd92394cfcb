"""A person's consent to sign: who consents now, and the token that says to what."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from services.identity.openid.domain.claims import Life
from services.identity.openid.tokens import Tokens
from services.identity.persons import store as person_store
from services.identity.platforms import store as platform_store
from services.identity.sessions.domain import sessions
from services.identity.sessions.domain.sessions import SessionEndedError
from services.identity.sessions.store import sessions as session_store
from services.identity.signing import domain as signing
from services.identity.signing.domain import Item, Signer
from shuniu import signing_list
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.caller import Caller


class Consents:
    """Levels are those of the session and the person now, not those of the access token."""

    def __init__(self, base: Foundation, tokens: Tokens) -> None:
        self._base = base
        self._tokens = tokens

    def give(
        self, conn: Connection, caller: Caller, items: Sequence[Item], hashes: Sequence[bytes]
    ) -> tuple[str, Life]:
        """The signed consent and its life, on record. Raises SessionEndedError."""
        now_us = self._base.clock.now_us()
        life = self._tokens.life(now_us)
        life = replace(life, expires_s=life.issued_s + signing_list.LIFE_S)
        signer = _signer(conn, caller, now_us)
        target = f"session/{signer.session_id}"
        self._base.audit(conn, "ConsentToSign", target, token=life.token_id, count=str(len(items)))
        claims = signing.assertion(self._tokens.issuer, signer, items, hashes, life)
        return self._tokens.signed(claims, signing_list.TYPE), life


def _signer(conn: Connection, caller: Caller, now_us: int) -> Signer:
    """Raises SessionEndedError unless the session lives and is the caller's."""
    session = sessions.live(session_store.find_session(conn, caller.session), now_us)
    platform = platform_store.find_platform(conn, caller.platform)
    person = None if platform is None else person_store.find_by_subject(conn, platform.sector, caller.person)
    if person is None or person.person_id != session.person_id:
        raise SessionEndedError
    return Signer(
        caller.platform,
        caller.person,
        session.session_id,
        person.ial,
        session.aal,
        session.authenticated_us // 1_000_000,
    )
