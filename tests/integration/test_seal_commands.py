"""`shuniu seal …` against seals behind real gRPC: what operators do, and the procedure after a theft."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.esign import commands
from services.esign.seals import pictures as seal_pictures
from shuniu.api.esign.v1 import esign_pb2
from shuniu.cli import main, seals
from shuniu.cli.syntax.seal import moment
from shuniu.kit.errors import HubError
from shuniu.kit.rpc.client import error_of
from tests.support.seal_land import ORGANISATION, SECURITY, SYSTEM, SealLand, rid, seal_land

AS = {"system": SYSTEM, "security": SECURITY}


class Door:
    """The edge as an operator reaches it: here with the headers that the edge would write."""

    def __init__(self, land: SealLand, name: str) -> None:
        self.channel = grpc.aio.insecure_channel(f"unix:{land.folder}/e.sock")
        self._name = name

    async def call(self, method: Any, request: Any) -> Any:
        try:
            return await method(request, metadata=AS[self._name], timeout=30)
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from None


async def shuniu(land: SealLand, monkeypatch: pytest.MonkeyPatch, capsys: Any, *words: str) -> Any:
    """What the command prints with --json. Raises HubError."""
    monkeypatch.setattr(seals, "operator", lambda _place, name: Door(land, name))
    arguments = main.parser(["seal"]).parse_args(["seal", *words, "--json", "--data", str(land.folder)])
    assert await asyncio.to_thread(arguments.run, arguments) == 0
    printed = capsys.readouterr().out
    return json.loads(printed[printed.index("\n{\n") + 1 if not printed.startswith("{") else 0 :])


async def test_operators_see_a_seal_through_its_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """review → make → show → picture → replace → revoke, each printing what came of it; the SESeal is one."""
    async with seal_land(two_operators=True, sm2=None) as land:

        async def run(*words: str) -> Any:
            return await shuniu(land, monkeypatch, capsys, *words)

        seal = await land.applied()
        assert (await run("review", seal.id))["state"] == "SEAL_STATE_REVIEWED"
        assert (await run("make", seal.id))["state"] == "SEAL_STATE_ACTIVE"
        assert [one["id"] for one in (await run("list"))["seals"]] == [seal.id]
        changes = (await run("show", seal.id))["changes"]
        assert [one["actor"] for one in changes] == ["police", "system", "security", "security"]
        out, eseal = tmp_path / "seal.png", tmp_path / "seal.ses"
        assert (await run("picture", seal.id, str(out), "--eseal", str(eseal)))["width_mm"] == 42
        assert out.read_bytes() == seal_pictures.round_seal(ORGANISATION).data
        if land.secrets.sm is not None:
            (tmp_path / "sm2.pem").write_bytes(land.secrets.sm.trust_pem)
            report = commands.inspect_seal(eseal, tmp_path, now_us=land.clock.now_us())
            assert report.as_json()["verdict"] == "VALID"
        successor = await run("replace", seal.id, "--because", "更名", "--name", "呼和浩特市公安局新城区分局")
        assert (successor["replaces"], successor["version"]) == (seal.id, 2)
        rejected = await run("review", successor["id"], "--reject", "名称有误")
        assert rejected["state"] == "SEAL_STATE_REJECTED"
        since = "2026-01-01T00:00:00+08:00"
        revoked = await run(
            "revoke", seal.id, "--reason", "cessation-of-operation", "--because", "撤并", "--since", since
        )
        assert revoked["revocation_reason"] == "REVOCATION_REASON_CESSATION_OF_OPERATION"
        with pytest.raises(HubError, match="SEAL_STATE"):
            await run("make", seal.id)


async def test_a_theft_is_dealt_with_by_one_command(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Revoked from the stated time on, what was sealed since listed, a successor applied for; again: nothing twice."""
    async with seal_land() as land:
        seal = await land.applied()
        await land.owner.ApproveSeal(esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id), metadata=SECURITY)
        kept = await land.issue("C1")
        land.slots.guard = None
        land.clock.moved_us += 5_000_000
        theft = land.clock.now_us()
        land.clock.moved_us += 5_000_000
        lost = await land.issue("C2")
        since = f"{theft // 1_000_000}"
        since = esign_pb2.Seal().not_after.__class__(seconds=int(since)).ToJsonString()
        first = await shuniu(land, monkeypatch, capsys, "compromised", seal.id, "--since", since)
        assert [one["number"] for one in first["documents"]] == [lost.number]
        assert first["revoked"]["revocation_reason"] == "REVOCATION_REASON_KEY_COMPROMISE"
        again = await shuniu(land, monkeypatch, capsys, "compromised", seal.id, "--since", since)
        assert again["successor"]["id"] == first["successor"]["id"]
        await shuniu(land, monkeypatch, capsys, "review", again["successor"]["id"])
        assert (await shuniu(land, monkeypatch, capsys, "make", again["successor"]["id"]))["version"] == 2
        got = {one.number: await land.downloaded(one.number) for one in (kept, lost)}
        assert (await land.verdict(got[kept.number].pdf)).verdict == "VALID"
        assert (await land.verdict(got[lost.number].pdf)).verdict == "INVALID"


def test_a_time_that_is_none_is_told() -> None:
    """`--since yesterday` is wrong use, not a revocation from now on."""
    with pytest.raises(argparse.ArgumentTypeError, match="ISO 8601"):
        moment("yesterday")
