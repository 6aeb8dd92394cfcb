"""FlowService: begin, open, sign, reject, withdraw, remind, read. The hub's own work on flows is in `flows/work.py`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from services.esign.flows.consents import Consents, used_for
from services.esign.flows.domain import consent as flow_consent
from services.esign.flows.domain import life as flows
from services.esign.flows.domain.consent import Act, Consent
from services.esign.flows.domain.life import FlowError, FlowState
from services.esign.flows.domain.scenarios import Scenario
from services.esign.flows.journal import Journal
from services.esign.flows.service.beginning import Beginning
from services.esign.flows.service.refusals import document_changed, flow_unknown, not_yours, refused
from services.esign.flows.service.views import Viewer, scenario_view, state_of, view
from services.esign.flows.signers import StepSigners
from services.esign.flows.store import flows as flow_store
from services.esign.flows.store import journal as flow_journal_store
from services.esign.flows.store.flows import FlowRow, Party
from services.esign.flows.work import LEASE_US, Work, ended
from services.esign.service.releases import require_admitted
from services.esign.service.stated_reasons import stated_reason
from shuniu.api.esign.v1 import flow_pb2 as pb
from shuniu.api.esign.v1 import flow_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation, asked_of
from shuniu.kit.rpc import paging, requests
from shuniu.kit.rpc.caller import CallerKind, current_caller
from shuniu.rules import Violation

MOST_STEPS = 100
# Between two reminders that a platform asks for, µs.
_REMIND_AGAIN_US = 600_000_000


@dataclass(frozen=True, slots=True)
class Authorised:
    """A checked call to sign: who, what, and the consent when a person signs; `used_for` names the call."""

    viewer: Viewer
    acts: tuple[Act, ...]
    consent: Consent | None
    used_for: str


@dataclass(slots=True)
class FlowService(flow_pb2_grpc.FlowServiceServicer):
    """Flows of platforms and persons."""

    base: Foundation
    scenarios: Mapping[str, Scenario]
    beginning: Beginning
    signers: StepSigners
    journal: Journal
    work: Work
    consents: Consents
    page_key: bytes

    async def ListScenarios(self, request: pb.ListScenariosRequest, context: Any) -> pb.ListScenariosResponse:
        return pb.ListScenariosResponse(scenarios=[scenario_view(each) for each in self.scenarios.values()])

    async def BeginFlow(self, request: pb.BeginFlowRequest, context: Any) -> pb.BeginFlowResponse:
        asked = asked_of(request)
        kept = await self.base.store.read(requests.answered, [asked])
        if kept:
            # Nothing is looked up or drawn again: a seal may be suspended by now, and what was begun is not.
            return pb.BeginFlowResponse.FromString(kept[asked.key])
        with refused():
            row, pdf = await self.beginning.prepare(request, current_caller().platform)
        viewer = Viewer(row.platform)

        def unit(conn: Connection) -> pb.BeginFlowResponse:
            flow_store.add(conn, row, pdf)
            begun = row if request.draft else self._open(conn, row)
            return pb.BeginFlowResponse(flow=view(begun, viewer))

        response = await self.base.mutate(request, pb.BeginFlowResponse, unit, target=f"flow/{row.id}")
        self.journal.wake()
        return response

    async def OpenFlow(self, request: pb.OpenFlowRequest, context: Any) -> pb.OpenFlowResponse:
        viewer = Viewer(current_caller().platform)

        def unit(conn: Connection) -> pb.OpenFlowResponse:
            with refused():
                return pb.OpenFlowResponse(flow=view(self._open(conn, self._of(conn, request.id, viewer)), viewer))

        response = await self.base.mutate(request, pb.OpenFlowResponse, unit, target=f"flow/{request.id[:26]}")
        self.journal.wake()
        return response

    def _open(self, conn: Connection, row: FlowRow) -> FlowRow:
        now_us = self.base.clock.now_us()
        opened = flow_store.put(conn, row, self.beginning.opened(row, now_us))
        self.journal.begun(conn, opened, now_us)
        return opened

    async def GetFlow(self, request: pb.GetFlowRequest, context: Any) -> pb.GetFlowResponse:
        viewer = await self._viewer()
        row = await self._seen(request.id, viewer)
        return pb.GetFlowResponse(flow=view(row, viewer))

    async def ListFlows(self, request: pb.ListFlowsRequest, context: Any) -> pb.ListFlowsResponse:
        caller, viewer = current_caller(), await self._viewer()
        size = paging.page_size(request.page_size, default=50, most=200)
        state = state_of(request.state)
        query = f"flows {state}".encode()
        before = paging.decode_token(self.page_key, caller.key, query, request.page_token)
        rows: Sequence[FlowRow] = await self.base.store.read(
            flow_store.list_flows, viewer.platform, viewer.person, state, before, size + 1
        )
        response = pb.ListFlowsResponse(flows=[view(row, viewer) for row in rows[:size]])
        if len(rows) > size:
            response.next_page_token = paging.encode_token(self.page_key, caller.key, query, (rows[size - 1].id,))
        return response

    # Signing.

    async def SignSteps(self, request: pb.SignStepsRequest, context: Any) -> pb.SignStepsResponse:
        asked, viewer = asked_of(request), await self._viewer()
        if await self.base.store.read(requests.answered, [asked]):
            # Its consent may be over by now; what it did is not.
            return await self._signed(request, viewer)
        with refused():
            authorised = await self._authorisation(request, viewer)

        def unit(conn: Connection) -> pb.SignStepsResponse:
            with refused():
                self._authorise(conn, authorised)
            # What the flows look like is read when the signatures are made; a repeated call reads it anew.
            return pb.SignStepsResponse()

        targets = ",".join(act.flow[:26] for act in authorised.acts[:3])
        await self.base.mutate(request, pb.SignStepsResponse, unit, target=f"flow/{targets}")
        return await self._signed(request, viewer)

    async def _signed(self, request: pb.SignStepsRequest, viewer: Viewer) -> pb.SignStepsResponse:
        """The flows once their signatures are made, or as far as they got."""
        await asyncio.gather(*(self.work.sign(one.flow) for one in request.steps))
        self.journal.wake()
        return pb.SignStepsResponse(flows=[view(await self._seen(one.flow, viewer), viewer) for one in request.steps])

    async def _authorisation(self, request: pb.SignStepsRequest, viewer: Viewer) -> Authorised:
        """Raises HubError, ConsentError."""
        caller = current_caller()
        acts = tuple(Act(one.flow, one.step, one.document_sha256) for one in request.steps)
        faults = []
        if not 1 <= len(acts) <= MOST_STEPS or len({act.flow for act in acts}) < len(acts):
            faults.append(
                Violation(
                    "steps",
                    "STEP_COUNT",
                    f"Name 1 to {MOST_STEPS} steps, each in another flow.",
                    f"请指定 1 至 {MOST_STEPS} 个步骤，每个流程一个。",
                )
            )
        if bool(request.authorisation) != bool(viewer.person):
            faults.append(
                Violation(
                    "authorisation",
                    "AUTHORISATION_WANTED",
                    "A person signs with an assertion of AuthoriseSigning, a platform without one.",
                    "个人签署须提供签署授权，平台用印不得提供。",
                )
            )
        if faults:
            raise errors.invalid(faults)
        consent = None
        if viewer.person:
            consent = await self.consents.read(request.authorisation)
            flow_consent.check(
                consent,
                platform=caller.platform,
                subject=caller.person,
                list_sha256=flow_consent.list_of_steps(acts),
                now_s=self.base.clock.now_us() // 1_000_000,
            )
        return Authorised(viewer, acts, consent, used_for(asked_of(request)))

    def _authorise(self, conn: Connection, authorised: Authorised) -> None:
        """Burns the consent and takes every step, or nothing. Raises HubError, EsignError."""
        consent = authorised.consent
        if consent is not None:
            expires_us = consent.expires_s * 1_000_000
            if not flow_store.use_consent(conn, consent.token_id, authorised.used_for, expires_us):
                raise flow_consent.used()
        now_us = self.base.clock.now_us()
        for act in sorted(authorised.acts, key=lambda each: each.flow):
            row = self._of(conn, act.flow, authorised.viewer, began=False)
            party = self._turn(row, act.step, authorised.viewer)
            if act.document_sha256 != row.document_sha256:
                raise document_changed(act.flow)
            if consent is not None:
                flow_consent.check_level(consent, party.ial, party.aal)
            self._require_time(row, now_us)
            rules = flows.authorised(row.flow, act.step)
            reserved = self.signers.reserve(conn, party)
            parties = tuple(reserved if each.key == act.step else each for each in row.parties)
            flow_store.put(conn, row, replace(row, flow=rules, parties=parties, work_us=now_us + LEASE_US))

    async def RejectStep(self, request: pb.RejectStepRequest, context: Any) -> pb.RejectStepResponse:
        viewer = await self._viewer()
        reason = stated_reason(request.reason)

        def unit(conn: Connection) -> pb.RejectStepResponse:
            with refused():
                before = self._of(conn, request.id, viewer, began=False)
                self._turn(before, request.step, viewer)
                now_us = self.base.clock.now_us()
                self._require_time(before, now_us)
                row = ended(before, flows.rejected(before.flow, request.step), now_us, reason)
                parties = tuple(replace(p, done_us=now_us) if p.key == request.step else p for p in row.parties)
                after = flow_store.put(conn, before, replace(row, parties=parties))
                self.journal.ended(conn, after, FlowState.REJECTED, request.step, now_us)
                self.journal.tell_end(conn, after, now_us, request.step)
                return pb.RejectStepResponse(flow=view(after, viewer))

        response = await self.base.mutate(request, pb.RejectStepResponse, unit, target=f"flow/{request.id[:26]}")
        self.journal.wake()
        return response

    async def WithdrawFlow(self, request: pb.WithdrawFlowRequest, context: Any) -> pb.WithdrawFlowResponse:
        viewer = Viewer(current_caller().platform)
        reason = stated_reason(request.reason)

        def unit(conn: Connection) -> pb.WithdrawFlowResponse:
            with refused():
                before = self._of(conn, request.id, viewer)
                now_us = self.base.clock.now_us()
                row = ended(before, flows.withdrawn(before.flow), now_us, reason)
                after = flow_store.put(conn, before, row)
                if before.flow.state is not FlowState.DRAFT:
                    # A draft was shown to nobody and counted as nothing.
                    self.journal.ended(conn, after, FlowState.WITHDRAWN, before.flow.standing, now_us)
                    self.journal.tell_end(conn, after, now_us, before.flow.standing)
                return pb.WithdrawFlowResponse(flow=view(after, viewer))

        response = await self.base.mutate(request, pb.WithdrawFlowResponse, unit, target=f"flow/{request.id[:26]}")
        self.journal.wake()
        return response

    async def RemindFlow(self, request: pb.RemindFlowRequest, context: Any) -> pb.RemindFlowResponse:
        viewer = Viewer(current_caller().platform)

        def unit(conn: Connection) -> pb.RemindFlowResponse:
            with refused():
                row = self._of(conn, request.id, viewer)
                flows.require(row.flow, flows.Act.AUTHORISE)
            again_us = row.reminded_us + _REMIND_AGAIN_US
            if again_us > self.base.clock.now_us():
                raise errors.exhausted(
                    "REMINDED_LATELY",
                    "The parties were reminded less than ten minutes ago.",
                    "十分钟内已催办，请稍后再试。",
                    again_after=str(again_us // 1_000_000),
                )
            reminded = self.work.remind(conn, row.id)
            assert reminded is not None
            return pb.RemindFlowResponse(flow=view(reminded, viewer))

        return await self.base.mutate(request, pb.RemindFlowResponse, unit, target=f"flow/{request.id[:26]}")

    async def DownloadFlow(self, request: pb.DownloadFlowRequest, context: Any) -> pb.DownloadFlowResponse:
        viewer = await self._viewer()
        row = await self._seen(request.id, viewer)
        if not viewer.may_read(row):
            with refused():
                raise FlowError("FLOW_STATE", "there is no final document", "流程尚未完成", state=row.flow.state.value)

        def read(conn: Connection) -> tuple[FlowRow, bytes]:
            now = flow_store.find_flow(conn, row.id)
            assert now is not None
            _, pdf = flow_store.document(conn, row.id)
            if now.flow.state is not FlowState.COMPLETED:
                # A closed document that is not logged yet is nobody's.
                pdf = pdf[: flow_store.revisions(conn, row.id)[now.flow.revision].size]
            return now, pdf

        now, pdf = await self.base.store.read(read)
        if not pdf:
            raise errors.not_found(
                "DOCUMENT_ERASED",
                "The flow came to nothing, and its document was thrown away.",
                "该流程未完成，其文件已按期清除。",
                flow=row.id,
            )
        await self.base.write(self._released, row.id)
        return pb.DownloadFlowResponse(flow=view(now, viewer), pdf=pdf, tlog_proof=now.receipt)

    def _released(self, conn: Connection, flow_id: str) -> None:
        require_admitted(self.base)
        self.base.audit(conn, "DownloadFlow", f"flow/{flow_id}")

    async def CountFlows(self, request: pb.CountFlowsRequest, context: Any) -> pb.CountFlowsResponse:
        def read(conn: Connection) -> tuple[dict[tuple[str, str, str], int], int]:
            return flow_journal_store.counts(conn, request.scenario[:40]), flow_journal_store.pending(conn)

        counts, pending = await self.base.store.read(read)
        return pb.CountFlowsResponse(
            counts=[
                pb.FlowCount(scenario=scenario, step=step, outcome=outcome, count=count)
                for (scenario, step, outcome), count in sorted(counts.items())
            ],
            pending=pending,
        )

    # Who may.

    async def _viewer(self) -> Viewer:
        caller = current_caller()
        if caller.kind is CallerKind.PERSON:
            return Viewer(caller.platform, await self.beginning.person(caller.platform, caller.person))
        return Viewer(caller.platform)

    async def _seen(self, flow_id: str, viewer: Viewer) -> FlowRow:
        row: FlowRow | None = await self.base.store.read(flow_store.find_flow, flow_id[:26])
        if row is None or not viewer.may_see(row):
            raise flow_unknown(flow_id)
        return row

    def _of(self, conn: Connection, flow_id: str, viewer: Viewer, *, began: bool = True) -> FlowRow:
        """The flow, in the unit that changes it: of its platform, or of anybody concerned."""
        row = flow_store.find_flow(conn, flow_id[:26])
        if row is None or not (viewer.began(row) if began else viewer.may_see(row)):
            raise flow_unknown(flow_id)
        return row

    def _turn(self, row: FlowRow, step: str, viewer: Viewer) -> Party:
        row.flow.step(step)
        party = row.find_party(step)
        assert party is not None
        if not viewer.takes(party):
            raise not_yours(step)
        return party

    def _require_time(self, row: FlowRow, now_us: int) -> None:
        if row.deadline_us and now_us >= row.deadline_us:
            raise FlowError("FLOW_STATE", "the time for signing is over", "签署期限已过", state=FlowState.EXPIRED.value)
