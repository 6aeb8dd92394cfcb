"""Life of an item: DRAFT → REVIEW → PUBLISHED → SUSPENDED → WITHDRAWN, one table, two persons.

The public sees ``published``, the last published content. An edit changes ``draft``; it replaces ``published`` only
when a second person publishes. Suspended and withdrawn items are not served. What is published is suspended and resumed
also while a draft or a review is open beside it, which stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from services.catalogue.items.domain.record import Item, ItemState, Record
from services.catalogue.items.domain.rules import require_valid
from shuniu.reading import same_person
from shuniu.rules import RuleError, Violation


class Action(StrEnum):
    """An act on an item."""

    EDIT = "EDIT"
    SUBMIT = "SUBMIT"
    RETURN = "RETURN"
    PUBLISH = "PUBLISH"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    WITHDRAW = "WITHDRAW"


# Every move there is; what is not here is refused.
MOVES: dict[tuple[ItemState, Action], ItemState] = {
    (ItemState.DRAFT, Action.EDIT): ItemState.DRAFT,
    (ItemState.DRAFT, Action.SUBMIT): ItemState.REVIEW,
    (ItemState.DRAFT, Action.WITHDRAW): ItemState.WITHDRAWN,
    (ItemState.REVIEW, Action.RETURN): ItemState.DRAFT,
    (ItemState.REVIEW, Action.PUBLISH): ItemState.PUBLISHED,
    (ItemState.REVIEW, Action.WITHDRAW): ItemState.WITHDRAWN,
    (ItemState.PUBLISHED, Action.EDIT): ItemState.DRAFT,
    (ItemState.PUBLISHED, Action.SUSPEND): ItemState.SUSPENDED,
    (ItemState.PUBLISHED, Action.WITHDRAW): ItemState.WITHDRAWN,
    (ItemState.SUSPENDED, Action.EDIT): ItemState.DRAFT,
    (ItemState.SUSPENDED, Action.RESUME): ItemState.PUBLISHED,
    (ItemState.SUSPENDED, Action.WITHDRAW): ItemState.WITHDRAWN,
}
# Moves of the published content, and what it is before them, in the states in which something newer waits beside it.
_BESIDE = {Action.SUSPEND: ItemState.PUBLISHED, Action.RESUME: ItemState.SUSPENDED}
_WAITING = frozenset({ItemState.DRAFT, ItemState.REVIEW})
_REASON_NEEDED = frozenset({Action.RETURN, Action.SUSPEND, Action.WITHDRAW})


class PublishingError(RuleError):
    """The move is refused."""


def create(item: Item, actor: str, now_us: int) -> Record:
    """A new draft. It may be incomplete: rules are checked when it is submitted."""
    return Record(item, ItemState.DRAFT, 1, frozenset({actor}), now_us)


def edit(record: Record, item: Item, actor: str, now_us: int, *, etag: str = "") -> Record:
    """New content in the draft; the published content stays visible. Raises PublishingError."""
    if (item.id, type(item)) != (record.draft.id, type(record.draft)):
        raise _refuse("ITEM_OTHER", "this is another item", "不是同一事项")
    changed = _move(record, Action.EDIT, now_us, etag)
    earlier = frozenset[str]() if record.state is ItemState.PUBLISHED else record.editors
    return replace(changed, draft=item, editors=earlier | {actor}, submitted_by="", note="")


def act(record: Record, action: Action, actor: str, now_us: int, *, note: str = "", etag: str = "") -> Record:
    """Any move but an edit. Raises PublishingError, and ItemError with every violation on SUBMIT and PUBLISH."""
    if action is Action.EDIT:
        raise _refuse("CONTENT_MISSING", "an edit needs the new content", "修改须提供新内容")
    changed = _move(record, action, now_us, etag)
    if record.state not in _WAITING or action not in _BESIDE:
        # The note is of the draft where there is one.
        changed = replace(changed, note=note)
    if action in _REASON_NEEDED and not note.strip():
        raise _refuse("REASON_MISSING", "say why", "请填写原因")
    if action in {Action.SUBMIT, Action.PUBLISH}:
        require_valid(record.draft)
    if action is Action.SUBMIT:
        return replace(changed, submitted_by=actor)
    if action is Action.PUBLISH:
        _require_second_person(record, actor)
        return replace(changed, published_by=actor, published=record.draft, suspended=False, reason="")
    if action is Action.SUSPEND:
        return replace(changed, suspended=True, reason=note)
    if action is Action.RESUME:
        return replace(changed, suspended=False, reason="")
    return replace(changed, reason=note) if action is Action.WITHDRAW else changed


def _require_second_person(record: Record, actor: str) -> None:
    earlier = {same_person(person) for person in (*record.editors, record.submitted_by)}
    if not actor or same_person(actor) in earlier:
        raise _refuse(
            "SECOND_PERSON_NEEDED",
            "somebody who neither edited nor submitted the item must publish it",
            "须由编辑人和提交人以外的人员发布",
        )


def _move(record: Record, action: Action, now_us: int, etag: str) -> Record:
    if etag and etag != record.etag:
        raise _refuse("ETAG_MISMATCH", "the item changed meanwhile: read it again", "事项已被他人修改，请刷新后重试")
    target = _target(record, action)
    if target is None:
        allowed = ", ".join(each.value for each in Action if _target(record, each)) or "none"
        raise _refuse(
            "MOVE_NOT_ALLOWED",
            f"{action.value} is not possible in state {record.state.value}; possible: {allowed}",
            f"当前状态 {record.state.value} 不允许操作 {action.value}",
        )
    return replace(record, state=target, version=record.version + 1, changed_us=max(now_us, record.changed_us))


def _target(record: Record, action: Action) -> ItemState | None:
    """The state after an action; None where it is not possible."""
    if record.state in _WAITING and action in _BESIDE:
        return record.state if record.public_state is _BESIDE[action] else None
    return MOVES.get((record.state, action))


def _refuse(reason: str, en: str, zh: str) -> PublishingError:
    return PublishingError([Violation("state" if reason == "MOVE_NOT_ALLOWED" else "item", reason, en, zh)])
