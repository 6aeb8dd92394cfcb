"""The measures of web alone, beside those of every process."""

from prometheus_client import Counter, Histogram

from shuniu.kit.process.metrics import REGISTRY

REQUESTS = Counter(
    "shuniu_web_requests_total",
    "HTTP requests answered, by route, method and status.",
    ["route", "method", "status"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "shuniu_web_request_seconds",
    "Time from the arrival of an HTTP request to its answer, by route.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
VERDICTS = Counter(
    "shuniu_web_verdicts_total",
    "Verdicts shown, by what was verified (document, qr) and verdict.",
    ["subject", "verdict"],
    registry=REGISTRY,
)
