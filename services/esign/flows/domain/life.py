"""Signing flows (签署流程): states, order and ends, as one table. Pure.

DRAFT → OPEN → steps WAITING → AUTHORISED → SIGNED | REJECTED → SEALING → COMPLETED. The other ends are REJECTED,
WITHDRAWN and EXPIRED. FAILED is no end: it remembers where it was and goes on from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from services.esign.domain.errors import EsignError


class FlowError(EsignError):
    """The flow, or the step, does not allow this now."""


class FlowState(StrEnum):
    DRAFT = "DRAFT"
    OPEN = "OPEN"
    SEALING = "SEALING"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


class StepState(StrEnum):
    WAITING = "WAITING"
    AUTHORISED = "AUTHORISED"
    SIGNED = "SIGNED"
    REJECTED = "REJECTED"


class Role(StrEnum):
    SIGNER = "signer"
    APPROVER = "approver"
    VIEWER = "viewer"
    COPY = "copy"

    @property
    def acts(self) -> bool:
        """Tells whether the flow waits for such a party."""
        return self in (Role.SIGNER, Role.APPROVER)


class Act(StrEnum):
    """The events in the life of a flow as a whole."""

    OPEN = "open"
    AUTHORISE = "authorise"
    COMPLETE_STEP = "complete_step"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    FAIL = "fail"
    RESUME = "resume"
    FINISH = "finish"


# In which states an act is possible. After everybody has signed, nothing but the release can happen: a document that
# all parties signed must not vanish because somebody was slow.
_POSSIBLE: Mapping[Act, frozenset[FlowState]] = MappingProxyType(
    {
        Act.OPEN: frozenset({FlowState.DRAFT}),
        Act.AUTHORISE: frozenset({FlowState.OPEN}),
        Act.COMPLETE_STEP: frozenset({FlowState.OPEN}),
        Act.REJECT: frozenset({FlowState.OPEN}),
        Act.WITHDRAW: frozenset({FlowState.DRAFT, FlowState.OPEN}),
        Act.EXPIRE: frozenset({FlowState.OPEN}),
        Act.FAIL: frozenset({FlowState.OPEN, FlowState.SEALING}),
        Act.RESUME: frozenset({FlowState.FAILED}),
        Act.FINISH: frozenset({FlowState.SEALING}),
    }
)
# What ends a flow ends it also while the hub is in trouble with it, unless everybody has signed.
_ALSO_WHEN_FAILED = frozenset({Act.WITHDRAW, Act.EXPIRE})


@dataclass(frozen=True, slots=True)
class Step:
    """A party's place. Steps of one `group` are done in any order; a group begins when the one before it is done."""

    key: str
    role: Role
    group: int
    state: StepState = StepState.WAITING

    @property
    def open(self) -> bool:
        return self.role.acts and self.state is not StepState.SIGNED


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow as its rules see it. `revision` counts what was written into the document; `was` is where a FAILED flow
    goes on.
    """

    state: FlowState
    steps: tuple[Step, ...]
    revision: int = 0
    was: FlowState | None = None

    def step(self, key: str) -> Step:
        """Raises FlowError STEP_UNKNOWN."""
        for step in self.steps:
            if step.key == key and step.role.acts:
                return step
        raise FlowError("STEP_UNKNOWN", "the flow has no such step", "该流程没有此步骤", step=key[:40])

    @property
    def ready(self) -> tuple[str, ...]:
        """Keys of the steps that can be done now."""
        if self.state is not FlowState.OPEN:
            return ()
        group = min((step.group for step in self.steps if step.open), default=0)
        return tuple(s.key for s in self.steps if s.open and s.group == group and s.state is StepState.WAITING)

    @property
    def authorised(self) -> tuple[str, ...]:
        """Keys of the steps whose signature the hub still has to make."""
        return tuple(s.key for s in self.steps if s.state is StepState.AUTHORISED)

    @property
    def standing(self) -> str:
        """The first step that is not done, in the scenario's order; empty when all are."""
        waiting = sorted((s for s in self.steps if s.open), key=lambda step: step.group)
        return waiting[0].key if waiting else ""


def require(flow: Flow, act: Act) -> None:
    """Raises FlowError FLOW_STATE unless `act` is possible now."""
    if flow.state in _POSSIBLE[act]:
        return
    if flow.state is FlowState.FAILED and act in _ALSO_WHEN_FAILED and flow.was is not FlowState.SEALING:
        return
    raise FlowError(
        "FLOW_STATE",
        f"a flow that is {flow.state} cannot {act.replace('_', ' ')}",
        f"流程当前状态为 {flow.state}，不能执行该操作",
        state=flow.state.value,
    )


def opened(flow: Flow) -> Flow:
    require(flow, Act.OPEN)
    return replace(flow, state=FlowState.OPEN)


def authorised(flow: Flow, key: str) -> Flow:
    """The party's consent is in. Raises FlowError FLOW_STATE, STEP_UNKNOWN, STEP_DONE, STEP_NOT_YET."""
    require(flow, Act.AUTHORISE)
    _require_turn(flow, key)
    return _with(flow, key, StepState.AUTHORISED)


def completed(flow: Flow, key: str) -> Flow:
    """The signature is in the document, or the approval on record; after the last one the flow is SEALING.

    Raises FlowError, STEP_NOT_AUTHORISED among others.
    """
    require(flow, Act.COMPLETE_STEP)
    step = flow.step(key)
    if step.state is not StepState.AUTHORISED:
        raise FlowError("STEP_NOT_AUTHORISED", "the step is not authorised", "该步骤尚未授权", step=key)
    after = _with(flow, key, StepState.SIGNED)
    if step.role is Role.SIGNER:
        after = replace(after, revision=flow.revision + 1)
    return after if any(s.open for s in after.steps) else replace(after, state=FlowState.SEALING)


def rejected(flow: Flow, key: str) -> Flow:
    """A party refuses. Raises FlowError as `authorised`."""
    require(flow, Act.REJECT)
    _require_turn(flow, key)
    return replace(_with(flow, key, StepState.REJECTED), state=FlowState.REJECTED)


def withdrawn(flow: Flow) -> Flow:
    require(flow, Act.WITHDRAW)
    return replace(flow, state=FlowState.WITHDRAWN, was=None)


def expired(flow: Flow) -> Flow:
    require(flow, Act.EXPIRE)
    return replace(flow, state=FlowState.EXPIRED, was=None)


def failed(flow: Flow) -> Flow:
    """The hub cannot go on at present."""
    require(flow, Act.FAIL)
    return replace(flow, state=FlowState.FAILED, was=flow.state)


def resumed(flow: Flow) -> Flow:
    """The hub tries again from where it was."""
    require(flow, Act.RESUME)
    assert flow.was is not None
    return replace(flow, state=flow.was, was=None)


def finished(flow: Flow) -> Flow:
    """The final document is closed, logged and released: its closing is one more revision."""
    require(flow, Act.FINISH)
    return replace(flow, state=FlowState.COMPLETED, revision=flow.revision + 1)


def _require_turn(flow: Flow, key: str) -> None:
    step = flow.step(key)
    if step.state is not StepState.WAITING:
        raise FlowError("STEP_DONE", f"the step is {step.state}", "该步骤已处理", step=key, state=step.state.value)
    if key not in flow.ready:
        before = ",".join(s.key for s in flow.steps if s.open and s.group < step.group)
        raise FlowError("STEP_NOT_YET", "others sign before this step", "尚未轮到该步骤", step=key, waiting_for=before)


def _with(flow: Flow, key: str, state: StepState) -> Flow:
    return replace(flow, steps=tuple(replace(s, state=state) if s.key == key else s for s in flow.steps))
