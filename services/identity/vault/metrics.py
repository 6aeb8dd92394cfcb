"""Business metrics of the vault."""

from prometheus_client import Counter

from shuniu.kit.process.metrics import REGISTRY

SEALED = Counter(
    "shuniu_vault_sealed_total", "Records sealed to a receiver, by purpose.", ["purpose"], registry=REGISTRY
)
REFUSED = Counter(
    "shuniu_vault_quota_refused_total", "Sealings refused by quota, by purpose.", ["purpose"], registry=REGISTRY
)
PERSONS = Counter("shuniu_vault_persons_total", "Persons stored for the first time.", registry=REGISTRY)
