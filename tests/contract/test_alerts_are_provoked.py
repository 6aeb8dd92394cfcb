"""Every alert of deploy/prometheus has a test that makes it fire: the marker `provokes` of a test names its alerts."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.watched import ALERTS

TESTS = Path(__file__).parents[1]
# Fired by the product's own counters and gauges in one process (tests/unit). None is added: a new alert is provoked on a
# running hub.
CALCULATED = frozenset(
    {
        "ClockSet",
        "DeadLetters",
        "ExternalAway",
        "FlowsFail",
        "ForgeriesShown",
        "Incidents",
        "LedgerContradicted",
        "OutboxLate",
        "ReceiptMismatch",
        "RendererAbsent",
        "Unreceipted",
    }
)


def provoked_in(module: ModuleType) -> set[str]:
    """The alerts that the module's tests are marked with."""
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    marks: list[pytest.Mark] = [mark for test in tests for mark in getattr(test, "pytestmark", [])]
    return {alert for mark in marks if mark.name == "provokes" for alert in mark.args}


def provoked(folders: tuple[str, ...]) -> set[str]:
    """The alerts that tests below these folders are marked with."""
    found: set[str] = set()
    for path in (path for folder in folders for path in sorted((TESTS / folder).rglob("test_*.py"))):
        if "pytest.mark.provokes(" in path.read_text("utf-8"):
            found |= provoked_in(
                importlib.import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))
            )
    return found


@pytest.mark.timeout(60)
def test_every_alert_is_provoked() -> None:
    """An alert is added with its test, and a test names an alert that exists."""
    everywhere = tuple(each.name for each in TESTS.iterdir() if each.is_dir())
    assert provoked(everywhere) == ALERTS.keys()


@pytest.mark.timeout(60)
def test_every_new_alert_is_provoked_on_a_running_hub() -> None:
    """Only those that were first calculated are calculated only; one that a running hub provokes leaves their list."""
    assert ALERTS.keys() - provoked(("integration", "e2e", "faults")) == CALCULATED
