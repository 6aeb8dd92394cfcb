"""Stores flows: the flow and its parties, the document with its revisions, used authorisations."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)

from services.esign.flows.domain.life import Flow, FlowState, Role, Step, StepState
from services.esign.flows.domain.scenarios import Actor, KeyMode
from services.esign.ledger.domain.ledger import UNLOGGED
from shuniu.kit.rpc import paging
from shuniu.kit.store import binding_of
from shuniu.kit.store.partial import partial
from shuniu.kit.store.types import LostRaceError

TABLES = MetaData()

_AUTHORISED: Final = "state = 'AUTHORISED'"
GRANTED: Final = f"flow_step.{_AUTHORISED}"
"""The same condition, where flows are asked too: they have a state of their own."""
DRAFT: Final = "state = 'DRAFT'"
EXPIRES: Final = "state IN ('OPEN', 'FAILED') AND deadline_us > 0"
ERASABLE: Final = "state IN ('REJECTED', 'WITHDRAWN', 'EXPIRED') AND document_kept = 1"
"""Flows that came to nothing and whose document is still there."""

# `version` grows with each change: a unit that read an older one runs again. `work_us` is when the hub's next attempt
# at unfinished work may begin, `remind_us` when parties are reminded, µs; 0: never.
flow = Table(
    "flow",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("scenario", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("case_code", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("was", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("document_sha256", Text, nullable=False),
    Column("begun_us", BigInteger, nullable=False),
    Column("deadline_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("work_us", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failure", Text, nullable=False),
    Column("remind_us", BigInteger, nullable=False),
    Column("reminded", Integer, nullable=False),
    Column("reminded_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("final_sha256", Text, nullable=False),
    Column("ledger_index", BigInteger, nullable=False),
    Column("receipt", Text, nullable=False),
    # 0 once its document was thrown away.
    Column("document_kept", Integer, nullable=False, server_default="1"),
    Index("flow_platform", "platform", "id"),
    Index("flow_work", "work_us"),
    partial("flow_deadline", "deadline_us", where=EXPIRES),
    Index("flow_remind", "remind_us"),
    Index("flow_final", "final_sha256"),
    partial("flow_draft", "begun_us", where=DRAFT),
    partial("flow_erasable", "ended_us", where=ERASABLE),
)

# A party, with the demands of the scenario as they were when the flow began.
flow_step = Table(
    "flow_step",
    TABLES,
    Column("flow_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("group_number", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("ial", Integer, nullable=False),
    Column("aal", Integer, nullable=False),
    Column("platform", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("seal_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("slot_us", BigInteger, nullable=False),
    Column("done_us", BigInteger, nullable=False),
    Index("flow_step_person", "person", "flow_id"),
    Index("flow_step_platform", "platform", "flow_id"),
    partial("flow_step_granted", "seal_id", where=_AUTHORISED),
)

flow_document = Table(
    "flow_document",
    TABLES,
    Column("flow_id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("pdf", LargeBinary, nullable=False),
)

# One row a revision, so that none is made twice. Its bytes are the first `size` of the document.
# `certificate_sha256` is of the certificate that signed it, empty where nobody did.
flow_revision = Table(
    "flow_revision",
    TABLES,
    Column("flow_id", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("step", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("certificate_sha256", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

# Authorisations that were used: `used_for` is the digest of the request, id and all, which may be repeated.
used_consent = Table(
    "used_consent",
    TABLES,
    Column("token_id", Text, primary_key=True),
    Column("used_for", Text, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index("used_consent_expires", "expires_us"),
)


@dataclass(frozen=True, slots=True)
class Party:
    """A step's row: its place, its demands, who takes it. `slot_us` is the signing time handed out with the check that
    the seal is ACTIVE; 0 for keys that are made when they are needed.
    """

    step: Step
    title: str
    actor: Actor
    mode: KeyMode
    ial: int
    aal: int
    platform: str
    person: str = ""
    seal_id: str = ""
    slot_us: int = 0
    done_us: int = 0

    @property
    def key(self) -> str:
        return self.step.key


@dataclass(frozen=True, slots=True)
class Revision:
    """A state of the document: number, the step that made it, size in bytes, SHA-256 (hex), the certificate that signed
    it (SHA-256, hex; empty: none), when (µs).
    """

    number: int
    step: str
    size: int
    sha256: str
    certificate_sha256: str
    at_us: int


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A flow with its parties, without its document. Times in µs since 1970."""

    id: str
    scenario: str
    platform: str
    case_code: str
    flow: Flow
    parties: tuple[Party, ...]
    document_sha256: str
    begun_us: int
    deadline_us: int = 0
    ended_us: int = 0
    work_us: int = 0
    attempts: int = 0
    failure: str = ""
    remind_us: int = 0
    reminded: int = 0
    reminded_us: int = 0
    reason: str = ""
    final_sha256: str = ""
    ledger_index: int = UNLOGGED
    receipt: str = field(default="", repr=False)
    version: int = 1

    def find_party(self, key: str) -> Party | None:
        return next((party for party in self.parties if party.key == key), None)


_PLAIN = (
    "deadline_us",
    "ended_us",
    "work_us",
    "attempts",
    "failure",
    "remind_us",
    "reminded",
    "reminded_us",
    "reason",
    "final_sha256",
    "ledger_index",
    "receipt",
)


def _values(row: FlowRow) -> dict[str, Any]:
    return {
        "state": row.flow.state.value,
        "was": row.flow.was.value if row.flow.was else "",
        "revision": row.flow.revision,
        **{name: getattr(row, name) for name in _PLAIN},
    }


def add(conn: Connection, row: FlowRow, pdf: bytes) -> None:
    """A new flow with its prepared document, revision 0."""
    fixed = {
        name: getattr(row, name)
        for name in ("id", "scenario", "platform", "case_code", "document_sha256", "begun_us", "version")
    }
    conn.execute(insert(flow), {**fixed, **_values(row)})
    conn.execute(insert(flow_step), [_party_values(row.id, at, party) for at, party in enumerate(row.parties)])
    conn.execute(insert(flow_document), {"flow_id": row.id, "revision": 0, "pdf": pdf})
    _add_revision(conn, row.id, Revision(0, "", len(pdf), row.document_sha256, "", row.begun_us))


def find_flow(conn: Connection, flow_id: str) -> FlowRow | None:
    found = conn.execute(select(flow).where(flow.c.id == flow_id)).first()
    return None if found is None else _row(found, _parties(conn, [flow_id])[flow_id])


def put(conn: Connection, before: FlowRow, after: FlowRow) -> FlowRow:
    """The flow's next state; the unit runs again when another was first. The row as it is now."""
    done = conn.execute(
        update(flow)
        .where(flow.c.id == before.id, flow.c.version == before.version)
        .values(**_values(after), version=before.version + 1)
    )
    if done.rowcount != 1:
        raise LostRaceError(before.id)
    states = {step.key: step.state for step in after.flow.steps}
    parties = []
    for old, new in zip(before.parties, after.parties, strict=True):
        moved = _moved(new, states[new.key])
        if moved != old:
            conn.execute(
                update(flow_step)
                .where(flow_step.c.flow_id == before.id, flow_step.c.key == moved.key)
                .values(
                    state=moved.step.state.value,
                    seal_id=moved.seal_id,
                    slot_us=moved.slot_us,
                    done_us=moved.done_us,
                )
            )
        parties.append(moved)
    return replace(after, parties=tuple(parties), version=before.version + 1)


def document(conn: Connection, flow_id: str) -> tuple[int, bytes]:
    """Revision and bytes as they are now; no bytes when they were thrown away."""
    row = conn.execute(select(flow_document).where(flow_document.c.flow_id == flow_id)).first()
    return (0, b"") if row is None else (row.revision, bytes(row.pdf))


def add_document(conn: Connection, flow_id: str, made: Revision, pdf: bytes) -> bool:
    """Keeps the next revision, once; False when another attempt was first."""
    done = conn.execute(
        update(flow_document)
        .where(flow_document.c.flow_id == flow_id, flow_document.c.revision == made.number - 1)
        .values(revision=made.number, pdf=pdf)
    )
    if done.rowcount != 1:
        return False
    _add_revision(conn, flow_id, made)
    return True


def revisions(conn: Connection, flow_id: str) -> list[Revision]:
    """Every revision, in order."""
    found = select(flow_revision).where(flow_revision.c.flow_id == flow_id).order_by(flow_revision.c.revision)
    return [
        Revision(row.revision, row.step, row.size, row.sha256, row.certificate_sha256, row.at_us)
        for row in conn.execute(found)
    ]


def erase_ended(conn: Connection, before_us: int, now_us: int, limit: int) -> int:
    """Throws away the documents of flows that came to nothing before then, and drafts that nobody opened; returns how
    many. That there was a flow, and how it ended, stays.
    """
    left = select(flow.c.id).where(text(DRAFT), flow.c.begun_us < before_us).limit(limit)
    drafts = list(conn.execute(left).scalars())
    # None at all would be an empty list, for which SQLite goes through every draft.
    if drafts:
        conn.execute(
            update(flow)
            .where(flow.c.id.in_(drafts), flow.c.state == FlowState.DRAFT.value)
            .values(state=FlowState.WITHDRAWN.value, ended_us=now_us, version=flow.c.version + 1)
        )
    over = select(flow.c.id).where(text(ERASABLE), flow.c.ended_us < before_us).limit(limit)
    gone = [*drafts, *conn.execute(over).scalars()]
    if gone:
        conn.execute(update(flow).where(flow.c.id.in_(gone)).values(document_kept=0))
        conn.execute(delete(flow_document).where(flow_document.c.flow_id.in_(gone)))
    return len(gone)


def use_consent(conn: Connection, token_id: str, used_for: str, expires_us: int) -> bool:
    """Burns an authorisation; False when it was used for another request."""
    row = {"token_id": token_id, "used_for": used_for, "expires_us": expires_us}
    if binding_of(conn).dialect.insert_ignore(conn, used_consent, [row]):
        return True
    return find_use_of_consent(conn, token_id) == used_for


def find_use_of_consent(conn: Connection, token_id: str) -> str | None:
    """Finds what an authorisation was used for; None when it was not used yet."""
    found = conn.execute(select(used_consent.c.used_for).where(used_consent.c.token_id == token_id)).scalar()
    return None if found is None else str(found)


def forget_consents(conn: Connection, before_us: int, limit: int) -> int:
    """Forgets authorisations whose time was over before then, at most `limit`; returns how many."""
    over = select(used_consent.c.token_id).where(used_consent.c.expires_us < before_us).limit(limit)
    return conn.execute(delete(used_consent).where(used_consent.c.token_id.in_(over))).rowcount


def find_final_by_sha256(conn: Connection, digests: Sequence[str]) -> FlowRow | None:
    """The completed flow of the final document that has the first of these digests that any has."""
    wanted = select(flow.c.final_sha256, flow.c.id).where(flow.c.final_sha256.in_(digests))
    ids = {row.final_sha256: row.id for row in conn.execute(wanted)}
    return next((find_flow(conn, ids[digest]) for digest in digests if digest in ids), None)


def list_flows(
    conn: Connection, platform: str, person: str, state: str, before: paging.Position, limit: int
) -> list[FlowRow]:
    """Flows of a person, or begun by a platform or waiting for its seal; newest first."""
    if person:
        taken = select(flow_step.c.flow_id).where(flow_step.c.person == person)
        mine: ColumnElement[bool] = flow.c.id.in_(taken)
    else:
        taken = select(flow_step.c.flow_id).where(
            flow_step.c.platform == platform, flow_step.c.actor == Actor.PLATFORM.value
        )
        mine = or_(flow.c.platform == platform, flow.c.id.in_(taken))
    wanted = select(flow).where(mine)
    if not person:
        wanted = wanted.where(or_(flow.c.platform == platform, flow.c.state != FlowState.DRAFT.value))
    else:
        wanted = wanted.where(flow.c.state != FlowState.DRAFT.value)
    if state:
        wanted = wanted.where(flow.c.state == state)
    if before:
        wanted = wanted.where(flow.c.id < str(before[0]))
    rows = conn.execute(wanted.order_by(flow.c.id.desc()).limit(limit)).all()
    parties = _parties(conn, [row.id for row in rows])
    return [_row(row, parties[row.id]) for row in rows]


def due_work(conn: Connection, now_us: int, limit: int) -> list[str]:
    """Flows whose unfinished work may be taken up."""
    due = select(flow.c.id).where(flow.c.work_us > 0, flow.c.work_us <= now_us).order_by(flow.c.work_us).limit(limit)
    return list(conn.execute(due).scalars())


def due_expiry(conn: Connection, now_us: int, limit: int) -> list[str]:
    """Flows whose time for signing is over. FAILED ones whose parties have all signed are among them."""
    due = select(flow.c.id).where(text(EXPIRES), flow.c.deadline_us <= now_us)
    return list(conn.execute(due.where(flow.c.was != FlowState.SEALING.value).limit(limit)).scalars())


def due_reminders(conn: Connection, now_us: int, limit: int) -> list[str]:
    due = select(flow.c.id).where(flow.c.remind_us > 0, flow.c.remind_us <= now_us).limit(limit)
    return list(conn.execute(due).scalars())


def _add_revision(conn: Connection, flow_id: str, made: Revision) -> None:
    row = {
        "flow_id": flow_id,
        "revision": made.number,
        "step": made.step,
        "size": made.size,
        "sha256": made.sha256,
        "certificate_sha256": made.certificate_sha256,
        "at_us": made.at_us,
    }
    conn.execute(insert(flow_revision), row)


def _party_values(flow_id: str, position: int, party: Party) -> dict[str, Any]:
    return {
        "flow_id": flow_id,
        "key": party.key,
        "position": position,
        "title": party.title,
        "role": party.step.role.value,
        "group_number": party.step.group,
        "actor": party.actor.value,
        "mode": party.mode.value,
        "ial": party.ial,
        "aal": party.aal,
        "platform": party.platform,
        "person": party.person,
        "seal_id": party.seal_id,
        "state": party.step.state.value,
        "slot_us": party.slot_us,
        "done_us": party.done_us,
    }


def _parties(conn: Connection, flow_ids: Sequence[str]) -> dict[str, list[Party]]:
    found: dict[str, list[Party]] = {flow_id: [] for flow_id in flow_ids}
    if not flow_ids:
        return found
    wanted = select(flow_step).where(flow_step.c.flow_id.in_(flow_ids))
    for row in conn.execute(wanted.order_by(flow_step.c.flow_id, flow_step.c.position)):
        step = Step(row.key, Role(row.role), row.group_number, StepState(row.state))
        found[row.flow_id].append(
            Party(
                step,
                row.title,
                Actor(row.actor),
                KeyMode(row.mode),
                row.ial,
                row.aal,
                row.platform,
                row.person,
                row.seal_id,
                row.slot_us,
                row.done_us,
            )
        )
    return found


def _row(row: Row[Any], parties: Sequence[Party]) -> FlowRow:
    rules = Flow(
        FlowState(row.state),
        tuple(party.step for party in parties),
        row.revision,
        FlowState(row.was) if row.was else None,
    )
    return FlowRow(
        row.id,
        row.scenario,
        row.platform,
        row.case_code,
        rules,
        tuple(parties),
        row.document_sha256,
        row.begun_us,
        **{name: getattr(row, name) for name in _PLAIN},
        version=row.version,
    )


def _moved(party: Party, state: StepState) -> Party:
    return party if party.step.state is state else replace(party, step=replace(party.step, state=state))
