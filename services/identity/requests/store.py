"""Answers to requests, as the request log holds them."""

from sqlalchemy import Connection, select

from shuniu.kit.store.tables import request_log


def find(conn: Connection, caller_key: str, rpc: str, request_id: str) -> tuple[bytes, bytes] | None:
    """(digest of the request, stored answer); None for a request that has none."""
    log = request_log.c
    row = conn.execute(
        select(log.digest, log.response).where(
            log.caller_key == caller_key, log.rpc == rpc, log.request_id == request_id
        )
    ).first()
    return None if row is None else (bytes(row.digest), bytes(row.response))
