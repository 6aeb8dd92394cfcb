"""The registry's rows: platforms, certificates, enrolment tokens, ended sessions, and the feed over them.

Lists are JSON arrays, instants µs UTC, tokens stand as SHA-256.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Row, Table, Text, delete, insert, select, update

from services.identity.bus.domain import OrganisationAccount
from services.identity.platforms.domain.enrolment import EnrolmentToken
from services.identity.platforms.domain.platforms import Kind, Platform, PlatformState, SecrecyLabel, Subscription
from shuniu.kit.rpc.paging import Position, keyset
from shuniu.kit.store.tables import counter
from shuniu.kit.store.types import LostRaceError, announce, binding_of

TABLES: Final = MetaData()

# Registry. Lists are JSON arrays. feed_version orders changes of all platforms without gaps.
platform = Table(
    "platform",
    TABLES,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False, server_default=""),
    Column("division", Text, nullable=False, server_default=""),
    Column("uscc", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False, server_default=""),
    Column("scopes", Text, nullable=False, server_default=""),
    Column("redirect_uris", Text, nullable=False, server_default=""),
    Column("sector", Text, nullable=False, server_default=""),
    Column("jwks", Text, nullable=False, server_default=""),
    Column("zone", Text, nullable=False, server_default=""),
    Column("secrecy", Text, nullable=False, server_default=""),
    Column("contact_phone", Text, nullable=False, server_default=""),
    Column("subscriptions", Text, nullable=False, server_default=""),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("feed_version", BigInteger, nullable=False, server_default="0"),
    Column("created_us", BigInteger, nullable=False, server_default="0"),
    # 0 until the platform has a place on the bus; rises when its account key is replaced.
    Column("bus_generation", BigInteger, nullable=False, server_default="0"),
    # Second at which its bus credentials were cut; 0 while they work.
    Column("bus_suspended_s", BigInteger, nullable=False, server_default="0"),
    Index("platform_feed", "feed_version"),
    Index("platform_sector", "sector"),
)

platform_certificate = Table(
    "platform_certificate",
    TABLES,
    Column("sha256", Text, primary_key=True),
    Column("platform", Text, nullable=False, server_default=""),
    Column("not_after_us", BigInteger, nullable=False, server_default="0"),
    Column("issued_us", BigInteger, nullable=False, server_default="0"),
    Index("platform_certificate_platform", "platform"),
)

enrolment_token = Table(
    "enrolment_token",
    TABLES,
    Column("hash", Text, primary_key=True),
    Column("platform", Text, nullable=False, server_default=""),
    Column("expires_us", BigInteger, nullable=False, server_default="0"),
    Column("used_us", BigInteger, nullable=False, server_default="0"),
    Index("enrolment_token_expiry", "expires_us"),
)

# Sessions that ended within the life of an access token, for the feed.
ended_session = Table(
    "ended_session",
    TABLES,
    Column("session_id", Text, primary_key=True),
    Column("ended_us", BigInteger, nullable=False, server_default="0"),
    Column("feed_version", BigInteger, nullable=False, server_default="0"),
    Index("ended_session_feed", "feed_version"),
    Index("ended_session_ended", "ended_us"),
)


# The counter whose row every change of the registry locks, so that versions commit in order and without gaps.
FEED: Final = "registry"
FEED_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate of a platform: SHA-256 of its DER (hex) and its end."""

    sha256: str
    not_after_us: int


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Changes after a version: rows with their feed version, and ended sessions (id, µs, version)."""

    platforms: Sequence[tuple[Platform, int]]
    ended: Sequence[tuple[str, int, int]]
    version: int
    more: bool


def find_platform(conn: Connection, code: str) -> Platform | None:
    row = conn.execute(select(platform).where(platform.c.code == code)).first()
    return None if row is None else _platform(row)


def page(conn: Connection, after: Position, limit: int) -> list[Platform]:
    return [_platform(row) for row in conn.execute(keyset(select(platform), [platform.c.code], after, limit))]


def add(conn: Connection, row: Platform) -> bool:
    """Stores a new platform; False when its code is taken."""
    if find_platform(conn, row.code) is not None:
        return False
    new = {**_columns(row), "feed_version": next_feed_version(conn)}
    if binding_of(conn).dialect.insert_ignore(conn, platform, [new]) == 0:
        raise LostRaceError(row.code)
    return True


def replace_row(conn: Connection, before: Platform, after: Platform, **columns: int) -> Platform:
    """Stores a changed platform under the next version; returns it. The unit runs again after a lost race."""
    changed = replace(after, version=before.version + 1)
    done = conn.execute(
        update(platform)
        .where(platform.c.code == before.code, platform.c.version == before.version)
        .values(**_columns(changed), **columns, feed_version=next_feed_version(conn))
    )
    if done.rowcount != 1:
        raise LostRaceError(before.code)
    return changed


def next_feed_version(conn: Connection) -> int:
    announce(conn, FEED)
    return binding_of(conn).dialect.next_value(conn, FEED)


def feed(conn: Connection, after: int) -> FeedPage:
    """Changes after a version: at most 500 platforms and 500 sessions, never a change without those before it."""
    current = int(conn.execute(select(counter.c.value).where(counter.c.name == FEED)).scalar() or 0)
    rows = conn.execute(
        select(platform).where(platform.c.feed_version > after).order_by(platform.c.feed_version).limit(FEED_PAGE + 1)
    ).all()
    ended = conn.execute(
        select(ended_session)
        .where(ended_session.c.feed_version > after)
        .order_by(ended_session.c.feed_version)
        .limit(FEED_PAGE + 1)
    ).all()
    limits = [found[FEED_PAGE - 1].feed_version for found in (rows, ended) if len(found) > FEED_PAGE]
    until = min([current, *limits])
    return FeedPage(
        [(_platform(row), row.feed_version) for row in rows if row.feed_version <= until],
        [(row.session_id, row.ended_us, row.feed_version) for row in ended if row.feed_version <= until],
        until,
        until < current,
    )


def add_ended(conn: Connection, session_id: str, ended_us: int) -> None:
    """Puts a session's end into the feed."""
    row = {"session_id": session_id, "ended_us": ended_us, "feed_version": next_feed_version(conn)}
    conn.execute(insert(ended_session), row)


def forget_ended(conn: Connection, before: int) -> int:
    """Deletes ends of sessions from before an instant (µs); a batch of them. Returns how many."""
    over = select(ended_session.c.session_id).where(ended_session.c.ended_us < before).limit(FEED_PAGE)
    return conn.execute(delete(ended_session).where(ended_session.c.session_id.in_(over))).rowcount


def forget_tokens(conn: Connection, before: int) -> int:
    """Deletes enrolment tokens, used or not, that expired before an instant (µs); a batch of them. Returns how many."""
    over = select(enrolment_token.c.hash).where(enrolment_token.c.expires_us < before).limit(FEED_PAGE)
    return conn.execute(delete(enrolment_token).where(enrolment_token.c.hash.in_(over))).rowcount


def certificates(conn: Connection, codes: Sequence[str], now_us: int) -> dict[str, list[Certificate]]:
    """Valid certificates of platforms, newest end first."""
    found: dict[str, list[Certificate]] = {code: [] for code in codes}
    column = platform_certificate.c
    rows = conn.execute(
        select(platform_certificate)
        .where(column.platform.in_(codes), column.not_after_us > now_us)
        .order_by(column.not_after_us.desc(), column.sha256)
    )
    for row in rows:
        found[row.platform].append(Certificate(row.sha256, row.not_after_us))
    return found


def add_certificate(conn: Connection, code: str, certificate: Certificate, now_us: int) -> None:
    row = {
        "sha256": certificate.sha256,
        "platform": code,
        "not_after_us": certificate.not_after_us,
        "issued_us": now_us,
    }
    conn.execute(insert(platform_certificate), row)


def add_token(conn: Connection, token: EnrolmentToken) -> None:
    row = {"hash": token.hash, "platform": token.platform, "expires_us": token.expires_us, "used_us": token.used_us}
    conn.execute(insert(enrolment_token), row)


def find_token(conn: Connection, token_hash: str) -> EnrolmentToken | None:
    row = conn.execute(select(enrolment_token).where(enrolment_token.c.hash == token_hash)).first()
    return None if row is None else EnrolmentToken(row.hash, row.platform, row.expires_us, row.used_us)


def end_tokens(conn: Connection, now_us: int) -> None:
    """Nobody enrols with a token that was given out until now."""
    conn.execute(update(enrolment_token).where(enrolment_token.c.used_us == 0).values(used_us=now_us))


def use_token(conn: Connection, used: EnrolmentToken, now_us: int) -> None:
    done = conn.execute(
        update(enrolment_token)
        .where(enrolment_token.c.hash == used.hash, enrolment_token.c.used_us == 0)
        .values(used_us=now_us)
    )
    if done.rowcount != 1:
        raise LostRaceError(used.platform)


def bus_accounts(conn: Connection) -> list[OrganisationAccount]:
    """All organisations that have a place on the bus."""
    return [_account(row) for row in conn.execute(select(platform).where(platform.c.bus_generation > 0))]


def bus_accounts_changed(conn: Connection, after: int) -> tuple[int, list[str]]:
    """The feed's version, and codes of organisations with a place on the bus that changed after another version."""
    current = int(conn.execute(select(counter.c.value).where(counter.c.name == FEED)).scalar() or 0)
    wanted = select(platform.c.code).where(platform.c.feed_version > after, platform.c.bus_generation > 0)
    return current, list(conn.execute(wanted).scalars())


def find_bus_account(conn: Connection, code: str) -> OrganisationAccount | None:
    row = conn.execute(select(platform).where(platform.c.code == code, platform.c.bus_generation > 0)).first()
    return None if row is None else _account(row)


def _account(row: Row[Any]) -> OrganisationAccount:
    return OrganisationAccount(row.code, generation=row.bus_generation, suspended_at=row.bus_suspended_s or None)


def _columns(row: Platform) -> dict[str, Any]:
    return {
        "code": row.code,
        "name": row.name,
        "kind": row.kind.value,
        "division": row.division,
        "uscc": row.uscc,
        "state": row.state.value,
        "scopes": json.dumps(row.scopes),
        "redirect_uris": json.dumps(row.redirect_uris),
        "sector": row.sector,
        "jwks": row.jwks,
        "zone": row.zone,
        "secrecy": row.secrecy.value,
        "contact_phone": row.contact_phone,
        "subscriptions": json.dumps([[each.topic, each.division] for each in row.subscriptions]),
        "version": row.version,
        "created_us": row.created_us,
    }


def _platform(row: Row[Any]) -> Platform:
    return Platform(
        code=row.code,
        name=row.name,
        kind=Kind(row.kind),
        division=row.division,
        created_us=row.created_us,
        uscc=row.uscc,
        state=PlatformState(row.state),
        scopes=tuple(json.loads(row.scopes)),
        redirect_uris=tuple(json.loads(row.redirect_uris)),
        sector=row.sector,
        jwks=row.jwks,
        zone=row.zone,
        secrecy=SecrecyLabel(row.secrecy),
        contact_phone=row.contact_phone,
        subscriptions=tuple(Subscription(topic, division) for topic, division in json.loads(row.subscriptions)),
        version=row.version,
    )
