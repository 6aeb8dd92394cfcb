"""Life of token-signing keys."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.identity.keys import domain as signing_keys
from services.identity.keys.domain import KeyState, KeyTimes

TIMES = KeyTimes(publish_us=120, verify_us=480)


class KeyLife(RuleBasedStateMachine):
    """Rotations and time in any order: always one signer, never one that nobody could know yet."""

    @initialize()
    def begin(self):
        self.now = 0
        self.keys = (signing_keys.first("k0", 0),)
        self.last_signed = {"k0": 0}

    @rule(us=st.sampled_from([1, 60, 119, 120, 121, 480, 1000]))
    def time_passes(self, us):
        self.now += us
        self.keys = signing_keys.advanced(self.keys, self.now, TIMES)

    @rule()
    def rotate(self):
        if signing_keys.waiting(self.keys) is None:
            self.keys = (*self.keys, signing_keys.following(f"k{len(self.keys)}", self.now, TIMES))

    @invariant()
    def one_key_signs_and_it_was_published_long_enough(self):
        active = [key for key in self.keys if key.state is KeyState.ACTIVE]
        assert len(active) == 1
        assert active[0].kid == "k0" or self.now >= active[0].created_us + TIMES.publish_us
        self.last_signed[active[0].kid] = self.now

    @invariant()
    def what_was_signed_can_be_checked_while_it_lives(self):
        for key in self.keys:
            if key.state is KeyState.HISTORICAL:
                assert self.now >= self.last_signed[key.kid] + TIMES.verify_us


KeyLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestKeyLife = KeyLife.TestCase
