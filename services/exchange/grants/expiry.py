"""Expires the grants whose term is over."""

from sqlalchemy import Connection

from services.exchange.grants import domain as grants
from services.exchange.grants import store
from services.exchange.grants.store import GrantRow


def expire_grants(conn: Connection, now_us: int) -> int:
    """Ends each grant whose term is over, also a suspended one; returns how many."""
    rows = store.grants_past_term(conn, now_us)
    for row in rows:
        store.update_grant(conn, row.grant, GrantRow(grants.act(row.grant, grants.Action.EXPIRE, grants.Party.HUB)))
    return len(rows)
