"""Measures the steps of issuing a document."""

import time
from collections.abc import Callable
from functools import cache

from services.esign import metrics


class step:  # noqa: N801 — reads as what it is used as
    """Measures one step of issuing a document: `with step("seal")`."""

    __slots__ = ("_observe", "_started")

    def __init__(self, name: str) -> None:
        self._observe = _observer(name)
        self._started = time.perf_counter()

    def __enter__(self) -> None:
        """Begun when it was made."""

    def __exit__(self, *_error: object) -> None:
        self._observe(time.perf_counter() - self._started)


@cache
def _observer(name: str) -> Callable[[float], None]:
    return metrics.STEPS.labels(name).observe
