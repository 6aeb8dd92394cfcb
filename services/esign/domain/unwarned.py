"""Reads strangers' certificates and lists without the library's warnings: it warns of unusual names and numbers, on the
terminal of whoever verifies. What is wrong with them the verdict says.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unwarned() -> Iterator[None]:
    """Silences warnings; also a decorator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
