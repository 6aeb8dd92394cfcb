"""`shuniu backup` and `restore` of a hub on one machine."""

import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyrage import x25519

from shuniu.cli import archive, backup, init
from shuniu.cli.main import main, parser
from shuniu.cli.place import RESTORING, Place
from shuniu.cli.stores import PACKAGES
from shuniu.kit.process.config import EX_CONFIG

BACKUP_OF = """
import os, signal
from shuniu.cli import archive, main
written = archive.Writer.close
def killed(self, manifest):
    written(self, manifest)
    os.kill(os.getpid(), signal.SIGKILL)
archive.Writer.close = killed
main.main()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("made") / "hub"
    init.run(parser().parse_args(["init", "--json", "--free-ports", "--data", str(data)]))
    platform = data / "platforms" / "150100-ga"
    platform.mkdir(parents=True)
    (platform / "key.pem").write_text("a platform's key")
    return data


@pytest.fixture(scope="module")
def whole(made: Path) -> Path:
    file = made.parent / "whole.tar.gz"
    assert backup.backup(parser().parse_args(["backup", str(file), "--json", "--data", str(made)])) == 0
    return file


@pytest.fixture
def shuniu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    """The command: its exit status, and what it said."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["shuniu", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        return ended.value.code, said.err + said.out

    return run


def below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_a_backup_holds_what_cannot_be_made_anew_and_no_operators_role(made: Path, whole: Path) -> None:
    """Databases, keys, settings and the keys of platforms that were enrolled here. Who holds a role keeps its key: a
    backup is not all roles in one hand.
    """
    with tarfile.open(whole) as found:
        names = set(found.getnames())
    assert {f"db/{service}.db" for service in PACKAGES} < names
    assert {f"keys/{path}" for path in below(made / "keys")} < names
    assert {"hub.toml", "platforms/150100-ga/key.pem"} < names
    assert not [name for name in names if name.startswith(("operators", "nats", "run", "logs", "."))]
    assert whole.stat().st_mode & 0o077 == 0


def test_a_backup_can_be_restored_and_every_operator_gets_new_credentials(shuniu, whole: Path, tmp_path: Path) -> None:
    """Elsewhere, with all stores in a new epoch."""
    place = tmp_path / "restored"
    assert shuniu("restore", whole, "--data", place)[0] == 0
    assert {path.name for path in (place / "operators").iterdir()} == {"system", "security", "audit"}
    assert shuniu("audit", "verify", "--data", place)[0] == 0
    assert (place / "platforms" / "150100-ga" / "key.pem").read_text() == "a platform's key"
    assert not (place / RESTORING).exists()
    assert (place / "hub.toml").stat().st_mode & 0o077 == 0
    status, said = shuniu("restore", whole, "--data", place)
    assert (status, "not empty" in said) == (EX_CONFIG, True)


def cut(whole: Path, share: float) -> bytes:
    data = whole.read_bytes()
    return data[: int(len(data) * share)]


def without(whole: Path, name: str, target: Path) -> None:
    """The archive without one of its members."""
    with tarfile.open(whole) as found, tarfile.open(target, "w:gz") as lesser:
        for member in found:
            if member.name != name:
                lesser.addfile(member, found.extractfile(member))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.6, 0.99, 0.99999])
def test_a_cut_archive_is_refused_in_one_sentence_and_blocks_nothing(
    shuniu, whole: Path, tmp_path: Path, share: float
) -> None:
    """Wherever it was cut: exit 78, nothing is left, and the whole one can be restored to the same place."""
    broken, place = tmp_path / "broken.tar.gz", tmp_path / "place"
    broken.write_bytes(cut(whole, share))
    status, said = shuniu("restore", broken, "--data", place)
    assert status == EX_CONFIG
    assert "not a whole backup" in said
    assert len(said.strip().splitlines()) == 1
    assert not place.exists()
    if share == 0.6:
        place.mkdir()
        assert shuniu("restore", broken, "--data", place)[0] == EX_CONFIG
        assert not list(place.iterdir())
        assert shuniu("restore", whole, "--data", place)[0] == 0


@pytest.mark.parametrize("name", ["manifest.json", "db/vault.db", "hub.toml"])
def test_an_archive_that_lacks_a_file_is_refused(shuniu, whole: Path, tmp_path: Path, name: str) -> None:
    """Without its manifest, or without a file that the manifest names."""
    without(whole, name, tmp_path / "lesser.tar.gz")
    status, said = shuniu("restore", tmp_path / "lesser.tar.gz", "--data", tmp_path / "place")
    assert (status, "missing" in said, (tmp_path / "place").exists()) == (EX_CONFIG, True, False)


def test_what_a_killed_restore_left_is_not_run_and_makes_room_for_the_next(shuniu, whole: Path, tmp_path: Path) -> None:
    """Its directory is told by the mark that a restore takes away last."""
    place = tmp_path / "place"
    assert shuniu("restore", whole, "--data", place)[0] == 0
    (place / RESTORING).mkdir()
    (place / "left.key").write_text("")
    status, said = shuniu("up", "--data", place)
    assert (status, "restore again" in said) == (EX_CONFIG, True)
    assert shuniu("restore", whole, "--data", place)[0] == 0
    assert not (place / "left.key").exists()


def test_a_killed_backup_leaves_no_key_anywhere(made: Path, tmp_path: Path, shuniu) -> None:
    """Killed at its last write: neither an archive nor copies of keys lie about, and the next one goes through."""
    before = below(made)
    target = tmp_path / "killed.tar.gz"
    line = [sys.executable, "-c", BACKUP_OF, "backup", str(target), "--data", str(made)]
    assert subprocess.run(line, check=False, timeout=60).returncode == -signal.SIGKILL
    assert not list(tmp_path.iterdir())
    left = [Path(name) for name in below(made) if name not in before]
    assert not [
        name
        for name in left
        if name.suffix not in {".db", ".lock"} and name.name != ".lock" and "ledger" not in name.parts
    ]
    assert shuniu("backup", target, "--data", made)[0] == 0
    assert below(made) == before


def test_a_failed_backup_leaves_the_last_one(made: Path, tmp_path: Path, shuniu) -> None:
    """A database that is not there ends it in words; the file of the night before is as it was."""
    target = tmp_path / "daily.tar.gz"
    target.write_bytes(b"of yesterday")
    moved = made / "db" / "vault.db"
    moved.rename(tmp_path / "vault.db")
    try:
        status, said = shuniu("backup", target, "--data", made)
    finally:
        (tmp_path / "vault.db").rename(moved)
    assert (status, "vault" in said, "no backup was made" in said) == (EX_CONFIG, True, True)
    assert target.read_bytes() == b"of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["daily.tar.gz"]


def test_a_store_that_lies_elsewhere_is_restored_here(made: Path, tmp_path: Path, shuniu) -> None:
    """A file that the settings name comes back inside the restored hub: the one that is in use stays untouched."""
    data, elsewhere = tmp_path / "hub", tmp_path / "elsewhere.db"
    shutil.copytree(made, data)
    (data / "db" / "catalogue.db").rename(elsewhere)
    text = (data / "hub.toml").read_text("utf-8").replace(str(made), str(data))
    text = text.replace("[catalogue]\n", f'[catalogue]\ndatabase_url = "sqlite:///{elsewhere}"\n')
    (data / "hub.toml").write_text(text, "utf-8")
    assert shuniu("backup", tmp_path / "b.tar.gz", "--data", data)[0] == 0
    in_use = elsewhere.read_bytes()
    assert shuniu("restore", tmp_path / "b.tar.gz", "--data", tmp_path / "place")[0] == 0
    assert elsewhere.read_bytes() == in_use
    assert (tmp_path / "place" / "db" / "catalogue.db").exists()
    assert str(elsewhere) not in (tmp_path / "place" / "hub.toml").read_text("utf-8")


def test_a_backup_is_encrypted_to_recipients(made: Path, tmp_path: Path, shuniu) -> None:
    """Nobody but the holder of the private key reads a byte of it, and what was cut or changed does not open."""
    identity, stranger = x25519.Identity.generate(), x25519.Identity.generate()
    for name, one in (("mine.key", identity), ("other.key", stranger)):
        (tmp_path / name).write_text(f"# of the archive\n{one}\n")
    (tmp_path / "to.txt").write_text(f"# keepers\n{identity.to_public()}\n")
    file, place = tmp_path / "b.age", tmp_path / "place"
    assert shuniu("backup", file, "--to", tmp_path / "to.txt", "--data", made)[0] == 0
    assert b"hub.toml" not in file.read_bytes()
    assert file.read_bytes().startswith(archive._AGE)
    for words, told in (([], "encrypted"), (["--identity", tmp_path / "other.key"], "decrypted")):
        status, said = shuniu("restore", file, *words, "--data", place)
        assert (status, told in said, place.exists()) == (EX_CONFIG, True, False)
    (tmp_path / "cut.age").write_bytes(cut(file, 0.7))
    mine = ["--identity", tmp_path / "mine.key"]
    assert shuniu("restore", tmp_path / "cut.age", *mine, "--data", place)[0] == EX_CONFIG
    assert not place.exists()
    assert shuniu("restore", file, *mine, "--data", place)[0] == 0
    status, said = shuniu("backup", file, "--to", "age1nobody", "--data", made)
    assert (status, "neither of age nor of SSH" in said) == (EX_CONFIG, True)


def test_settings_are_the_owners_alone(made: Path) -> None:
    """They may name a database with its password."""
    assert (made / "hub.toml").stat().st_mode & 0o077 == 0
    assert Place(made).hub().run_dir.stat().st_mode & 0o077 == 0
