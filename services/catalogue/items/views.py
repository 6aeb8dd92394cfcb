"""Views of a stored item for its owner and for everybody."""

from functools import lru_cache
from typing import Final

from services.catalogue.items.domain.canonical import digest
from services.catalogue.items.domain.record import Item, ItemState
from services.catalogue.items.messages import STATES, message_of
from services.catalogue.items.store import Stored
from shuniu.api.catalogue.v1 import item_pb2 as pb
from shuniu.kit.rpc.caller import Caller, CallerKind

_OUT_OF_FORCE: Final = frozenset({ItemState.SUSPENDED, ItemState.WITHDRAWN})
_digest = lru_cache(maxsize=8192)(digest)


def owner_of(caller: Caller) -> str:
    """The platform whose own items the caller may see unpublished; "" for none."""
    return caller.platform if caller.kind is CallerKind.PLATFORM else ""


def own(stored: Stored) -> pb.Item:
    """The owner's: the draft with its state and etag."""
    record = stored.record
    message = _standing(record.draft, stored, record.state)
    message.version, message.etag = record.version, record.etag
    message.updated_at.FromMicroseconds(record.changed_us)
    return message


def public(stored: Stored) -> pb.Item:
    """Everybody's: what was last published and whether it is in force. Only for an item that once was published."""
    record = stored.record
    assert record.published is not None
    assert record.public_state is not None
    message = _standing(record.published, stored, record.public_state)
    message.version = stored.public_version
    message.updated_at.FromMicroseconds(stored.public_us)
    return message


def shown(stored: Stored, caller: Caller) -> pb.Item | None:
    """The owner's view for its owner; for others what is published, None for anything else."""
    if stored.owner == owner_of(caller):
        return own(stored)
    return public(stored) if stored.record.public_state is ItemState.PUBLISHED else None


def _standing(content: Item, stored: Stored, state: ItemState) -> pb.Item:
    message = message_of(content, stored.base_code)
    message.state = STATES[state]
    message.owner = stored.owner
    if stored.record.public_state in _OUT_OF_FORCE:
        message.state_reason = stored.record.reason
    message.digest = _digest(content).hex()
    return message
