"""Platforms, their subscriptions, enrolment tokens and encryption keys."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.platforms.domain import enrolment, platforms
from services.identity.platforms.domain.enrolment import TokenInvalidError
from services.identity.platforms.domain.platforms import Draft, Move, PlatformState, PlatformStateError
from services.identity.platforms.service.enrolment import encryption_keys
from shuniu.kit.crypto import sealing
from shuniu.rules import RuleError

DRAFT = Draft("nmg-app", "内蒙古公安", "PROVINCE", "150000", "", ("case.apply", "openid"), (), "", "", "", "")


def test_a_sound_draft_becomes_a_platform_with_defaults():
    """Sector is the code, zone and secrecy the usual ones, the state APPLIED."""
    row = platforms.applied(DRAFT, 5)
    assert (row.sector, row.zone, row.secrecy, row.state, row.version) == (
        "nmg-app",
        "government-extranet",
        "internal",
        PlatformState.APPLIED,
        1,
    )


def test_every_violation_is_named_at_once():
    """One answer tells all that is wrong, by the contract's field names."""
    bad = Draft("-A", "", "X", "15", "123", ("admin.system", "x"), ("http://a/",), "S!", "Z", "top", "abc")
    with pytest.raises(RuleError) as failure:
        platforms.applied(bad, 0)
    assert {each.field for each in failure.value.violations} == {
        "platform.code",
        "platform.name",
        "platform.kind",
        "platform.division",
        "platform.uscc",
        "platform.scopes[0]",
        "platform.scopes[1]",
        "platform.redirect_uris[0]",
        "platform.sector",
        "platform.zone",
        "platform.secrecy",
        "platform.contact_phone",
    }


@pytest.mark.parametrize("code", ["evt", "hub", "identity", "a", "a" * 41, "a.b", "a>b", "a*", "A1", "é1", "a_b"])
def test_codes_that_could_widen_a_subject_or_name_a_process_are_refused(code):
    """A code is one token of a bus subject and no process of the hub."""
    with pytest.raises(RuleError):
        platforms.applied(replace(DRAFT, code=code), 0)


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("https://a.example/cb?x=1", True),
        ("http://127.0.0.1:8000/cb", True),
        ("http://localhost/cb", True),
        ("http://a.example/cb", False),
        ("https://a.example/#f", False),
        ("https://a.example/#", False),
        ("https://u:p@a.example/", False),
        ("javascript:alert(1)", False),
        ("https:///cb", False),
        ("https://a.example\\@evil/", False),
        ("https://a.example/ x", False),
        ("https://a:99999/", False),
        ("", False),
    ],
)
def test_redirect_uris_are_absolute_and_safe(uri, good):
    """https, or http on the loopback address; no user, fragment, space or backslash."""
    assert platforms.redirectable(uri) is good


@given(st.text(max_size=100))
def test_any_text_is_judged_as_a_uri(text):
    """No text breaks the judge."""
    assert platforms.redirectable(text) in (True, False)


def test_only_the_table_moves_a_platform():
    """Every move that the table does not name is refused and says the state."""
    row = platforms.applied(DRAFT, 0)
    active = platforms.moved(row, Move.ENROL)
    suspended = platforms.moved(active, Move.SUSPEND)
    assert platforms.moved(suspended, Move.RESUME).state is PlatformState.ACTIVE
    for before, move in ((row, Move.SUSPEND), (active, Move.ENROL), (suspended, Move.ENROL), (active, Move.RESUME)):
        with pytest.raises(PlatformStateError):
            platforms.moved(before, move)


def test_subscriptions_name_topics_that_exist_for_others():
    """Registry and session events are for the hub alone; wildcards only at the end."""
    assert (
        len(platforms.subscriptions([("catalogue.item.published", "15"), ("catalogue.*", ""), ("esign.seal.*", "")]))
        == 3
    )
    for topic in ("identity.platform.changed", "identity.*", "*", "catalogue.>", "catalogue.*.x", ""):
        with pytest.raises(RuleError):
            platforms.subscriptions([(topic, "")])
    with pytest.raises(RuleError):
        platforms.subscriptions([("catalogue.*", "15x")])


def test_an_enrolment_token_works_once_for_its_platform_within_a_day():
    """Unknown, foreign, used and old say the same."""
    token = enrolment.issued("secret", "app", 0)
    assert enrolment.check(token, "app", enrolment.LIFE_US - 1) == token
    for bad, code, now in (
        (None, "app", 0),
        (token, "other", 0),
        (replace(token, used_us=1), "app", 2),
        (token, "app", enrolment.LIFE_US),
    ):
        with pytest.raises(TokenInvalidError):
            enrolment.check(bad, code, now)
    assert "secret" not in repr(token)


def test_only_public_encryption_keys_are_kept_of_a_key_set():
    """A private part, a foreign curve, no kid or no JSON: nothing is kept of it."""
    key = sealing.new_key("k1")
    public = key.as_dict(private=False)
    kept = json.loads(encryption_keys(json.dumps({"keys": [public, {**public, "use": "sig"}]})))
    assert [each["kid"] for each in kept["keys"]] == ["k1"]
    for bad in (
        "",
        "[]",
        "{}",
        '{"keys": 5}',
        '{"keys": [5]}',
        json.dumps({"keys": []}),
        json.dumps({"keys": [key.as_dict(private=True)]}),
        json.dumps({"keys": [{**public, "crv": "P-384"}]}),
        json.dumps({"keys": [{name: value for name, value in public.items() if name != "kid"}]}),
        json.dumps({"keys": [{**public, "x": "AA"}]}),
        json.dumps({"keys": [public] * 11}),
        "[" * 10_000,
    ):
        assert encryption_keys(bad) == "", bad
