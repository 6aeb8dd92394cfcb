"""Metrics every process has. Names are listed in docs/metrics.md, which a test keeps true."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

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
IN_FLIGHT = Gauge("shuniu_rpcs_in_flight", "RPCs being handled now.", registry=REGISTRY)
REFUSED = Counter("shuniu_rpcs_refused_total", "RPCs refused, by reason.", ["reason"], registry=REGISTRY)
INCIDENTS = Counter("shuniu_incidents_total", "Unexpected failures answered as INTERNAL.", registry=REGISTRY)
OUTBOX = Gauge("shuniu_outbox_deliveries", "Outbox deliveries, by state.", ["state"], registry=REGISTRY)
OUTBOX_AGE = Gauge("shuniu_outbox_age_seconds", "Age of the oldest delivery not yet stored.", registry=REGISTRY)
DEAD_LETTERS = Gauge("shuniu_dead_letters", "Events waiting for an operator.", registry=REGISTRY)
READY = Gauge("shuniu_ready", "1 when the process serves.", registry=REGISTRY)
