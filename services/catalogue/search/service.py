"""ItemService: reading the catalogue."""

import re
import time
from typing import Any, Final

from sqlalchemy import Connection

from services.catalogue import metrics
from services.catalogue.domain import divisions
from services.catalogue.items import store
from services.catalogue.items.domain.record import ItemState
from services.catalogue.items.messages import STATE_OF
from services.catalogue.items.refusals import refusal, unknown
from services.catalogue.items.store import Stored, Wanted
from services.catalogue.items.views import own, owner_of, public, shown
from services.catalogue.search import store as search_store
from services.catalogue.search.domain import matching as search
from shuniu.api.catalogue.v1 import item_pb2 as pb
from shuniu.api.catalogue.v1 import item_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.caller import current_caller
from shuniu.kit.rpc.paging import decode_token, encode_token, page_size
from shuniu.rules import RuleError

_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._\-]{0,63}", re.ASCII)
_IMPLEMENTING: Final = 31
_HANDLING: Final = 33
_KINDS: Final = {pb.ITEM_LEVEL_BASE: "base", pb.ITEM_LEVEL_IMPLEMENTING: "implementing"}
_MOST_QUERY: Final = 100
# What the score's whole part says (domain.matching).
_MATCHED: Final = {8: "CODE", 7: "NAME", 6: "NAME", 5: "ALIAS", 4: "NAME", 3: "PINYIN", 2: "GUIDE", 1: "GUIDE"}


class ItemService(item_pb2_grpc.ItemServiceServicer):
    """Serves published items, and unpublished ones to their owner."""

    def __init__(self, base: Foundation, page_key: bytes) -> None:
        self._base = base
        self._page_key = page_key

    async def GetItem(self, request: pb.GetItemRequest, context: Any) -> pb.GetItemResponse:
        if not _NAME.fullmatch(request.name):
            raise unknown()
        stored = await self._base.store.read(_named, request.name)
        message = None if stored is None else shown(stored, current_caller())
        if message is None:
            raise unknown()
        return pb.GetItemResponse(item=message)

    async def ListItems(self, request: pb.ListItemsRequest, context: Any) -> pb.ListItemsResponse:
        caller = current_caller()
        states = frozenset(STATE_OF[each] for each in request.states if each in STATE_OF) or {ItemState.PUBLISHED}
        wanted = Wanted(
            division=_division(request.division),
            kind=_KINDS.get(request.level, ""),
            states=frozenset(states),
            owner=owner_of(caller),
        )
        query = f"items\n{wanted.division}\n{wanted.kind}\n{','.join(sorted(states))}".encode()
        size = page_size(request.page_size)
        after = decode_token(self._page_key, caller.key, query, request.page_token)
        found = await self._base.store.read(store.page, wanted, after, size + 1)
        response = pb.ListItemsResponse(items=[_listed(stored, wanted) for stored in found[:size]])
        if len(found) > size:
            last = found[size - 1].record.draft
            position = (last.codes.b or last.codes.a, last.id)
            response.next_page_token = encode_token(self._page_key, caller.key, query, position)
        return response

    async def SearchItems(self, request: pb.SearchItemsRequest, context: Any) -> pb.SearchItemsResponse:
        if not 1 <= len(request.query.strip()) <= _MOST_QUERY:
            raise errors.invalid_field(
                "query", "VALUE_RANGE", "Search with 1 to 100 characters.", "请输入 1 至 100 个字符。"
            )
        division = _division(request.division)
        # An item without division holds everywhere.
        area = ["", division, *divisions.ancestors(division)] if division else []
        size = page_size(request.page_size, default=20, most=100)
        began = time.perf_counter()
        found = await self._base.store.read(_search, request.query, area, size)
        metrics.SEARCH.observe(time.perf_counter() - began)
        response = pb.SearchItemsResponse()
        for stored, score in found:
            response.hits.add(item=public(stored), matched=_MATCHED[int(score)], score=score)
        metrics.SEARCHES.labels(response.hits[0].matched if response.hits else "NONE").inc()
        return response


def _named(conn: Connection, name: str) -> Stored | None:
    if found := store.find_by_id(conn, name):
        return found
    if found := store.find_by_code(conn, name) or store.find_by_code(conn, name.upper()):
        return found
    # A handling-item code (业务办理项编码) is its implementing code and a suffix.
    return store.find_by_code(conn, name[:_IMPLEMENTING].upper()) if len(name) == _HANDLING else None


def _listed(stored: Stored, wanted: Wanted) -> pb.Item:
    if stored.owner == wanted.owner and stored.record.state in wanted.states:
        return own(stored)
    return public(stored)


def _search(conn: Connection, query: str, area: list[str], size: int) -> list[tuple[Stored, float]]:
    plan = search.plan(query)
    if plan.empty:
        return []
    best = search.rank(plan, search_store.candidates(conn, plan, area))[:size]
    items = store.by_ids(conn, [item_id for item_id, _ in best])
    return [(items[item_id], score) for item_id, score in best]


def _division(text: str) -> str:
    if not text:
        return ""
    try:
        return divisions.normalise(text)
    except RuleError as error:
        raise refusal(error, inside="") from None
