"""The page of a bureau's first steps, run as it stands, and run again."""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from examples.demo.hub import COMMAND, RunningHub
from tests.support.hub import NATS_WEBSOCKET, Ran

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(280), *NATS_WEBSOCKET]
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "getting-started-bureau.md"
MARK = "…"


def lines() -> list[str]:
    """What the page says to type, without remarks; `make demo` has a test of its own."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    typed = [line.partition("  # ")[0].strip() for block in blocks for line in block.splitlines()]
    return [re.sub(r"\s+#.*", "", line) for line in typed if not line.startswith("make demo")]


@dataclass(slots=True)
class Desk:
    """A folder that looks like the checkout, with a running hub made by the page's own line."""

    folder: Path
    running: RunningHub

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    async def run(self, line: str) -> Ran:
        process = await self.begin(line)
        out, err = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    async def begin(self, line: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            "sh", "-c", line, cwd=self.folder, env=self.environment, stdout=pipe, stderr=pipe
        )

    async def practise(self, line: str, bureau: str) -> tuple[str, Ran]:
        """The practice partner of this line, and the bureau by the line that the partner prints for it."""
        partner = await self.begin(line)
        assert partner.stdout is not None
        said = ""
        try:
            while not (found := re.search(rf"^ +({bureau} .*)$", said, re.MULTILINE)):
                more = await asyncio.wait_for(partner.stdout.readline(), 120)
                assert more, (said, (await partner.communicate())[1].decode())
                said += more.decode()
            work = await self.run(found[1])
            out, err = await asyncio.wait_for(partner.communicate(), 60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                partner.kill()
        assert partner.returncode == 0, err.decode()
        return said + out.decode(), work


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    for name in ("proto", "third_party"):
        (folder / name).symlink_to(ROOT / name)
    # Of the samples only what the page starts: what is built from them stays here.
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("shuniu", "python"):
        (folder / ".venv" / "bin" / name).write_text(
            f'#!/bin/sh\nexec {shlex.quote(str(COMMAND.with_name(name)))} "$@"\n'
        )
        (folder / ".venv" / "bin" / name).chmod(0o755)
    (init,) = (line for line in lines() if " init " in line)
    made = Desk(folder, None)  # type: ignore[arg-type]
    # The page takes the usual ports; here others may have them.
    ran = await made.run(f"{init} --free-ports")
    assert ran.status == 0, ran.err
    made.running = await RunningHub.up(folder / "var" / "hub")
    yield made
    await made.running.stop()


def line_of(word: str) -> str:
    (found,) = (line for line in lines() if word in line)
    return found


async def test_a_java_bureau_by_the_page_and_again(desk: Desk) -> None:
    """The second run sets nothing up again, and counts none of the cases of the first."""
    if shutil.which("javac") is None:
        pytest.skip("no javac; `make test-deps` installs it")
    assert (await desk.run(line_of("javac "))).status == 0
    assert line_of("java -cp").startswith("java -cp var/java Bureau …")
    for _ in range(2):
        said, work = await desk.practise(line_of("examples.practice"), "java")
        assert said.count("delivered") == 3, said
        assert (work.status, work.out.count(" delivered\n")) == (0, 3), work.err


async def test_a_node_bureau_takes_over_from_another(desk: Desk) -> None:
    """On the hub where another bureau worked: request ids do not meet, and old cases are not handled again."""
    if shutil.which("npm") is None:
        pytest.skip("no npm; `make test-deps` installs it")
    ran = await desk.run(
        line_of("npm install").replace("npm install", "npm install --no-audit --no-fund --prefer-offline")
    )
    assert ran.status == 0, ran.err
    assert line_of("node examples").startswith("node examples/node_bureau/bureau.js …")
    said, work = await desk.practise(line_of("examples.practice"), "node")
    assert said.count("delivered") == 3, said
    assert (work.status, work.out.count(" delivered\n")) == (0, 3), work.err


async def test_the_page_begun_again_says_what_is_there(desk: Desk) -> None:
    """`init` and `up` on a hub that is there and runs: one sentence with what to do, and nothing is touched."""
    for word, told in ((" init ", "此处已有枢纽"), (" up ", "shuniu status")):
        ran = await desk.run(line_of(word))
        assert (ran.status, told in ran.err, len(ran.err.strip().splitlines())) == (78, True, 1), ran.err


async def test_a_platform_that_was_enrolled_by_hand_takes_part(desk: Desk) -> None:
    """What `shuniu platform enrol` left on this machine is used; where it is not here, one sentence says so."""
    practice = desk.folder / "var" / "hub" / "practice"
    (practice / "150100-ga").rename(desk.folder / "away")
    line = line_of("examples.practice")
    try:
        ran = await desk.run(line)
        assert (ran.status, "150100-ga" in ran.err, "Traceback" in ran.err) == (1, True, False), ran.err
        shutil.copytree(desk.folder / "away", desk.folder / "var" / "hub" / "platforms" / "150100-ga")
        partner = await desk.begin(line)
        assert partner.stdout is not None
        assert b"platforms/150100-ga" in await asyncio.wait_for(partner.stdout.readline(), 60)
        partner.kill()
        await partner.communicate()
    finally:
        (desk.folder / "away").rename(practice / "150100-ga")


async def test_a_suspended_platform_is_told_so_and_not_only_that_it_has_no_token(desk: Desk) -> None:
    """`platform test` says why: what a platform's operator has to ask of whom depends on it."""
    hub = "--data var/hub"
    shuniu = ".venv/bin/shuniu"
    ran = await desk.run(f"{shuniu} platform enrol trial --name 试点 --role provider {hub}")
    assert ran.status == 0, ran.err
    ran = await desk.run(f"{shuniu} platform suspend trial --reason 测试 {hub}")
    assert ran.status == 0, ran.err
    for _ in range(100):
        ran = await desk.run(f"{shuniu} platform test trial --json {hub}")
        if ran.status:
            break
    problem = ran.json["steps"][0]["problem"]
    assert problem.startswith("PLATFORM_SUSPENDED: "), problem
    assert "停用" in problem


async def test_without_a_hub_the_partner_says_how_to_start_one(desk: Desk) -> None:
    """At once, in one sentence."""
    ran = await desk.run(".venv/bin/python -m examples.practice --data var/nowhere")
    assert (ran.status, "shuniu init" in ran.err, "Traceback" in ran.err) == (1, True, False)
    await desk.running.stop()
    ran = await desk.run(line_of("examples.practice"))
    assert (ran.status, "shuniu up" in ran.err, "Traceback" in ran.err) == (1, True, False), ran.err
