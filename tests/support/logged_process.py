"""A process of its own, with the hub's real log on standard error: calls that go well, and calls that fail by layer.

Prints one JSON object: what the client saw of each failure, and the metrics afterwards.
"""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
from prometheus_client import generate_latest
from sqlalchemy import Connection, MetaData, text

from shuniu.kit.process import log, metrics
from shuniu.kit.rpc.client import error_of
from shuniu.kit.store import Store
from shuniu.kit.testing import ManualClock
from tests.support.guarded import Methods, guarded

MARKER = "150102199001011234"


class DomainError(Exception):
    """A rule's own exception, as no servicer mapped it."""


def fails_in_store(conn: Connection) -> None:
    conn.execute(text("SELECT nothing FROM nowhere WHERE number = :number"), {"number": MARKER})


def fails_in_domain() -> None:
    try:
        {}[MARKER]
    except KeyError as error:
        raise DomainError(f"no person {MARKER}") from error


async def main(directory: Path) -> None:
    log.configure("test")
    store = Store.unchecked(f"sqlite:///{directory}/s.db", MetaData(), clock=ManualClock())

    async def from_servicer(request: bytes) -> bytes:
        raise RuntimeError(f"{request!r} and {MARKER}")

    async def from_domain(_request: bytes) -> bytes:
        fails_in_domain()
        return b""

    async def from_store(request: bytes) -> bytes:
        await store.write(fails_in_store)
        return request

    async def from_stream(_request: bytes) -> AsyncIterator[bytes]:
        yield b"first"
        raise ValueError(MARKER)

    async def from_library(_request: bytes) -> bytes:
        logging.getLogger("library").error("cannot read %s", MARKER)
        try:
            int(f"x{MARKER}")
        except ValueError:
            logging.getLogger("library").exception(f"cannot read {MARKER}")
        return b""

    unary = {"servicer": from_servicer, "domain": from_domain, "store": from_store, "library": from_library}
    failures = []
    async with guarded(Methods(unary=unary, stream={"stream": from_stream})) as call:
        for layer in ("servicer", "domain", "store", "stream"):
            try:
                if layer == "stream":
                    [_ async for _ in call.stream(layer)]
                else:
                    await call.unary(layer, MARKER.encode(), timeout=10)
            except grpc.aio.AioRpcError as failure:
                failures.append(
                    {
                        "layer": layer,
                        "code": failure.code().name,
                        "reason": error_of(failure).reason,
                        "incident": error_of(failure).metadata["incident"],
                        "seen": f"{failure.details()} {failure.debug_error_string()} {failure.trailing_metadata()}",
                    }
                )
        headers = [("x-request-id", "r-1"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
        await call.unary("library", MARKER.encode(), metadata=headers, timeout=10)
    await store.close()
    print(json.dumps({"failures": failures, "metrics": generate_latest(metrics.REGISTRY).decode()}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
