"""The smallest process of the kit: it says on standard output what happens to it, in order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import Process, StartRefusedError, main


def say(what: str) -> None:
    print(what, flush=True)


class Listener:
    """Listens to nothing; its stop waits for a call that is under way."""

    address = "nowhere"

    async def start(self) -> None:
        say("listening")

    async def stop(self, grace: float) -> None:
        say(f"stop taking calls, {grace:g} s for those under way")
        await asyncio.sleep(0.2)
        say("last call answered")


async def work() -> None:
    say("working")
    try:
        await asyncio.Event().wait()
    finally:
        say("work ended")


failures = 0


async def fails_once() -> None:
    global failures  # noqa: PLW0603 — counts over restarts
    failures += 1
    if failures == 1:
        raise RuntimeError("150102199001011234")
    say("restarted")
    await asyncio.Event().wait()


async def close() -> None:
    say("closed")


@contextlib.asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    if "refuse" in path.name:
        raise StartRefusedError("tiny: the schema is newer than this program")
    say("built")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(close)
        yield Process(listeners=[Listener()], tasks=[work, fails_once], on_drain=[lambda: say("long polls let go")])
    say("taken down")


if __name__ == "__main__":
    main("tiny", lambda path: load(HubSettings, path, "hub"), lambda path: lambda: build(path))
