"""OperationsService for every process: status, dead letters, traces and the audit check. One implementation."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from sqlalchemy import Connection, select

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.api.common.v1 import operations_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.events import dead_letters, outbox_rows, outbox_upkeep
from shuniu.kit.events.outbox import DeliveryState
from shuniu.kit.foundation import BareFoundation, Foundation
from shuniu.kit.process import metrics
from shuniu.kit.process.clock import MOST_STEP_S, STEPS
from shuniu.kit.rpc.paging import invalid_token
from shuniu.kit.store import audit
from shuniu.kit.store.tables import outbox_delivery, outbox_event

Facts = Callable[[], Awaitable[Mapping[str, str]]]
Replay = Callable[[int], Awaitable[None]]
"""Sends one dead letter again, by its number."""

REFRESH_SECONDS = 5.0
_GIVEN_UP = (DeliveryState.DEAD, DeliveryState.ARCHIVED)


async def no_facts() -> Mapping[str, str]:
    return {}


async def no_replay(_number: int) -> None:
    """For a process without consumers: it has no dead letters."""


class Operations(operations_pb2_grpc.OperationsServiceServicer):
    """Answers from the service's own store."""

    def __init__(
        self,
        base: BareFoundation,
        not_ready: Callable[[], list[str]],
        facts: Facts = no_facts,
        replay: Replay = no_replay,
    ) -> None:
        self._base = base
        self._not_ready = not_ready
        self._facts = facts
        self._replay = replay
        self._started_us = base.clock.now_us()

    async def watch(self) -> None:
        """Keeps the gauges of outbox and dead letters fresh."""
        while True:
            found = await self._base.store.read(_outbox_state, self._base.clock.now_us())
            for state in DeliveryState:
                metrics.OUTBOX.labels(state.value).set(found.states.get(state.value, 0))
            metrics.OUTBOX_AGE.set(found.age_seconds)
            metrics.DEAD_LETTERS.set(found.dead_letters)
            await asyncio.sleep(REFRESH_SECONDS)

    async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusResponse:
        found = await self._base.store.read(_outbox_state, self._base.clock.now_us())
        reasons = self._not_ready()
        facts = dict(await self._facts())
        step_s = STEPS.step_s()
        if abs(step_s) > MOST_STEP_S:
            facts["clock_step_seconds"] = f"{step_s:+.0f}"
        if isinstance(self._base, Foundation) and (suspended := self._base.registry.stopped_by_state()["SUSPENDED"]):
            facts["suspended"] = ",".join(suspended)
        response = pb.GetStatusResponse(
            service=self._base.service,
            version=version("shuniu"),
            ready=not reasons,
            reason="; ".join(reasons),
            epoch=self._base.store.epoch,
            outbox=found.states,
            outbox_age_seconds=found.age_seconds,
            dead_letters=found.dead_letters,
            organisation_deliveries=found.organisations,
            organisation_open=found.organisations_open,
            facts=facts,
        )
        response.started_at.FromMicroseconds(self._started_us)
        return response

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Any) -> pb.ListDeadLettersResponse:
        size = min(request.page_size or 100, 500)
        letters = await self._base.store.read(dead_letters.deaths, size + 1, _after(request.page_token))
        response = pb.ListDeadLettersResponse()
        for letter in letters[:size]:
            row = response.dead_letters.add(
                event_id=letter.event_id,
                type=letter.type,
                consumer=letter.consumer,
                # The cause's first word is the exception's type; its text may quote personal data.
                cause=letter.cause.split(":", 1)[0],
                attempts=letter.attempts,
            )
            row.died_at.FromMicroseconds(letter.time_us)
        if len(letters) > size:
            response.next_page_token = str(letters[size - 1].id)
        return response

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, context: Any
    ) -> pb.ReplayDeadLettersResponse:
        def decide(conn: Connection) -> pb.ReplayDeadLettersResponse:
            found = dead_letters.open_ids(conn, frozenset(request.event_ids))
            return pb.ReplayDeadLettersResponse(event_ids=[event_id for _, event_id in found])

        if request.preview:
            return await self._base.store.read(decide)
        # Decided and recorded first: after a crash a retry sends what this decision still owes.
        decided = await self._base.mutate(request, pb.ReplayDeadLettersResponse, decide, target="dead-letter/*")
        owed = frozenset(decided.event_ids)
        for number, event_id in await self._base.store.read(dead_letters.open_ids, owed) if owed else ():
            try:
                await self._replay(number)
            except HubError as error:
                if error.reason.startswith("STORE_"):
                    raise
                decided.failed.append(event_id)
        return decided

    async def RequeueDeliveries(
        self, request: pb.RequeueDeliveriesRequest, context: Any
    ) -> pb.RequeueDeliveriesResponse:
        organisation = request.organisation
        if not organisation:
            raise errors.invalid_field(
                "organisation", "ORGANISATION_REQUIRED", "Give the organisation's code.", "请提供机构代码。"
            )

        def decide(conn: Connection) -> pb.RequeueDeliveriesResponse:
            return pb.RequeueDeliveriesResponse(deliveries=outbox_rows.standing_in(conn, organisation, _GIVEN_UP))

        if request.preview:
            return await self._base.store.read(decide)
        target = f"organisation/{organisation}"
        decided = await self._base.mutate(request, pb.RequeueDeliveriesResponse, decide, target=target)
        for state in _GIVEN_UP if decided.deliveries else ():
            await outbox_rows.requeue_all(self._base.store, organisation, state)
        return decided

    async def TraceAggregate(self, request: pb.TraceAggregateRequest, context: Any) -> pb.TraceAggregateResponse:
        return await self._base.store.read(_trace, request.aggregate)

    async def VerifyAudit(self, request: pb.VerifyAuditRequest, context: Any) -> pb.VerifyAuditResponse:
        return await self._base.store.read(audit_check)


def _after(token: str) -> int:
    if token and not token.isdecimal():
        raise invalid_token()
    return int(token or 0)


def audit_check(conn: Connection) -> pb.VerifyAuditResponse:
    """The audit chains of one store, checked."""
    report = audit.verify(conn)
    first = report.findings[0] if report.findings else None
    return pb.VerifyAuditResponse(
        intact=report.sound,
        records=report.records,
        first_break="" if first is None else f"{first.writer}:{first.seq} {first.fault}",
        heads={head.writer: head.hash.hex() for head in audit.heads(conn)},
    )


@dataclass(frozen=True, slots=True)
class _Outbox:
    """Deliveries by state, the oldest not yet stored, and those to organisations; each counted to a limit."""

    states: dict[str, int]
    age_seconds: float
    dead_letters: int
    organisations: int
    organisations_open: int


def _outbox_state(conn: Connection, now_us: int) -> _Outbox:
    found = outbox_upkeep.standing(conn)
    sums = {state.value: found.organisations[state] + found.internal[state] for state in DeliveryState}
    published = sum(found.organisations.values())
    return _Outbox(
        states={state: number for state, number in sums.items() if number},
        age_seconds=max(0, now_us - found.oldest_us) / 1e6 if found.oldest_us else 0.0,
        dead_letters=dead_letters.count(conn),
        organisations=published,
        organisations_open=published - found.organisations[DeliveryState.RECEIPTED],
    )


def _trace(conn: Connection, aggregate: str) -> pb.TraceAggregateResponse:
    event, delivery = outbox_event.c, outbox_delivery.c
    rows = conn.execute(
        select(
            event.id,
            event.type,
            event.seq,
            event.time_us,
            delivery.target,
            delivery.state,
            delivery.stored_us,
            delivery.receipted_us,
        )
        .join(outbox_delivery, delivery.event_id == event.id)
        .where(event.aggregate == aggregate)
        .order_by(event.seq, delivery.target)
    )
    response = pb.TraceAggregateResponse()
    for row in rows:
        entry = response.entries.add(event_id=row.id, type=row.type, seq=row.seq, target=row.target, state=row.state)
        entry.time.FromMicroseconds(row.time_us)
        if row.stored_us:
            entry.stored_at.FromMicroseconds(row.stored_us)
        if row.receipted_us:
            entry.receipted_at.FromMicroseconds(row.receipted_us)
    return response
