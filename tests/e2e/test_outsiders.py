"""Bureaus of other makers: Java 8 with nothing but its own library, Node.js with stock clients. Each delivers a case."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from examples.provincial_app.app import JourneyError
from shuniu.api.exchange.v1 import case_pb2
from tests.support.hub import NATS_WEBSOCKET, Land, Ran, command, hub_with_region, program

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180), *NATS_WEBSOCKET]
ROOT = Path(__file__).parents[2]
JAVA_AT, NODE_AT = "150100", "150200"


def agency(division: str) -> str:
    return f"{division}-ga"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def land() -> AsyncIterator[Land]:
    async with hub_with_region(9, run_elsewhere=(agency(JAVA_AT), agency(NODE_AT))) as it:
        yield it


def needs(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {' '.join(missing)}; `make test-deps` installs it")


async def delivered(land: Land, division: str, *bureau: str) -> tuple[case_pb2.Case, Ran]:
    """A person of the division is served while this program is its bureau; the program ends by itself after one case."""
    citizen = next(one for one in land.waiting if one.division == division)
    land.waiting.remove(citizen)
    work = asyncio.create_task(program(*bureau))
    served = asyncio.create_task(land.journey(citizen))
    try:
        # Whichever fails first says why.
        await asyncio.wait({work, served}, timeout=90, return_when=asyncio.FIRST_EXCEPTION)
        if work.done() and not served.done():
            raise AssertionError(f"the bureau ended before its case was delivered: {work.result()}")
        journey, ran = await served, await asyncio.wait_for(work, 30)
    except JourneyError as error:
        work.cancel()
        (said,) = await asyncio.gather(work, return_exceptions=True)
        raise AssertionError(f"{error}; the bureau: {said!r}") from error
    finally:
        for task in (work, served):
            task.cancel()
        await asyncio.gather(work, served, return_exceptions=True)
    pdf = land.certificates / f"{journey.number}.pdf"
    assert (await command("verify", str(pdf), "--data", str(land.running.data))).status == 0
    assert await land.stage.app._verify_qr(journey.document)
    return journey.case, ran


@pytest.mark.jdk
async def test_a_java_8_bureau_delivers_a_case_over_https_alone(land: Land, tmp_path: Path) -> None:
    """`javac --release 8`, no library, at most 200 lines: long poll, receipts, calls with JSON."""
    needs("javac", "java")
    sources = sorted((ROOT / "examples" / "java_bureau").glob("*.java"))
    bureau = next(path for path in sources if path.name == "Bureau.java")
    assert len(bureau.read_text().splitlines()) <= 200
    built = await program("javac", "--release", "8", "-Xlint:-options", "-d", str(tmp_path), *map(str, sources))
    assert built.status == 0, built.err
    code = agency(JAVA_AT)
    case, ran = await delivered(
        land,
        JAVA_AT,
        *("java", "-XX:TieredStopAtLevel=1", "-cp", str(tmp_path), "Bureau", land.running.hub.platforms_url, code),
        *(str(land.bureau(code).session.credentials.directory), land.bureau(code).grant, "1"),
    )
    assert (0, f"{case.case_code} delivered\n") == (ran.status, ran.out), ran.err
    assert case.handler_platform == code


@pytest.mark.node
async def test_a_node_bureau_delivers_a_case_with_stock_clients(land: Land, tmp_path: Path) -> None:
    """@grpc/grpc-js for calls and nats for events, as npm installs them; the contract is read from its .proto files."""
    needs("node", "npm")
    place = tmp_path / "examples" / "node_bureau"
    place.mkdir(parents=True)
    for name in ("bureau.js", "package.json"):
        shutil.copy(ROOT / "examples" / "node_bureau" / name, place)
    for name in ("proto", "third_party"):
        (tmp_path / name).symlink_to(ROOT / name)
    installed = await program("npm", "install", "--prefix", str(place), "--no-audit", "--no-fund", "--prefer-offline")
    assert installed.status == 0, installed.err
    code = agency(NODE_AT)
    case, ran = await delivered(
        land,
        NODE_AT,
        *("node", str(place / "bureau.js"), land.running.hub.platforms, f"nats://{land.running.hub.bus}", code),
        *(str(land.bureau(code).session.credentials.directory), land.bureau(code).grant, "1"),
    )
    assert (0, f"{case.case_code} delivered\n") == (ran.status, ran.out), ran.err
    assert case.handler_platform == code
