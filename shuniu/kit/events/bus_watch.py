"""Counts events of a service's bus side as metrics. Labels never name organisations: there may be thousands."""

from collections.abc import Sequence

from shuniu.kit.events.bus_pull import Delivered
from shuniu.kit.events.consumer import ConsumerWatch
from shuniu.kit.events.receipts import ReceiptWatch
from shuniu.kit.events.relay import RelayWatch
from shuniu.kit.process import metrics


class CountedRelay(RelayWatch):
    """Counts what the relay does."""

    def stored(self, target: str, deliveries: int) -> None:  # noqa: ARG002 — the base class has it
        metrics.DELIVERIES.labels("stored").inc(deliveries)

    def parked(self, target: str, cause: str, seconds: float) -> None:  # noqa: ARG002 — the base class has it
        metrics.PARKED.labels(cause).inc()

    def dead(self, target: str, event_id: str, cause: str) -> None:  # noqa: ARG002 — the base class has it
        metrics.DELIVERIES.labels("dead").inc()

    def resent(self, target: str, deliveries: int) -> None:  # noqa: ARG002 — the base class has it
        metrics.DELIVERIES.labels("resent").inc(deliveries)

    def archived(self, deliveries: int) -> None:
        metrics.DELIVERIES.labels("archived").inc(deliveries)

    def unreceipted(self, waiting: Sequence[tuple[str, int]]) -> None:
        metrics.UNRECEIPTED.set(sum(deliveries for _, deliveries in waiting))


class CountedReceipts(ReceiptWatch):
    """Counts receipts."""

    def receipted(self, deliveries: int) -> None:
        metrics.DELIVERIES.labels("receipted").inc(deliveries)

    def mismatch(self, target: str, event_id: str) -> None:  # noqa: ARG002 — the base class has it
        metrics.RECEIPTS_REFUSED.labels("mismatch").inc()

    def malformed(self, target: str) -> None:  # noqa: ARG002 — the base class has it
        metrics.RECEIPTS_REFUSED.labels("malformed").inc()


class CountedConsumer(ConsumerWatch):
    """Counts what one reader of a stream takes in."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        metrics.from_the_start(
            metrics.EVENTS, stream=(stream,), outcome=("handled", "duplicate", "failed", "dead", "conflict")
        )

    def handled(self, events: int, duplicates: int) -> None:
        self._count("handled", events)
        self._count("duplicate", duplicates)

    def failed(self, event: Delivered, cause: str) -> None:  # noqa: ARG002 — the base class has it
        self._count("failed", 1)

    def dead(self, event_id: str, cause: str) -> None:  # noqa: ARG002 — the base class has it
        self._count("dead", 1)

    def conflict(self, source: str, event_id: str) -> None:  # noqa: ARG002 — the base class has it
        self._count("conflict", 1)

    def lag(self, pending: int) -> None:
        metrics.EVENT_LAG.labels(self._stream).set(pending)

    def _count(self, outcome: str, events: int) -> None:
        metrics.EVENTS.labels(self._stream, outcome).inc(events)
