"""The inbox: an event's effect and its inbox row are one transaction, so that it takes effect once."""

from enum import Enum

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from shuniu.kit.store.sweeping import delete_older
from shuniu.kit.store.tables import inbox
from shuniu.kit.store.types import LostRaceError


class Accepted(Enum):
    NEW = "new"
    DUPLICATE = "duplicate"


class InboxConflictError(Exception):
    """A known event id came with other content: an alarm. Nothing is overwritten; the event is a dead letter."""

    def __init__(self, source: str, event_id: str) -> None:
        super().__init__(f"event {event_id} of {source} came again with other content")
        self.source = source
        self.event_id = event_id


# The name other modules know it by.
InboxConflict = InboxConflictError


def accept(conn: Connection, source: str, event_id: str, digest: bytes, now_us: int) -> Accepted:
    """Note an event in the caller's unit of work: NEW means handle it now, DUPLICATE means only acknowledge it.

    `digest` is SHA-256 of the event's data. Raises InboxConflict when the id is known with another digest.
    """
    known = conn.execute(select(inbox.c.digest).where(inbox.c.source == source, inbox.c.event_id == event_id)).scalar()
    if known is not None:
        if bytes(known) != digest:
            raise InboxConflictError(source, event_id)
        return Accepted.DUPLICATE
    try:
        conn.execute(insert(inbox), {"source": source, "event_id": event_id, "digest": digest, "time_us": now_us})
    except IntegrityError as overtaken:
        raise LostRaceError(event_id) from overtaken
    return Accepted.NEW


def prune(conn: Connection, before_us: int) -> int:
    """Deletes rows of events received before an instant, a batch at most; returns how many. The instant must be older
    than what a sender may still resend.
    """
    return delete_older(conn, inbox, before_us)
