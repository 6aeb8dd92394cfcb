"""InboxService: the HTTP carrier. The same events, ids and receipts as on the bus, for those who have only HTTPS."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from services.exchange import metrics
from services.exchange.inbox import domain, receipts
from services.exchange.inbox.checking import ReceiptCheck
from services.exchange.inbox.domain import Receipt
from services.exchange.inbox.links import InboxLinks
from services.exchange.inbox.payloads import as_json
from services.exchange.inbox.polling import Polling, StreamRemadeError
from services.exchange.inbox.reader import Place
from services.exchange.service.pages import Pages
from shuniu.api.exchange.v1 import inbox_pb2 as pb
from shuniu.api.exchange.v1 import inbox_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.events.bus_pull import Delivered
from shuniu.kit.events.cloudevents import MalformedEventError, received
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.rpc.caller import current_caller
from shuniu.rules import Violation

_QUERY: Final = "inbox"

_log = log.get("inbox")


class InboxService(inbox_pb2_grpc.InboxServiceServicer):
    """The caller's own INBOX; whose it is comes from the certificate."""

    def __init__(
        self, base: Foundation, links: InboxLinks, pages: Pages, polling: Polling, checking: ReceiptCheck
    ) -> None:
        self._base = base
        self._checking = checking
        self._links = links
        self._pages = pages
        self._polling = polling

    async def PullInbox(self, request: pb.PullInboxRequest, context: Any) -> pb.PullInboxResponse:
        caller = current_caller()
        _refuse(domain.poll_faults(request.max_events, request.wait_seconds))
        place = self._place(caller.key, request.cursor)
        limit = request.max_events or domain.USUAL_EVENTS
        try:
            messages, after = await self._polling.poll(caller.platform, place, limit, float(request.wait_seconds))
        except StreamRemadeError as error:
            raise _stream_remade(self._cursor(caller.key, error.oldest)) from None
        response = pb.PullInboxResponse(events=_events(messages), cursor=self._cursor(caller.key, after))
        metrics.INBOX_EVENTS.inc(len(response.events))
        return response

    def _place(self, caller: str, cursor: str) -> Place | None:
        if not cursor:
            return None
        try:
            seq, made = self._pages.position(caller, _QUERY, cursor)
        except (HubError, ValueError):
            raise errors.invalid_field(
                "cursor",
                "CURSOR_INVALID",
                "Use the cursor of the answer before, or leave it empty to begin with the oldest event.",
                "请使用上次返回的 cursor，或留空从最早的事件开始。",
            ) from None
        return Place(int(seq), str(made))

    def _cursor(self, caller: str, place: Place) -> str:
        return self._pages.token(caller, _QUERY, (place.seq, place.made))

    async def AckInbox(self, request: pb.AckInboxRequest, context: Any) -> pb.AckInboxResponse:
        given = [Receipt(each.event_id, each.sha256) for each in request.receipts]
        _refuse(domain.receipt_faults(given))
        await self._checking.refuse(current_caller().platform, given)
        response = await self._base.mutate(request, pb.AckInboxResponse, lambda _conn: pb.AckInboxResponse())
        # A retry sends them again.
        await receipts.send(self._links, current_caller().platform, given, self._base.clock.now_us())
        metrics.INBOX_RECEIPTS.inc(len(given))
        return response


def _refuse(violations: Iterable[Violation]) -> None:
    found = list(violations)
    if found:
        raise errors.invalid(found)


def _stream_remade(cursor: str) -> HubError:
    return errors.precondition(
        "CURSOR_EPOCH",
        "The inbox was made again since this cursor; go on with the cursor given in metadata.",
        "收件箱已重建，请使用 metadata 中的 cursor 继续。",
        cursor=cursor,
    )


def _events(messages: Sequence[Delivered]) -> list[pb.InboxEvent]:
    found = []
    for message in messages:
        try:
            event = received(message.subject, message.headers, message.data, stream_seq=message.seq)
            view = pb.InboxEvent(
                id=event.id,
                type=event.type,
                source=event.source,
                subject=event.aggregate,
                seq=event.seq,
                division=event.division,
                data=event.data,
                data_json=as_json(event.type, event.data),
                sha256=hashlib.sha256(event.data).hexdigest(),
            )
            view.time.FromJsonString(event.time)
        except (MalformedEventError, ValueError):
            # Only the hub may deliver here, and it delivers events only: anything else is reported and skipped.
            _log.error("inbox_malformed", stream_seq=message.seq)
            continue
        found.append(view)
    return found
