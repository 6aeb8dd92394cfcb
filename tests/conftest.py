"""What all tests share. With REQUIRE_ALL=1 nothing may be skipped: a group that cannot run here fails instead."""

import gc
import os
from collections.abc import Generator

import pytest

from tests.support import plans

pytest_plugins = ["shuniu.kit.testing.fixtures"]

_PLANS = plans.Watcher()


def pytest_configure() -> None:
    _PLANS.start()


@pytest.fixture(autouse=True)
def _stores_walk_through_nothing_that_grows() -> Generator[None]:
    """No statement of a store that a test ran costs more with each row there is, but those that may (`plans_allowed`)."""
    yield
    found = _PLANS.taken()
    assert not found, f"walks through what grows:\n{plans.told(found)}"


@pytest.fixture(autouse=True, scope="module")
def _leaks_show_where_they_are_made() -> Generator[None]:
    """What a module's tests left open is reported with that module, not with whichever test the collector strikes."""
    yield
    gc.collect()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and REQUIRE_ALL=1 allows no skip: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped and os.environ.get("REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, and REQUIRE_ALL=1 allows no skip: {report.longrepr}"
    return report
