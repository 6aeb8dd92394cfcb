"""`shuniu up`: the whole hub on one machine."""

import argparse
import asyncio
import contextlib
import json
import os
import sys

from shuniu.cli.parts import bus_config, parts
from shuniu.cli.place import RESTORING, SUPERVISOR_LOCK, Place
from shuniu.cli.supervise import Supervisor, print_report
from shuniu.kit.process.config import ConfigError
from shuniu.kit.process.process_lock import HeldElsewhereError, ProcessLock


def run(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    # All settings that the command reads: what is wrong with them is told first.
    hub, _, _ = place.hub(), place.bus(), place.edge()
    if (place.data / RESTORING).exists():
        raise ConfigError(f"{place.data}: 恢复未完成，请重新恢复 / a restore was not finished here; restore again")
    hub.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hub.run_dir.stat().st_uid != os.getuid() or hub.run_dir.stat().st_mode & 0o077:
        raise ConfigError(f"{place.config}: [hub] run_dir: {hub.run_dir} must be ours alone (0700)")
    with contextlib.ExitStack() as held:
        # Of the data, whose stores have one writer each, and of the sockets, which another setting may share.
        for folder in dict.fromkeys((place.data, hub.run_dir.resolve())):
            try:
                held.callback(ProcessLock(folder / SUPERVISOR_LOCK).release)
            except HeldElsewhereError:
                # Two of them would take each other's parts for dead, and what one removes at its end serves the other.
                raise ConfigError(
                    f"{place.data}: 枢纽已由另一个 shuniu up 运行，见 shuniu status；要在这里运行，请先停止它 / "
                    "another `shuniu up` runs this hub, see `shuniu status`; stop that one first"
                ) from None
            except OSError as error:
                lock = folder / SUPERVISOR_LOCK
                raise ConfigError(f"{lock}: 无法写入 / cannot be written: {error.strerror}") from None
        return _run(arguments, place)


def _run(arguments: argparse.Namespace, place: Place) -> int:
    hub, bus, edge = place.hub(), place.bus(), place.edge()
    place.logs.mkdir(mode=0o700, exist_ok=True)
    if not bus_config(hub).exists():
        raise ConfigError(f"{bus_config(hub)}: missing; run `shuniu init`")

    def ready(seconds: float) -> None:
        found = {
            "ready": True,
            "seconds": round(seconds, 2),
            "people": edge.people,
            "platforms": edge.platforms,
            "bus": bus.listen,
            "trust": str(place.trust),
        }
        if arguments.json:
            print(json.dumps(found), flush=True)
        else:
            print(
                f"就绪 / ready in {seconds:.1f} s  网页 https://{edge.people}  平台 https://{edge.platforms}"
                f"  总线 nats://{bus.listen}",
                flush=True,
            )

    supervisor = Supervisor(
        parts(hub, place.config), place.data, hub.run_dir, place.logs, f"http://{bus.monitoring}/healthz", print_report
    )
    try:
        asyncio.run(supervisor.run(ready))
    except KeyboardInterrupt:  # a second Ctrl-C while draining
        return 130
    sys.stdout.flush()
    return 0
