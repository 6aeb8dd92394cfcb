"""Esign's business metrics."""

from prometheus_client import Counter, Gauge, Histogram

from shuniu.kit.process import metrics as shared
from shuniu.kit.process.metrics import REGISTRY, from_the_start

CERTIFICATES = Counter("shuniu_esign_certificates_total", "Documents sealed and logged.", registry=REGISTRY)
STEPS = Histogram(
    "shuniu_esign_issue_seconds",
    "Time of each step of issuing a document: parties, slot, person, layout, seal, ses, ofd, timestamp, ledger, store.",
    ["step"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
    registry=REGISTRY,
)
VERDICTS = Counter("shuniu_esign_verdicts_total", "Verifications, by verdict.", ["kind", "verdict"], registry=REGISTRY)
from_the_start(
    VERDICTS,
    kind=("document", "qr", "hash", "number", "licence"),
    verdict=("VALID", "INVALID", "INDETERMINATE"),
)
from_the_start(shared.REFUSED, reason=("CA_AWAY", "LEDGER_AWAY"))
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
    "Answers of the timestamp authority: granted, or why not. Signing times that sealing was refused are "
    "time_not_available.",
    ["outcome"],
    registry=REGISTRY,
)
from_the_start(
    TIMESTAMPS,
    outcome=(
        "granted",
        "bad_alg",
        "bad_request",
        "bad_data_format",
        "time_not_available",
        "unaccepted_policy",
        "unaccepted_extension",
        "system_failure",
    ),
)
CLOCK_DOUBTED = Gauge(
    "shuniu_esign_clock_doubted",
    "1 while the clock was set, disagrees with its reference, or is behind what was sealed: no timestamp is given.",
    registry=REGISTRY,
)
FLOWS = Counter(
    "shuniu_esign_flows_total",
    "Flows begun, completed, rejected, withdrawn and expired, by scenario; counted when logged.",
    ["scenario", "outcome"],
    registry=REGISTRY,
)
FLOW_STEPS = Counter(
    "shuniu_esign_flow_steps_total",
    "Steps of flows that were done, by scenario and step; counted when logged.",
    ["scenario", "step", "outcome"],
    registry=REGISTRY,
)
FLOW_FAILURES = Counter(
    "shuniu_esign_flow_failures_total",
    "Attempts of the hub to sign or close a document that did not succeed, by reason; each is made again.",
    ["reason"],
    registry=REGISTRY,
)
LICENCES = Counter(
    "shuniu_esign_licences_total",
    "Licences issued, suspended, resumed and revoked.",
    ["act"],
    registry=REGISTRY,
)
VERDICTS_REPEATED = Counter(
    "shuniu_esign_verdicts_repeated_total", "Documents sent again whose verdict was still good.", registry=REGISTRY
)
VERIFIER_WAITING = Gauge(
    "shuniu_esign_verifier_waiting_documents", "Foreign documents that wait for a worker.", registry=REGISTRY
)
VERIFIER_SECONDS = Histogram(
    "shuniu_esign_verifier_seconds",
    "Time of reading a foreign document, waiting included, by the lane that finished it: quick, slow.",
    ["lane"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
VERIFIER_ENDED = Counter(
    "shuniu_esign_verifier_workers_ended_total",
    "Workers ended: limit (a document broke its bounds), died (by itself), left (nobody waits for its document), "
    "stalled (the machine gave it no processor), set_aside (its document waits for the slow lane), "
    "worn (holds too much memory, or came from the slow lane).",
    ["cause"],
    registry=REGISTRY,
)
RENDERER_ABSENT = Gauge(
    "shuniu_esign_verifier_renderer_absent",
    "1 while workers cannot load the renderer: pages that were changed after signing are not compared, and verdicts on "
    "such documents stay INDETERMINATE.",
    registry=REGISTRY,
)
NURSERY_RESTARTS = Counter(
    "shuniu_esign_verifier_nursery_restarts_total",
    "Processes that fork workers started anew: hangs (a worker was asked for and did not come in time), died.",
    ["cause"],
    registry=REGISTRY,
)
