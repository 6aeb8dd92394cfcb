"""Caches results for each certificate object: one seal signs many documents.

Answers go by the very object. A certificate hashes and compares itself by all of its bytes, which costs more than most
of what is asked; its bytes never change, and an object that is kept leaves its identity to no other.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from typing import Any, TypeVar, TypeVarTuple, cast

Arguments = TypeVarTuple("Arguments")
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
                # The arguments are kept too: keys are their `id`, which Python gives to others once they are gone.
                found = answers[key] = (first, more), function(first, *more)
            return found[1]

        return asked

    return around


def kept_if_found(most: int) -> Callable[[Callable[[*Arguments], T]], Callable[[*Arguments], T]]:
    """Keeps up to `most` answers of a function of hashable arguments, the least used dropped first. False, None and
    what is empty are not kept, nor are errors: such an answer may come of a machine that was short of memory for a
    moment, and would stay when that is over.
    """

    def around(function: Callable[[*Arguments], T]) -> Callable[[*Arguments], T]:
        @lru_cache(most)
        def found(*arguments: Hashable) -> T:
            answer = cast("Callable[..., T]", function)(*arguments)
            if not answer:
                raise _NotFoundError(answer)
            return answer

        @wraps(function)
        def asked(*arguments: *Arguments) -> T:
            try:
                return found(*arguments)
            except _NotFoundError as nothing:
                answer: T = nothing.answer
                return answer

        # As of an lru_cache.
        asked.__dict__.update(cache_clear=found.cache_clear, cache_info=found.cache_info)
        return asked

    return around


class _NotFoundError(Exception):
    def __init__(self, answer: Any) -> None:
        self.answer = answer
