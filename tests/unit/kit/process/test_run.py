"""The life of a process, seen by whoever starts it: what it says, in which order, and its exit code."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import httpx
import pytest

from shuniu.kit.testing import eventually

ROOT = Path(__file__).parents[4]
HUB = """[hub]
code = "150000"
name = "枢纽"
trust_domain = "hub.test"
issuer = "https://hub.test"
data_dir = "{place}"
run_dir = "{place}"
"""


async def start(*arguments: object) -> Process:
    command = (sys.executable, "-m", "tests.support.tiny_process", *map(str, arguments))
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)


async def ended(process: Process) -> tuple[int | None, list[str], list[str]]:
    """Exit code, what it said, and what it said of errors."""
    said, errors = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, said.decode().splitlines(), errors.decode().splitlines()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hub.toml"
    path.write_text(HUB.format(place=tmp_path), "utf-8")
    return path


async def state(config: Path) -> str:
    address = (config.parent / "tiny.ops").read_text().strip()
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://{address}/readyz")).text.strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_told_end_loses_nothing(config: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT drain: not ready, long polls go, calls under way end, then work, then what it stands on; exit 0."""
    process = await start("--config", config)
    await eventually((config.parent / "tiny.ops").exists, within=30)
    assert await state(config) == "ok"
    process.send_signal(number)
    code, said, errors = await ended(process)
    assert said[:3] == ["built", "listening", "working"] or said[:3] == ["built", "working", "listening"]
    assert [line for line in said[3:] if line != "restarted"] == [
        "long polls let go",
        "stop taking calls, 10 s for those under way",
        "last call answered",
        "work ended",
        "closed",
        "taken down",
    ]
    assert code == 0
    assert not [line for line in errors if "Traceback" in line]


async def test_background_work_outlives_its_failures(config: Path) -> None:
    """A task that fails is started again after a second; the log names the failure by type and place, never its text."""
    process = await start("--config", config)
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while (await process.stdout.readline()).decode().strip() != "restarted":
            pass
    process.terminate()
    code, _, errors = await ended(process)
    assert code == 0
    assert [line for line in errors if '"task_failed"' in line and '"RuntimeError"' in line]
    assert not [line for line in errors if "150102199001011234" in line]


@pytest.mark.parametrize("arguments", [(), ("hub.toml",), ("--config",), ("--conf", "x"), ("--config", "x", "y")])
async def test_wrong_use_exits_64(arguments: tuple[str, ...]) -> None:
    """Wrong arguments are answered with the usage and exit 64."""
    code, said, errors = await ended(await start(*arguments))
    assert (code, said) == (64, [])
    assert errors == ["usage: python -m services.tiny --config FILE"]


async def test_a_wrong_setting_exits_78(config: Path) -> None:
    """Invalid configuration is one line that names file and key, and exit 78."""
    config.write_text(config.read_text("utf-8") + "typo = 1\n", "utf-8")
    code, said, errors = await ended(await start("--config", config))
    assert (code, said, errors) == (78, [], [f"{config}: [hub] typo: unknown key"])


async def test_a_refused_start_exits_78(config: Path) -> None:
    """A process that must not start, such as on a newer schema, says why in one line and exits 78."""
    refused = config.with_name("refuse.toml")
    config.rename(refused)
    code, said, errors = await ended(await start("--config", refused))
    assert (code, said, errors) == (78, [], ["tiny: the schema is newer than this program"])
