"""Times the steps of issuing a document."""

from contextlib import AbstractContextManager

from services.esign import metrics


def step(name: str) -> AbstractContextManager[object]:
    """Times one step of issuing a document, as a context manager."""
    return metrics.STEPS.labels(name).time()
