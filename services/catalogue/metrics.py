"""The catalogue's own metrics."""

from prometheus_client import Counter, Gauge, Histogram

from shuniu.kit.process.metrics import REGISTRY

ITEMS = Gauge(
    "shuniu_catalogue_items",
    "Items, by what everybody sees of them: PUBLISHED, SUSPENDED, WITHDRAWN, or NEVER.",
    ["state"],
    registry=REGISTRY,
)
CHANGES = Counter(
    "shuniu_catalogue_changes_total",
    "Changes of items: CREATE, EDIT, SUBMIT, RETURN, PUBLISH, SUSPEND, RESUME, WITHDRAW.",
    ["change"],
    registry=REGISTRY,
)
SEARCH = Histogram(
    "shuniu_catalogue_search_seconds",
    "Time of a search in the store and its scoring.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1),
    registry=REGISTRY,
)
SEARCHES = Counter(
    "shuniu_catalogue_searches_total",
    "Searches, by what the best hit matched, or NONE.",
    ["matched"],
    registry=REGISTRY,
)
FEED_VERSION = Gauge("shuniu_catalogue_feed_version", "Version of the item feed's last change.", registry=REGISTRY)
