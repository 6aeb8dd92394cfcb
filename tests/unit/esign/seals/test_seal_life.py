"""The life of seals against a model: whatever is tried in whatever order, by whomever, with whatever clock."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection

from services.esign import store
from services.esign.certification.domain import pki
from services.esign.domain.errors import ClockDoubtError, SealStateError
from services.esign.revocation import own_list
from services.esign.revocation.domain.answers import Standing
from services.esign.seals.domain import life as seals
from services.esign.seals.domain.life import Action, RevocationReason, Seal, SealState
from services.esign.seals.life import SealLife
from services.esign.seals.maker import Made
from services.esign.seals.slots import TOLERANCE_US, Slots
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import slots as slot_rows
from services.esign.seals.store.history import KeptPicture
from services.esign.seals.store.seals import SealRow
from services.esign.ses.domain.values import Picture
from shuniu.kit.foundation import ServiceSettings
from shuniu.kit.process.config import HubSettings
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing import ManualClock
from shuniu.kit.testing.foundation import foundation_of
from tests.support.esign import NOW_US, setting

DAY_US = 86_400 * 1_000_000
PICTURE = KeptPicture(seal_store.DRAWN, Picture("png", b"-", 42, 42))
OPERATORS = ("operator/one", "operator/two")
# One key for all certificates: only their serial numbers matter here.
KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Room:
    """One store for all examples; each has a holder of its own."""

    loop: asyncio.AbstractEventLoop
    store: Store
    clock: ManualClock
    life: SealLife
    platforms: int = 0

    def write(self, unit: Callable[[Connection], Any]) -> Any:
        return self.loop.run_until_complete(self.store.write(unit))

    def read(self, unit: Callable[[Connection], Any]) -> Any:
        return self.loop.run_until_complete(self.store.read(unit))


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder:
        data, clock = Path(folder), ManualClock(NOW_US)
        url = f"sqlite:///{data}/esign.db"
        loop.run_until_complete(migrate(url, "services.esign", clock))
        kept = loop.run_until_complete(Store.open(url, store.METADATA, clock=clock))
        hub = HubSettings("150000", "内蒙古枢纽", "hub.test", "https://hub.test", data, data)
        base = foundation_of("esign", hub, ServiceSettings(), clock, kept)
        life = SealLife(base, None, Slots(clock))  # type: ignore[arg-type]
        try:
            yield Room(loop, kept, clock, life)
        finally:
            loop.run_until_complete(kept.close())
            loop.close()


@dataclass
class Expected:
    """One seal as the model has it."""

    state: SealState
    replaces: str
    version: int
    applicant: str
    reviewer: str = ""
    ends_us: int = 0
    invalid_us: int | None = None
    held: bool = False
    serial: str = ""
    path: list[SealState] = field(default_factory=list)


class Life(RuleBasedStateMachine):
    """Whatever the rules do, store and model agree."""

    room: Room

    def __init__(self) -> None:
        super().__init__()
        self.room.platforms += 1
        self.platform = f"platform-{self.room.platforms}"
        self.known: dict[str, Expected] = {}
        # Every example starts with a right clock.
        self.room.clock.advance(max(0, self.floor() - self.room.clock.now_us()) / 1e6 + 1)

    def floor(self) -> int:
        return int(self.room.read(slot_rows.floor))

    def tried(self, expected: bool, unit: Callable[[Connection], Any]) -> Any:
        try:
            done = self.room.write(unit)
        except SealStateError:
            assert not expected
            return None
        assert expected
        return done

    def some(self, which: int) -> tuple[str, Expected]:
        return list(self.known.items())[which % len(self.known)]

    def goes(self, one: Expected, action: Action) -> bool:
        return (one.state, action) in seals.MOVES

    def moved(self, one: Expected, state: SealState) -> None:
        one.state = state
        one.path.append(state)

    @rule(which=st.integers(0, 5), first=st.booleans(), by=st.sampled_from((*OPERATORS, "platform/owner")))
    def apply(self, which: int, first: bool, by: str) -> None:
        replaces = "" if first or not self.known else self.some(which)[0]
        old = self.known.get(replaces)
        busy = [i for i, one in self.known.items() if one.state not in seals.ENDED and i != replaces]
        lawful = not busy and (old is None or old.state not in seals.PENDING | {SealState.REJECTED})
        wanted = Seal(new_ulid(self.room.clock), self.platform, "机构", SealState.APPLIED, 0, 0, replaces=replaces)
        applied = self.tried(lawful, lambda conn: self.room.life.apply(conn, wanted, None, by))
        if applied is not None:
            version = 1 if old is None else old.version + 1
            assert applied.version == version
            self.known[applied.id] = Expected(SealState.APPLIED, replaces, version, by, path=[SealState.APPLIED])

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5), by=st.sampled_from(OPERATORS), accept=st.booleans())
    def review(self, which: int, by: str, accept: bool) -> None:
        seal_id, one = self.some(which)
        action = Action.REVIEW if accept else Action.REJECT
        lawful = self.goes(one, action) and by != one.applicant
        if self.tried(lawful, lambda conn: self.room.life.review(conn, seal_id, action, by, "why")):
            one.reviewer = by
            self.moved(one, seals.MOVES[one.state, action])

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5), by=st.sampled_from(OPERATORS), days=st.sampled_from((1, 400)))
    def make(self, which: int, by: str, days: int) -> None:
        seal_id, one = self.some(which)
        now_us = self.room.clock.now_us()
        certificate = pki.issue_seal_certificate(setting().ca, KEY.public_key(), "机构", seal_id, now_us, days=days)
        ends_us = int(certificate.not_valid_after_utc.timestamp()) * 1_000_000
        begins_us = int(certificate.not_valid_before_utc.timestamp()) * 1_000_000
        seal = Seal(seal_id, self.platform, "机构", SealState.APPLIED, begins_us, ends_us)
        made = Made(SealRow(seal, pki.certificate_der(certificate), b"key"), PICTURE, None)
        lawful = self.goes(one, Action.MAKE) and by != one.reviewer
        if self.tried(lawful, lambda conn: self.room.life.make(conn, made, by)):
            one.ends_us, one.serial = ends_us, f"{certificate.serial_number:x}"
            self.moved(one, SealState.ISSUED)

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5), by=st.sampled_from(OPERATORS))
    def activate(self, which: int, by: str) -> None:
        seal_id, one = self.some(which)
        used = {
            i: o for i, o in self.known.items() if o.state in {SealState.ACTIVE, SealState.SUSPENDED} and o is not one
        }
        lawful = self.goes(one, Action.ACTIVATE) and by != one.reviewer and set(used) <= {one.replaces}
        if self.tried(lawful, lambda conn: self.room.life.activate(conn, seal_id, by)):
            for other_id, other in used.items():
                self.moved(other, SealState.REPLACED)
                kept = self.room.read(lambda conn, i=other_id: seal_rows.find_seal_by_id(conn, i))
                other.invalid_us = kept.seal.revocation.invalid_us
                assert kept.seal.revocation.reason is RevocationReason.SUPERSEDED
            self.moved(one, SealState.ACTIVE)

    @rule(successor=st.booleans(), days=st.sampled_from((1, 400)))
    def to_use(self, successor: bool, days: int) -> None:
        """The whole way at once, which single steps find rarely."""
        self.apply(len(self.known) - 1, not successor, "platform/owner")
        newest = len(self.known) - 1
        if newest >= 0:
            self.review(newest, OPERATORS[0], True)
            self.make(newest, OPERATORS[1], days)
            self.activate(newest, OPERATORS[1])

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5))
    def suspend(self, which: int) -> None:
        seal_id, one = self.some(which)
        if self.tried(
            self.goes(one, Action.SUSPEND), lambda c: self.room.life.suspend(c, seal_id, OPERATORS[0], "why")
        ):
            self.moved(one, SealState.SUSPENDED)
            one.held = True

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5))
    def resume(self, which: int) -> None:
        seal_id, one = self.some(which)
        others = [o for o in self.known.values() if o is not one]
        lawful = self.goes(one, Action.RESUME) and not any(
            o.state in {SealState.ACTIVE, SealState.SUSPENDED} for o in others
        )
        if self.tried(lawful, lambda conn: self.room.life.resume(conn, seal_id, OPERATORS[0], "why")):
            self.moved(one, SealState.ACTIVE)
            one.held = False

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5), ago_us=st.sampled_from((0, 1, DAY_US, -DAY_US)))
    def revoke(self, which: int, ago_us: int) -> None:
        seal_id, one = self.some(which)
        since_us = self.room.clock.now_us() - ago_us if ago_us else 0
        limit = max(self.room.clock.now_us(), self.floor() + 1)
        lawful = self.goes(one, Action.REVOKE) and not (
            since_us and (since_us > limit or (one.invalid_us is not None and since_us > one.invalid_us))
        )
        why = RevocationReason.KEY_COMPROMISE
        done = self.tried(
            lawful, lambda conn: self.room.life.revoke(conn, seal_id, why, since_us, OPERATORS[0], "stolen")
        )
        if done:
            assert done.revocation.invalid_us <= (one.invalid_us or done.revocation.at_us)
            one.invalid_us = done.revocation.invalid_us
            self.moved(one, SealState.REVOKED)

    @rule(days=st.sampled_from((0, 1, 2)))
    def time_passes(self, days: int) -> None:
        self.room.clock.advance(days * 86_400 + 1)
        self.room.write(self.room.life.expire)
        for one in self.known.values():
            if self.goes(one, Action.EXPIRE) and one.ends_us < self.room.clock.now_us():
                self.moved(one, SealState.EXPIRED)

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 5), back_us=st.sampled_from((0, 0, TOLERANCE_US // 2, 10 * TOLERANCE_US)))
    def sign(self, which: int, back_us: int) -> None:
        """Granted exactly while ACTIVE, inside the certificate, with a clock that is not behind; never back in time."""
        seal_id, one = self.some(which)
        before = self.floor()
        self.room.clock.advance(-back_us / 1e6)
        now_us = self.room.clock.now_us()
        try:
            slot = self.room.write(lambda conn: self.room.life.slots.grant(conn, seal_id, self.platform))
        except ClockDoubtError:
            assert before > now_us + TOLERANCE_US
        except SealStateError:
            assert one.state is not SealState.ACTIVE or now_us > one.ends_us
        else:
            assert one.state is SealState.ACTIVE
            assert slot.at_us == max(before, now_us)
        finally:
            self.room.clock.advance(back_us / 1e6)

    @invariant()
    def store_and_model_agree(self) -> None:
        rows = {row.seal.id: row.seal for row in self.room.read(lambda c: seal_rows.seals_of(c, self.platform))}
        assert {i: seal.state for i, seal in rows.items()} == {i: one.state for i, one in self.known.items()}
        assert [seal.state for seal in rows.values()].count(SealState.ACTIVE) <= 1
        for seal_id, one in self.known.items():
            path = [change.state for change in self.room.read(lambda c, i=seal_id: seal_store.changes_of(c, i))]
            assert path == one.path
            known = rows[seal_id].revocation
            assert (None if known is None else known.invalid_us) == one.invalid_us
            if one.serial:
                standing = self.room.read(lambda c, serial=one.serial: seal_rows.find_standing(c, serial))
                assert standing.state is one.state
                self.lists_agree(one, standing)

    def lists_agree(self, one: Expected, row: seal_rows.StandingRow) -> None:
        """OCSP and lists forget no suspension that nobody lifted, however the seal ended (X.509, 8.5.2.2)."""
        said, is_out = own_list.standing(row), one.held or one.state in {SealState.REVOKED, SealState.REPLACED}
        assert (said.standing is not Standing.GOOD) is is_out
        assert (row.held_us is not None) is one.held
        assert row.held_us is None or said.since_us <= row.held_us
        listed = self.room.read(seal_rows.revoked_certificates)
        assert (row in listed) is is_out


@pytest.mark.timeout(60)
def test_the_life_of_seals_keeps_its_rules(room: Room) -> None:
    """States, second person, one active seal, dates that only get worse, slots: in every order that was tried."""
    machine = type("OneLife", (Life,), {"room": room})
    machine.TestCase.settings = settings(
        max_examples=25,
        stateful_step_count=25,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    machine.TestCase("runTest").debug()


def test_the_database_itself_holds_one_active_seal(room: Room) -> None:
    """Even a unit of work that forgot to look cannot make a second one."""
    one = Seal(new_ulid(room.clock), "twice", "机构", SealState.ACTIVE, 0, 0)
    room.write(lambda conn: seal_rows.put_seal(conn, one, NOW_US))
    with pytest.raises(Exception, match="UNIQUE"):
        room.write(lambda conn: seal_rows.put_seal(conn, replace(one, id=new_ulid(room.clock)), NOW_US))


def test_every_state_is_reached_and_left_as_the_table_says() -> None:
    """From APPLIED every state can be reached; the four ends have no way on but to REVOKED."""
    reached, front = {SealState.APPLIED}, {SealState.APPLIED}
    while front:
        front = {target for (state, _), target in seals.MOVES.items() if state in front} - reached
        reached |= front
    assert reached == set(SealState)
    assert {target for (state, _), target in seals.MOVES.items() if state in seals.ENDED} == {SealState.REVOKED}
    assert x509.ReasonFlags.certificate_hold.name not in RevocationReason.__members__
