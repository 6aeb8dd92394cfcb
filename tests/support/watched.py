"""A running hub as its operators watch it: scrapes, the alerts of deploy/prometheus, and what the commands say."""

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any, Final

import yaml

from examples.demo.hub import RunningHub
from shuniu.kit.testing import eventually
from tests.support.hub import Ran, command
from tests.support.promql import Samples, fires

ALERTS: Final[dict[str, dict[str, Any]]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((Path(__file__).parents[2] / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
"""The rules of alerts.yml by name."""
_PARTS = ("identity", "vault", "catalogue", "exchange", "esign", "web", "edge")


class Watched:
    """A running hub, what its supervisor says, and scrapes of it five seconds apart on a clock of our own."""

    def __init__(self, running: RunningHub) -> None:
        self.running = running
        self.run_dir = running.data / "run"
        self.samples = Samples()
        self.now = 0.0

    def parts(self) -> dict[str, dict[str, Any]]:
        found = json.loads((self.run_dir / "supervisor.json").read_text())
        return {part["name"]: part for part in found["parts"]}

    def _get(self, part: str, path: str) -> str | None:
        try:
            address = (self.run_dir / f"{part}.ops").read_text().strip()
            with urllib.request.urlopen(f"http://{address}{path}", timeout=1.0) as answer:
                text: str = answer.read().decode()
                return text
        except (OSError, ValueError):
            return None

    async def scrape(self) -> None:
        texts = {part: await asyncio.to_thread(self._get, part, "/metrics") for part in _PARTS}
        texts["edge-control"] = await asyncio.to_thread(self._get, "edge", "/control/metrics")
        self.samples.add(self.now, texts)
        self.now += 5.0

    def again(self, seconds: float) -> None:
        """The last scrape holds for so long."""
        _, last = self.samples.scrapes[-1]
        for _ in range(int(seconds // 5)):
            self.samples.scrapes.append((self.now, last))
            self.now += 5.0

    def fires(self, alert: str) -> bool:
        return fires(ALERTS[alert], self.samples)

    def firing(self) -> set[str]:
        return {name for name in ALERTS if self.fires(name)}

    async def shuniu(self, *arguments: str) -> Ran:
        return await command(*arguments, "--data", str(self.running.data))

    async def ready(self) -> None:
        await eventually(lambda: all(part["state"] == "READY" for part in self.parts().values()), within=60)

    async def findings(self) -> dict[str, str]:
        """What `shuniu doctor` calls bad or worth a look, by name."""
        found = (await self.shuniu("doctor", "--json")).json["findings"]
        return {one["what"]: one["found"] for one in found if not one["level"].endswith("ok")}
