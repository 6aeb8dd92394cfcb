"""`bus.delivery`: outbox → the bureau's own stream → the bureau's inbox row → ack, every step durable.

Against the same path with one event in each batch, commit and acknowledgement. The bureau is a process of its own, as it
is in life, with a stock credential and a SQLite store.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, func, select

from shuniu.kit.events import outbox
from shuniu.kit.events.bus import Bus
from shuniu.kit.events.bus_pull import Pull
from shuniu.kit.events.bus_streams import ConsumerSpec
from shuniu.kit.events.consumer import handle_all
from shuniu.kit.events.relay import Relay
from shuniu.kit.events.relay_settings import RelaySettings
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.store import Store, kit_tables
from shuniu.kit.store.tables import inbox
from tests.support.bus_land import bus_land

ROUNDS = 5
BATCHED, SINGLE = 6000, 600
_PAYLOAD = b"x" * 200
_CLOCK = SystemClock()

metadata = MetaData()
kit_tables(metadata)


def _emit(conn: Connection, count: int) -> None:
    for _ in range(count):
        event = outbox.Event(
            id=new_ulid(_CLOCK),
            type="shuniu.exchange.case.submitted.v1",
            source="//hub.test/exchange",
            aggregate=f"case-{new_ulid(_CLOCK)}",
            time_us=_CLOCK.now_us(),
            data=_PAYLOAD,
            topic="exchange.case.submitted",
            division="150100",
        )
        outbox.emit(conn, event, to=["150100"], internal=False)


async def _store(path: Path) -> Store:
    store = Store.unchecked(f"sqlite:///{path}", metadata, clock=_CLOCK)
    await store.create_schema()
    return store


async def bureau(url: str, creds: str, path: str) -> None:
    """The receiving process: says how many events its inbox has, and takes the batch size from its input."""
    store = await _store(Path(path))
    bus = Bus(url, Path(creds).read_text(encoding="utf-8"), name="bureau")
    bus.start()
    await bus.wait_connected(10)
    loop = asyncio.get_running_loop()
    pull = Pull(bus, "INBOX", "bureau")
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        batch, count = json.loads(line)
        got = 0
        while got < count:
            messages = await pull.fetch(batch, wait_s=5)
            if messages:
                await store.write(handle_all, {}, messages, _CLOCK.now_us())
                for message in messages:
                    await pull.ack(message)
                got += len(messages)
        kept = await store.read(lambda conn: conn.execute(select(func.count()).select_from(inbox)).scalar())
        sys.stdout.write(f"{kept}\n")
        sys.stdout.flush()
    await bus.close()
    await store.close()


async def _round(relays: dict[int, Relay], process: asyncio.subprocess.Process, batch: int, count: int) -> float:
    relay = relays[batch]
    await relay.store.write(_emit, count)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([batch, count]).encode() + b"\n")
    began = time.perf_counter()
    drained = asyncio.create_task(relay.drain())
    await process.stdout.readline()
    seconds = time.perf_counter() - began
    await drained
    return count / seconds


async def run() -> list[dict[str, Any]]:
    """Five interleaved rounds of each, median."""
    async with bus_land() as land:
        credential = await land.enrol("150100")
        # In the working directory: a temporary directory may be memory, where nothing is durable.
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            directory = Path(name)
            creds = directory / "bureau.creds"
            creds.write_text(credential.creds, encoding="utf-8")
            store = await _store(directory / "exchange.db")
            bus = await land.service("exchange")
            relays = {
                batch: Relay(store, bus, _CLOCK, RelaySettings(area="exchange", batch=batch)) for batch in (500, 1)
            }
            await _durable(credential.creds, land.server.url)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                "import asyncio, sys; from tests.bench import bus; asyncio.run(bus.bureau(*sys.argv[1:]))",
                land.server.url,
                str(creds),
                str(directory / "bureau.db"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            rates: dict[int, list[float]] = {500: [], 1: []}
            for batch in rates:
                await _round(relays, process, batch, 50)
            for _ in range(ROUNDS):
                rates[500].append(await _round(relays, process, 500, BATCHED))
                rates[1].append(await _round(relays, process, 1, SINGLE))
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
            await store.close()
    value, against = statistics.median(rates[500]), statistics.median(rates[1])
    return [
        {
            "name": "bus.delivery",
            "value": round(value),
            "unit": "events/s",
            "against": round(against),
            "ratio": round(value / against, 2),
        }
    ]


async def _durable(creds: str, url: str) -> None:
    """The bureau's own durable consumer, made with its own credential."""
    bus = Bus(url, creds, name="bureau")
    bus.start()
    await bus.wait_connected(10)
    await bus.ensure_consumer("INBOX", ConsumerSpec("bureau"))
    await bus.close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run())))
