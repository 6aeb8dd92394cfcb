"""What uploads may take of the memory of esign, the process that also seals."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from services.esign.config import EsignSettings
from services.esign.verification import cache
from services.esign.wiring.verification import FLOW_COPIES, UPLOADS_LEAST, _uploads
from shuniu.kit.process.config import ConfigError
from shuniu.kit.rpc.options import MAX_MESSAGE
from shuniu.kit.rpc.server import _CALLS, _UPLOAD_OPTIONS
from tests.support import hostile
from tests.support.esign import small_pdf
from tests.support.seal_land import seal_land

MIB = 1024 * 1024
# What the library takes in of a call that nobody reads: its window (RFC 9113, 6.9.2).
UNREAD = 65_536
CALLS = 8192
# One message is converted at a time: the library's buffer as it grows, and the bytes made of it.
CONVERTED = 3 * MAX_MESSAGE
SENDS = """
import asyncio, collections, sys
import grpc
from pathlib import Path
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc

async def main(address, path, count):
    document = Path(path).read_bytes()
    options = [("grpc.max_send_message_length", 1 << 26)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        verify = esign_pb2_grpc.VerificationServiceStub(channel).VerifyDocument

        async def one(n):
            # Every other one is the same.
            request = esign_pb2.VerifyDocumentRequest(pdf=document + b"%%%d" % (n * (n % 2)))
            try:
                await verify(request, timeout=8, metadata=[("x-shuniu-sender", "192.0.2.1")])
            except grpc.aio.AioRpcError as error:
                return error.code().name
            return "OK"

        print(collections.Counter(await asyncio.gather(*map(one, range(count)))))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def worst(most: int) -> int:
    """Bytes at most that uploads take beside the work on them: those that are held, the one that is being read, the
    beginnings of all others, and the verdicts kept.
    """
    return most + CONVERTED + CALLS * UNREAD + cache._KEPT_BYTES


def test_what_uploads_take_at_most_follows_from_the_settings() -> None:
    """With the settings as they come: below a gibibyte if every call that the server takes is an upload, and as many
    documents as ever may be are held. One sender alone: half of them.
    """
    settings = EsignSettings()
    assert _UPLOAD_OPTIONS == (("grpc.http2.bdp_probe", 0),)
    assert _CALLS == CALLS
    assert worst(settings.uploads_most_bytes) < 1024 * MIB
    assert settings.uploads_most_bytes >= UPLOADS_LEAST >= FLOW_COPIES * settings.document_most_bytes
    assert settings.uploads_most_bytes > settings.verify_waiting_most_bytes + 3 * settings.document_most_bytes


def test_room_for_less_than_one_document_is_refused_at_start() -> None:
    """By the setting's name."""
    with pytest.raises(ConfigError, match="uploads_most_bytes"):
        _uploads(EsignSettings(uploads_most_bytes=UPLOADS_LEAST - 1))


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.timeout(120)
async def test_a_flood_of_large_uploads_takes_no_more() -> None:
    """Sixty of 15 MiB from one sender at once, half of them the same: the process stays within half of the room and what
    one message takes, and the document of another sender gets its verdict meanwhile.
    """
    nested = await asyncio.to_thread(hostile.nested)
    document = nested + b"%" + bytes(15 * MIB - len(nested))
    async with seal_land() as land:
        path = land.folder / "large.pdf"
        path.write_bytes(document)
        await land.verdict(document[:MIB])
        before, most, other = resident(), 0, None
        sending = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SENDS, f"unix:{land.folder}/e.sock", str(path), "60", stdout=asyncio.subprocess.PIPE
        )
        ended = asyncio.create_task(sending.communicate())
        while not (await asyncio.wait({ended}, timeout=0.02))[0]:
            most = max(most, resident() - before)
            if most > 64 * MIB and other is None:
                other = asyncio.create_task(land.verdict(small_pdf()))
        said, _ = await ended
        assert other is not None
        assert (await other).verdict in {"INVALID", "INDETERMINATE"}
        assert sum(map(int, re.findall(rb": (\d+)", said))) == 60
    assert most < EsignSettings().uploads_most_bytes // 2 + CONVERTED + 64 * MIB
