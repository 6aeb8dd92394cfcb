"""`shuniu backup`: what a hub cannot be made anew from, in one file."""

import argparse
import asyncio
import contextlib
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from services.esign import commands as esign
from shuniu.cli import archive
from shuniu.cli.output import out
from shuniu.cli.place import CONFIG_NAME, Place
from shuniu.cli.stores import Database, databases
from shuniu.kit.process.config import ConfigError
from shuniu.kit.process.process_lock import HeldElsewhereError, ProcessLock
from shuniu.kit.store import postgresql_copy, sqlite_copy

# Folders of the data directory that are made anew (the bus's files from outboxes and registry), or are no files of the
# hub: whoever holds an operator's role keeps its key, and nobody holds all roles by holding a backup.
_MADE_ANEW: Final = frozenset({"nats", "edge", "logs", "run"})
_ROLES: Final = "operators"
# Copied each in its own way, before the rest: a key that was made meanwhile is in the backup, and opens what it must.
_COPIED: Final = frozenset({"db", "ledger"})
_STAGING: Final = ".backup"


def backup(arguments: argparse.Namespace) -> int:
    """Exit 0 only when everything is in it that `restore` needs, or was left out by name."""
    place = Place(arguments.data.resolve())
    place.hub()
    target = arguments.file.resolve()
    left_out = [one.service for one in databases(place) if not one.is_file and arguments.without_databases]
    try:
        with _staging(place) as staged, archive.writing(target, arguments.to) as made:
            kept, head = asyncio.run(_stores(place, staged, made, left_out))
            made.add(CONFIG_NAME, place.config)
            for folder in sorted(place.data.iterdir()):
                taken = folder.is_dir() and not folder.name.startswith(".") and folder not in target.parents
                if taken and folder.name not in _MADE_ANEW | _COPIED | {_ROLES}:
                    made.add_tree(folder.name, folder)
            manifest = {"version": version("shuniu"), "made_at": int(time.time()), "databases": kept, "ledger": head}
            made.close(manifest)
    except (postgresql_copy.CopyError, esign.TrustError) as error:
        raise ConfigError(f"未做备份 / no backup was made: {error}") from None
    except OSError as error:
        raise ConfigError(f"未做备份 / no backup was made: {error.filename or target}: {error.strerror}") from None
    names = ", ".join(left_out)
    told = [f"{target}: {len(made.files)} files"]
    told += (
        [f"不含数据库，请用 pg_dump 另行备份 / without these databases, back them up with pg_dump: {names}"]
        if names
        else []
    )
    told += [] if arguments.to else ["内含密钥且未加密，须同等保管 / holds keys in clear: keep it as you keep keys"]
    found = {
        "file": str(target),
        "files": len(made.files),
        "left_out": left_out,
        "ledger_size": head["size"],
        "encrypted": bool(arguments.to),
    }
    out(found, "\n".join(told), as_json=arguments.json)
    return 0


@contextlib.contextmanager
def _staging(place: Place) -> Iterator[Path]:
    """A folder for copies on their way, without keys. What a killed backup left there goes first."""
    staged = place.data / _STAGING
    staged.mkdir(mode=0o700, exist_ok=True)
    try:
        lock = ProcessLock(staged / ".lock")
    except HeldElsewhereError:
        raise ConfigError(f"{place.data}: 另一个备份正在进行 / another backup is under way") from None
    try:
        for left in staged.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
        work = staged / "copies"
        work.mkdir(mode=0o700)
        yield work
    finally:
        shutil.rmtree(staged)
        lock.release()


async def _stores(
    place: Place, staged: Path, made: archive.Writer, left_out: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Adds each database, one consistent state, and then the ledger, which so is never behind them. Returns what the
    manifest says of both.
    """
    kept: dict[str, Any] = {}
    esign_url = ""
    for database in databases(place):
        kind = "sqlite" if database.is_file else "postgresql"
        copy = staged / f"{database.service}.{'db' if database.is_file else 'dump'}"
        kept[database.service] = {"store": kind, "file": f"db/{copy.name}"}
        esign_url = database.url if database.service == "esign" else esign_url
        if database.service in left_out:
            kept[database.service]["file"] = ""
            continue
        _copy(database, copy)
        if database.service == "esign" and database.is_file:
            esign_url = f"sqlite:///{copy}"
            continue
        made.add(f"db/{copy.name}", copy)
        copy.unlink()
    head = await esign.backup_ledger(place.config, staged / "ledger", esign_url)
    if (staged / "esign.db").exists():
        made.add("db/esign.db", staged / "esign.db")
    made.add_tree("ledger", staged / "ledger")
    return kept, {"size": head.size if head else 0, "root": head.root.hex() if head else ""}


def _copy(database: Database, target: Path) -> None:
    """Raises ConfigError, CopyError, OSError."""
    if not database.is_file:
        try:
            postgresql_copy.dump(database.url, target)
        except postgresql_copy.CopyError as error:
            raise ConfigError(
                f"{database.service}: 数据库未能备份，未做备份；可改用 --without-databases / "
                "its database cannot be backed up, no backup was made; or use --without-databases and pg_dump: "
                f"{error}"
            ) from None
        return
    if not database.file.is_file():
        raise ConfigError(
            f"{database.service}: {database.file}: 没有数据库，未做备份 / no database here, no backup was made"
        )
    sqlite_copy.copy(database.file, target)
