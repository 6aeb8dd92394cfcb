"""`shuniu ledger verify|audit verify|trust`: what can be proved, offline where the hub need not be asked."""

import argparse
import asyncio
import time
from pathlib import Path

from services.esign import commands as esign
from services.esign.verification import plain_files
from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.cli import recount
from shuniu.cli.hub_lists import revocation_lists
from shuniu.cli.local import ask_all, supervisor_state
from shuniu.cli.output import complain, out, table
from shuniu.cli.place import Place
from shuniu.cli.stores import databases
from shuniu.cli.verify import EXITS, UNREADABLE, trust_of
from shuniu.kit.clock import SystemClock
from shuniu.kit.config import ConfigError
from shuniu.kit.errors import HubError
from shuniu.kit.operations import audit_check
from shuniu.kit.sql import Store
from shuniu.kit.sql.tables import KIT


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, text in (("ledger", "存证日志 / the ledger"), ("audit", "审计链 / audit chains")):
        group = commands.add_parser(name, help=text)
        verbs = group.add_subparsers(metavar="VERB", required=True)
        verb = verbs.add_parser("verify", help="全部重算并核对 / recompute and compare all of it")
        verb.set_defaults(run=ledger_verify if name == "ledger" else audit_verify)
        if name == "ledger":
            _add_monitor(verbs)
            recount.add(verbs)
            _add_check(verbs)
    parser = commands.add_parser("trust", help="导出离线核验的信任根 / trust material for offline verification")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="写入该目录 / write the files there")
    parser.set_defaults(run=trust)


def _add_monitor(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "monitor",
        help="持续核对日志未被改写 / watch that a log is never rewritten",
        description="Exit 0 consistent, 1 rolled back, forked or damaged, 2 unreadable. What was seen is kept in "
        "--memory; both signed checkpoints of a contradiction are written beside it as *.proof.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--url", default="", help="日志网址前缀 / prefix of the log: C2SP tlog-tiles, or https://HUB/v1/ledger"
    )
    where.add_argument("--dir", type=Path, default=None, help="日志目录 / a log's directory (default: this hub's own)")
    parser.add_argument(
        "--vkey", action="append", default=[], help="日志公钥 / the log's key (default: this hub's own)"
    )
    parser.add_argument(
        "--ca", type=Path, default=None, metavar="PEM", help="--url 所用根证书 / for --url, instead of the system's"
    )
    parser.add_argument(
        "--memory", type=Path, default=None, metavar="FILE", help="已见状态的文件 / default: DIR/ledger-monitor.json"
    )
    parser.add_argument("--once", action="store_true", help="只查一次 / look once; else until something is wrong")
    parser.add_argument(
        "--interval", type=float, default=10.0, metavar="S", help="间隔秒数 / between looks, s (default 10)"
    )
    parser.set_defaults(run=ledger_monitor)


def _add_check(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "check",
        help="离线核验一份交换存证 / check evidence of the exchange offline",
        description="Whether the ledger holds this very record. Exit 0 yes, 1 no, 2 not known (no receipt, other log, "
        "too few cosignatures), 3 unreadable. FILE is the `file` of GetEvidence.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--trust", type=Path, default=None, metavar="DIR", help="信任根目录，默认本枢纽 / default: this hub's own trust"
    )
    parser.set_defaults(run=ledger_check)


def ledger_check(arguments: argparse.Namespace) -> int:
    try:
        report = esign.check_evidence(arguments.file, trust_of(arguments))
    except (OSError, esign.TrustError, esign.EvidenceUnreadableError) as error:
        complain(f"无法读取 / unreadable: {error}")
        return UNREADABLE
    found = report.as_json()
    lines = [f"{found['verdict']}   {found['text']}"]
    if found["time"]:
        lines.append(f"  {found['source']}  {found['time']}")
    lines += [f"  {name:<16} {value}" for name, value in sorted(report.record.items())]
    out(found, "\n".join(lines), as_json=arguments.json)
    return EXITS[found["verdict"]]


def ledger_monitor(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    memory = arguments.memory or place.data / "ledger-monitor.json"
    vkeys = arguments.vkey or esign.trust_files(place.config)["ledger.vkey"].split()
    directory = arguments.dir or (None if arguments.url else place.data / "ledger")
    while True:
        try:
            found = esign.ledger_monitor(memory, vkeys, url=arguments.url, directory=directory, ca=arguments.ca)
        except (OSError, ValueError, esign.TrustError) as error:
            raise ConfigError(str(error)) from None
        code = esign.MONITOR_EXIT_CODES[found.finding]
        fields = {"finding": found.finding.value, "before": found.before, "size": found.size, "text": found.text}
        out({**fields, "proof": list(found.proof)}, f"{found.finding}: {found.text}", as_json=arguments.json)
        # What cannot be read may be read again; a contradiction is for people.
        if arguments.once or code == esign.MONITOR_ALARM:
            return code
        time.sleep(arguments.interval)


def ledger_verify(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    place.hub()
    report = esign.hub_ledger_verify(place.config)
    found = {
        "intact": report.sound,
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "entries": report.entries_by_type,
        "problems": report.problems,
    }
    lines = [f"{report.origin}  {report.size} 条 / entries  root {report.root.hex()}"]
    lines += [f"  ✗ {problem}" for problem in report.problems] or [
        "  ✓ 每条记录与每个数据块都与已签名的检查点一致 / all agree"
    ]
    out(found, "\n".join(lines), as_json=arguments.json)
    return 0 if report.sound else 1


def audit_verify(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    place.hub()
    answers = asyncio.run(_audits(place))
    rows = {
        service: {"intact": answer.intact, "records": answer.records, "first_break": answer.first_break}
        for service, answer in answers.items()
    }
    text = table(
        ["服务 service", "完整 intact", "记录 records", "首个断点 first break"],
        [[name, "✓" if row["intact"] else "✗", row["records"], row["first_break"]] for name, row in rows.items()],
    )
    intact = all(row["intact"] for row in rows.values())
    out({"intact": intact, "services": rows}, text, as_json=arguments.json)
    return 0 if intact else 1


async def _audits(place: Place) -> dict[str, pb.VerifyAuditResponse]:
    """By asking the services while they run; from their stores while they do not."""
    if supervisor_state(place) is not None:
        answers = await ask_all(place, lambda stub: stub.VerifyAudit, pb.VerifyAuditRequest())
        for answer in answers.values():
            if isinstance(answer, HubError):
                raise answer
        return answers
    checked: dict[str, pb.VerifyAuditResponse] = {}
    for database in databases(place):
        store = Store.unchecked(database.url, KIT, clock=SystemClock(), writer="audit")
        try:
            checked[database.service] = await store.read(audit_check)
        finally:
            await store.close()
    return checked


def trust(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    lists = revocation_lists(place)
    if lists.missing:
        # Who verifies with what is left takes a stolen seal's documents for good.
        names = ", ".join(lists.missing)
        complain(
            f"枢纽没有给出撤销列表（{names}），没有导出；请稍后重试，或用 shuniu status 查看 / "
            f"the hub did not give its revocation lists ({names}): nothing was exported; try again later, or see "
            "`shuniu status`"
        )
        return 1
    files = {**esign.trust_files(place.config), **lists.files}
    if not lists.files:
        complain("枢纽未运行，未附撤销列表 / the hub does not run: without its revocation list")
    if arguments.out is not None:
        try:
            arguments.out.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                # Somebody may be verifying with what is there.
                plain_files.put(arguments.out / name, content.encode())
        except OSError as error:
            raise ConfigError(f"{arguments.out}: {error.strerror}") from None
        text = "\n".join(str(arguments.out / name) for name in files)
    else:
        text = "\n".join(f"{name}\n{content}" for name, content in files.items())
    out(files, text, as_json=arguments.json)
    return 0
