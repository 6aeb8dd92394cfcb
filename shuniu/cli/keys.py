"""`shuniu keys rotate`: the next key of each kind."""

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.esign import commands as esign
from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc
from shuniu.cli.output import out
from shuniu.cli.place import Place
from shuniu.cli.platform import operator, request_id

ROTATIONS: Final[dict[str, Callable[[Path], str]]] = {
    "tsa": esign.rotate_timestamp_key,
    "seal-ca": esign.rotate_seal_ca,
    "sm2-seal-ca": esign.rotate_sm2_seal_ca,
    "maker": esign.rotate_seal_maker,
    "qr": esign.rotate_qr_key,
    "kek": esign.rotate_wrapping_key,
}
"""Keys of esign by their option: what makes the next one."""


def rotate(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    if arguments.storage:
        from services.exchange import commands as exchange
        from services.identity import commands as identity

        place.hub()
        numbers = {**identity.rotate_storage_keys(place.config), "exchange": exchange.rotate_keys(place.config)}
        text = ", ".join(f"{service}: {number}" for service, number in numbers.items())
        out({"keys": numbers}, f"{text}（重启后生效 / from the next start）", as_json=arguments.json)
        return 0

    if arguments.ledger:
        place.hub()
        vkey = esign.rotate_ledger_key(place.config)
        text = f"{vkey}\n（重启后生效，请告知见证方与核验方 / from the next start; tell witnesses and verifiers）"
        out({"vkey": vkey}, text, as_json=arguments.json)
        return 0

    for name, rotate_one in ROTATIONS.items():
        if getattr(arguments, name.replace("-", "_")):
            place.hub()
            made = rotate_one(place.config)
            text = f"{name}: {made}（重启后生效，此前所签仍可核验 / from the next start; earlier signatures verify on）"
            out({name: made}, text, as_json=arguments.json)
            return 0

    async def work() -> platform_pb2.RotateKeysResponse:
        admin = operator(place, "security")
        stub = platform_pb2_grpc.PlatformAdminServiceStub(admin.channel)
        return await admin.call(stub.RotateKeys, platform_pb2.RotateKeysRequest(request_id=request_id()))

    answer = asyncio.run(work())
    starts = answer.active_from.ToJsonString()
    out(
        {"next_kid": answer.next_kid, "active_from": starts},
        f"{answer.next_kid} 自 / from {starts}",
        as_json=arguments.json,
    )
    return 0
