"""What time does to identity by itself: sessions expire and are told of; old rows go; keys turn over."""

from contextlib import asynccontextmanager

import pytest_asyncio
from sqlalchemy import event, func, insert, select

from services.identity.config import IdentitySettings
from services.identity.keys.provider import ProviderKeys
from services.identity.openid import store as openid_store
from services.identity.openid.domain.authorization import Code
from services.identity.openid.store import authorization_code
from services.identity.persons import store as persons
from services.identity.platforms import store as platform_store
from services.identity.platforms.domain.enrolment import EnrolmentToken
from services.identity.platforms.store import ended_session
from services.identity.sessions import ending
from services.identity.sessions.domain.sessions import Session
from services.identity.sessions.domain.token_families import EndReason, begun
from services.identity.sessions.domain.tries import Limit, Meter
from services.identity.sessions.store import families, sessions, tries
from services.identity.sessions.store.families import refresh_token, token_family
from services.identity.sessions.store.sessions import session
from services.identity.store import METADATA
from services.identity.upkeep import Upkeep
from shuniu.api.events.v1 import events_pb2
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.process.config import HubSettings
from shuniu.kit.process.ids import first_ulid_at
from shuniu.kit.store import Store, lease
from shuniu.kit.store.tables import outbox_event
from shuniu.kit.testing.foundation import foundation_of

HOUR = 3600


@pytest_asyncio.fixture
async def base(store_url, clock, tmp_path):
    async with based_on(store_url, clock, tmp_path) as found:
        yield found


@asynccontextmanager
async def based_on(store_url, clock, tmp_path):
    store = Store.unchecked(store_url, METADATA, clock=clock, writer="identity")
    await store.create_schema()
    hub = HubSettings("150000", "test", "hub.test", "https://hub.test", tmp_path, tmp_path)
    yield foundation_of("identity", hub, IdentitySettings(), clock, store)
    await store.close()


async def rows(base, table) -> int:
    return await base.store.read(lambda conn: conn.execute(select(func.count()).select_from(table)).scalar())


async def test_an_expired_session_ends_with_its_families_and_is_told_once(base, clock):
    """Event EXPIRED with the platforms that held tokens, one feed row, families ended; a second round does nothing."""
    now = clock.now_us()

    def fill(conn):
        opened = Session("s1", "p1", now, now + HOUR * 1_000_000)
        sessions.add(conn, opened, "hash")
        families.add_family(conn, begun("f1", "s1", "app", "openid", now, opened.expires_us), "token")
        sessions.add_client(conn, "s1", "app")
        sessions.add_client(conn, "s1", "app")

    await base.store.write(fill)
    house = Upkeep(base)
    assert await base.write(house._round) == 0
    clock.advance(HOUR)
    assert await base.write(house._round) == 1
    assert await base.write(house._round) == 0
    family = await base.store.read(families.find_family, "f1")
    assert (family.ended_us, family.end_reason) == (clock.now_us(), EndReason.EXPIRED)
    page = await base.store.read(platform_store.feed, 0)
    assert [(session_id, version) for session_id, _, version in page.ended] == [("s1", 1)]
    events = await base.store.read(lambda conn: conn.execute(select(outbox_event.c.type, outbox_event.c.data)).all())
    [(kind, data)] = events
    assert kind == "shuniu.identity.session.ended.v1"
    told = events_pb2.SessionEnded.FromString(bytes(data))
    assert (told.session_id, told.reason, list(told.platforms)) == ("s1", "EXPIRED", ["app"])


async def test_a_restore_ends_every_session_from_before(base, clock):
    """Who signed out after the backup must not be signed in again by it; sessions opened since stay."""
    now = clock.now_us()
    old, new = (Session(name, "p1", now, now + HOUR * 1_000_000) for name in ("old", "new"))
    await base.store.write(sessions.add, old, "hash-old")
    await base.store.begin_restored(())
    await base.store.write(sessions.add, new, "hash-new")
    # Also while another process, perhaps one that died, is the one that tidies up.
    assert await base.store.write(lease.acquire, "housekeeping", "another", HOUR * 1_000_000)
    await Upkeep(base).begin()
    assert (await base.store.read(sessions.find_session, "old")).ended_us == now
    assert (await base.store.read(sessions.find_session, "new")).ended_us == 0


async def test_what_nobody_can_ask_for_any_more_is_removed(base, clock):
    """Codes, tokens, families and ended sessions go a day after; what lives stays."""
    now = clock.now_us()

    def fill(conn):
        for name, life in (("old", HOUR), ("new", 1000 * HOUR)):
            opened = Session(f"s-{name}", "p", now, now + life * 1_000_000)
            sessions.add(conn, opened, f"hash-{name}")
            family = begun(f"f-{name}", opened.session_id, "app", "openid", now, opened.expires_us)
            families.add_family(conn, family, f"token-{name}")
        openid_store.add_code(conn, "code", Code("s-old", "app", "https://a/", "openid", "", "c", now + 60_000_000))
        ending.end(base, conn, Session("s-old", "p", now, now + HOUR * 1_000_000), EndReason.LOGOUT)

    await base.store.write(fill)
    clock.advance(30 * HOUR)
    await base.write(Upkeep(base)._round)
    counts = {
        table.name: await rows(base, table)
        for table in (session, token_family, refresh_token, authorization_code, ended_session)
    }
    assert counts == {
        "session": 1,
        "token_family": 1,
        "refresh_token": 1,
        "authorization_code": 0,
        "ended_session": 0,
    }


async def test_records_of_reveals_and_enrolment_tokens_have_an_end(base, clock):
    """A reveal is on record for three years, a token 30 days beyond its end; what is younger stays."""

    def fill(conn):
        now, id_ = clock.now_us(), first_ulid_at(clock.now_us())
        persons.add_reveal(conn, persons.Reveal(id_, "p", "app", "case", ("name",), "case", now))
        platform_store.add_token(conn, EnrolmentToken(f"hash-{id_}", "app", now + HOUR * 1_000_000))

    await base.store.write(fill)
    clock.advance(29 * 24 * HOUR)
    await base.store.write(fill)
    await Upkeep(base).tidy()
    assert [await rows(base, table) for table in (persons.reveal, platform_store.enrolment_token)] == [2, 2]
    clock.advance(2 * 24 * HOUR)
    await Upkeep(base).tidy()
    assert [await rows(base, table) for table in (persons.reveal, platform_store.enrolment_token)] == [2, 1]
    clock.advance((3 * 366 - 30) * 24 * HOUR)
    await Upkeep(base).tidy()
    assert [await rows(base, table) for table in (persons.reveal, platform_store.enrolment_token)] == [1, 0]


async def test_sweeps_go_on_in_batches_until_nothing_is_left(base, clock):
    """More than a batch of each kind: one round leaves some, and the sweep none; what lives stays."""
    now = clock.now_us()

    def fill(conn, numbers):
        for number in numbers:
            life = now + HOUR * 1_000_000
            openid_store.add_code(conn, f"c{number}", Code("s", "app", "https://a/", "openid", "", "c", life))
            platform_store.add_ended(conn, f"e{number}", now)
            tries.take(conn, [Meter(f"m{number}", Limit(9, 1_000_000))], now)
            if number < 250:
                sessions.add(conn, Session(f"s{number}", "p", now, life), f"hash-{number}")
                family = begun(f"f{number}", f"s{number}", "app", "openid", now, life)
                families.add_family(conn, family, f"token-{number}")

    for first in range(0, 700, 100):
        await base.store.write(fill, range(first, first + 100))
    await base.store.write(sessions.add, Session("lives", "p", now, now + 100 * HOUR * 1_000_000), "hash-lives")
    clock.advance(30 * HOUR)
    house = Upkeep(base)
    swept = (session, token_family, refresh_token, authorization_code, ended_session, tries.tries)
    assert await base.write(house._round) > 0
    left = [await rows(base, table) for table in swept]
    assert all(left)
    await house.tidy()
    # Ends of sessions stay in the feed for as long as an access token of theirs could.
    assert [await rows(base, table) for table in swept] == [1, 0, 0, 0, 250, 0]


async def test_a_sweep_enters_each_index_by_what_is_due(clock, tmp_path):
    """Every step of a round's plans ends at an instant: live sessions that are not due, and ended ones that stay, are
    not looked at.
    """
    asked: list[tuple[str, object]] = []

    def note(_conn, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    def plans(conn):
        event.listen(conn, "before_cursor_execute", note)
        house._round(conn)
        event.remove(conn, "before_cursor_execute", note)
        return [
            step.detail
            for statement, parameters in asked
            if statement.startswith(("SELECT", "DELETE"))
            for step in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    async with based_on(f"sqlite:///{tmp_path}/plans.db", clock, tmp_path) as base:
        house = Upkeep(base)
        told = await base.store.write(plans)
    found = [step for step in told if "INDEX session" in step or "INDEX ended" in step]
    assert {step.partition("INDEX ")[2] for step in found if "<" in step} == {
        "session_live (expires_us<?)",
        "session_over (expires_us<?)",
        "ended_session_ended (ended_us<?)",
    }
    assert [step for step in found if ">" in step] == []
    # Records have their instant in their id, and few tokens are over at a time.
    assert any("enrolment_token_expiry (expires_us<?)" in step for step in told)
    assert any("reveal" in step and "reveal_id<?" in step for step in told)


async def test_the_feed_gives_every_change_once_in_pages_without_gaps(base, clock):
    """More changes than a page holds: versions ascend, none is missing, `more` until the end."""

    def fill(conn, numbers):
        rows = [
            {"session_id": f"s{number}", "ended_us": 1, "feed_version": platform_store.next_feed_version(conn)}
            for number in numbers
        ]
        conn.execute(insert(ended_session), rows)

    for first in range(0, 1203, 401):
        await base.store.write(fill, range(first, first + 401))
    seen, after, pages = [], 0, []
    while True:
        page = await base.store.read(platform_store.feed, after)
        seen += [version for _, _, version in page.ended]
        pages.append(page.more)
        after = page.version
        if not page.more:
            break
    assert seen == list(range(1, 1204))
    assert pages == [True, True, False]


async def test_signing_keys_turn_over_and_old_ones_stay_until_their_last_token_is_over(base, clock):
    """next → active after twice the JWKS life → retiring → historical; a second process reads the same keys."""
    settings = IdentitySettings(jwks_seconds=60)
    ring = Keyring({1: b"k" * 32})
    first, second = (ProviderKeys(base.store, ring, settings, clock) for _ in range(2))
    await first.load()
    await second.load()
    original = first.signer.kid
    assert second.signer.kid == original
    made = first.candidate()
    following = await base.store.write(first.keep_next, made)
    await first.reload()
    assert first.signer.kid == original
    assert following.kid.encode() in first.jwks
    clock.advance(120)
    await first.reload()
    await second.reload()
    assert first.signer.kid == second.signer.kid == following.kid
    assert original.encode() in first.jwks
    clock.advance(480)
    await first.reload()
    assert original.encode() not in first.jwks
