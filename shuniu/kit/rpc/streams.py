"""Streams under way, and how they are cut when their caller may not work any more."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

from shuniu.kit.rpc.caller import Caller
from shuniu.kit.rpc.stages import Refuse

# How long a stopped caller may take to read the message that is being sent before its stream is dropped, s.
_SLOW_READER_S = 0.5


@dataclass(slots=True)
class OpenStream:
    """`writing`: a message is being sent to the caller; `cut`: the stream ends after it."""

    caller: Caller
    writing: bool = False
    cut: bool = False

    async def send(self, responses: AsyncGenerator[Any, None], context: Any) -> None:
        """Sends all responses. Raises CancelledError when the stream was cut.

        Written and not yielded: a task that is cut while it waits for a slow reader must hear of it here.
        """
        async with contextlib.aclosing(responses) as opened:
            async for response in opened:
                self.writing = True
                await context.write(response)
                self.writing = False
                if self.cut:
                    raise asyncio.CancelledError


class OpenStreams:
    """The open streams of a server."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._streams: dict[asyncio.Task[Any], OpenStream] = {}

    @contextlib.contextmanager
    def opened(self, caller: Caller) -> Iterator[OpenStream]:
        """The current task as a stream of this caller."""
        task = asyncio.current_task()
        assert task is not None
        stream = self._streams[task] = OpenStream(caller)
        try:
            yield stream
        finally:
            del self._streams[task]

    def cut_refused(self) -> None:
        """Ends the streams of callers that are refused now."""
        for task, stream in list(self._streams.items()):
            if self._refuse(stream.caller) is None:
                continue
            if stream.writing:
                # gRPC takes no status while a message is being sent: the task ends itself after it. A stalled client
                # gets no status.
                stream.cut = True
                asyncio.get_running_loop().call_later(_SLOW_READER_S, task.cancel)
            else:
                task.cancel()
