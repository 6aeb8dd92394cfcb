"""`shuniu status`, `shuniu trace`: what runs, how far behind it is, and where one case stands."""

import argparse
import asyncio
import time
from typing import Any

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.cli.local import OFTEN, ask_all, restarts_lately, statuses, supervisor_state
from shuniu.cli.output import out, table
from shuniu.cli.place import Place
from shuniu.kit.errors import HubError


def status(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    supervised = supervisor_state(place)
    answers = asyncio.run(statuses(place))
    rows: list[dict[str, Any]] = []
    for part in (supervised or {"parts": [{"name": name} for name in answers]})["parts"]:
        row: dict[str, Any] = dict(part)
        answer = answers.get(part["name"])
        if isinstance(answer, HubError):
            row.update(ready=False, reason=f"does not answer ({answer.reason})")
        elif answer is not None:
            row.update(
                ready=answer.ready,
                reason=answer.reason,
                version=answer.version,
                epoch=answer.epoch,
                outbox=dict(answer.outbox),
                outbox_age_seconds=round(answer.outbox_age_seconds, 2),
                dead_letters=answer.dead_letters,
                organisation_deliveries=answer.organisation_deliveries,
                organisation_open=answer.organisation_open,
                facts=dict(answer.facts),
            )
        else:
            serves = part.get("state") == "READY"
            row.update(ready=serves, reason="" if serves else "does not answer on its ops port")
        if (times := restarts_lately(part, time.time())) >= OFTEN:
            row.update(ready=False, reason=f"restarted {times} times in 10 min; {row['reason']}".rstrip("; "))
        rows.append(row)
    ready = bool(rows) and all(row["ready"] for row in rows)
    out(
        {"running": supervised is not None, "ready": ready, "parts": rows},
        _text(rows, running=supervised is not None),
        as_json=arguments.json,
    )
    return 0 if ready else 1


def _text(rows: list[dict[str, Any]], *, running: bool) -> str:
    lines = table(
        [
            "部件 part",
            "状态 state",
            "重启 restarts",
            "版本 version",
            "发件箱 outbox",
            "滞后 age s",
            "死信 dead",
            "说明 notes",
        ],
        [
            [
                row["name"],
                "✓ ready" if row["ready"] else f"✗ {row.get('state', 'AWAY')}",
                row.get("restarts", "-"),
                row.get("version", "-"),
                " ".join(f"{name}={count}" for name, count in sorted(row.get("outbox", {}).items())) or "-",
                row.get("outbox_age_seconds", "-"),
                row.get("dead_letters", "-"),
                " ".join(
                    [
                        row.get("reason", ""),
                        row.get("last_exit", ""),
                        *(f"{name}={value}" for name, value in row.get("facts", {}).items()),
                    ]
                ).strip(),
            ]
            for row in rows
        ],
    )
    return lines if running else f"枢纽未由本机 shuniu up 运行 / not run by `shuniu up` here\n{lines}"


def trace(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    request = pb.TraceAggregateRequest(aggregate=arguments.case)
    answers = asyncio.run(ask_all(place, lambda stub: stub.TraceAggregate, request))
    entries: list[dict[str, Any]] = []
    away = [service for service, answer in answers.items() if isinstance(answer, HubError)]
    for service, answer in answers.items():
        if isinstance(answer, HubError):
            continue
        entries.extend(_entry(service, entry) for entry in answer.entries)
    entries.sort(key=lambda entry: (entry["time"], entry["service"], entry["seq"]))
    lines = table(
        ["时间 time", "服务 service", "事件 event", "去向 target", "状态 state", "入库 stored", "回执 receipt"],
        [
            [
                entry["time"],
                entry["service"],
                f"{entry['seq']} {entry['type']}",
                entry["target"],
                entry["state"],
                entry["stored_at"] or "-",
                entry["receipted_at"] or "-",
            ]
            for entry in entries
        ],
    )
    text = lines if entries else f"没有 {arguments.case} 的事件 / no events of {arguments.case}"
    if away:
        text += f"\n未应答 / not answering: {', '.join(away)}"
    out(
        {"aggregate": arguments.case, "entries": entries, "away": away, "at": time.time()}, text, as_json=arguments.json
    )
    return 0 if entries else 1


def _entry(service: str, entry: pb.TraceEntry) -> dict[str, Any]:
    return {
        "service": service,
        "seq": entry.seq,
        "type": entry.type,
        "event_id": entry.event_id,
        "time": entry.time.ToJsonString(),
        "target": entry.target,
        "state": entry.state,
        "stored_at": entry.stored_at.ToJsonString() if entry.HasField("stored_at") else "",
        "receipted_at": entry.receipted_at.ToJsonString() if entry.HasField("receipted_at") else "",
    }
