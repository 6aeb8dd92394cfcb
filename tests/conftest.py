"""What all tests share. With REQUIRE_ALL=1 nothing may be skipped: a group that cannot run here fails instead."""

import gc
import os
from collections.abc import Generator

import pytest

pytest_plugins = ["shuniu.kit.testing.fixtures"]


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
