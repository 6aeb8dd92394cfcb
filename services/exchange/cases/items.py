"""A copy of the catalogue's items that follows its feed and works while the catalogue is unavailable."""

from functools import partial

import grpc

from services.exchange.cases.domain.routing import Item, ItemBook, ItemState
from services.exchange.domain.time_limits import Limit, Unit
from services.exchange.service.days import day_of
from shuniu.api.catalogue.v1 import feed_pb2, feed_pb2_grpc, item_pb2
from shuniu.kit.feeds.feed import Change, Page, Replica, Rows, Swap
from shuniu.kit.rpc.client import ask
from shuniu.kit.store import Store

PULL_SECONDS = 20

_STATES = {
    item_pb2.ITEM_STATE_PUBLISHED: ItemState.PUBLISHED,
    item_pb2.ITEM_STATE_SUSPENDED: ItemState.SUSPENDED,
}
_UNITS = {"working_day": Unit.WORKING_DAY, "day": Unit.DAY}


class Items:
    """A live copy of the catalogue's published items."""

    def __init__(self, channel: grpc.aio.Channel, store: Store) -> None:
        self._stub = feed_pb2_grpc.ItemFeedServiceStub(channel)
        self.book = ItemBook()
        self.replica = Replica("items", self._pull, self._take, self._read_all, store)

    async def _pull(self, version: int, epoch: int) -> Page:
        request = feed_pb2.PullItemsRequest(after_version=version, epoch=epoch, wait_seconds=PULL_SECONDS)
        answer = await ask(self._stub.PullItems, request, timeout=PULL_SECONDS + 5)
        changes = [Change(entry.item.id, entry.feed_version, entry.item.SerializeToString()) for entry in answer.items]
        return Page(changes, answer.version, answer.epoch, answer.reset, answer.more)

    def _take(self, rows: Rows) -> None:
        for data in rows.values():
            self.book.put(item_of(item_pb2.Item.FromString(data)))

    def _read_all(self, rows: Rows) -> Swap:
        fresh = ItemBook.of(item_of(item_pb2.Item.FromString(data)) for data in rows.values())
        return partial(self.book.become, fresh)


def item_of(item: item_pb2.Item) -> Item:
    """The part of an item that cases need. What is neither published nor suspended is a tombstone."""
    promised = item.promised_limit if item.HasField("promised_limit") else item.statutory_limit
    limit = None
    if item.HasField("promised_limit") or item.HasField("statutory_limit"):
        limit = Limit(promised.amount, _UNITS.get(promised.unit, Unit.WORKING_DAY))
    return Item(
        code=item.code,
        base_code=item.base_code,
        title=item.title,
        division=item.division,
        handler=item.handler_platform,
        state=_STATES.get(item.state, ItemState.WITHDRAWN),
        min_ial=item.min_ial,
        result_template=item.result_template,
        limit=limit,
        begins=day_of(item.effective_date) if item.HasField("effective_date") else None,
        ends=day_of(item.cancel_date) if item.HasField("cancel_date") else None,
        other_code=item.code_39046,
        closed_because=item.state_reason,
    )
