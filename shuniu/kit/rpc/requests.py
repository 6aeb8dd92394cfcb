"""Idempotent mutations (AIP-155): the same request_id gets the same answer, and its effect happens once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from shuniu.china_time import DAY_US
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.store.sweeping import delete_older
from shuniu.kit.store.tables import request_log
from shuniu.kit.store.types import LostRaceError, binding_of

REQUEST_ID_REUSED: Final = "REQUEST_ID_REUSED"
# Answers are kept at least this long, µs: 24 h.
LEAST_KEPT_US: Final = DAY_US


# Built once: that costs more than to run it.
_KEPT: Final = select(
    request_log.c.caller_key,
    request_log.c.rpc,
    request_log.c.request_id,
    request_log.c.digest,
    request_log.c.response,
)
_KEEP: Final = insert(request_log)
# Nearly every call asks for one, and lists are expanded anew each time.
_ONE_ANSWERED: Final = _KEPT.where(
    request_log.c.caller_key == bindparam("caller"),
    request_log.c.rpc == bindparam("rpc"),
    request_log.c.request_id == bindparam("id"),
)
_ANSWERED: Final = _KEPT.where(
    request_log.c.caller_key.in_(bindparam("callers", expanding=True)),
    request_log.c.rpc.in_(bindparam("rpcs", expanding=True)),
    request_log.c.request_id.in_(bindparam("ids", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Identifies one mutation: caller, full method, request_id, and a digest of the request without the id. `response`
    is the answer to store.
    """

    caller_key: str
    rpc: str
    request_id: str
    digest: bytes
    response: bytes = b""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.caller_key, self.rpc, self.request_id


def once(
    conn: Connection, caller_key: str, rpc: str, request_id: str, digest: bytes, work: Callable[[Connection], bytes]
) -> bytes:
    """Run `work` inside this unit unless this request was answered before; returns the response bytes, new or kept.

    `caller_key` names the caller, `rpc` the full method, `digest` is of the request without its request_id. The answer
    is stored in clear with the effect, so a response with an identity number must not come this way.
    Raises HubError ABORTED REQUEST_ID_REUSED when the id was used for other content.
    """
    asked = RequestKey(caller_key, rpc, request_id, digest)
    kept = answered(conn, [asked])
    if kept:
        return kept[asked.key]
    response = work(conn)
    keep(conn, [replace(asked, response=response)])
    return response


def answered(conn: Connection, asked: Sequence[RequestKey]) -> dict[tuple[str, str, str], bytes]:
    """Stored answers of these requests, by `RequestKey.key`. Raises HubError ABORTED REQUEST_ID_REUSED when an id was
    used for other content.
    """
    digests = {one.key: one.digest for one in asked}
    if len(asked) == 1:
        one = asked[0]
        found = conn.execute(_ONE_ANSWERED, {"caller": one.caller_key, "rpc": one.rpc, "id": one.request_id})
    else:
        found = conn.execute(
            _ANSWERED,
            {
                "callers": list({one.caller_key for one in asked}),
                "rpcs": list({one.rpc for one in asked}),
                "ids": [one.request_id for one in asked],
            },
        )
    kept: dict[tuple[str, str, str], bytes] = {}
    for row in found:
        key = (row.caller_key, row.rpc, row.request_id)
        if key not in digests:
            continue
        if digests[key] != row.digest:
            raise reused(row.request_id)
        kept[key] = bytes(row.response)
    return kept


def reused(request_id: str) -> HubError:
    """ABORTED REQUEST_ID_REUSED: the id was used for other content."""
    return errors.conflict(
        REQUEST_ID_REUSED,
        "This request_id was used for other content. Use a new request_id for a new request.",
        "该 request_id 已用于内容不同的请求。请为新的请求使用新的 request_id。",
        request_id=request_id,
    )


def keep(conn: Connection, asked: Sequence[RequestKey]) -> None:
    """Stores the answers of requests that were not answered before."""
    now_us = binding_of(conn).clock.now_us()
    rows = [
        {
            "caller_key": one.caller_key,
            "rpc": one.rpc,
            "request_id": one.request_id,
            "digest": one.digest,
            "response": one.response,
            "time_us": now_us,
        }
        for one in asked
    ]
    try:
        conn.execute(_KEEP, rows)
    except IntegrityError as overtaken:
        # The same request ran beside this one on another connection; run again, this unit finds its answer.
        raise LostRaceError(asked[0].request_id) from overtaken


def prune(conn: Connection, now_us: int, keep_us: int = LEAST_KEPT_US) -> int:
    """Deletes answers older than `keep_us` (never less than 24 h), a batch at most; returns how many."""
    if keep_us < LEAST_KEPT_US:
        raise ValueError("answers are kept at least 24 h")
    return delete_older(conn, request_log, now_us - keep_us)
