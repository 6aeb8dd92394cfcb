"""Counts what is done with which algorithm where the profile decides: anybody can see that nothing else was used."""

import functools
from collections.abc import Callable
from enum import StrEnum

from shuniu.kit.process import metrics


class Purpose(StrEnum):
    """Purpose of an operation."""

    AUDIT = "audit"
    STORAGE = "storage"
    PERSON_INDEX = "person_index"
    CERTIFICATE = "certificate"
    SEAL = "seal"
    SEAL_SIGNATURE = "seal_signature"
    TIMESTAMP = "timestamp"
    LEDGER_ENTRY = "ledger_entry"
    EVIDENCE = "evidence"


def count(purpose: Purpose, algorithm: str) -> None:
    """One operation more. `algorithm`: lower-case name, signature and digest joined by a hyphen."""
    _counter(purpose, algorithm)()


# Looking a counter up by its labels costs more than counting.
@functools.lru_cache(maxsize=256)
def _counter(purpose: Purpose, algorithm: str) -> Callable[[], None]:
    return metrics.CRYPTO_OPERATIONS.labels(purpose.value, algorithm).inc
