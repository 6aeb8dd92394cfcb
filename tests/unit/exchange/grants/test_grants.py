"""Grants: the contract, its standing, and that nothing outside it leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchange.directory.domain import USUAL_DAILY_CALLS, Field, Resource, ShareClass
from services.exchange.grants.domain import (
    MOVES,
    Action,
    Contract,
    Grant,
    GrantError,
    GrantState,
    Party,
    Use,
    act,
    limited,
    mask_answer,
    permit,
    propose,
)

DAY_US = 86_400_000_000
CONTRACT = Contract(
    consumer="150100-ga",
    provider="mps-register",
    resource="criminal-record",
    purpose="开具无犯罪记录证明",
    item="150020090010",
    fields=frozenset({"found", "person.name"}),
    daily_quota=2,
    begins_us=0,
    ends_us=30 * DAY_US,
)
FIELDS = tuple(Field(name, name, "internal") for name in ("found", "person.name", "person.number", "details"))
RESOURCE = Resource(
    "criminal-record", "记录", "mps-register", FIELDS, ShareClass.UNCONDITIONAL, "internal", False, "E1"
)
ASKED_FOR = replace(RESOURCE, share=ShareClass.CONDITIONAL)
USE = Use("150100-ga", "criminal-record", "开具无犯罪记录证明", "150020090010", DAY_US)


def _reasons(error: pytest.ExceptionInfo[GrantError]) -> set[str]:
    return {each.reason for each in error.value.violations}


def _active() -> Grant:
    grant = propose("g", CONTRACT, RESOURCE)
    return act(grant, Action.ACTIVATE, Party.HUB)


def test_the_way_of_a_conditional_resource() -> None:
    """The hub reviews, the provider decides, the hub activates."""
    grant = propose("g", CONTRACT, ASKED_FOR)
    with pytest.raises(GrantError):
        act(grant, Action.GRANT, Party.PROVIDER)
    grant = act(grant, Action.REVIEW, Party.HUB)
    with pytest.raises(GrantError) as caught:
        act(grant, Action.GRANT, Party.HUB)
    assert _reasons(caught) == {"ROLE_NOT_ALLOWED"}
    grant = act(act(grant, Action.GRANT, Party.PROVIDER), Action.ACTIVATE, Party.HUB)
    assert (grant.state, grant.version) == (GrantState.ACTIVE, 4)


def test_the_same_again_changes_nothing() -> None:
    """Revoking the revoked is no error and no new version."""
    gone = act(_active(), Action.REVOKE, Party.PROVIDER, note="滥用")
    assert act(gone, Action.REVOKE, Party.HUB) is gone
    for action in (Action.RESUME, Action.ACTIVATE, Action.EXPIRE):
        with pytest.raises(GrantError):
            act(gone, action, Party.HUB)


def test_setbacks_need_a_reason() -> None:
    """Nobody is cut off without being told why."""
    with pytest.raises(GrantError) as caught:
        act(_active(), Action.SUSPEND, Party.HUB)
    assert _reasons(caught) == {"REASON_MISSING"}


def test_faults_of_a_contract_are_told_at_once() -> None:
    """All faults come in one answer."""
    wrong = replace(
        CONTRACT,
        consumer="mps-register",
        purpose="",
        item="",
        fields=frozenset({"x"}),
        daily_quota=0,
        max_rows=0,
        ends_us=0,
    )
    with pytest.raises(GrantError) as caught:
        propose("g", wrong, replace(RESOURCE, share=ShareClass.NOT_SHARED))
    assert _reasons(caught) == {
        "NOT_SHARED",
        "FIELD_MISSING",
        "VALUE_RANGE",
        "TERM_RANGE",
        "SAME_PARTY",
        "FIELD_UNKNOWN",
    }


def test_what_a_provider_stopped_does_not_pass_by_itself() -> None:
    """A consumer whose grant was revoked asks again, and the provider decides; also on an unconditional resource."""
    assert propose("g", CONTRACT, RESOURCE).state is GrantState.GRANTED
    assert propose("g", CONTRACT, RESOURCE, stopped=True).state is GrantState.APPLIED


@pytest.mark.parametrize(
    ("resource", "most"),
    [
        (RESOURCE, USUAL_DAILY_CALLS),
        (replace(RESOURCE, daily_calls=7), 7),
        (replace(ASKED_FOR, daily_calls=7), 7),
        (ASKED_FOR, 10_000_000),
    ],
)
def test_the_provider_sets_the_calls_of_a_day(resource: Resource, most: int) -> None:
    """A consumer wants no more than the resource gives; where nobody decides, a usual number stands for none."""
    propose("g", replace(CONTRACT, daily_quota=most), resource)
    with pytest.raises(GrantError) as caught:
        propose("g", replace(CONTRACT, daily_quota=most + 1), resource)
    assert _reasons(caught) == {"VALUE_RANGE"}


def test_a_decision_gives_at_most_what_was_wanted() -> None:
    """The provider lowers a quota, and never raises it; no number gives what was wanted."""
    grant = propose("g", CONTRACT, ASKED_FOR)
    assert [limited(grant, each).contract.daily_quota for each in (0, 1, 2)] == [2, 1, 2]
    for wrong in (-1, 3):
        with pytest.raises(GrantError) as caught:
            limited(grant, wrong)
        assert _reasons(caught) == {"VALUE_RANGE"}


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (replace(USE, consumer="other"), "GRANT_OTHER_CONSUMER"),
        (replace(USE, resource="other"), "GRANT_OTHER_RESOURCE"),
        (replace(USE, purpose="other"), "GRANT_OTHER_PURPOSE"),
        (replace(USE, item="other"), "GRANT_OTHER_ITEM"),
        (replace(USE, now_us=-1), "GRANT_NOT_BEGUN"),
        (replace(USE, now_us=30 * DAY_US), "GRANT_EXPIRED"),
    ],
)
def test_uses_outside_the_contract(use: Use, reason: str) -> None:
    """Each term of the contract is checked at each use."""
    with pytest.raises(GrantError) as caught:
        permit(_active(), use)
    assert _reasons(caught) == {reason}


def test_consent_and_standing() -> None:
    """Where consent is needed it is asked for; a suspended grant gives nothing."""
    asked = replace(_active(), contract=replace(CONTRACT, consent_needed=True))
    with pytest.raises(GrantError) as caught:
        permit(asked, USE)
    assert _reasons(caught) == {"CONSENT_MISSING"}
    permit(asked, replace(USE, consented=True))
    with pytest.raises(GrantError) as caught:
        permit(act(_active(), Action.SUSPEND, Party.HUB, note="x"), USE)
    assert _reasons(caught) == {"GRANT_NOT_ACTIVE"}


def test_answers_are_cut() -> None:
    """Only granted fields and rows leave."""
    row = {"found": False, "person": {"name": "王小明", "number": "x"}, "details": [{"a": 1}], "person.name": "trick"}
    assert mask_answer(CONTRACT, [row, row]) == ({"found": False, "person": {"name": "王小明"}},)
    assert mask_answer(CONTRACT, [{"person": "王小明"}]) == ({},)
    rows = replace(CONTRACT, fields=frozenset({"details.a"}))
    assert mask_answer(rows, [{"details": [{"a": 1, "b": 2}, 7]}]) == ({"details": [{"a": 1}]},)


NAMES = st.sampled_from(["a", "b", "c", "a.b"])
VALUES = st.recursive(
    st.integers(), lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=3)
)
PATHS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(".".join)


def _leaves(value: object, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {
            leaf for name, inner in value.items() for leaf in _leaves(inner, f"{path}{name}.") or {f"{path}{name}."}
        }
    if isinstance(value, list):
        return {leaf for inner in value for leaf in _leaves(inner, path)}
    return {path}


@given(st.dictionaries(NAMES, VALUES, max_size=3), st.frozensets(PATHS, min_size=1, max_size=3))
def test_no_field_outside_the_contract_ever_leaves(row: dict[str, object], granted: frozenset[str]) -> None:
    """Whatever the shape of an answer, each value that leaves lies under a granted path or is an empty shell."""
    (cut,) = mask_answer(replace(CONTRACT, fields=granted), [row])
    for leaf in _leaves(cut):
        path = leaf.rstrip(".")
        under = any(path == each or path.startswith(each + ".") for each in granted)
        shell = any(each.startswith(path + ".") for each in granted)
        assert under or shell


def test_every_state_is_reached() -> None:
    """The table has no state that nothing leads to."""
    assert {target for target, _ in MOVES.values()} | {GrantState.APPLIED} == set(GrantState)
