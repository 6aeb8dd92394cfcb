"""Idempotent mutations (AIP-155): the same request_id gets the same answer, and its effect happens once."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from shuniu.kit import errors
from shuniu.kit.sql.tables import request_log
from shuniu.kit.sql.types import LostRaceError, binding_of

# Answers are kept at least this long, µs: 24 h.
LEAST_KEPT_US: Final = 24 * 3600 * 1_000_000


def once(
    conn: Connection, caller_key: str, rpc: str, request_id: str, digest: bytes, work: Callable[[Connection], bytes]
) -> bytes:
    """Run `work` inside this unit unless this request was answered before; returns the response bytes, new or kept.

    `caller_key` names the caller, `rpc` the full method, `digest` is of the request without its request_id. The answer
    is stored in clear with the effect, so a response with an identity number must not come this way.
    Raises HubError ABORTED REQUEST_ID_REUSED when the id was used for other content.
    """
    log = request_log.c
    kept = conn.execute(
        select(log.digest, log.response).where(
            log.caller_key == caller_key, log.rpc == rpc, log.request_id == request_id
        )
    ).first()
    if kept is not None:
        if kept.digest != digest:
            raise errors.conflict(
                "REQUEST_ID_REUSED",
                "This request_id was used for other content. Use a new request_id for a new request.",
                "该 request_id 已用于内容不同的请求。请为新的请求使用新的 request_id。",
                request_id=request_id,
            )
        return bytes(kept.response)
    response = work(conn)
    row = {
        "caller_key": caller_key,
        "rpc": rpc,
        "request_id": request_id,
        "digest": digest,
        "response": response,
        "time_us": binding_of(conn).clock.now_us(),
    }
    try:
        conn.execute(insert(request_log), row)
    except IntegrityError as overtaken:
        # The same request ran beside this one on another connection; run again, this unit finds its answer.
        raise LostRaceError(request_id) from overtaken
    return response


def prune(conn: Connection, now_us: int, keep_us: int = LEAST_KEPT_US) -> int:
    """Forget answers older than `keep_us` (never less than 24 h); returns how many."""
    if keep_us < LEAST_KEPT_US:
        raise ValueError("answers are kept at least 24 h")
    return conn.execute(delete(request_log).where(request_log.c.time_us < now_us - keep_us)).rowcount
