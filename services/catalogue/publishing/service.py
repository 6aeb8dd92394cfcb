"""ItemEditService: edits, submits, publishes, suspends and withdraws items, each step one unit of work."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from services.catalogue import metrics
from services.catalogue.items import store
from services.catalogue.items.domain.canonical import canonical, restore
from services.catalogue.items.domain.item import BaseItem, ImplementingItem
from services.catalogue.items.domain.record import Item, ItemState, Record
from services.catalogue.items.domain.rules import ItemError, check_base, check_fixed, require_right
from services.catalogue.items.messages import item_of
from services.catalogue.items.refusals import unknown
from services.catalogue.items.store import Stored
from services.catalogue.items.views import own, public
from services.catalogue.publishing import domain as publishing
from services.catalogue.publishing.announcing import item_changed
from services.catalogue.publishing.domain import Action
from services.catalogue.publishing.refusals import code_taken, not_owned, refusal
from services.catalogue.search import store as search_store
from shuniu.api.catalogue.v1 import item_pb2 as pb
from shuniu.api.catalogue.v1 import item_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc.caller import current_caller
from shuniu.rules import RuleError

_MOST_PERSON: Final = 64
_WANTED: Final = {
    pb.ITEM_STATE_PUBLISHED: Action.RESUME,
    pb.ITEM_STATE_SUSPENDED: Action.SUSPEND,
    pb.ITEM_STATE_WITHDRAWN: Action.WITHDRAW,
}


Response = TypeVar("Response", bound=Message)


class ItemEditService(item_pb2_grpc.ItemEditServiceServicer):
    """Mutations. Only the platform that made an item writes it."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def CreateItem(self, request: pb.CreateItemRequest, context: Any) -> pb.CreateItemResponse:
        editor = _person("editor", request.editor)
        owner = current_caller().platform

        def work(conn: Connection) -> pb.CreateItemResponse:
            item, base_code = self._read_item(conn, request.item, new_ulid(self._base.clock), owner)
            stored = Stored(publishing.create(item, editor, self._base.clock.now_us()), owner, base_code)
            _name(conn, stored.record)
            store.add(conn, stored)
            return pb.CreateItemResponse(item=own(stored))

        code = request.item.code or request.item.code_39046
        return await self._mutate(request, pb.CreateItemResponse, work, code, "CREATE")

    async def UpdateItem(self, request: pb.UpdateItemRequest, context: Any) -> pb.UpdateItemResponse:
        editor = _person("editor", request.editor)
        if not request.item.etag:
            raise errors.invalid_field(
                "item.etag", "FIELD_MISSING", "Read the item and send its etag.", "请先读取事项并带上其 etag。"
            )

        def work(conn: Connection) -> pb.UpdateItemResponse:
            before = _owned(conn, request.item.id)
            item, base_code = self._read_item(conn, request.item, before.id, before.owner)
            record = publishing.edit(before.record, item, editor, self._base.clock.now_us(), etag=request.item.etag)
            if before.record.published is not None:
                fixed = check_fixed(before.record.published, item)
                if fixed:
                    raise ItemError(fixed)
            _name(conn, record)
            after = replace(before, record=record, base_code=base_code)
            store.put(conn, after)
            return pb.UpdateItemResponse(item=own(after))

        return await self._mutate(request, pb.UpdateItemResponse, work, request.item.id, "EDIT")

    async def SubmitItem(self, request: pb.SubmitItemRequest, context: Any) -> pb.SubmitItemResponse:
        editor = _person("editor", request.editor)

        def work(conn: Connection) -> pb.SubmitItemResponse:
            return pb.SubmitItemResponse(item=self._act(conn, request.id, Action.SUBMIT, editor))

        return await self._mutate(request, pb.SubmitItemResponse, work, request.id, "SUBMIT")

    async def PublishItem(self, request: pb.PublishItemRequest, context: Any) -> pb.PublishItemResponse:
        publisher = _person("publisher", request.publisher)

        def work(conn: Connection) -> pb.PublishItemResponse:
            return pb.PublishItemResponse(item=self._act(conn, request.id, Action.PUBLISH, publisher))

        return await self._mutate(request, pb.PublishItemResponse, work, request.id, "PUBLISH")

    async def ReturnItem(self, request: pb.ReturnItemRequest, context: Any) -> pb.ReturnItemResponse:
        publisher, reason = _person("publisher", request.publisher), _reason(request.reason)

        def work(conn: Connection) -> pb.ReturnItemResponse:
            return pb.ReturnItemResponse(item=self._act(conn, request.id, Action.RETURN, publisher, reason))

        return await self._mutate(request, pb.ReturnItemResponse, work, request.id, "RETURN")

    async def ChangeItemState(self, request: pb.ChangeItemStateRequest, context: Any) -> pb.ChangeItemStateResponse:
        publisher, reason = _person("publisher", request.publisher), _reason(request.reason)
        action = _WANTED.get(request.state)
        if action is None:
            raise errors.invalid_field(
                "state", "VALUE_RANGE", "Ask for PUBLISHED, SUSPENDED or WITHDRAWN.", "只能改为发布、暂停或取消。"
            )

        def work(conn: Connection) -> pb.ChangeItemStateResponse:
            return pb.ChangeItemStateResponse(item=self._act(conn, request.id, action, publisher, reason))

        return await self._mutate(request, pb.ChangeItemStateResponse, work, request.id, action.value)

    async def _mutate(
        self,
        request: Message,
        response_type: type[Response],
        work: Callable[[Connection], Response],
        target: str,
        change: str,
    ) -> Response:
        try:
            response = await self._base.mutate(request, response_type, work, target=f"item/{target}"[:200])
        except RuleError as error:
            raise refusal(error) from None
        metrics.CHANGES.labels(change).inc()
        return response

    def _read_item(self, conn: Connection, message: pb.Item, item_id: str, owner: str) -> tuple[Item, str]:
        """The item of a request and its base item's code. Raises RuleError with every violation, BASE_UNKNOWN."""
        base = None
        if message.level == pb.ITEM_LEVEL_IMPLEMENTING:
            base = _base_item(conn, message.base_code, owner)
        item = item_of(message, item_id, base.id if base else "")
        # One spelling in the store and in every answer.
        item = restore(canonical(item))
        require_right(item)
        if base is None:
            return item, ""
        held = base.record.draft
        assert isinstance(item, ImplementingItem)
        assert isinstance(held, BaseItem)
        if disagreeing := check_base(item, held):
            raise ItemError(disagreeing)
        return item, held.codes.b or held.codes.a

    def _act(self, conn: Connection, item_id: str, action: Action, actor: str, reason: str = "") -> pb.Item:
        before = _owned(conn, item_id)
        record = publishing.act(before.record, action, actor, self._base.clock.now_us(), note=reason)
        if action in {Action.SUBMIT, Action.PUBLISH}:
            self._require_ground(conn, record.draft)
        if action is Action.WITHDRAW:
            if store.is_needed(conn, before.id):
                raise errors.precondition(
                    "ITEM_IN_USE",
                    "Implementing items rest on this base item; withdraw them first.",
                    "尚有实施清单引用该基本目录事项，请先取消实施清单。",
                )
            if record.published is None:
                # Nobody ever saw it: its codes are free again.
                store.unname(conn, before.id)
        after = replace(before, record=record)
        if _seen(before.record) != _seen(record):
            after = self._make_public(conn, after)
        store.put(conn, after)
        return own(after)

    def _require_ground(self, conn: Connection, item: Item) -> None:
        """Requires a published base item and an enrolled platform that handles the cases."""
        if not isinstance(item, ImplementingItem):
            return
        base = store.find_by_id(conn, item.base_id)
        if base is None or base.record.public_state is not ItemState.PUBLISHED:
            raise errors.precondition(
                "BASE_NOT_PUBLISHED", "Publish the base item first.", "请先发布对应的基本目录事项。"
            )
        if self._base.registry.platform(item.handler) is None:
            raise errors.invalid_field(
                "item.handler_platform",
                "PLATFORM_UNKNOWN",
                "Name a platform that is enrolled at this hub.",
                "请填写已接入枢纽的办理平台。",
            )

    def _make_public(self, conn: Connection, stored: Stored) -> Stored:
        """Updates search, event and feed. The feed's counter comes last: it stays locked until the commit."""
        record = stored.record
        assert record.public_state is not None
        changed = replace(stored, public_version=record.version, public_us=record.changed_us)
        store.name(conn, record)
        if record.visible is None:
            search_store.forget(conn, stored.id)
        else:
            search_store.index(conn, record.visible)
        item_changed(self._base, conn, record.public_state, public(changed))
        return store.numbered(conn, changed)


def _seen(record: Record) -> tuple[ItemState | None, Item | None, str]:
    # Publishing equal content again is still news: it has a new version and publisher.
    return record.public_state, record.published, record.published_by


def _name(conn: Connection, record: Record) -> None:
    taken = store.taken_codes(conn, record.draft.codes.all(), record.draft.id)
    if taken:
        raise code_taken(taken)
    store.name(conn, record)


def _owned(conn: Connection, item_id: str) -> Stored:
    stored = store.find_by_id(conn, item_id) if item_id.isalnum() and item_id.isascii() else None
    if stored is None:
        raise unknown()
    if stored.owner != current_caller().platform:
        raise not_owned()
    return stored


def _base_item(conn: Connection, code: str, owner: str) -> Stored:
    found = store.find_by_code(conn, code) if code.isalnum() and code.isascii() else None
    usable = (
        found is not None
        and isinstance(found.record.draft, BaseItem)
        and found.record.state is not ItemState.WITHDRAWN
        and (found.owner == owner or found.record.public_state is ItemState.PUBLISHED)
    )
    if found is None or not usable:
        raise errors.invalid_field(
            "item.base_code",
            "BASE_UNKNOWN",
            "Give the code of a base item of this hub.",
            "请填写本枢纽已有的基本编码。",
        )
    return found


def _person(name: str, value: str) -> str:
    if not 1 <= len(value) <= _MOST_PERSON or not value.isprintable() or value != value.strip():
        raise errors.invalid_field(
            name,
            "PERSON_FORM",
            "Give the person's number at your platform, 1 to 64 printable characters.",
            "请填写经办人在本平台的编号，1 至 64 个可见字符。",
        )
    return unicodedata.normalize("NFC", value)


def _reason(value: str) -> str:
    if len(value) > 1000 or not value.replace("\n", "").isprintable():
        raise errors.invalid_field(
            "reason",
            "TEXT_TOO_LONG",
            "Give the reason in up to 1000 printable characters.",
            "原因最多 1000 个可见字符。",
        )
    return value
