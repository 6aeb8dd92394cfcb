"""Business metrics of the exchange; names are listed in docs/metrics.md."""

from prometheus_client import Counter, Gauge, Histogram

from shuniu.kit.process.metrics import REGISTRY

CASES = Gauge("shuniu_exchange_cases", "Cases, by state.", ["state"], registry=REGISTRY)
CASES_OVERDUE = Gauge(
    "shuniu_exchange_cases_overdue",
    "Open cases past the deadline of acceptance or their promised end.",
    registry=REGISTRY,
)
SPECIALS_LAPSED = Counter(
    "shuniu_exchange_specials_lapsed_total",
    "Special procedures that the hub ended because their days were over.",
    registry=REGISTRY,
)
GRANTS = Gauge("shuniu_exchange_grants", "Grants, by state.", ["state"], registry=REGISTRY)
GRANTS_OVERDUE = Gauge(
    "shuniu_exchange_grants_overdue",
    "Grant applications past the deadline of the provider's decision.",
    registry=REGISTRY,
)
QUERIES = Counter(
    "shuniu_exchange_provider_calls_total",
    "Questions to providers, by kind and outcome.",
    ["kind", "outcome"],
    registry=REGISTRY,
)
PROVIDER_SECONDS = Histogram(
    "shuniu_exchange_provider_seconds",
    "Time a provider took to answer a question.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
EVIDENCE_LOGGED = Counter(
    "shuniu_exchange_evidence_logged_total", "Pieces of evidence put into the ledger.", registry=REGISTRY
)
EVIDENCE_UNLOGGED = Gauge(
    "shuniu_exchange_evidence_unlogged", "Pieces of evidence that wait for the ledger.", registry=REGISTRY
)
PROVIDER_STREAMS = Gauge("shuniu_exchange_provider_streams", "Streams that providers hold open.", registry=REGISTRY)
PROVIDER_STREAMS_STALLED = Gauge(
    "shuniu_exchange_provider_streams_stalled",
    "Open streams that did not answer and get no questions, or one as a trial.",
    registry=REGISTRY,
)
QUESTIONS_FORWARDED = Counter(
    "shuniu_exchange_questions_forwarded_total",
    "Questions passed to the replica that holds a stream of the provider, by outcome.",
    ["outcome"],
    registry=REGISTRY,
)
INBOX_LINKS = Gauge(
    "shuniu_exchange_inbox_links", "Bus connections held for organisations that use HTTPS only.", registry=REGISTRY
)
INBOX_EVENTS = Counter("shuniu_exchange_inbox_events_total", "Events handed out over HTTPS.", registry=REGISTRY)
INBOX_RECEIPTS = Counter("shuniu_exchange_inbox_receipts_total", "Receipts taken over HTTPS.", registry=REGISTRY)
