"""Publishing: two persons, and what the public sees meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.items.domain.record import ItemState, Record
from services.catalogue.items.domain.rules import ItemError
from services.catalogue.publishing import domain as publishing
from services.catalogue.publishing.domain import MOVES, Action, PublishingError, act, create, edit
from tests.support.catalogue_items import BASE, CONTENT, ITEM


def _published() -> Record:
    record = act(create(ITEM, "alice", 1), Action.SUBMIT, "alice", 2)
    return act(record, Action.PUBLISH, "bob", 3)


def test_two_persons_publish() -> None:
    """Nobody publishes what they edited or submitted, not even through an earlier edit."""
    record = create(ITEM, "alice", 1)
    record = edit(record, ITEM, "bob", 2)
    record = act(record, Action.SUBMIT, "carol", 3)
    for actor in ("alice", "bob", "carol", ""):
        with pytest.raises(PublishingError) as caught:
            act(record, Action.PUBLISH, actor, 4)
        assert caught.value.reason == "SECOND_PERSON_NEEDED"
    assert act(record, Action.PUBLISH, "dave", 4).visible == ITEM


def test_an_edit_leaves_the_public_its_item() -> None:
    """People see the last published content until the next one passes."""
    newer = replace(ITEM, agency_name="新名称")
    record = edit(_published(), newer, "alice", 4)
    assert (record.state, record.visible) == (ItemState.DRAFT, ITEM)
    record = act(act(record, Action.SUBMIT, "alice", 5), Action.PUBLISH, "bob", 6)
    assert (ItemState.PUBLISHED, newer, 6) == (record.state, record.visible, record.version)


def test_suspended_and_withdrawn_items_are_not_served() -> None:
    """A suspension holds through an edit, a withdrawal for ever."""
    record = act(_published(), Action.SUSPEND, "bob", 4, note="系统升级")
    assert record.visible is None
    assert edit(record, ITEM, "alice", 5).visible is None
    assert act(record, Action.RESUME, "bob", 5).visible == ITEM
    gone = act(record, Action.WITHDRAW, "bob", 5, note="取消")
    assert gone.visible is None
    for action in Action:
        assert (gone.state, action) not in MOVES


@pytest.mark.parametrize("state", [ItemState.DRAFT, ItemState.REVIEW])
def test_what_is_published_can_be_suspended_beside_a_draft(state: ItemState) -> None:
    """An error that people follow is stopped at once, not after the draft that mends it; draft and review go on, and the next
    publication ends the suspension.
    """
    newer = replace(ITEM, agency_name="新名称")
    record = edit(_published(), newer, "alice", 4)
    record = record if state is ItemState.DRAFT else act(record, Action.SUBMIT, "alice", 5)
    stopped = act(record, Action.SUSPEND, "bob", 6, note="电话有误")
    assert (stopped.state, stopped.visible, stopped.draft) == (state, None, newer)
    assert stopped.public_state is ItemState.SUSPENDED
    with pytest.raises(PublishingError) as caught:
        act(stopped, Action.SUSPEND, "bob", 7, note="x")
    assert caught.value.reason == "MOVE_NOT_ALLOWED"
    assert act(stopped, Action.RESUME, "bob", 7).visible == ITEM
    stopped = stopped if state is ItemState.REVIEW else act(stopped, Action.SUBMIT, "alice", 7)
    assert act(stopped, Action.PUBLISH, "bob", 8).visible == newer
    with pytest.raises(PublishingError):
        act(create(ITEM, "alice", 1), Action.SUSPEND, "bob", 2, note="x")


def test_everybody_learns_why_an_item_is_not_in_force() -> None:
    """The reason of a suspension stays with it through edits and returns of a draft beside it, which have reasons of their
    own; what ends the suspension ends it, and a withdrawal has its own.
    """
    record = edit(_published(), replace(ITEM, agency_name="新名称"), "alice", 4)
    stopped = act(record, Action.SUSPEND, "bob", 5, note="电话有误")
    assert (stopped.reason, stopped.note) == ("电话有误", "")
    review = act(edit(stopped, ITEM, "alice", 6), Action.SUBMIT, "alice", 7)
    returned = act(review, Action.RETURN, "bob", 8, note="请补充依据")
    assert (returned.reason, returned.note) == ("电话有误", "请补充依据")
    assert act(returned, Action.RESUME, "bob", 9, note="已更正").reason == ""
    assert act(review, Action.PUBLISH, "bob", 8).reason == ""
    assert act(returned, Action.WITHDRAW, "bob", 9, note="事项取消").reason == "事项取消"


def test_one_person_in_another_spelling_is_no_second_one() -> None:
    """Capitals, full width, blanks and hyphens make no other person."""
    record = act(create(ITEM, "Zhang-01", 1), Action.SUBMIT, "zhang-01", 2)
    for actor in ("zhang-01", "ZHANG-01", "ｚｈａｎｇ０１", "zhang 01"):
        with pytest.raises(PublishingError) as caught:
            act(record, Action.PUBLISH, actor, 3)
        assert caught.value.reason == "SECOND_PERSON_NEEDED"
    assert act(record, Action.PUBLISH, "zhang-02", 3).visible == ITEM


def test_an_incomplete_item_stays_a_draft() -> None:
    """Drafts may be incomplete; submitting tells every violation."""
    record = create(replace(ITEM, content=replace(CONTENT, flow="", conditions="")), "alice", 1)
    with pytest.raises(ItemError) as caught:
        act(record, Action.SUBMIT, "alice", 2)
    assert {each.field for each in caught.value.violations} == {"flow", "conditions"}


def test_reasons_and_etags() -> None:
    """Setbacks need a reason; a stale etag is refused."""
    record = _published()
    with pytest.raises(PublishingError) as caught:
        act(record, Action.SUSPEND, "bob", 4)
    assert caught.value.reason == "REASON_MISSING"
    suspended = act(record, Action.SUSPEND, "bob", 4, note="x", etag=record.etag)
    with pytest.raises(PublishingError) as caught:
        act(suspended, Action.RESUME, "bob", 5, etag=record.etag)
    assert caught.value.reason == "ETAG_MISMATCH"


def test_another_item_is_no_edit() -> None:
    """An edit keeps the id and the kind."""
    for other in (replace(ITEM, id="01ARZ3NDEKTSV4RRFFQ69G5FAX"), replace(BASE, id=ITEM.id)):
        with pytest.raises(PublishingError):
            edit(create(ITEM, "alice", 1), other, "alice", 2)
    with pytest.raises(PublishingError):
        act(create(ITEM, "alice", 1), Action.EDIT, "alice", 2)


@given(st.lists(st.tuples(st.sampled_from(Action), st.sampled_from(["alice", "bob", "carol"])), max_size=12))
def test_any_sequence_of_moves_keeps_the_promises(steps: list[tuple[Action, str]]) -> None:
    """Whatever is tried: only table moves happen, versions rise by one, and the public sees only a second person's
    work.
    """
    record = create(ITEM, "alice", 1)
    for now, (action, actor) in enumerate(steps, start=2):
        try:
            changed = (
                edit(record, ITEM, actor, now) if action is Action.EDIT else act(record, action, actor, now, note="x")
            )
        except PublishingError:
            continue
        if (record.state, action) in MOVES:
            assert MOVES[record.state, action] is changed.state
        else:
            assert (record.state, record.draft) == (changed.state, changed.draft)
            assert record.visible != changed.visible
        assert record.version + 1 == changed.version
        assert record.etag != changed.etag
        if action is Action.PUBLISH:
            assert changed.published_by not in changed.editors
        record = changed
    assert publishing.MOVES is MOVES
