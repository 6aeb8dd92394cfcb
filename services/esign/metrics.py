"""Esign's business metrics."""

from prometheus_client import Counter, Gauge, Histogram

from shuniu.kit.metrics import REGISTRY

CERTIFICATES = Counter("shuniu_esign_certificates_total", "Documents sealed and logged.", registry=REGISTRY)
STEPS = Histogram(
    "shuniu_esign_issue_seconds",
    "Time of each step of issuing a document: parties, person, layout, seal, timestamp, ledger, store.",
    ["step"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
    registry=REGISTRY,
)
VERDICTS = Counter("shuniu_esign_verdicts_total", "Verifications, by verdict.", ["kind", "verdict"], registry=REGISTRY)
LEDGER_SIZE = Gauge("shuniu_esign_ledger_entries", "Entries under the newest checkpoint.", registry=REGISTRY)
LEDGER_WITNESSED = Gauge(
    "shuniu_esign_ledger_witnessed_entries",
    "Entries under the newest checkpoint that a quorum of witnesses cosigned.",
    registry=REGISTRY,
)
WITNESS_REFUSALS = Counter(
    "shuniu_esign_witness_refusals_total",
    "Requests that a witness did not answer with a cosignature; LEDGER_FORKED and LEDGER_ROLLED_BACK are alarms.",
    ["witness", "reason"],
    registry=REGISTRY,
)
TIMESTAMPS = Counter(
    "shuniu_esign_timestamps_total",
    "Answers of the timestamp authority: granted, or why not.",
    ["outcome"],
    registry=REGISTRY,
)
