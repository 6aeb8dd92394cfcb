"""Authorisation codes, PKCE and claims: pure rules of the OpenID provider."""

import base64
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.openid.domain import authorization, claims
from services.identity.openid.domain.authorization import Code, OAuthError, Redeemed, Redemption
from services.identity.openid.domain.claims import TokenInvalidError
from services.identity.sessions.domain.token_families import REPEAT_US, GrantRefusedError, begun

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CODE = Code("s", "app", "https://a.example/", "openid", "n", CHALLENGE, expires_us=60)
BY = Redemption("app", "https://a.example/", VERIFIER)
FAMILY = begun("f1", "s", "app", "openid", 10, 1_000_000_000)


def test_a_code_is_redeemed_once_then_it_is_a_replay():
    """The first use names the family that a replay will end."""
    meaning, used = authorization.redeemed(CODE, BY, None, "f1", 10)
    assert (meaning, used.family_id) == (Redeemed.FIRST, "f1")
    meaning, again = authorization.redeemed(used, replace(BY, verifier="w" * 43), FAMILY, "f2", 11)
    assert (meaning, again.family_id) == (Redeemed.REPLAYED, "f1")


@pytest.mark.parametrize(
    ("by", "family", "now", "meaning"),
    [
        (BY, FAMILY, 10 + REPEAT_US, Redeemed.REPEATED),
        (BY, FAMILY, 11 + REPEAT_US, Redeemed.REPLAYED),
        (replace(BY, verifier="w" * 43), FAMILY, 11, Redeemed.REPLAYED),
        (replace(BY, redirect_uri="https://a.example"), FAMILY, 11, Redeemed.REPLAYED),
        (BY, replace(FAMILY, generation=2), 11, Redeemed.REPLAYED),
        (BY, replace(FAMILY, ended_us=11), 11, Redeemed.REPLAYED),
        (BY, None, 11, Redeemed.REPLAYED),
    ],
)
def test_a_lost_answer_is_repeated_to_its_client_alone(by, family, now, meaning):
    """The same client, address and verifier within the window and before the refresh token was used; all else is
    theft.
    """
    used = replace(CODE, used_us=10, family_id="f1")
    assert authorization.redeemed(used, by, family, "f2", now) == (meaning, used)


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
        authorization.redeemed(CODE, by, None, "f", now)


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
