"""A real grpc.aio server on a Unix socket with the guard in front of methods that a test writes itself."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from shuniu.kit.rpc.caller import Caller, CallerKind
from shuniu.kit.rpc.interceptors import Guard
from shuniu.kit.rpc.policy import Policy
from shuniu.kit.rpc.stages import InFlight, nobody_refused
from shuniu.kit.rpc.uploads import Carries

SERVICE = "shuniu.test.v1.TestService"
PLATFORM = Caller(CallerKind.PLATFORM, platform="nmg-app")

Answer = Callable[[bytes], Awaitable[bytes]]
Talk = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """A directory whose name leaves room for a socket's: a Unix socket path has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def policy_for(method: str, *, audit: bool = False) -> Policy:
    return Policy(
        f"/{SERVICE}/{method}",
        frozenset({CallerKind.PLATFORM}),
        frozenset(),
        0,
        audit=audit,
        mutates=False,
        rate="read",
    )


@dataclass
class Guarded:
    """The guard, and a channel to the server behind it. `refusal` is asked for each caller and each open stream."""

    guard: Guard
    channel: grpc.aio.Channel

    async def unary(self, method: str = "Ask", content: bytes = b"", **options: Any) -> bytes:
        call = self.channel.unary_unary(f"/{SERVICE}/{method}")
        answer: bytes = await call(content, **options)
        return answer

    def stream(self, method: str, content: bytes = b"") -> Any:
        return self.channel.unary_stream(f"/{SERVICE}/{method}")(content)

    def talk(self, method: str) -> Any:
        return self.channel.stream_stream(f"/{SERVICE}/{method}")()


@dataclass
class Methods:
    """What a test's server answers, by method name."""

    unary: Mapping[str, Answer] = field(default_factory=dict)
    stream: Mapping[str, Callable[[bytes], AsyncIterator[bytes]]] = field(default_factory=dict)
    talk: Mapping[str, Talk] = field(default_factory=dict)
    uploads: Mapping[str, Carries] = field(default_factory=dict)

    def handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        def asked(answer: Answer) -> Any:
            return lambda request, _context: answer(request)

        found = {name: grpc.unary_unary_rpc_method_handler(asked(answer), bytes) for name, answer in self.unary.items()}
        for name, stream in self.stream.items():
            found[name] = grpc.unary_stream_rpc_method_handler(asked(stream))
        for name, talk in self.talk.items():
            found[name] = grpc.stream_stream_rpc_method_handler(asked(talk))
        return found


@contextlib.asynccontextmanager
async def guarded(
    methods: Methods,
    *,
    caller: Callable[[Mapping[str, str]], Caller] = lambda _metadata: PLATFORM,
    refuse: Callable[[Caller], Any] = nobody_refused,
    max_in_flight: int = 16,
    max_anonymous: int = 16,
    default_deadline: float = 10.0,
) -> AsyncIterator[Guarded]:
    handlers = methods.handlers()
    guard = Guard(
        {f"/{SERVICE}/{name}": policy_for(name) for name in handlers},
        lambda metadata, _context: caller(metadata),
        refuse,
        in_flight=InFlight(max_in_flight, max_anonymous),
        default_deadline=default_deadline,
        uploads={f"/{SERVICE}/{name}": carries for name, carries in methods.uploads.items()},
    )
    with short_directory() as directory:
        server = grpc.aio.server(interceptors=[guard])
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        server.add_insecure_port(f"unix:{directory}/s")
        await server.start()
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "localhost")]
        try:
            async with grpc.aio.insecure_channel(f"unix:{directory}/s", options=options) as channel:
                yield Guarded(guard, channel)
        finally:
            await server.stop(0)
