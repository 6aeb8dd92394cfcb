"""Metrics every process has. Names are listed in docs/metrics.md, which a test keeps true."""

import itertools
import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()


def from_the_start(metric: Counter | Gauge | Histogram, **values: Iterable[str]) -> None:
    """Makes the series of these label values, at 0. A counter that is born with its first event has not increased, so
    no alert on its increase would hear of that event.
    """
    for combination in itertools.product(*values.values()):
        metric.labels(**dict(zip(values, combination, strict=True)))


HANDLED = Counter(
    "grpc_server_handled_total",
    "RPCs completed, by final status.",
    ["grpc_service", "grpc_method", "grpc_code"],
    registry=REGISTRY,
)
HANDLING = Histogram(
    "grpc_server_handling_seconds",
    "Time from the arrival of an RPC to its answer.",
    ["grpc_service", "grpc_method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
IN_FLIGHT = Gauge("shuniu_rpcs_in_flight", "RPCs being handled now but for uploads.", registry=REGISTRY)
UPLOAD_BYTES = Gauge(
    "shuniu_upload_bytes",
    "Memory for documents that calls carry, from their first byte to the answer.",
    registry=REGISTRY,
)
UPLOADS_WAITING = Gauge("shuniu_uploads_waiting", "Calls that wait to have their document read.", registry=REGISTRY)
REFUSED = Counter("shuniu_rpcs_refused_total", "RPCs refused, by reason.", ["reason"], registry=REGISTRY)
from_the_start(REFUSED, reason=("HSM_AWAY",))
RECEIVERS_REFUSED = Counter(
    "shuniu_receivers_refused_total",
    "Organisations that got no event because of their zone or secrecy label.",
    ["reason"],
    registry=REGISTRY,
)
INCIDENTS = Counter("shuniu_incidents_total", "Unexpected failures answered as INTERNAL.", registry=REGISTRY)
OUTBOX = Gauge("shuniu_outbox_deliveries", "Outbox deliveries, by state.", ["state"], registry=REGISTRY)
OUTBOX_AGE = Gauge("shuniu_outbox_age_seconds", "Age of the oldest delivery not yet stored.", registry=REGISTRY)
DEAD_LETTERS = Gauge("shuniu_dead_letters", "Events waiting for an operator.", registry=REGISTRY)
CRYPTO_OPERATIONS = Counter(
    "shuniu_crypto_operations_total",
    "Hashes, ciphers and signatures over what is kept or handed out, by purpose and algorithm.",
    ["purpose", "algorithm"],
    registry=REGISTRY,
)
READY = Gauge("shuniu_ready", "1 when the process serves.", registry=REGISTRY)
STARTED = Gauge("shuniu_started_seconds", "When the process started, s since 1970.", registry=REGISTRY)
STARTED.set(time.time())
CLOCK_STEP = Gauge(
    "shuniu_clock_step_seconds",
    "How far the machine's clock was set forward (back: negative) since the process started.",
    registry=REGISTRY,
)
PLATFORMS_STOPPED = Gauge(
    "shuniu_platforms_stopped",
    "Platforms that are suspended or retired, as this process knows.",
    ["state"],
    registry=REGISTRY,
)
from_the_start(PLATFORMS_STOPPED, state=("SUSPENDED", "RETIRED"))

BUS_CONNECTED = Gauge("shuniu_bus_connected", "1 while this process is connected to the bus.", registry=REGISTRY)
DELIVERIES = Counter(
    "shuniu_deliveries_total",
    "Outbox deliveries, by what became of them: stored, receipted, resent, archived, dead.",
    ["outcome"],
    registry=REGISTRY,
)
from_the_start(DELIVERIES, outcome=("stored", "receipted", "resent", "archived", "dead"))
PARKED = Counter(
    "shuniu_targets_parked_total",
    "Times an organisation's deliveries had to wait, by cause.",
    ["cause"],
    registry=REGISTRY,
)
UNRECEIPTED = Gauge(
    "shuniu_deliveries_unreceipted", "Deliveries stored for more than 24 h without receipt.", registry=REGISTRY
)
RECEIPTS_REFUSED = Counter(
    "shuniu_receipts_refused_total",
    "Receipts that do not fit what was sent (mismatch: an alarm) or cannot be read (malformed).",
    ["reason"],
    registry=REGISTRY,
)
from_the_start(RECEIPTS_REFUSED, reason=("mismatch", "malformed"))
EVENTS = Counter(
    "shuniu_events_total",
    "Events taken in, by outcome: handled, duplicate, failed, dead, conflict (known id, other content: an alarm).",
    ["stream", "outcome"],
    registry=REGISTRY,
)
EVENT_LAG = Gauge(
    "shuniu_event_lag", "Events in a stream not yet handed to this process.", ["stream"], registry=REGISTRY
)
