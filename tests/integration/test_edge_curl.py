"""Refusals of the edge as stock curl sees them over HTTP/2, which loses an answer that comes before it has sent all."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.edge_land import Running, edge_land

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is absent"),
]
# Before the body was read first, three quarters of the answers were lost.
TIMES = 30


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Running]:
    async with edge_land() as land:
        yield land


@pytest.mark.parametrize("body", ["{}", "x" * 30_000], ids=["small", "larger"])
async def test_a_call_that_nobody_knows_is_refused_in_words(running: Running, tmp_path: Path, body: str) -> None:
    """The transcoder refuses an unknown path at once; the edge reads a small body first, so the answer arrives."""
    (tmp_path / "ca.pem").write_bytes(running.world.server_authority.certificate)
    (tmp_path / "body").write_text(body)
    url = f"https://127.0.0.1:{running.edge.port('people')}/v1/verification:bogus"
    command = [
        "curl",
        "-sS",
        "-H",
        "content-type: application/json",
        "--http2",
        "--cacert",
        "ca.pem",
        "-d",
        "@body",
        url,
    ]
    for _ in range(TIMES):
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=-1, stderr=-1)
        said, failed = await process.communicate()
        assert (process.returncode, failed.decode()) == (0, "")
        assert b"RPC_UNKNOWN" in said
