"""Keys of seals that ended: they sign nothing any more, so nothing is left of them that could be stolen."""

from sqlalchemy import ColumnElement, Connection, exists, func, select, text, update

from services.esign import store
from services.esign.domain.flows import FlowState
from services.esign.flow_store import flow, flow_step
from services.esign.licence_store import SLOT, licence
from services.esign.partial_indexes import GRANTED, KEY_LEFT, UNDER_WAY
from services.esign.seal_store import seal_change
from services.esign.ses_store import sm2_seal

GRACE_US = 24 * 3600 * 1_000_000
"""How long a key stays after its seal's end, µs: what was granted before is sealed in seconds, or after a restart."""
_GONE = b""


def erase(conn: Connection, now_us: int) -> int:
    """Erases wrapped keys, P-256 and SM2, of seals that ended a day ago and owe no signature. How many seals."""
    due = conn.execute(
        select(store.seal.c.id).where(
            text(KEY_LEFT),
            ~_owes(now_us),
            _quiet(now_us),
        )
    ).all()
    ids = [row.id for row in due]
    if ids:
        conn.execute(update(store.seal).where(store.seal.c.id.in_(ids)).values(wrapped_key=_GONE))
        conn.execute(update(sm2_seal).where(sm2_seal.c.seal_id.in_(ids)).values(wrapped_key=_GONE))
    return len(ids)


def _owes(now_us: int) -> ColumnElement[bool]:
    """Signatures that were granted while the seal was active and are not made yet: of documents, of licences that
    somebody may still ask for, and of flows that are not over.
    """
    document = exists().where(
        store.certificate.c.seal_id == store.seal.c.id, store.certificate.c.stage == store.SLOT, text(UNDER_WAY)
    )
    credential = exists().where(
        licence.c.seal_id == store.seal.c.id, licence.c.stage == SLOT, text(UNDER_WAY), licence.c.expires_us > now_us
    )
    step = exists().where(
        flow_step.c.seal_id == store.seal.c.id,
        text(GRANTED),
        flow.c.id == flow_step.c.flow_id,
        flow.c.state.in_([FlowState.OPEN.value, FlowState.FAILED.value]),
    )
    return document | credential | step


def _quiet(now_us: int) -> ColumnElement[bool]:
    last = select(func.max(seal_change.c.at_us)).where(seal_change.c.seal_id == store.seal.c.id).scalar_subquery()
    return func.coalesce(last, 0) < now_us - GRACE_US
