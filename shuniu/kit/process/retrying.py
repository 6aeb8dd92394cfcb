"""Background work that is retried until it succeeds, after pauses that grow."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

T = TypeVar("T")
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S: Final = 30.0


async def until_done(
    work: Callable[[], Awaitable[T]],
    *,
    after: tuple[type[Exception], ...],
    tell: Callable[[Any], None],
    longest_s: float = LONGEST_PAUSE_S,
) -> T:
    """Runs `work` until it raises none of `after`, and returns its result. Each failure goes to `tell`, then a pause
    follows: the first is `FIRST_PAUSE_S`, each next twice as long, at most `longest_s`.
    """

    def failed(state: RetryCallState) -> None:
        assert state.outcome is not None
        tell(state.outcome.exception())

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(after),
        wait=wait_exponential(multiplier=FIRST_PAUSE_S, max=longest_s),
        before_sleep=failed,
    )
    return await retrying(work)
