"""The first event that an alert watches for fires it: counted by the product's own code, evaluated as Prometheus does."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from prometheus_client import generate_latest

from services.esign import metrics as esign
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.timestamps.domain.token import TimestampRefusedError
from services.esign.timestamps.sources import Authority
from shuniu.kit import errors
from shuniu.kit.events.bus_watch import CountedReceipts
from shuniu.kit.process import metrics
from shuniu.kit.process.clock import StepWatch
from shuniu.kit.rpc.call import Call
from shuniu.kit.rpc.policy import Policy
from shuniu.kit.testing import ManualClock
from tests.support.esign import NOW_US
from tests.support.promql import Samples, fires
from tests.support.timestamps import signer
from tests.support.watched import ALERTS

POLICY = Policy("/s/M", frozenset(), frozenset(), 0, audit=False, mutates=False, rate="read")


class Context:
    """As much of a call's context as its record needs."""

    def invocation_metadata(self) -> tuple[()]:
        return ()


def refuse(reason: str) -> None:
    Call(POLICY, Context()).done(errors.unavailable(reason, "x", "x"))


def incident() -> None:
    Call(POLICY, Context()).failed(ValueError("x"))


def seal_with_a_wrong_clock() -> None:
    """The hub's own sealing asks by `token`, not by a request of the outside."""
    clock = ManualClock(NOW_US)
    stamping = Authority(signer(), ClockGuard(clock, passed_us=lambda: 0))
    clock.advance(7200)
    with pytest.raises(TimestampRefusedError):
        stamping.token(sha256(b"x").digest())


FIRST: dict[str, Callable[[], Any]] = {
    "Incidents": incident,
    "ExternalAway": lambda: refuse("HSM_AWAY"),
    "ReceiptMismatch": lambda: CountedReceipts().mismatch("bureau", "e"),
    "TimestampsRefused": seal_with_a_wrong_clock,
    # A witness's series are made when it is configured.
    "LedgerContradicted": lambda: esign.WITNESS_REFUSALS.labels("w", "LEDGER_FORKED").inc(),
    "FlowsFail": lambda: [esign.FLOW_FAILURES.labels("NEVER_SEEN").inc() for _ in range(4)],
    "ForgeriesShown": lambda: [esign.VERDICTS.labels("qr", "INVALID").inc() for _ in range(101)],
}


def scraped() -> dict[str, str | None]:
    return {"esign": generate_latest(metrics.REGISTRY).decode()}


@pytest.mark.provokes(*FIRST)
@pytest.mark.parametrize("alert", FIRST)
def test_the_first_event_fires(alert: str) -> None:
    """Nothing before, and one event (a handful where the alert asks for that) between two scrapes."""
    metrics.from_the_start(esign.WITNESS_REFUSALS, witness=("w",), reason=("LEDGER_FORKED", "LEDGER_ROLLED_BACK"))
    samples = Samples()
    for at in (0.0, 5.0):
        samples.add(at, scraped())
    assert not fires(ALERTS[alert], samples)
    FIRST[alert]()
    samples.add(10.0, scraped())
    assert fires(ALERTS[alert], samples)


def test_every_alert_on_an_increase_is_tried() -> None:
    """One that is added has its first event here."""
    assert {name for name, rule in ALERTS.items() if "increase(" in rule["expr"]} == FIRST.keys()


@pytest.mark.provokes("ClockSet")
@pytest.mark.parametrize(("set_by", "expected"), [(7200.0, True), (-7200.0, True), (0.5, False)])
def test_a_clock_that_was_set_is_told(set_by: float, expected: bool) -> None:
    """Two hours either way fire ClockSet at once; slow corrections and the passing of time do not."""
    wall, passed = [1000.0], [50.0]
    watch = StepWatch(lambda: wall[0], lambda: passed[0])
    wall[0], passed[0] = wall[0] + 600 + set_by, passed[0] + 600
    metrics.CLOCK_STEP.set(watch.step_s())
    samples = Samples()
    samples.add(0.0, scraped())
    metrics.CLOCK_STEP.set(0)
    assert watch.step_s() == pytest.approx(set_by)
    assert fires(ALERTS["ClockSet"], samples) is expected


GAUGES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "OutboxLate": (lambda: metrics.OUTBOX_AGE.set(301), lambda: metrics.OUTBOX_AGE.set(0)),
    "Unreceipted": (lambda: metrics.UNRECEIPTED.set(1), lambda: metrics.UNRECEIPTED.set(0)),
    "DeadLetters": (lambda: metrics.DEAD_LETTERS.set(1), lambda: metrics.DEAD_LETTERS.set(0)),
    "RendererAbsent": (lambda: esign.RENDERER_ABSENT.set(1), lambda: esign.RENDERER_ABSENT.set(0)),
    "PartNotReady": (lambda: metrics.READY.set(0), lambda: metrics.READY.set(1)),
}


@pytest.mark.provokes(*GAUGES)
@pytest.mark.parametrize("alert", GAUGES)
def test_a_gauge_that_stays_fires_and_one_that_came_back_does_not(alert: str) -> None:
    """For as long as the alert waits; and not any more with the first good scrape."""
    trouble, well = GAUGES[alert]
    trouble()
    samples = Samples()
    for at in range(0, 660, 60):
        samples.add(float(at), scraped())
    assert fires(ALERTS[alert], samples)
    well()
    samples.add(660.0, scraped())
    assert not fires(ALERTS[alert], samples)
