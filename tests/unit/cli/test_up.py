"""`shuniu up`: one of them runs a hub."""

import sys
from pathlib import Path

import pytest

from shuniu.cli import init
from shuniu.cli.main import main, parser
from shuniu.cli.place import Place
from shuniu.kit.process.config import EX_CONFIG
from shuniu.kit.process.process_lock import ProcessLock


def test_a_second_up_says_that_the_hub_runs_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In another terminal, or a unit started twice: exit 78 with what to do, and what the first one wrote stays."""
    data = tmp_path / "hub"
    init.run(parser().parse_args(["init", "--json", "--free-ports", "--data", str(data)]))
    run_dir = Place(data).hub().run_dir
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = {name: f"of the first {name}" for name in ("supervisor.json", "esign.ops", "web.ops")}
    for name, text in kept.items():
        (run_dir / name).write_text(text)
    lock = ProcessLock(run_dir / "supervisor.lock")
    monkeypatch.setattr(sys, "argv", ["shuniu", "up", "--data", str(data)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EX_CONFIG
    told = capsys.readouterr().err
    assert "另一个 shuniu up" in told
    assert "stop that one first" in told
    assert {name: (run_dir / name).read_text() for name in kept} == kept
    lock.release()
