"""InboxService: the HTTP carrier. The same events, ids and receipts as on the bus, for those who have only HTTPS."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final

from services.exchange import metrics
from services.exchange.inbox import reader as inbox_reader
from services.exchange.inbox.links import InboxLinks, Link, bus_away
from services.exchange.inbox.payloads import as_json
from services.exchange.inbox.reader import Interrupted, Place
from services.exchange.service.pages import Pages
from shuniu.api.common.v1 import receipt_pb2
from shuniu.api.exchange.v1 import inbox_pb2 as pb
from shuniu.api.exchange.v1 import inbox_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.events.bus import BusError, Outgoing
from shuniu.kit.events.bus_pull import Delivered
from shuniu.kit.events.cloudevents import MalformedEventError, received
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.ids import ULID_PATTERN
from shuniu.kit.rpc.caller import current_caller
from shuniu.rules import Violation

MOST_EVENTS: Final = 500
MOST_RECEIPTS: Final = 500
MOST_WAIT: Final = 25
FLOOR_SECONDS: Final = 5.0
"""How often a client's progress is written down at most."""
_AT_ONCE: Final = 64
_ULID: Final = re.compile(ULID_PATTERN)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_QUERY: Final = "inbox"

_log = log.get("inbox")


class InboxService(inbox_pb2_grpc.InboxServiceServicer):
    """The caller's own INBOX; whose it is comes from the certificate."""

    def __init__(self, base: Foundation, links: InboxLinks, pages: Pages, interrupted: Interrupted) -> None:
        self._base = base
        self._links = links
        self._pages = pages
        self._interrupted = interrupted

    async def PullInbox(self, request: pb.PullInboxRequest, context: Any) -> pb.PullInboxResponse:
        caller = current_caller().key
        limit, wait_s = _wishes(request)
        place = self._place(caller, request.cursor)
        async with self._links.use(current_caller().platform) as link:
            try:
                after, messages = await self._read(caller, link, place, limit, wait_s)
            except BusError as error:
                _log.warning("inbox_away", platform=link.platform, code=error.code)
                raise bus_away() from None
        response = pb.PullInboxResponse(events=_events(messages))
        last = inbox_reader.last_of(messages, after.seq)
        response.cursor = self._cursor(caller, Place(last, after.made))
        metrics.INBOX_EVENTS.inc(len(response.events))
        return response

    async def _read(
        self, caller: str, link: Link, place: Place | None, limit: int, wait_s: float
    ) -> tuple[Place, list[Delivered]]:
        stream = await inbox_reader.look(link.bus)
        if place is None:
            place = stream.oldest
        elif not stream.knows(place):
            raise errors.precondition(
                "CURSOR_EPOCH",
                "The inbox was made again since this cursor; go on with the cursor given in metadata.",
                "收件箱已重建，请使用 metadata 中的 cursor 继续。",
                cursor=self._cursor(caller, stream.oldest),
            )
        else:
            await self._note(link, place.seq)
        after = max(place.seq, stream.oldest.seq)
        if stream.last_seq > after:
            wait_s = max(wait_s, inbox_reader.NEXT_SECONDS)
        elif wait_s == 0:
            return place, []
        return place, await inbox_reader.read(link.bus, after, limit, wait_s, self._interrupted)

    async def _note(self, link: Link, seq: int) -> None:
        now = asyncio.get_running_loop().time()
        if seq == link.floor or now < link.floor_at + FLOOR_SECONDS:
            return
        link.floor, link.floor_at = seq, now
        await inbox_reader.set_floor(link.bus, seq)

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
        _check(request.receipts)
        response = await self._base.mutate(request, pb.AckInboxResponse, lambda _conn: pb.AckInboxResponse())
        # A retry sends them again: a receipt that comes twice closes nothing twice.
        stored_us = self._base.clock.now_us()
        messages = [_receipt(current_caller().platform, each, stored_us) for each in request.receipts]
        async with self._links.use(current_caller().platform) as link:
            gate = asyncio.Semaphore(_AT_ONCE)

            async def send(message: Outgoing) -> None:
                async with gate:
                    await link.bus.publish(message)

            sent = await asyncio.gather(*map(send, messages), return_exceptions=True)
        failed = next((each for each in sent if isinstance(each, BaseException)), None)
        if isinstance(failed, BusError):
            _log.warning("receipts_away", platform=current_caller().platform, code=failed.code)
            raise bus_away() from None
        if failed is not None:
            raise failed
        metrics.INBOX_RECEIPTS.inc(len(messages))
        return response


def _wishes(request: pb.PullInboxRequest) -> tuple[int, float]:
    """(events, seconds to wait). Raises INVALID_ARGUMENT naming both when both are wrong."""
    faults = []
    if not 0 <= request.max_events <= MOST_EVENTS:
        faults.append(
            Violation("max_events", "VALUE_RANGE", f"Use 0 to {MOST_EVENTS}.", f"请使用 0 至 {MOST_EVENTS}。")
        )
    if not 0 <= request.wait_seconds <= MOST_WAIT:
        faults.append(Violation("wait_seconds", "VALUE_RANGE", f"Use 0 to {MOST_WAIT}.", f"请使用 0 至 {MOST_WAIT}。"))
    if faults:
        raise errors.invalid(faults)
    return request.max_events or 100, float(request.wait_seconds)


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


def _check(receipts: Sequence[pb.InboxReceipt]) -> None:
    """Raises INVALID_ARGUMENT with every fault."""
    if not 0 < len(receipts) <= MOST_RECEIPTS:
        raise errors.invalid_field(
            "receipts", "RECEIPTS_COUNT", f"Give 1 to {MOST_RECEIPTS}.", f"请提供 1 至 {MOST_RECEIPTS} 份回执。"
        )
    faults = []
    for index, receipt in enumerate(receipts):
        if not _ULID.fullmatch(receipt.event_id):
            faults.append(
                Violation(f"receipts[{index}].event_id", "EVENT_ID_FORM", "Repeat the event's id.", "请填写事件编号。")
            )
        if not _SHA256.fullmatch(receipt.sha256):
            faults.append(
                Violation(
                    f"receipts[{index}].sha256",
                    "DIGEST_FORM",
                    "64 small hexadecimal digits, of the stored payload.",
                    "应为所存内容的 64 位小写十六进制 SHA-256。",
                )
            )
    if faults:
        raise errors.invalid(faults)


def _receipt(platform: str, receipt: pb.InboxReceipt, stored_us: int) -> Outgoing:
    """What a bus client publishes; the id lets the stream drop what a retry sends again."""
    content = receipt_pb2.Receipt(event_id=receipt.event_id, sha256=bytes.fromhex(receipt.sha256))
    content.stored_at.FromMicroseconds(stored_us)
    message_id = f"receipt.{platform}.{receipt.event_id}.{receipt.sha256[:16]}"
    return Outgoing("submit.receipt", content.SerializeToString(), {"Nats-Msg-Id": message_id})
