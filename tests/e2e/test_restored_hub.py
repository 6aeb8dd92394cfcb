"""A hub from a backup: it runs, its operators work with their new credentials, and the former ones are out."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from examples.demo.hub import RunningHub
from shuniu.cli.place import Place
from shuniu.cli.platform import redeem
from shuniu.kit.errors import HubError
from shuniu.kit.testing import eventually
from tests.support.hub import command

pytestmark = [pytest.mark.timeout(200)]


def probing(place: Path) -> Callable[[], Awaitable[bool]]:
    async def probe() -> bool:
        return (await command("platform", "test", "trial", "--data", str(place))).status == 0

    return probe


async def test_a_restored_hub_runs_and_its_operators_have_new_credentials(tmp_path: Path) -> None:
    """From a backup of the running hub; the platforms that were enrolled there are known here, with their credentials."""
    old, place, file = tmp_path / "old", tmp_path / "new", tmp_path / "b.tar.gz"
    running = await RunningHub.start(old)
    try:
        enrolled = await command("platform", "enrol", "trial", "--name", "试点", "--role", "bureau", "--data", str(old))
        assert enrolled.status == 0, enrolled.err
        token = await command("platform", "enrol", "later", "--name", "其后", "--token-only", "--data", str(old))
        made = await command("backup", str(file), "--data", str(old), "--json")
        assert made.status == 0, made.err
    finally:
        await running.stop()
    restored = await command("restore", str(file), "--data", str(place))
    assert restored.status == 0, restored.err
    running = await RunningHub.up(place)
    try:
        listed = await command("platform", "list", "--data", str(place), "--json")
        assert {one["code"] for one in json.loads(listed.out)["platforms"]} == {"trial", "later"}, listed.err
        # Used after the backup or not: nobody knows, so it is good no more.
        with pytest.raises(HubError, match="TOKEN"):
            await redeem(Place(place), "later", token.out.strip(), tmp_path / "later")
        # It opens closed: what was suspended after the backup must not work again before somebody looked.
        probed = await command("platform", "test", "trial", "--data", str(place))
        assert (probed.status, "PLATFORM_SUSPENDED" in probed.out) == (1, True), probed.out
        resumed = await command("platform", "resume", "trial", "--data", str(place))
        assert resumed.status == 0, resumed.err
        probed = await eventually(probing(place), within=20, message="it works again")
        status = await command("status", "--data", str(place), "--json")
        assert status.json["ready"], status.out
        assert {part["epoch"] for part in status.json["parts"] if "epoch" in part} == {2}
        # Who kept a copy of the former credentials, or took it from the old machine, is out.
        for name in ("cert.pem", "key.pem"):
            (place / "operators" / "system" / name).write_bytes((old / "operators" / "system" / name).read_bytes())
        refused = await command("platform", "list", "--data", str(place))
        assert refused.status == 1, refused.out
    finally:
        await running.stop()
