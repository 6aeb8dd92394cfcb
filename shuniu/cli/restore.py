"""`shuniu restore`: a hub from a backup, in a directory and databases that are empty."""

import argparse
import asyncio
import contextlib
import os
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import MetaData

from services.esign import commands as esign
from services.identity import commands as identity
from shuniu.cli import archive
from shuniu.cli.init import OPERATORS
from shuniu.cli.output import out
from shuniu.cli.parts import bus_config
from shuniu.cli.place import CONFIG_NAME, RESTORING, Place, run_dir_for
from shuniu.cli.settings_text import with_key
from shuniu.cli.stores import PACKAGES, databases, migrate_all
from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import ConfigError, variable_of
from shuniu.kit.process.process_lock import HeldElsewhereError, ProcessLock
from shuniu.kit.store import Store, postgresql_copy

_URL: Final = "database_url"


def restore(arguments: argparse.Namespace) -> int:
    """Checks every file against the manifest, fills empty databases only, and raises each store's epoch: old cursors
    and leases are void. What fails leaves nothing behind.
    """
    place = Place(arguments.data.resolve())
    given = _given(arguments.database)
    with _empty(place) as staged:
        manifest = archive.extract(arguments.file, staged, arguments.identity)
        kept = _kept(manifest, arguments.file)
        text = _settings(place, staged, kept, given, arguments.run_dir)
        (staged / CONFIG_NAME).write_text(text, "utf-8")
        (staged / CONFIG_NAME).chmod(0o600)
        for path in [*staged.iterdir()]:
            path.rename(place.data / path.name)
        for directory in ("db", "ledger", "nats", "edge", "logs"):
            (place.data / directory).mkdir(mode=0o700, exist_ok=True)
        hub, bus = place.hub(), place.bus()
        hub.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        identity.write_bus_config(
            place.config, bus_config(hub), listen=bus.listen, websocket=bus.websocket, monitoring=bus.monitoring
        )
        # Last: what fails here empties the databases that it filled.
        epochs, closed = asyncio.run(_fill(place, kept))
    out(
        {"data": str(place.data), "epochs": epochs, "suspended": closed},
        f"已恢复 / restored: {place.data} {epochs}\n"
        f"平台均已停用，核对后用 shuniu platform resume 逐一恢复 / platforms are suspended: "
        f"{len(closed)}; go through them and resume each\n"
        f"操作员凭据已重新签发，请分别交付 / operators have new credentials, hand them out: {place.operator('')}",
        as_json=arguments.json,
    )
    return 0


@contextlib.contextmanager
def _empty(place: Place) -> Iterator[Path]:
    """A folder inside the data directory, for what is not complete; with it what a killed restore left is known and
    goes. Empties the directory when the block fails. Raises ConfigError when something else is there.
    """
    there = place.data.exists()
    if there and any(place.data.iterdir()) and not (place.data / RESTORING).exists():
        raise ConfigError(f"{place.data}: 目录不为空，请恢复到空目录 / not empty; restore into an empty directory")
    (place.data / RESTORING).mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = ProcessLock(place.data / RESTORING / ".lock")
    except HeldElsewhereError:
        raise ConfigError(f"{place.data}: 另一个恢复正在进行 / another restore is under way") from None
    staged = place.data / RESTORING / "files"
    try:
        _remove(place)
        staged.mkdir(mode=0o700)
        yield staged
    except BaseException:
        _remove(place)
        shutil.rmtree(place.data / RESTORING)
        if not there:
            place.data.rmdir()
        raise
    else:
        shutil.rmtree(place.data / RESTORING)
    finally:
        lock.release()


def _remove(place: Place) -> None:
    """Everything but the folder of the restore itself and its lock."""
    for path in [*place.data.iterdir(), *(place.data / RESTORING).iterdir()]:
        if path.name not in {RESTORING, ".lock"}:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _given(pairs: list[str]) -> dict[str, str]:
    found = dict[str, str]()
    for pair in pairs:
        service, _, url = pair.partition("=")
        if service not in PACKAGES or not url.startswith("postgresql://"):
            raise ConfigError(
                f"--database {service}: 须为 / must be SERVICE=postgresql://…; SERVICE: {', '.join(PACKAGES)}"
            )
        found[service] = url
    return found


def _kept(manifest: dict[str, Any], file: Path) -> dict[str, dict[str, str]]:
    """The content of the backup, by store."""
    names = [f"db/{service}.db" for service in PACKAGES]
    # Of a backup made before its manifest listed databases: what was in it then.
    older = {Path(name).stem: {"store": "sqlite", "file": name} for name in names if name in manifest["files"]}
    kept: dict[str, dict[str, str]] = manifest.get("databases", older)
    lacking = sorted(PACKAGES.keys() - kept.keys())
    if lacking:
        raise ConfigError(f"{file}: 备份中没有数据库 / the backup holds no database of {', '.join(lacking)}")
    return kept


def _settings(
    place: Place, staged: Path, kept: dict[str, dict[str, str]], given: dict[str, str], run_dir: Path | None
) -> str:
    """The settings for this place. They name no database but those that this restore fills or was given by name.

    Raises ConfigError.
    """
    text = (staged / CONFIG_NAME).read_text("utf-8")
    before = tomllib.loads(text)
    old = Path(before["hub"]["data_dir"])
    if old != place.data:
        text = text.replace(f'"{old}/', f'"{place.data}/')
        text = with_key(text, "hub", "data_dir", str(place.data))
    if old != place.data or run_dir is not None:
        text = with_key(text, "hub", "run_dir", str(run_dir or run_dir_for(place.data)))
    for service, one in kept.items():
        variable = variable_of(service, _URL)
        if one["store"] == "sqlite":
            if service in given or variable in os.environ:
                raise ConfigError(
                    f"{service}: 备份中是 SQLite 数据库，不能恢复到 PostgreSQL / the backup holds an SQLite database, "
                    f"which PostgreSQL cannot take (--database, {variable})"
                )
            text = with_key(with_key(text, service, _URL, None), service, "database_password_file", None)
        elif service in given:
            if variable in os.environ:
                raise ConfigError(
                    f"{service}: --database 与 {variable} 只能取其一 / give --database or {variable}, not both"
                )
            text = with_key(with_key(text, service, _URL, given[service]), service, "database_password_file", None)
        elif not one["file"]:
            raise ConfigError(
                f"{service}: 备份不含其数据库；请先将其恢复到新库，再用 --database {service}=URL 指明 / "
                "the backup is without its database; restore that into a new one first, and name it like this"
            )
    return text


async def _fill(place: Place, kept: dict[str, dict[str, str]]) -> tuple[dict[str, int], list[str]]:
    """Fills the databases on servers, raises all epochs, closes the registry and makes new credentials for operators.
    Raises ConfigError.
    """
    filled = list[str]()
    try:
        for database in databases(place):
            one = kept[database.service]
            if one["store"] == "postgresql" and one["file"]:
                await _require_empty(database.service, database.url)
                filled.append(database.url)
                postgresql_copy.fill(database.url, place.data / one["file"])
                (place.data / one["file"]).unlink()
        await migrate_all(place)
        epochs = {one.service: await _raise_epoch(one.service, one.url) for one in databases(place)}
        closed = await identity.close_restored(place.config, SystemClock())
        for name, scope in OPERATORS.items():
            await identity.create_operator(place.config, name, (scope,), place.operator(name), SystemClock())
        return epochs, closed
    except BaseException as error:
        for url in filled:
            await postgresql_copy.clear(url)
        if isinstance(error, postgresql_copy.CopyError):
            raise ConfigError(f"未恢复 / nothing was restored: {error}") from None
        raise


async def _require_empty(service: str, url: str) -> None:
    store = _opened(url)
    try:
        empty = await store.empty()
    except HubError as error:
        raise ConfigError(f"{service}: 数据库无应答 / the database does not answer: {error.reason}") from None
    finally:
        await store.close()
    if not empty:
        raise ConfigError(
            f"{service}: 数据库中已有数据，未作改动；请新建空库，用 --database {service}=URL 指明 / "
            "its database is not empty and was not touched; make a new one and name it like this"
        )


async def _raise_epoch(service: str, url: str) -> int:
    store = _opened(url)
    try:
        return await store.begin_restored(esign.COUNTERS if service == "esign" else ())
    finally:
        await store.close()


def _opened(url: str) -> Store:
    return Store.unchecked(url, MetaData(), clock=SystemClock(), writer="restore")
