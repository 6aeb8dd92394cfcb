"""What operators deploy: compose, Prometheus and the dashboard speak of parts and metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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


def test_every_part_is_scraped_at_the_port_it_is_given() -> None:
    """Prometheus scrapes each process at the ops port that compose sets."""
    compose = (ROOT / "docker-compose.yml").read_text()
    scraped = dict(re.findall(r'"(\w+):(\d+)"', (ROOT / "deploy/prometheus/prometheus.yml").read_text()))
    given = {name.lower(): port for name, port in re.findall(r'SHUNIU_([A-Z]+)_OPS_PORT: "(\d+)"', compose)}
    assert set(given) == PARTS
    assert given == scraped


def test_dashboard_shows_metrics_that_exist() -> None:
    """Each metric that the dashboard asks for is in docs/metrics.md, which a test keeps true."""
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/hub.json").read_text())
    asked = {
        metric
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for metric in re.findall(r"\b(?:shuniu|grpc)_[a-z_]+\b(?![\"=])", target["expr"])
        if not metric.startswith(("grpc_service", "grpc_method", "grpc_code"))
    }
    known = (ROOT / "docs/metrics.md").read_text()
    assert asked
    missing = {metric for metric in asked if re.sub(r"_bucket$", "", metric) not in known}
    assert missing == set()
