"""Limits of sign-in and registration: counted before anything is asked, by name, number and sender, and given back."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
import pytest_asyncio

from services.identity.sessions.domain.tries import Limit, Meter, TriesSpentError
from services.identity.sessions.store import tries
from services.identity.store import METADATA
from shuniu.api.identity.v1 import signin_pb2 as pb
from shuniu.kit.rpc.client import error_of
from shuniu.kit.store import Store
from tests.support.identity_land import request_id
from tests.support.sign_in_land import (
    PASSWORD,
    STORES,
    Citizen,
    Stubs,
    World,
    citizen_number,
    refused,
    register,
    registration,
    sign_in_world,
    stubs_of,
)

MOST = 3
"""Wrong passwords of `sign_in_world`."""
DAY_US = 86_400_000_000


@pytest.fixture(scope="module", params=STORES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with sign_in_world(request) as found:
        yield found


@pytest_asyncio.fixture
async def stubs(world: World) -> AsyncIterator[Stubs]:
    async with stubs_of(world) as found:
        yield found


async def outcome(call) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as failure:
        return error_of(failure).reason
    return "OK"


def sign_in(stubs: Stubs, login: str, password: str, *, sender: str = "192.0.2.1", browser: str = ""):
    wanted = pb.SignInRequest(request_id=request_id(), login_name=login, password=password, browser=browser)
    return stubs.sign_in.SignIn(wanted, metadata=(("x-shuniu-sender", sender),))


async def at_once(calls) -> Counter[str]:
    return Counter(await asyncio.gather(*(outcome(call) for call in calls)))


async def test_of_guesses_made_at_once_only_as_many_are_tried_as_the_limit_says(world, stubs):
    """100 wrong passwords at once: three are looked at; then the right one is not, from that sender."""
    citizen = await register(world, stubs)
    found = await at_once(sign_in(stubs, citizen.login, f"guess {number} of many") for number in range(100))
    assert found == {"SIGN_IN_FAILED": MOST, "SIGN_IN_LIMIT": 100 - MOST}
    assert await outcome(sign_in(stubs, citizen.login, PASSWORD)) == "SIGN_IN_LIMIT"
    assert await outcome(sign_in(stubs, citizen.login, PASSWORD, sender="192.0.2.2")) == "OK"


async def test_a_person_is_not_kept_out_of_a_browser_that_is_known(world, stubs):
    """Strangers of many addresses close a name for unknown browsers; where its owner signed in before it stays open,
    with a limit of its own.
    """
    citizen = await register(world, stubs)
    known = (await sign_in(stubs, citizen.login, PASSWORD)).browser
    for number in range(10):
        await at_once(sign_in(stubs, citizen.login, "wrong password", sender=f"198.51.100.{number}") for _ in range(2))
    assert await outcome(sign_in(stubs, citizen.login, PASSWORD, sender="203.0.113.9")) == "SIGN_IN_LIMIT"
    other = (await sign_in(stubs, (await register(world, stubs)).login, PASSWORD)).browser
    assert await outcome(sign_in(stubs, citizen.login, PASSWORD, browser=other)) == "SIGN_IN_LIMIT"
    again = await sign_in(stubs, citizen.login, PASSWORD, browser=f"{other}~{known}")
    assert again.session_token
    found = await at_once(sign_in(stubs, citizen.login, "wrong password", browser=again.browser) for _ in range(20))
    assert found == {"SIGN_IN_FAILED": MOST, "SIGN_IN_LIMIT": 20 - MOST}


async def test_a_right_password_and_a_repeated_answer_are_no_tries(world, stubs):
    """More sign-ins than the limit, and more repeats of one: all succeed, a repeat with the same session."""
    citizen = await register(world, stubs)
    for _ in range(MOST + 1):
        assert await outcome(sign_in(stubs, citizen.login, PASSWORD)) == "OK"
    wanted = pb.SignInRequest(request_id=request_id(), login_name=citizen.login, password=PASSWORD)
    answers = [await stubs.sign_in.SignIn(wanted) for _ in range(MOST * 6)]
    assert len({answer.session_token for answer in answers}) == 1
    assert await outcome(sign_in(stubs, citizen.login, "wrong password")) == "SIGN_IN_FAILED"


def named(citizen: Citizen, name: str) -> pb.RegisterPersonRequest:
    return registration(Citizen(f"user-{secrets.token_hex(6)}", name, citizen.number))


async def test_whether_a_name_belongs_to_a_number_is_asked_five_times(world, stubs):
    """Of 40 tries at once the authority hears five; from other senders five times as many in all; then not even the
    right name is looked at.
    """
    right = Citizen("", "乌云其木格", citizen_number())
    world.exchange.register[("111", right.number)] = right.name
    asked = len(world.exchange.asked)

    def tried(count: int, sender: str):
        metadata = (("x-shuniu-sender", sender),)
        # Names of Chinese characters alone, each another.
        names = [f"乌云{chr(0x4E00 + secrets.randbelow(5000))}{chr(0x4E00 + number)}" for number in range(count)]
        return at_once(stubs.sign_in.RegisterPerson(named(right, each), metadata=metadata) for each in names)

    assert await tried(40, "192.0.2.1") == {"REAL_NAME_MISMATCH": 5, "SIGN_IN_LIMIT": 35}
    assert len(world.exchange.asked) == asked + 5
    for number in range(5):
        await tried(6, f"198.51.100.{number}")
    assert len(world.exchange.asked) == asked + 25
    late = stubs.sign_in.RegisterPerson(named(right, right.name), metadata=(("x-shuniu-sender", "203.0.113.9"),))
    assert await outcome(late) == "SIGN_IN_LIMIT"
    assert len(world.exchange.asked) == asked + 25


async def test_numbers_are_not_searched_for_a_name(world, stubs):
    """100 numbers a day are tried for one name, whoever tries."""
    asked = len(world.exchange.asked)
    found: Counter[str] = Counter()
    for number in range(11):
        metadata = (("x-shuniu-sender", f"198.51.100.{number}"),)
        people = [Citizen(f"user-{secrets.token_hex(6)}", "呼和巴特尔", citizen_number()) for _ in range(10)]
        found += await at_once(
            stubs.sign_in.RegisterPerson(registration(each), metadata=metadata, timeout=30) for each in people
        )
    assert found == {"REAL_NAME_MISMATCH": 100, "SIGN_IN_LIMIT": 10}
    assert len(world.exchange.asked) == asked + 100


async def test_one_sender_does_not_close_a_name_to_its_bearers(world, stubs):
    """20 numbers a day are tried for one name from one address; others of that name still register."""
    flood, other = (("x-shuniu-sender", "198.51.100.77"),), (("x-shuniu-sender", "203.0.113.77"),)
    people = [Citizen(f"user-{secrets.token_hex(6)}", "朝鲁孟和", citizen_number()) for _ in range(25)]
    found = await at_once(
        stubs.sign_in.RegisterPerson(registration(each), metadata=flood, timeout=30) for each in people
    )
    assert found == {"REAL_NAME_MISMATCH": 20, "SIGN_IN_LIMIT": 5}
    late = stubs.sign_in.RegisterPerson(registration(people[-1]), metadata=other, timeout=30)
    assert await outcome(late) == "REAL_NAME_MISMATCH"


async def test_a_registration_does_not_tell_who_is_registered(world, stubs):
    """A registered person, a wrong name and an unknown number are refused in the same words."""
    citizen = await register(world, stubs)
    unknown = Citizen("", citizen.name, citizen_number())
    said = set()
    for wanted in (named(citizen, citizen.name), named(citizen, "别人"), named(unknown, citizen.name)):
        error = await refused(stubs.sign_in.RegisterPerson(wanted))
        said.add((error.code, error.reason, error.en, error.zh))
    assert [reason for _, reason, _, _ in said] == ["REAL_NAME_MISMATCH"]


async def test_what_nobody_answered_is_no_try(world, stubs):
    """While the authority is away everybody may try as often as they like."""
    right = Citizen(f"user-{secrets.token_hex(6)}", "斯琴", citizen_number())
    world.exchange.register[("111", right.number)] = right.name
    world.exchange.away = True
    try:
        for _ in range(7):
            assert await outcome(stubs.sign_in.RegisterPerson(registration(right))) == "AUTHORITY_AWAY"
    finally:
        world.exchange.away = False
    assert await outcome(stubs.sign_in.RegisterPerson(registration(right))) == "OK"


async def test_replicas_share_the_count_and_a_new_window_begins_with_a_try(store_url, clock):
    """Of 60 tries at once in two processes ten are counted; one given back may be taken again; all after the window."""
    # SQLite has one process that writes.
    replicas = 2 if "postgresql" in store_url else 1
    stores = [Store.unchecked(store_url, METADATA, clock=clock, writer=f"identity-{n}") for n in range(replicas)]
    await stores[0].create_schema()
    meters = [Meter("all", Limit(100, DAY_US)), Meter("one", Limit(10, DAY_US))]

    async def tried(store: Store) -> bool:
        try:
            await store.write(tries.take, meters, clock.now_us())
        except TriesSpentError:
            return False
        return True

    async def taken(count: int) -> int:
        return sum(await asyncio.gather(*(tried(stores[number % replicas]) for number in range(count))))

    try:
        assert await taken(60) == 10
        await stores[-1].write(tries.give_back, meters)
        assert await taken(4) == 1
        clock.advance(86_400)
        assert await taken(60) == 10
        clock.advance(-3 * 86_400)
        # Set right: a window that begins days ahead keeps nobody out until then.
        assert await taken(60) == 10
        # The fifty that were refused count nowhere.
        others = [Meter("all", Limit(11, DAY_US))]
        await stores[0].write(tries.take, others, clock.now_us())
        with pytest.raises(TriesSpentError):
            await stores[0].write(tries.take, others, clock.now_us())
        clock.advance(5 * 86_400)
        await stores[0].write(tries.forget, clock.now_us() - DAY_US)
        assert await stores[0].read(lambda conn: conn.execute(tries.tries.select()).all()) == []
    finally:
        for store in stores:
            await store.close()
