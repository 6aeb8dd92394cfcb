"""`shuniu backup|restore`: what a hub cannot be made anew from, in one file."""

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import time
import tomllib
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import MetaData

from services.identity import commands as identity
from shuniu.cli.local import supervisor_state
from shuniu.cli.output import complain, out
from shuniu.cli.parts import bus_config
from shuniu.cli.place import CONFIG_NAME, Place, run_dir_for
from shuniu.cli.stores import databases
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import ConfigError
from shuniu.kit.store import Store, sqlite_copy

MANIFEST = "manifest.json"
# What a hub cannot be made anew from; the bus's own files are rebuilt from outboxes and the registry.
KEPT = ("keys", "pki", "ledger", "operators", CONFIG_NAME)


def backup(arguments: argparse.Namespace) -> int:
    """Databases by SQLite's own online backup, so that each is one consistent state; ledger files after them."""
    place = Place(arguments.data.resolve())
    place.hub()
    with tempfile.TemporaryDirectory(dir=place.data) as work:
        staged = Path(work)
        (staged / "db").mkdir()
        for database in databases(place):
            if not database.is_file:
                complain(f"{database.service}: on PostgreSQL; back it up with pg_dump")
                continue
            source = Path(database.url.removeprefix("sqlite:///"))
            sqlite_copy.copy(source, staged / "db" / source.name)
        for name in KEPT:
            original = place.data / name
            if original.is_dir():
                shutil.copytree(original, staged / name)
            elif original.exists():
                shutil.copy2(original, staged / name)
        files = {str(path.relative_to(staged)): _sha256(path) for path in sorted(staged.rglob("*")) if path.is_file()}
        manifest = {"version": version("shuniu"), "made_at": int(time.time()), "files": files}
        (staged / MANIFEST).write_text(json.dumps(manifest, indent=1))
        draft = arguments.file.with_name(arguments.file.name + ".part")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
            with tarfile.open(fileobj=target, mode="w:gz") as archive:
                for path in sorted(staged.iterdir()):
                    archive.add(path, arcname=path.name)
            target.flush()
            os.fsync(target.fileno())
        draft.replace(arguments.file)
    out(
        {"file": str(arguments.file), "files": len(files)},
        f"{arguments.file}: {len(files)} files",
        as_json=arguments.json,
    )
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """Checks every file against the manifest, then raises each store's epoch: old cursors and leases are void."""
    place = Place(arguments.data.resolve())
    if place.data.exists() and any(place.data.iterdir()):
        raise ConfigError(f"{place.data}: not empty; restore into an empty directory")
    if supervisor_state_safe(place):
        raise ConfigError(f"{place.data}: a hub is running here; stop it first")
    place.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with tarfile.open(arguments.file, "r:gz") as archive:
            _extract(archive, place.data)
    except (OSError, tarfile.TarError) as error:
        raise ConfigError(f"{arguments.file}: cannot be read: {error}") from None
    manifest = json.loads((place.data / MANIFEST).read_text())
    for name, digest in manifest["files"].items():
        if _sha256(place.data / name) != digest:
            raise ConfigError(f"{arguments.file}: {name} is damaged")
    _move_config(place)
    for directory in ("nats", "edge", "logs"):
        (place.data / directory).mkdir(mode=0o700, exist_ok=True)
    hub, bus = place.hub(), place.bus()
    hub.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity.write_bus_config(
        place.config, bus_config(hub), listen=bus.listen, websocket=bus.websocket, monitoring=bus.monitoring
    )
    epochs = asyncio.run(_raise_epochs(place))
    out(
        {"data": str(place.data), "epochs": epochs}, f"已恢复 / restored: {place.data} {epochs}", as_json=arguments.json
    )
    return 0


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    """Directories and plain files only, all of them inside `target`, readable by their owner alone."""
    for member in archive:
        path = Path(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name}: not what a backup holds")
        if member.isdir():
            (target / path).mkdir(mode=0o700, parents=True, exist_ok=True)
            continue
        content = archive.extractfile(member)
        assert content is not None
        with content, os.fdopen(os.open(target / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
            shutil.copyfileobj(content, made)


def supervisor_state_safe(place: Place) -> bool:
    try:
        return supervisor_state(place) is not None
    except ConfigError:
        return False


def _move_config(place: Place) -> None:
    """The settings name the old place; everything else in them stays."""
    text = place.config.read_text("utf-8")
    old = tomllib.loads(text)["hub"]
    text = text.replace(f'data_dir = "{old["data_dir"]}"', f'data_dir = "{place.data}"')
    text = text.replace(f'run_dir = "{old["run_dir"]}"', f'run_dir = "{run_dir_for(place.data)}"')
    place.config.write_text(text, "utf-8")


async def _raise_epochs(place: Place) -> dict[str, int]:
    epochs: dict[str, int] = {}
    for database in databases(place):
        store = Store.unchecked(database.url, MetaData(), clock=SystemClock(), writer="restore")
        try:
            epochs[database.service] = await store.raise_epoch()
        finally:
            await store.close()
    return epochs


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
