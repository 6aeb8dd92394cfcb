"""An NTP server (RFC 5905) whose clock a test sets."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

_SECONDS_1900_TO_1970 = 2_208_988_800


class NtpServer(asyncio.DatagramProtocol):
    """Answers as a server whose clock is `ahead_us` before ours, µs; `cookie` False answers somebody else's question.
    `asked` counts its answers.
    """

    ahead_us, stratum, cookie, asked = 0, 2, True, 0
    port = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        us = time.time_ns() // 1000 + self.ahead_us
        seconds, rest = us // 1_000_000 + _SECONDS_1900_TO_1970, us % 1_000_000 * 2**32 // 10**6
        stamp = seconds.to_bytes(4, "big") + rest.to_bytes(4, "big")
        echoed = data[40:48] if self.cookie else bytes(8)
        self.asked += 1
        self.transport.sendto(bytes((0x24, self.stratum)) + bytes(22) + echoed + stamp + stamp, addr)


@asynccontextmanager
async def ntp_server() -> AsyncIterator[NtpServer]:
    """A server on a port of its own that answers while the block runs."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NtpServer, ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
