"""Tells whether what was kept may be used again."""


def is_fresh(made_us: int, now_us: int, keep_us: int) -> bool:
    """Tells whether something made at `made_us` may still be used at `now_us`, where it is kept for `keep_us` (µs).

    What seems to be made in the future is not fresh: the clock was ahead then and has been set right, and by its old
    time it would stay for as long as the clock was wrong.
    """
    return 0 <= now_us - made_us < keep_us
