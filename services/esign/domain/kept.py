"""What is found of certificates, kept while it is asked for again and again: one seal signs many documents.

Answers go by the very object. A certificate hashes and compares itself by all of its bytes, which costs more than most
of what is asked; its bytes never change, and an object that is kept leaves its identity to no other.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


def kept(most: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Keeps up to `most` answers of a function of a certificate or a tuple of them, and of further tuples. Errors are
    not kept.
    """

    def around(function: Callable[..., T]) -> Callable[..., T]:
        answers: dict[Any, tuple[Any, T]] = {}

        @wraps(function)
        def asked(first: Any, *more: Any) -> T:
            key: Any = tuple(map(id, first)) if type(first) is tuple else id(first)
            if more:
                key = key, *(tuple(map(id, each)) for each in more)
            found = answers.get(key)
            if found is None:
                if len(answers) >= most:
                    answers.clear()
                # With the objects themselves: as long as they are here, their identities are theirs.
                found = answers[key] = (first, more), function(first, *more)
            return found[1]

        return asked

    return around
