"""`shuniu events dead|replay`: events that could not take effect, and sending them again."""

import argparse
import asyncio
import uuid
from typing import Any

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.api.common.v1 import operations_pb2_grpc
from shuniu.cli.local import ask_all, open_channel
from shuniu.cli.output import out, table
from shuniu.cli.place import Place
from shuniu.kit.errors import HubError
from shuniu.kit.rpc.client import ask


def dead(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    answers = asyncio.run(ask_all(place, lambda stub: stub.ListDeadLetters, pb.ListDeadLettersRequest(page_size=500)))
    rows: list[dict[str, Any]] = []
    for service, answer in answers.items():
        if isinstance(answer, HubError):
            raise answer
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
            for letter in answer.dead_letters
        ]
    text = table(list(rows[0]), [list(row.values()) for row in rows]) if rows else "没有死信 / no dead letters"
    out({"dead_letters": rows}, text, as_json=arguments.json)
    return 0


def replay(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())

    async def send() -> list[str]:
        request = pb.ReplayDeadLettersRequest(
            request_id=str(uuid.uuid4()), event_ids=arguments.event, preview=not arguments.yes
        )
        async with open_channel(place, arguments.service) as opened:
            stub = operations_pb2_grpc.OperationsServiceStub(opened)
            return list((await ask(stub.ReplayDeadLetters, request, timeout=60)).event_ids)

    sent = asyncio.run(send())
    verb = "已重放 / replayed" if arguments.yes else "将重放（加 --yes 执行） / would replay (add --yes)"
    out({"event_ids": sent, "sent": arguments.yes}, f"{verb}: {len(sent)}\n" + "\n".join(sent), as_json=arguments.json)
    return 0
