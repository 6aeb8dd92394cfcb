"""The boundary of parsers: foreign bytes are read or refused by the parser's own error, and nothing else comes out."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# What misread bytes raise in Python: unpacking, conversion and decoding, an index, a name, a type, a size, nesting.
_MISREAD = (ValueError, LookupError, TypeError, ArithmeticError, RecursionError)


def parser(
    refusal: Callable[[Exception], Exception], *own: type[Exception]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function that reads foreign bytes. Errors of the types `own` pass; any other that misread bytes raise
    becomes `refusal` of it. Lack of memory passes: it says nothing of the bytes.
    """

    def bounded(read: Callable[P, R]) -> Callable[P, R]:
        @wraps(read)
        def reading(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return read(*args, **kwargs)
            except own:
                raise
            except _MISREAD as cause:
                raise refusal(cause) from cause

        return reading

    return bounded
