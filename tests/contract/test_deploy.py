"""What operators deploy: compose, Prometheus and the dashboard speak of parts and metrics that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
_METRIC_ROW = r"^\| `(\w+)` \| \w+ \| ([^|]*) \|"
PARTS = {"identity", "vault", "catalogue", "exchange", "esign", "web", "edge"}


def test_compose_file_is_accepted() -> None:
    """`docker-compose config` reads the file without complaint."""
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not here; make test-deps installs it")
    found = subprocess.run(["docker-compose", "config"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert {f"  {part}:" for part in [*PARTS, "nats", "postgres", "prometheus", "grafana"]} <= set(
        found.stdout.splitlines()
    )


def test_the_databases_password_may_have_any_characters() -> None:
    """It stands beside the addresses and in none of them, where an @ in it would become part of the host's name."""
    settings = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-hub"]["environment"]
    urls = [value for name, value in settings.items() if name.endswith("_DATABASE_URL")]
    assert len(urls) == 5
    assert not [url for url in urls if "$" in url]
    assert settings["PGPASSWORD"].startswith("${POSTGRES_PASSWORD")


def test_every_part_is_scraped_at_the_port_it_is_given() -> None:
    """Prometheus scrapes each process at the ops port that compose sets."""
    compose = (ROOT / "docker-compose.yml").read_text()
    scraped = dict(re.findall(r'"(\w+):(\d+)"', (ROOT / "deploy/prometheus/prometheus.yml").read_text()))
    given = {name.lower(): port for name, port in re.findall(r'SHUNIU_([A-Z]+)_OPS_PORT: "(\d+)"', compose)}
    assert set(given) == PARTS
    assert given == scraped


def _unknown(expressions: Iterable[str]) -> set[str]:
    """What the expressions ask for and docs/metrics.md, which a test keeps true, does not have: metrics and labels."""
    text = (ROOT / "docs/metrics.md").read_text()
    known = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in re.findall(_METRIC_ROW, text, re.MULTILINE)}
    missing = set()
    for expression in expressions:
        for metric, labels in re.findall(r"\b((?:shuniu|grpc_server)_[a-z_]+)\b(?:\{([^}]*)\})?", expression):
            name = metric.removesuffix("_bucket")
            asked = set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", labels))
            if name not in known or asked - known[name]:
                missing.add(metric)
    return missing


def test_dashboard_shows_metrics_that_exist() -> None:
    """Each metric that the dashboard asks for exists with the labels it is chosen by; panels have a place of their own."""
    panels = json.loads((ROOT / "deploy/grafana/dashboards/hub.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert expressions
    assert _unknown(expressions) == set()
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


def test_alerts_watch_metrics_that_exist() -> None:
    """Each alert has a rule over metrics and labels that exist, a severity, and a summary in Chinese and English;
    Prometheus loads the file, and compose brings it."""
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 0
    assert _unknown(rule["expr"] for rule in rules) == set()
    assert {rule["labels"]["severity"] for rule in rules} <= {"page", "ticket"}
    assert [
        rule["alert"] for rule in rules if not re.search(r"[\u4e00-\u9fff].* / \w", rule["annotations"]["summary"])
    ] == []
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert prometheus["rule_files"] == ["alerts.yml"]
    assert "./deploy/prometheus/alerts.yml:/etc/prometheus/alerts.yml" in (ROOT / "docker-compose.yml").read_text()
