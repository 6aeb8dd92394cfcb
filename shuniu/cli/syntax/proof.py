"""`shuniu ledger verify|audit verify|trust`: what can be proved, offline where the hub need not be asked."""

import argparse
from pathlib import Path

from shuniu.cli.syntax.later import later


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, text in (("ledger", "存证日志 / the ledger"), ("audit", "审计链 / audit chains")):
        group = commands.add_parser(name, help=text)
        verbs = group.add_subparsers(metavar="VERB", required=True)
        verb = verbs.add_parser("verify", help="全部重算并核对 / recompute and compare all of it")
        verb.set_defaults(run=later("ledger", "ledger_verify") if name == "ledger" else later("audit", "audit_verify"))
        if name == "ledger":
            _add_monitor(verbs)
            _add_recount(verbs)
            _add_check(verbs)
    parser = commands.add_parser("trust", help="导出离线核验的信任根 / trust material for offline verification")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="写入该目录 / write the files there")
    parser.set_defaults(run=later("trust", "trust"))


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
    parser.set_defaults(run=later("ledger", "ledger_monitor"))


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
    parser.set_defaults(run=later("ledger", "ledger_check"))


def _add_recount(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "recount",
        help="由日志重新统计签署流程并核对 / count signing flows anew from the ledger and compare",
        description="Exit 0 when ledger and hub agree and no flow ended twice, 1 when they do not. Works while the hub "
        "runs and while it does not.",
    )
    parser.set_defaults(run=later("recount", "run"))
