"""Sessions and what hangs on them: clients, codes, token families. The store is the truth about all of them."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from services.identity.domain.authorization import Code
from services.identity.domain.sessions import Session
from services.identity.domain.token_families import Family
from services.identity.store.platforms import next_feed_version
from services.identity.store.tables import (
    authorization_code,
    ended_session,
    refresh_token,
    session,
    session_client,
    token_family,
)
from shuniu.kit.sql.types import LostRaceError, binding_of

_BATCH: Final = 200


def add(conn: Connection, opened: Session, secret_hash: str) -> None:
    row = {
        "session_id": opened.session_id,
        "secret_hash": secret_hash,
        "person_id": opened.person_id,
        "authenticated_us": opened.authenticated_us,
        "expires_us": opened.expires_us,
        "aal": opened.aal,
        "epoch": binding_of(conn).epoch,
    }
    conn.execute(insert(session), row)


def by_secret(conn: Connection, secret_hash: str) -> Session | None:
    row = conn.execute(select(session).where(session.c.secret_hash == secret_hash)).first()
    return None if row is None else _session(row)


def get(conn: Connection, session_id: str) -> Session | None:
    row = conn.execute(select(session).where(session.c.session_id == session_id)).first()
    return None if row is None else _session(row)


def expired(conn: Connection, now_us: int) -> list[Session]:
    """Sessions that nobody ended and whose life is over, by time or by a restore of the store; a batch of them."""
    over = or_(session.c.expires_us <= now_us, session.c.epoch != binding_of(conn).epoch)
    rows = conn.execute(select(session).where(session.c.ended_us == 0, over).limit(_BATCH))
    return [_session(row) for row in rows]


def end(conn: Connection, over: Session) -> list[str] | None:
    """Keeps a session's end with its families and puts it into the feed; returns the platforms that held tokens.

    None when it had ended already.
    """
    done = conn.execute(
        update(session)
        .where(session.c.session_id == over.session_id, session.c.ended_us == 0)
        .values(ended_us=over.ended_us, end_reason=over.end_reason)
    )
    if done.rowcount == 0:
        return None
    conn.execute(
        update(token_family)
        .where(token_family.c.session_id == over.session_id, token_family.c.ended_us == 0)
        .values(ended_us=over.ended_us, end_reason=over.end_reason)
    )
    row = {"session_id": over.session_id, "ended_us": over.ended_us, "feed_version": next_feed_version(conn)}
    conn.execute(insert(ended_session), row)
    held = select(session_client.c.platform).where(session_client.c.session_id == over.session_id)
    return list(conn.execute(held.order_by(session_client.c.platform)).scalars())


def add_client(conn: Connection, session_id: str, platform: str) -> None:
    row = {"session_id": session_id, "platform": platform, "profile_us": 0}
    binding_of(conn).dialect.insert_ignore(conn, session_client, [row])


def first_profile(conn: Connection, session_id: str, platform: str, now_us: int) -> bool:
    """Whether the platform asks for the person's name for the first time in this session; from now on it has asked."""
    done = conn.execute(
        update(session_client)
        .where(
            session_client.c.session_id == session_id,
            session_client.c.platform == platform,
            session_client.c.profile_us == 0,
        )
        .values(profile_us=now_us)
    )
    return done.rowcount == 1


def add_code(conn: Connection, code_hash: str, made: Code) -> None:
    row = {
        "code_hash": code_hash,
        "session_id": made.session_id,
        "platform": made.platform,
        "redirect_uri": made.redirect_uri,
        "scope": made.scope,
        "nonce": made.nonce,
        "challenge": made.challenge,
        "expires_us": made.expires_us,
    }
    conn.execute(insert(authorization_code), row)


def code(conn: Connection, code_hash: str) -> Code | None:
    row = conn.execute(select(authorization_code).where(authorization_code.c.code_hash == code_hash)).first()
    if row is None:
        return None
    return Code(
        row.session_id,
        row.platform,
        row.redirect_uri,
        row.scope,
        row.nonce,
        row.challenge,
        row.expires_us,
        row.used_us,
        row.family_id,
    )


def use_code(conn: Connection, code_hash: str, used: Code) -> None:
    """Marks a code used. The unit runs again when another replica was first: it then finds a replay."""
    done = conn.execute(
        update(authorization_code)
        .where(authorization_code.c.code_hash == code_hash, authorization_code.c.used_us == 0)
        .values(used_us=used.used_us, family_id=used.family_id)
    )
    if done.rowcount != 1:
        raise LostRaceError("authorization_code")


def add_family(conn: Connection, begun: Family, token_hash: str) -> None:
    row = {
        "family_id": begun.family_id,
        "session_id": begun.session_id,
        "platform": begun.platform,
        "scope": begun.scope,
        "generation": begun.generation,
        "rotated_us": begun.rotated_us,
        "expires_us": begun.expires_us,
    }
    conn.execute(insert(token_family), row)
    add_token(conn, begun, token_hash)


def add_token(conn: Connection, family: Family, token_hash: str) -> None:
    row = {"token_hash": token_hash, "family_id": family.family_id, "generation": family.generation}
    conn.execute(insert(refresh_token), row)


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A refresh token that was issued once: its family and its number in it."""

    family: Family
    generation: int


def token(conn: Connection, token_hash: str) -> KnownToken | None:
    row = conn.execute(
        select(token_family, refresh_token.c.generation.label("presented"))
        .join(refresh_token, refresh_token.c.family_id == token_family.c.family_id)
        .where(refresh_token.c.token_hash == token_hash)
    ).first()
    return None if row is None else KnownToken(_family(row), row.presented)


def family(conn: Connection, family_id: str) -> Family | None:
    row = conn.execute(select(token_family).where(token_family.c.family_id == family_id)).first()
    return None if row is None else _family(row)


def put_family(conn: Connection, before: Family, after: Family) -> None:
    """Keeps a family's next state. The unit runs again when another replica was first."""
    done = conn.execute(
        update(token_family)
        .where(
            token_family.c.family_id == before.family_id,
            token_family.c.generation == before.generation,
            token_family.c.ended_us == before.ended_us,
        )
        .values(
            generation=after.generation,
            rotated_us=after.rotated_us,
            ended_us=after.ended_us,
            end_reason=after.end_reason,
        )
    )
    if done.rowcount != 1:
        raise LostRaceError(before.family_id)


def forget(conn: Connection, before: int, feed_before: int) -> None:
    """Removes what was over before an instant (µs) and nobody can ask for any more; feed rows by one of their own."""
    conn.execute(delete(authorization_code).where(authorization_code.c.expires_us < before))
    conn.execute(delete(ended_session).where(ended_session.c.ended_us < feed_before))
    over = select(token_family.c.family_id).where(token_family.c.expires_us < before)
    conn.execute(delete(refresh_token).where(refresh_token.c.family_id.in_(over)))
    conn.execute(delete(token_family).where(token_family.c.expires_us < before))
    gone = select(session.c.session_id).where(session.c.ended_us > 0, session.c.expires_us < before)
    conn.execute(delete(session_client).where(session_client.c.session_id.in_(gone)))
    conn.execute(delete(session).where(session.c.ended_us > 0, session.c.expires_us < before))


def _session(row: Row[Any]) -> Session:
    return Session(
        row.session_id,
        row.person_id,
        row.authenticated_us,
        row.expires_us,
        row.aal,
        row.ended_us,
        row.end_reason,
    )


def _family(row: Row[Any]) -> Family:
    return Family(
        row.family_id,
        row.session_id,
        row.platform,
        row.scope,
        row.generation,
        row.rotated_us,
        row.expires_us,
        row.ended_us,
        row.end_reason,
    )
