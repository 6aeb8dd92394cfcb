"""Tells whether a signature is right, where the machine may be short of memory."""

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature

# A want of memory that passes takes at least one allocation from each attempt.
_ATTEMPTS = 4


def holds(check: Callable[[], object]) -> bool:
    """Tells whether `check` passes: it raises InvalidSignature, or returns False, for a wrong signature.

    OpenSSL says the same when it is refused a small allocation; it never says that a wrong one is right. So what is
    wrong is checked again, and counts only when it is wrong each time.
    """
    return any(_passes(check) for _ in range(_ATTEMPTS))


def _passes(check: Callable[[], object]) -> bool:
    try:
        return check() is not False
    except InvalidSignature:
        return False
