"""Authorisation codes, PKCE, subjects, claims, signing keys and sessions: pure rules of the OpenID provider."""

import base64
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.identity.domain import authorization, claims, pairwise, sessions, signing_keys
from services.identity.domain.authorization import Code, OAuthError, Redeemed, Redemption
from services.identity.domain.claims import TokenInvalidError
from services.identity.domain.sessions import Session, SessionEndedError
from services.identity.domain.signing_keys import KeyState, KeyTimes
from services.identity.domain.token_families import EndReason, GrantRefusedError

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CODE = Code("s", "app", "https://a.example/", "openid", "n", CHALLENGE, expires_us=60)
BY = Redemption("app", "https://a.example/", VERIFIER)


def test_a_code_is_redeemed_once_then_it_is_a_replay():
    """The first use names the family that a replay will end."""
    meaning, used = authorization.redeemed(CODE, BY, "f1", 10)
    assert (meaning, used.family_id) == (Redeemed.FIRST, "f1")
    meaning, again = authorization.redeemed(used, BY, "f2", 11)
    assert (meaning, again.family_id) == (Redeemed.REPLAYED, "f1")


@pytest.mark.parametrize(
    ("by", "now"),
    [
        (replace(BY, platform="other"), 10),
        (replace(BY, redirect_uri="https://a.example"), 10),
        (replace(BY, verifier="w" * 43), 10),
        (replace(BY, verifier=""), 10),
        (BY, 60),
    ],
)
def test_a_code_is_for_one_client_uri_verifier_and_minute(by, now):
    """Anything else is refused and leaves the code as it was."""
    with pytest.raises(GrantRefusedError):
        authorization.redeemed(CODE, by, "f", now)


@given(st.text(max_size=200))
def test_only_the_verifier_proves(text):
    """RFC 7636: no other text proves possession, whatever characters it holds."""
    assert authorization.proves(text, CHALLENGE) == (text == VERIFIER)


@pytest.mark.parametrize(
    ("wanted", "ial", "met"), [("L3", 2, False), ("L2", 2, True), ("L4 L2", 2, True), ("", 1, True), ("gold", 1, True)]
)
def test_the_lowest_level_named_must_be_reached(wanted, ial, met):
    """acr_values are alternatives; unknown ones are no demand."""
    if met:
        authorization.check_assurance(wanted, ial)
    else:
        with pytest.raises(OAuthError) as failure:
            authorization.check_assurance(wanted, ial)
        assert failure.value.error == "unmet_authentication_requirements"


def test_redirects_keep_their_own_parameters():
    """RFC 6749 3.1.2: the registered query stays; values are encoded."""
    target = authorization.redirect("https://a.example/x?k=1&empty=", code="c&c", state="", iss="https://h")
    assert target == "https://a.example/x?k=1&empty=&code=c%26c&iss=https%3A%2F%2Fh"


def test_subjects_differ_by_person_sector_and_key():
    """Pairwise: same inputs same subject, any other input another one; the newest key epoch makes it."""
    keys = {1: b"a" * 32, 2: b"b" * 32}
    first = pairwise.subject(keys, "p1", "s1")
    assert first == pairwise.subject(keys, "p1", "s1")
    assert first.epoch == 2
    others = {
        pairwise.subject(keys, "p2", "s1").value,
        pairwise.subject(keys, "p1", "s2").value,
        pairwise.subject({1: b"a" * 32}, "p1", "s1").value,
    }
    assert len(others | {first.value}) == 4


GOOD = {"iss": "i", "aud": "shuniu", "exp": 100, "cnf": {"x5t#S256": "b"}}


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "j"},
        {"aud": "other"},
        {"aud": ["shuniu", "other"]},
        {"exp": 50},
        {"exp": "100"},
        {"exp": None},
        {"cnf": {}},
        {"cnf": "b"},
        {"cnf": {"x5t#S256": "c"}},
        {"cnf": {"x5t#S256": ""}},
    ],
)
def test_access_tokens_hold_here_now_and_with_their_certificate(changed):
    """Issuer, audience, time and binding each decide alone."""
    claims.check_access(GOOD, "i", "b", 50)
    with pytest.raises(TokenInvalidError):
        claims.check_access({**GOOD, **changed}, "i", "b", 50)


def test_a_session_ends_once_and_is_not_live_after():
    """The first reason stays; expiry needs nobody to end it."""
    session = Session("s", "p", 0, 100)
    assert sessions.live(session, 99) == session
    over = sessions.ended(session, EndReason.LOGOUT, 50)
    assert sessions.ended(over, EndReason.EXPIRED, 60) == over
    for gone, now in ((over, 51), (session, 100), (None, 0)):
        with pytest.raises(SessionEndedError):
            sessions.live(gone, now)


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
