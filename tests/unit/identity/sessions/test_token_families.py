"""Token families: whatever the order of presentations, one line of tokens lives, or none."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.identity.sessions.domain import token_families as families
from services.identity.sessions.domain.token_families import EndReason, GrantRefusedError, Presented

SECOND = 1_000_000
LIFE = 3600 * SECOND


def family(generation: int = 1, rotated_us: int = 0, **changed) -> families.Family:
    return families.Family("f", "s", "app", "openid", generation, rotated_us, LIFE, **changed)


def test_the_newest_token_rotates():
    """Presenting the newest token makes the next one."""
    meaning, after = families.presented(family(), 1, "app", 5)
    assert (meaning, after.generation, after.rotated_us) == (Presented.ROTATED, 2, 5)


def test_a_lost_answer_is_repeated_for_thirty_seconds_and_no_longer():
    """The one before the newest repeats within 30 s; later it is a replay that ends the family."""
    before = family(2, rotated_us=0)
    assert families.presented(before, 1, "app", families.REPEAT_US) == (Presented.REPEATED, before)
    meaning, after = families.presented(before, 1, "app", families.REPEAT_US + 1)
    assert (meaning, after.end_reason) == (Presented.REPLAYED, EndReason.REUSE_DETECTED)


def test_a_clock_that_was_ahead_lengthens_no_repeat():
    """Rotated in a year to come: the clock was set right since. A replica's clock may be a little ahead."""
    little, far = family(2, rotated_us=families.REPEAT_US), family(2, rotated_us=LIFE - 1)
    assert families.presented(little, 1, "app", 0)[0] is Presented.REPEATED
    assert families.presented(far, 1, "app", 0)[0] is Presented.REPLAYED
    assert not families.untouched(family(1, rotated_us=LIFE - 1), 0)


def test_a_token_whose_successor_was_used_is_a_replay_at_once():
    """Who used the successor had the answer, so somebody else asks now."""
    meaning, _ = families.presented(family(3, rotated_us=0), 1, "app", 1)
    assert meaning is Presented.REPLAYED


@pytest.mark.parametrize(
    ("row", "platform", "now"),
    [(family(), "other", 0), (family(), "app", LIFE), (family(ended_us=1), "app", 2)],
)
def test_strangers_and_the_past_change_nothing(row, platform, now):
    """Another platform, an expired and an ended family are refused without effect."""
    with pytest.raises(GrantRefusedError):
        families.presented(row, 1, platform, now)


def test_the_first_end_stays():
    """A family that ended by logout does not later end by revocation."""
    over = families.ended(family(), EndReason.LOGOUT, 1)
    assert families.ended(over, EndReason.REVOKED, 2) == over


class FamilyLife(RuleBasedStateMachine):
    """A client that loses answers, a thief with any token of the past, and time."""

    def __init__(self):
        super().__init__()
        self.now = SECOND
        self.family = families.begun("f", "s", "app", "openid", self.now, LIFE)

    @rule(seconds=st.sampled_from([0, 1, 29, 30, 31, 600]))
    def time_passes(self, seconds):
        self.now += seconds * SECOND

    @rule(data=st.data())
    def somebody_presents(self, data):
        generation = data.draw(st.integers(1, self.family.generation))
        before = self.family
        try:
            meaning, self.family = families.presented(before, generation, "app", self.now)
        except GrantRefusedError:
            assert before.ended or before.expires_us <= self.now
            return
        if meaning is Presented.ROTATED:
            assert generation == before.generation
            assert self.family.generation == before.generation + 1
        elif meaning is Presented.REPEATED:
            assert generation == before.generation - 1
            assert self.family == before
        else:
            assert self.family.ended

    @precondition(lambda self: not self.family.ended)
    @rule(reason=st.sampled_from(EndReason))
    def it_ends(self, reason):
        self.family = families.ended(self.family, reason, self.now + 1)

    @invariant()
    def generations_only_grow_and_an_end_is_final(self):
        assert self.family.generation >= 1
        if self.family.ended:
            with pytest.raises(GrantRefusedError):
                families.presented(self.family, self.family.generation, "app", self.now)


FamilyLife.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestFamilyLife = FamilyLife.TestCase
