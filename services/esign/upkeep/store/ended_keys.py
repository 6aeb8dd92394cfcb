"""Keys of seals that ended: they sign nothing any more, so nothing is left of them that could be stolen."""

from sqlalchemy import ColumnElement, Connection, exists, func, select, text, update

from services.esign.documents.store import certificates as document_rows
from services.esign.domain.moments import DAY_US
from services.esign.flows.domain.life import FlowState
from services.esign.flows.store.flows import GRANTED, flow, flow_step
from services.esign.licences import store as licence_store
from services.esign.licences.store import licence
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.history import seal_change
from services.esign.seals.store.sm2_side import sm2_seal

GRACE_US = DAY_US
"""The time that a key stays after its seal's end, µs: what was granted before is sealed in seconds, or after a restart.
"""
_GONE = b""


def erase(conn: Connection, now_us: int) -> int:
    """Erases wrapped keys, P-256 and SM2, of seals that ended a day ago and owe no signature. How many seals."""
    due = conn.execute(
        select(seal_rows.seal.c.id).where(
            text(seal_rows.KEY_LEFT),
            ~_owes(now_us),
            _quiet(now_us),
        )
    ).all()
    ids = [row.id for row in due]
    if ids:
        conn.execute(update(seal_rows.seal).where(seal_rows.seal.c.id.in_(ids)).values(wrapped_key=_GONE))
        conn.execute(update(sm2_seal).where(sm2_seal.c.seal_id.in_(ids)).values(wrapped_key=_GONE))
    return len(ids)


def _owes(now_us: int) -> ColumnElement[bool]:
    """Signatures that were granted while the seal was active and are not made yet: of documents, of licences that
    somebody may still ask for, and of flows that are not over.
    """
    document = exists().where(
        document_rows.certificate.c.seal_id == seal_rows.seal.c.id,
        document_rows.certificate.c.stage == document_rows.SLOT,
        text(document_rows.UNDER_WAY),
    )
    credential = exists().where(
        licence.c.seal_id == seal_rows.seal.c.id,
        licence.c.stage == licence_store.SLOT,
        text(licence_store.UNDER_WAY),
        licence.c.expires_us > now_us,
    )
    step = exists().where(
        flow_step.c.seal_id == seal_rows.seal.c.id,
        text(GRANTED),
        flow.c.id == flow_step.c.flow_id,
        flow.c.state.in_([FlowState.OPEN.value, FlowState.FAILED.value]),
    )
    return document | credential | step


def _quiet(now_us: int) -> ColumnElement[bool]:
    last = select(func.max(seal_change.c.at_us)).where(seal_change.c.seal_id == seal_rows.seal.c.id).scalar_subquery()
    return func.coalesce(last, 0) < now_us - GRACE_US
