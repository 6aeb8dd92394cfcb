"""`shuniu ledger verify|monitor|check`: what the ledger proves, without asking the hub."""

import argparse
import time

from services.esign import commands as esign
from shuniu.cli.output import complain, out
from shuniu.cli.place import Place
from shuniu.cli.verify import EXITS, trust_of
from shuniu.cli.verify_start import UNREADABLE
from shuniu.kit.process.config import ConfigError


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
