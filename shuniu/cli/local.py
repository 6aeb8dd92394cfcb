"""Calls from the command line to the hub's own processes, over their peer sockets (0700: this machine's owner only)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import grpc

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.api.common.v1 import operations_pb2_grpc
from shuniu.cli.place import Place
from shuniu.cli.stores import PACKAGES
from shuniu.cli.supervise import started_at
from shuniu.kit.errors import HubError
from shuniu.kit.rpc.client import ask, channel
from shuniu.kit.service_settings import socket_address

CALLER = "cli"
LATELY_SECONDS = 600.0
OFTEN = 3


def supervisor_state(place: Place) -> dict[str, Any] | None:
    """The word of the running `shuniu up` on its parts; None when none runs."""
    try:
        found: dict[str, Any] = json.loads((place.hub().run_dir / "supervisor.json").read_text())
        started = started_at(int(found["pid"]))
        return found if started and started == found["started"] else None
    except (OSError, ValueError, KeyError):
        return None


def restarts_lately(part: Mapping[str, Any], now: float) -> int:
    """The number of restarts of a part in the last ten minutes; from three on it does not stay up."""
    return sum(now - when < LATELY_SECONDS for when in part.get("restarted", ()))


def open_channel(place: Place, service: str) -> grpc.aio.Channel:
    return channel(socket_address(place.hub(), service, "peer"), service=CALLER)


async def ask_all(
    place: Place, call: Callable[[operations_pb2_grpc.OperationsServiceStub], Any], request: Any
) -> dict[str, Any]:
    """One answer, or the HubError, of each service with a store."""
    answers: dict[str, Any] = {}
    for service in PACKAGES:
        async with open_channel(place, service) as opened:
            try:
                answers[service] = await ask(
                    call(operations_pb2_grpc.OperationsServiceStub(opened)), request, timeout=5
                )
            except HubError as error:
                answers[service] = error
    return answers


async def statuses(place: Place) -> dict[str, "pb.GetStatusResponse | HubError"]:
    return await ask_all(place, lambda stub: stub.GetStatus, pb.GetStatusRequest())
