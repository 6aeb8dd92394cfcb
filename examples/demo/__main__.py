"""`make demo`: starts a hub, enrols a region, serves CITIZENS people and says what came of it.

Environment: CITIZENS (default 90), CONCURRENCY (default 16), PROFILE (international, or sm: SM2, SM3, SM4), KEEP=1
leaves the hub running and prints its URLs.
"""

import asyncio
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from examples.demo.hub import RunningHub, finish, shuniu
from examples.demo.journeys import Outcome, Stage, citizens_of, serve_all, set_stage
from examples.demo.progress import Progress, Times
from examples.inner_mongolia.load import load
from examples.inner_mongolia.people import people

ROOT = Path("var/demo")
SETTLE_SECONDS = 60
STEPS = {
    "sign_in": "注册实名、登录、授权",
    "search": "检索事项",
    "apply": "提交申请",
    "handling": "受理至送达",
    "bureau": "其中：公安局一次办理",
    "download": "下载证明",
    "verify_upload": "上传验证",
    "verify_qr": "二维码验证",
    "evaluate": "评价",
}


async def main() -> int:
    citizens = citizens_of(everybody := people(int(os.environ.get("CITIZENS", "90"))))
    shutil.rmtree(ROOT, ignore_errors=True)
    certificates = ROOT / "certificates"
    certificates.mkdir(parents=True)
    times = Times()
    progress = Progress(len(citizens))
    profile = os.environ.get("PROFILE") or "international"
    progress.say(f"枢纽启动中，密码体系 {profile} / starting the hub, profile {profile} …")
    running = await RunningHub.start(ROOT.resolve() / "hub", profile)
    try:
        progress.say(f"枢纽就绪，用时 {running.seconds_to_ready:.1f} 秒 / ready: {running.hub.people_url}")
        progress.say("接入平台、发布事项、授权、制章，约需一分钟 / setting the region up, about a minute …")
        began = time.monotonic()
        stage = await set_stage(running, load(), everybody, certificates, times)
        progress.say(
            f"已接入 {len(stage.sessions)} 个平台与操作员，发布事项 {stage.items} 项，"
            f"用时 {time.monotonic() - began:.1f} 秒 / region set up"
        )
        progress.say(f"为 {len(citizens)} 人办理无犯罪记录证明 / serving {len(citizens)} people in nine cities")
        began = time.monotonic()
        outcome = await serve_all(stage, citizens, int(os.environ.get("CONCURRENCY", "16")), progress)
        seconds = time.monotonic() - began
        summary = await summarise(running, stage, outcome, len(citizens), seconds)
        keep_trust(await shuniu("trust", "--data", str(running.data), "--json"))
        report(summary, times, outcome, profile)
        keep = os.environ.get("KEEP") == "1"
        if keep and running.process is not None:
            progress.say(f"枢纽继续运行 / still running: {running.hub.people_url}  (platforms {running.hub.platforms})")
            progress.say(f"停止 / stop: kill {running.process.pid}")
        await stage.strike()
    finally:
        if os.environ.get("KEEP") != "1":
            await running.stop()
    return 0 if complete(summary) else 1


async def summarise(
    running: RunningHub, stage: Stage, outcome: Outcome, citizens: int, seconds: float
) -> dict[str, Any]:
    """Counts both ends: what the outboxes published and what the receivers say they received."""
    published = await settled(running, stage)
    served = outcome.served
    return {
        "citizens": citizens,
        "cases_begun": len({one.case_code for one in served}) + len(outcome.failures),
        "cases_finished": len({one.case_code for one in served}),
        "certificates": len({one.certificate_number for one in served}),
        "verified_upload": sum(one.verified_upload for one in served),
        "verified_qr": sum(one.verified_qr for one in served),
        "evaluations": sum(one.evaluated for one in served),
        "events_published": published,
        "events_received": stage.received,
        "events_lost": max(0, published - stage.received),
        "events_duplicated": stage.doubled,
        "seconds": round(seconds, 2),
    }


async def settled(running: RunningHub, stage: Stage) -> int:
    """Waits until every delivery has its receipt; returns how many deliveries the outboxes counted."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        status = await running.status()
        published = sum(part.get("organisation_deliveries", 0) for part in status["parts"])
        still_open = sum(part.get("organisation_open", 0) for part in status["parts"])
        if (still_open == 0 and stage.received >= published) or time.monotonic() > until:
            return int(published)
        await asyncio.sleep(0.25)


def keep_trust(found: str) -> None:
    """Trust roots for offline verification: one certificate a file, and the ledger's key."""
    trust = ROOT / "trust"
    trust.mkdir()
    for name, content in json.loads(found).items():
        (trust / name).write_text(content)


def complete(summary: dict[str, Any]) -> bool:
    people_served = ("cases_begun", "cases_finished", "certificates", "verified_upload", "verified_qr", "evaluations")
    return (
        all(summary[name] == summary["citizens"] for name in people_served)
        and summary["events_lost"] == 0
        and summary["events_duplicated"] == 0
        and summary["events_published"] == summary["events_received"] > 0
    )


def report(summary: dict[str, Any], times: Times, outcome: Outcome, profile: str) -> None:
    (ROOT / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print()
    print(f"  {'步骤 step':<28}{'次数':>6}{'p50 ms':>10}{'p99 ms':>10}")
    for step, title in STEPS.items():
        p50, p99 = (times.quantile(step, share) * 1000 for share in (0.5, 0.99))
        print(f"  {title + ' ' + step:<28}{len(times.steps[step]):>6}{p50:>10.0f}{p99:>10.0f}")
    print()
    for name, value in summary.items():
        print(f"  {name:<20}{value:>10}")
    for failure in outcome.failures[:10]:
        print(f"  ✗ {failure}", file=sys.stderr)
    print()
    print(f"  密码体系 / profile: {profile}")
    print(f"  证明与回执 / certificates: {ROOT}/certificates   信任根 / trust: {ROOT}/trust")
    print(
        "  全部办结，无丢失无重复 / all served, nothing lost or doubled"
        if complete(summary)
        else "  ✗ 未全部完成 / not complete"
    )


if __name__ == "__main__":
    finish(main())
