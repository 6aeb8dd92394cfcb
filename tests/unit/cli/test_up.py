"""`shuniu up`: one of them runs a hub."""

import json
import os
import sys
from pathlib import Path

import pytest

from shuniu.cli import init, local
from shuniu.cli.main import main, parser
from shuniu.cli.place import SUPERVISOR_LOCK, Place
from shuniu.cli.supervise import started_at
from shuniu.kit.process.config import EX_CONFIG
from shuniu.kit.process.process_lock import ProcessLock


@pytest.mark.parametrize("shared", ["data", "run_dir"])
def test_a_second_up_says_that_the_hub_runs_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shared: str
) -> None:
    """By its data, whatever its sockets' directory is called now, and by that directory. In another terminal, or a unit started twice: exit 78 with what to do, and what the first one wrote stays."""
    data = tmp_path / "hub"
    init.run(parser().parse_args(["init", "--json", "--free-ports", "--data", str(data)]))
    run_dir = Place(data).hub().run_dir
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = {name: f"of the first {name}" for name in ("supervisor.json", "esign.ops", "web.ops")}
    for name, text in kept.items():
        (run_dir / name).write_text(text)
    lock = ProcessLock((data if shared == "data" else run_dir) / SUPERVISOR_LOCK)
    if shared == "data":
        monkeypatch.setenv("SHUNIU_HUB_RUN_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(sys, "argv", ["shuniu", "up", "--data", str(data)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EX_CONFIG
    told = capsys.readouterr().err
    assert "另一个 shuniu up" in told
    assert "stop that one first" in told
    assert {name: (run_dir / name).read_text() for name in kept} == kept
    lock.release()


def test_a_number_that_another_process_got_is_not_the_supervisor(tmp_path: Path) -> None:
    """What a killed one wrote names a process that may be anybody's by now: the start time tells."""
    data = tmp_path / "hub"
    init.run(parser().parse_args(["init", "--json", "--free-ports", "--data", str(data)]))
    written = Place(data).hub().run_dir / "supervisor.json"
    for started, runs in ((started_at(os.getpid()), True), ("1", False), ("", False)):
        written.write_text(json.dumps({"pid": os.getpid(), "started": started, "parts": []}))
        assert (local.supervisor_state(Place(data)) is not None) is runs
    written.write_text(json.dumps({"pid": 2**22 + 1, "started": "", "parts": []}))
    assert local.supervisor_state(Place(data)) is None
