"""`shuniu migrate|backup|restore|keys rotate`: looking after what a hub keeps."""

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
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sqlalchemy import MetaData

from services.esign import commands as esign
from services.exchange import commands as exchange
from services.identity import commands as identity
from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc
from shuniu.cli.local import supervisor_state
from shuniu.cli.output import complain, out
from shuniu.cli.parts import bus_config
from shuniu.cli.place import CONFIG_NAME, Place, run_dir_for
from shuniu.cli.platform import operator, request_id
from shuniu.cli.stores import databases, migrate_all
from shuniu.kit.clock import SystemClock
from shuniu.kit.config import ConfigError
from shuniu.kit.sql import Store, sqlite_copy

MANIFEST = "manifest.json"
# What a hub cannot be made anew from; the bus's own files are rebuilt from outboxes and the registry.
KEPT = ("keys", "pki", "ledger", "operators", CONFIG_NAME)

ESIGN_KEYS: Final[dict[str, tuple[Callable[[Path], str], str]]] = {
    "tsa": (
        esign.rotate_timestamp_key,
        "改为更换时间戳密钥（须放回其 CA 密钥）/ the timestamp key (needs its CA's key)",
    ),
    "seal-ca": (esign.rotate_seal_ca, "改为更换印章 CA（须放回根密钥）/ the seal CA (needs the root's key)"),
    "sm2-seal-ca": (
        esign.rotate_sm2_seal_ca,
        "改为更换国密印章 CA（须放回国密根密钥）/ the SM2 seal CA (needs its root's key)",
    ),
    "maker": (esign.rotate_seal_maker, "改为更换国密制章者密钥 / the SM2 seal maker"),
    "qr": (esign.rotate_qr_key, "改为更换二维码签名密钥 / the key that signs QR codes"),
    "kek": (esign.rotate_wrapping_key, "改为更换印章密钥的加密密钥 / the key that wraps seal keys"),
}
"""Keys of esign by their option: what makes the next one, and the help."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("migrate", help="升级数据库结构 / bring schemas up to date")
    parser.set_defaults(run=migrate)
    parser = commands.add_parser("backup", help="备份（可在运行中） / back up, also while running")
    parser.add_argument(
        "file", type=Path, metavar="FILE.tar.gz", help="内含密钥，须同等保管 / holds keys: keep it as you keep keys"
    )
    parser.set_defaults(run=backup)
    parser = commands.add_parser("restore", help="恢复到空目录 / restore into an empty directory")
    parser.add_argument("file", type=Path, metavar="FILE.tar.gz")
    parser.set_defaults(run=restore)
    keys = commands.add_parser("keys", help="密钥 / keys")
    verbs = keys.add_subparsers(metavar="VERB", required=True)
    parser = verbs.add_parser(
        "rotate",
        help="启用下一把密钥（默认：令牌签名密钥） / start the next key (by default the one that signs tokens)",
        description="Without an option the next token-signing key; it signs once everybody can know it. With an option "
        "another kind instead, one at a time, in force from the next start. What was signed before verifies on.",
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--storage", action="store_true", help="改为更换存储加密密钥 / the keys that stored values are encrypted with"
    )
    kinds.add_argument("--ledger", action="store_true", help="改为更换存证日志密钥 / the key that signs the ledger")
    for name, (_, help_text) in ESIGN_KEYS.items():
        kinds.add_argument(f"--{name}", action="store_true", help=help_text)
    parser.set_defaults(run=rotate)


def migrate(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    place.hub()
    revisions = asyncio.run(migrate_all(place))
    text = "\n".join(f"{service}: {revision}" for service, revision in revisions.items())
    out({"revisions": revisions}, text, as_json=arguments.json)
    return 0


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


def rotate(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    if arguments.storage:
        place.hub()
        numbers = {**identity.rotate_storage_keys(place.config), "exchange": exchange.rotate_keys(place.config)}
        text = ", ".join(f"{service}: {number}" for service, number in numbers.items())
        out({"keys": numbers}, f"{text}（重启后生效 / from the next start）", as_json=arguments.json)
        return 0

    if arguments.ledger:
        place.hub()
        vkey = esign.rotate_ledger_key(place.config)
        text = f"{vkey}\n（重启后生效，请告知见证方与核验方 / from the next start; tell witnesses and verifiers）"
        out({"vkey": vkey}, text, as_json=arguments.json)
        return 0

    for name, (rotate_one, _) in ESIGN_KEYS.items():
        if getattr(arguments, name.replace("-", "_")):
            place.hub()
            made = rotate_one(place.config)
            text = f"{name}: {made}（重启后生效，此前所签仍可核验 / from the next start; earlier signatures verify on）"
            out({name: made}, text, as_json=arguments.json)
            return 0

    async def work() -> platform_pb2.RotateKeysResponse:
        admin = operator(place, "security")
        stub = platform_pb2_grpc.PlatformAdminServiceStub(admin.channel)
        return await admin.call(stub.RotateKeys, platform_pb2.RotateKeysRequest(request_id=request_id()))

    answer = asyncio.run(work())
    starts = answer.active_from.ToJsonString()
    out(
        {"next_kid": answer.next_kid, "active_from": starts},
        f"{answer.next_kid} 自 / from {starts}",
        as_json=arguments.json,
    )
    return 0
