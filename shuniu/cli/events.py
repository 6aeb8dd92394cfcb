"""`shuniu events dead|replay|requeue`: events that could not take effect, or were given up, and sending them again."""

import argparse
import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.api.common.v1 import operations_pb2_grpc
from shuniu.cli.local import open_channel
from shuniu.cli.output import out, say, table
from shuniu.cli.place import Place
from shuniu.cli.stores import PACKAGES
from shuniu.kit.rpc.client import ask

# Letters of one request: the service decides a request in one unit of work and stores its answer.
BATCH: Final = 100
# Ids that the JSON document names; the numbers beside them count all.
MOST_NAMED: Final = 1000
# Time for one batch, s.
_BATCH_SECONDS: Final = 60.0


async def _pages(stub: operations_pb2_grpc.OperationsServiceStub, size: int) -> AsyncIterator[list[pb.DeadLetter]]:
    """A service's dead letters, oldest first, page by page; each page is read when it is asked for. Raises HubError."""
    request = pb.ListDeadLettersRequest(page_size=size)
    while True:
        answer = await ask(stub.ListDeadLetters, request, timeout=5)
        if answer.dead_letters:
            yield list(answer.dead_letters)
        request.page_token = answer.next_page_token
        if not request.page_token:
            return


async def _letters(place: Place, service: str) -> list[pb.DeadLetter]:
    """All of a service's dead letters. Raises HubError."""
    async with open_channel(place, service) as opened:
        stub = operations_pb2_grpc.OperationsServiceStub(opened)
        return [letter async for page in _pages(stub, 500) for letter in page]


def dead(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    rows: list[dict[str, Any]] = []
    for service in PACKAGES:
        rows += [
            {
                "service": service,
                "event_id": letter.event_id,
                "type": letter.type,
                "consumer": letter.consumer,
                "attempts": letter.attempts,
                "cause": letter.cause,
                "died_at": letter.died_at.ToJsonString(),
            }
            for letter in asyncio.run(_letters(place, service))
        ]
    text = table(list(rows[0]), [list(row.values()) for row in rows]) if rows else "没有死信 / no dead letters"
    out({"dead_letters": rows}, text, as_json=arguments.json)
    return 0


@dataclass(slots=True)
class _Replayed:
    """The letters of a replay: how many, and the first event ids of them."""

    letters: int = 0
    failures: int = 0
    event_ids: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, event_ids: Sequence[str], failed: Sequence[str]) -> None:
        self.letters += len(event_ids)
        self.failures += len(failed)
        self.event_ids += event_ids[: MOST_NAMED - len(self.event_ids)]
        self.failed += failed[: MOST_NAMED - len(self.failed)]


async def _batches(
    stub: operations_pb2_grpc.OperationsServiceStub, wanted: Sequence[str], *, preview: bool
) -> AsyncIterator[tuple[list[str], bool]]:
    """Event ids to replay, a batch at a time and each once, for an event may have a letter for each reader. For a
    preview of all: an id for each letter, and True. Raises HubError.
    """
    for first in range(0, len(wanted), BATCH):
        yield list(wanted[first : first + BATCH]), False
    if wanted:
        return
    asked: set[str] = set()
    async for page in _pages(stub, BATCH):
        ids = [letter.event_id for letter in page]
        if preview:
            yield ids, True
        elif new := [each for each in dict.fromkeys(ids) if each not in asked]:
            asked.update(new)
            yield new, False


async def send_again(
    stub: operations_pb2_grpc.OperationsServiceStub,
    wanted: Sequence[str],
    *,
    preview: bool,
    each: Callable[[str], None],
) -> _Replayed:
    """Replays a service's dead letters, of some events or all of them, in batches until there are no more. A letter
    that fails again stays dead and stops no other. `each` gets a line for each letter. Raises HubError.
    """
    found = _Replayed()
    async for ids, are_letters in _batches(stub, wanted, preview=preview):
        if preview and are_letters:
            sent, failed = ids, []
        else:
            request = pb.ReplayDeadLettersRequest(request_id=str(uuid.uuid4()), event_ids=ids, preview=preview)
            answer = await ask(stub.ReplayDeadLetters, request, timeout=_BATCH_SECONDS)
            sent, failed = list(answer.event_ids), list(answer.failed)
        found.add(sent, failed)
        for line in (*sent, *(f"再次失败，仍为死信 / failed again, still dead: {event_id}" for event_id in failed)):
            each(line)
    return found


def replay(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())

    async def send() -> _Replayed:
        async with open_channel(place, arguments.service) as opened:
            stub = operations_pb2_grpc.OperationsServiceStub(opened)
            each = (lambda _line: None) if arguments.json else say
            return await send_again(stub, arguments.event, preview=not arguments.yes, each=each)

    found = asyncio.run(send())
    verb = "已重放 / replayed" if arguments.yes else "将重放（加 --yes 执行） / would replay (add --yes)"
    text = f"{verb}: {found.letters}"
    if found.failures:
        text += f"\n再次失败，仍为死信 / failed again, still dead: {found.failures}"
    out({**asdict(found), "sent": arguments.yes}, text, as_json=arguments.json)
    return 1 if found.failures else 0


def requeue(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())

    async def send() -> int:
        request = pb.RequeueDeliveriesRequest(
            request_id=str(uuid.uuid4()), organisation=arguments.organisation, preview=not arguments.yes
        )
        async with open_channel(place, arguments.service) as opened:
            stub = operations_pb2_grpc.OperationsServiceStub(opened)
            return int((await ask(stub.RequeueDeliveries, request, timeout=60)).deliveries)

    number = asyncio.run(send())
    verb = "已重新投递 / queued again" if arguments.yes else "将重新投递（加 --yes 执行） / would queue (add --yes)"
    out({"deliveries": number, "sent": arguments.yes}, f"{verb}: {number}", as_json=arguments.json)
    return 0
