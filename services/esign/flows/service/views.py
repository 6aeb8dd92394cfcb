"""Flows as the contract shows them, and what of them a caller may see."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.esign.flows.domain.life import FlowState, Role, StepState
from services.esign.flows.domain.scenarios import Actor, Scenario
from services.esign.flows.store.flows import FlowRow, Party
from shuniu.api.esign.v1 import flow_pb2 as pb
from shuniu.kit import errors

_STATES: "Mapping[FlowState, pb.FlowState.ValueType]" = {
    state: pb.FlowState.Value(f"FLOW_STATE_{state.value}") for state in FlowState
}
_STEPS: "Mapping[StepState, pb.StepState.ValueType]" = {
    state: pb.StepState.Value(f"STEP_STATE_{state.value}") for state in StepState
}
_ROLES: "Mapping[Role, pb.PartyRole.ValueType]" = {role: pb.PartyRole.Value(f"PARTY_ROLE_{role.name}") for role in Role}


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer: a platform, or a person (the hub's id) through one."""

    platform: str
    person: str = ""

    def takes(self, party: Party) -> bool:
        """Tells whether this is the viewer's place."""
        if party.actor is Actor.PERSON:
            return bool(self.person) and party.person == self.person
        return not self.person and party.platform == self.platform

    def places(self, row: FlowRow) -> tuple[Party, ...]:
        return tuple(party for party in row.parties if self.takes(party))

    def began(self, row: FlowRow) -> bool:
        return not self.person and row.platform == self.platform

    def may_see(self, row: FlowRow) -> bool:
        """A draft is its platform's alone."""
        return self.began(row) or (row.flow.state is not FlowState.DRAFT and bool(self.places(row)))

    def may_read(self, row: FlowRow) -> bool:
        """Tells whether the document as it stands may be read: who only gets a copy waits for the final one."""
        if self.began(row) or row.flow.state is FlowState.COMPLETED:
            return True
        return any(party.step.role is not Role.COPY for party in self.places(row))


def view(row: FlowRow, viewer: Viewer) -> pb.Flow:
    """The public form of a flow. Never a name, number or subject."""
    ready = row.flow.ready
    found = pb.Flow(
        id=row.id,
        scenario=row.scenario,
        state=_STATES[row.flow.state],
        platform=row.platform,
        case_code=row.case_code,
        steps=[_step(party, viewer, ready=party.key in ready) for party in row.parties],
        document_sha256=row.document_sha256,
        revision=row.flow.revision,
        final_sha256=row.final_sha256,
        ledger_index=row.ledger_index,
        reason=row.reason,
        failure=row.failure,
    )
    found.begun_at.FromMicroseconds(row.begun_us)
    if row.deadline_us:
        found.expires_at.FromMicroseconds(row.deadline_us)
    if row.ended_us:
        found.ended_at.FromMicroseconds(row.ended_us)
    return found


def _step(party: Party, viewer: Viewer, *, ready: bool) -> pb.FlowStep:
    acts = party.step.role.acts
    found = pb.FlowStep(
        key=party.key,
        title=party.title,
        role=_ROLES[party.step.role],
        group=party.step.group,
        platform=party.platform,
        state=_STEPS[party.step.state] if acts else pb.STEP_STATE_UNSPECIFIED,
        ready=ready,
        mine=viewer.takes(party),
        seal=party.actor is Actor.PLATFORM,
    )
    if party.done_us:
        found.done_at.FromMicroseconds(party.done_us)
    return found


def scenario_view(scenario: Scenario) -> pb.Scenario:
    return pb.Scenario(
        code=scenario.code,
        title=scenario.title,
        upload=scenario.upload,
        deadline_hours=scenario.deadline_us // 3_600_000_000,
        facts=[pb.ScenarioFact(name=fact.name, label=fact.label, required=fact.required) for fact in scenario.facts],
        steps=[
            pb.ScenarioStep(
                key=step.key,
                title=step.title,
                role=_ROLES[step.role],
                group=step.group,
                platform=step.actor is Actor.PLATFORM,
                ial=step.ial,
                aal=step.aal,
                optional=step.optional,
            )
            for step in scenario.steps
        ],
    )


def state_of(wanted: "pb.FlowState.ValueType") -> str:
    """Name of a state that was asked for; empty for any. Raises INVALID_ARGUMENT STATE_UNKNOWN."""
    if wanted not in pb.FlowState.values():
        raise errors.invalid_field("state", "STATE_UNKNOWN", "There is no such state.", "没有该状态。")
    return pb.FlowState.Name(wanted).removeprefix("FLOW_STATE_") if wanted else ""
