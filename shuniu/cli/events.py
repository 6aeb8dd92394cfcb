"""`shuniu events dead|replay|requeue`: events that could not take effect, or were given up, and sending them again."""

import argparse
import asyncio
import uuid
from typing import Any

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.api.common.v1 import operations_pb2_grpc
from shuniu.cli.local import open_channel
from shuniu.cli.output import out, table
from shuniu.cli.place import Place
from shuniu.cli.stores import PACKAGES
from shuniu.kit.rpc.client import ask


async def _letters(place: Place, service: str) -> list[pb.DeadLetter]:
    """All of a service's dead letters, page by page. Raises HubError."""
    found: list[pb.DeadLetter] = []
    request = pb.ListDeadLettersRequest(page_size=500)
    async with open_channel(place, service) as opened:
        stub = operations_pb2_grpc.OperationsServiceStub(opened)
        while True:
            answer = await ask(stub.ListDeadLetters, request, timeout=5)
            found += answer.dead_letters
            request.page_token = answer.next_page_token
            if not request.page_token:
                return found


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


def replay(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())

    async def send() -> pb.ReplayDeadLettersResponse:
        request = pb.ReplayDeadLettersRequest(
            request_id=str(uuid.uuid4()), event_ids=arguments.event, preview=not arguments.yes
        )
        async with open_channel(place, arguments.service) as opened:
            stub = operations_pb2_grpc.OperationsServiceStub(opened)
            answer: pb.ReplayDeadLettersResponse = await ask(stub.ReplayDeadLetters, request, timeout=60)
            return answer

    answer = asyncio.run(send())
    sent, failed = list(answer.event_ids), list(answer.failed)
    verb = "已重放 / replayed" if arguments.yes else "将重放（加 --yes 执行） / would replay (add --yes)"
    lines = [f"{verb}: {len(sent)}", *sent]
    if failed:
        lines += [f"再次失败，仍为死信 / failed again, still dead: {len(failed)}", *failed]
    out({"event_ids": sent, "failed": failed, "sent": arguments.yes}, "\n".join(lines), as_json=arguments.json)
    return 1 if failed else 0


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
