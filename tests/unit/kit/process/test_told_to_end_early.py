"""A process ends when it is told to during its build."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.unit.kit.process.test_run import HUB, ROOT

SETTINGS = f"""{HUB}
[catalogue]
database_url = "postgresql://u:p@127.0.0.1:{{port}}/catalogue"
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_whose_database_hangs_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    """The database takes the connection and says nothing: exit 0 without a traceback, the connection closed, no file left
    that says where the service is.
    """
    asked, left = asyncio.Event(), asyncio.Event()

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        while await reader.read(1024):
            pass
        left.set()
        writer.close()

    async with await asyncio.start_server(hangs, "127.0.0.1", 0) as database:
        config = tmp_path / "hub.toml"
        config.write_text(SETTINGS.format(place=tmp_path, port=database.sockets[0].getsockname()[1]), "utf-8")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.catalogue", "--config", str(config)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        await asyncio.wait_for(asked.wait(), 30)
        process.send_signal(number)
        said, _ = await asyncio.wait_for(process.communicate(), 30)
        assert (process.returncode, b"Traceback" in said) == (0, False), said
        assert b"stopped_while_starting" in said
        await asyncio.wait_for(left.wait(), 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub.toml"]
