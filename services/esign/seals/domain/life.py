"""Seals (电子印章): the life of a seal as a table, who may do what in it, and the one check that lets a seal sign.

APPLIED → REVIEWED → ISSUED → ACTIVE ⇄ SUSPENDED → REVOKED | EXPIRED | REPLACED; a refused application is REJECTED.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from types import MappingProxyType

from services.esign.certification.domain.holders import SealKind
from services.esign.domain.errors import SealStateError


class SealState(StrEnum):
    APPLIED = "APPLIED"
    REVIEWED = "REVIEWED"
    ISSUED = "ISSUED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"


class Action(StrEnum):
    REVIEW = "REVIEW"
    REJECT = "REJECT"
    MAKE = "MAKE"
    ACTIVATE = "ACTIVATE"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    REVOKE = "REVOKE"
    EXPIRE = "EXPIRE"
    REPLACE = "REPLACE"


class RevocationReason(IntEnum):
    """The reason why a certificate ended (CRLReason, RFC 5280 5.3.1). Others of that list do not occur with seals."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    PRIVILEGE_WITHDRAWN = 9


MOVES: Mapping[tuple[SealState, Action], SealState] = MappingProxyType(
    {
        (SealState.APPLIED, Action.REVIEW): SealState.REVIEWED,
        (SealState.APPLIED, Action.REJECT): SealState.REJECTED,
        (SealState.REVIEWED, Action.REJECT): SealState.REJECTED,
        (SealState.REVIEWED, Action.MAKE): SealState.ISSUED,
        (SealState.ISSUED, Action.ACTIVATE): SealState.ACTIVE,
        (SealState.ACTIVE, Action.SUSPEND): SealState.SUSPENDED,
        (SealState.SUSPENDED, Action.RESUME): SealState.ACTIVE,
        (SealState.ACTIVE, Action.REPLACE): SealState.REPLACED,
        (SealState.SUSPENDED, Action.REPLACE): SealState.REPLACED,
        **{
            (state, Action.EXPIRE): SealState.EXPIRED
            for state in (SealState.ISSUED, SealState.ACTIVE, SealState.SUSPENDED)
        },
        # A key may prove stolen after its seal has ended; and a theft may prove older than was known.
        **{
            (state, Action.REVOKE): SealState.REVOKED
            for state in (
                SealState.ISSUED,
                SealState.ACTIVE,
                SealState.SUSPENDED,
                SealState.EXPIRED,
                SealState.REPLACED,
                SealState.REVOKED,
            )
        },
    }
)
ENDED = frozenset({SealState.REVOKED, SealState.EXPIRED, SealState.REPLACED, SealState.REJECTED})
"""States from which a seal never signs again."""
_TAKEN = ENDED | {SealState.SUSPENDED}
PENDING = frozenset({SealState.APPLIED, SealState.REVIEWED, SealState.ISSUED})
"""States before the first signature."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as the signing slot sees it. Times in µs since 1970; `name` is empty for a person's seal, whose name only
    certificate and picture hold. `person` is the hub's id of its person, empty for an organisation's.
    """

    id: str
    owner: str
    name: str
    state: SealState
    not_before_us: int
    not_after_us: int
    kind: SealKind = SealKind.ORGANISATION
    person: str = ""
    replaces: str = ""
    version: int = 1
    applicant: str = ""
    reviewer: str = ""
    revocation: "Revocation | None" = None
    # Since when it is suspended (µs), also after a suspension that nobody lifted ended it.
    held_us: int | None = None

    @property
    def holder(self) -> str:
        """The key under which there is one active seal: the platform, or the person wherever they applied."""
        return f"person/{self.person}" if self.kind is SealKind.PERSON else f"platform/{self.owner}"

    def invalid_at(self, at_us: int) -> bool:
        """Tells whether what the seal signed then counts for nothing, by the invalidity date of its revocation."""
        return self.revocation is not None and at_us >= self.revocation.invalid_us


@dataclass(frozen=True, slots=True)
class Revocation:
    """The revocation or replacement of a seal: its reason, its time (µs), and from when on its signatures are not to be
    trusted (µs; invalidityDate, RFC 5280 5.3.2). That is never after the revocation.
    """

    reason: RevocationReason
    at_us: int
    invalid_us: int


def move(current: SealState, action: Action) -> SealState:
    """The state to which the action takes the seal. Raises SealStateError naming what is possible."""
    target = MOVES.get((current, action))
    if target is None:
        possible = sorted(each.value for state, each in MOVES if state is current)
        raise SealStateError(
            "SEAL_STATE",
            f"a seal that is {current} cannot {action.lower()}; possible: {', '.join(possible).lower() or 'nothing'}",
            f"印章状态为 {current}，不能执行 {action}",
            state=current.value,
            wanted=action.value,
        )
    return target


def require_other_person(actor: str, others: Mapping[str, str]) -> None:
    """`others` maps a part (applicant, reviewer) to who played it. Raises SealStateError SAME_PERSON."""
    for part, name in others.items():
        if not actor or actor == name:
            raise SealStateError(
                "SAME_PERSON",
                f"this takes another person than the {part}",
                "须由另一人办理，不能与申请人或审核人为同一人",
                part=part,
            )


def moved(seal: Seal, action: Action, at_us: int) -> Seal:
    """The seal after the action at that moment (µs). Only who resumes a suspended seal lifts the hold on its
    certificate. Raises SealStateError.
    """
    held_us = {Action.SUSPEND: at_us, Action.RESUME: None}.get(action, seal.held_us)
    return replace(seal, state=move(seal.state, action), held_us=held_us)


def learned(seal: Seal, state: SealState, at_us: int, told: Revocation) -> Seal | None:
    """The seal after a change (state, µs) that only the ledger remembers; `told` says how it ended where it was revoked
    or replaced. None when the change gives a right, or when the seal has ended otherwise already: but a revocation is
    worse than another end, and a later one may reach further back.
    """
    if state not in _TAKEN or (seal.state in ENDED and state is not SealState.REVOKED):
        return None
    if state is SealState.SUSPENDED:
        return replace(seal, state=state, held_us=at_us if seal.held_us is None else min(seal.held_us, at_us))
    if state not in {SealState.REVOKED, SealState.REPLACED}:
        return replace(seal, state=state)
    return replace(seal, state=state, revocation=told if seal.revocation is None else _worse(seal.revocation, told))


def _worse(known: Revocation, told: Revocation) -> Revocation:
    reason = known.reason if known.reason is RevocationReason.KEY_COMPROMISE else told.reason
    return Revocation(reason, min(known.at_us, told.at_us), min(known.invalid_us, told.invalid_us))


def _out_since(seal: Seal, now_us: int) -> int:
    """From when on a seal that ends now is out of use (µs). A revocation that follows a hold has the hold's date
    (X.509, 8.5.2.2): else the later list would make good what was signed on hold.
    """
    return now_us if seal.held_us is None else min(seal.held_us, now_us)


def supersede(seal: Seal, now_us: int) -> Revocation:
    """The revocation of a seal whose successor is in use from now on."""
    out_us = _out_since(seal, now_us)
    return Revocation(RevocationReason.SUPERSEDED, out_us, out_us)


def revoke(seal: Seal, reason: RevocationReason, invalid_us: int, now_us: int) -> Revocation:
    """The revocation of a seal, or of one revoked before when the new finding is worse. `invalid_us` 0: from now on,
    or from the beginning of its suspension; no later date of a suspended seal counts.

    Raises SealStateError INVALIDITY_DATE when the date lies in the future or before the certificate, or when it would
    make good again what is invalid already.
    """
    move(seal.state, Action.REVOKE)
    known, out_us = seal.revocation, _out_since(seal, now_us)
    invalid_us = invalid_us or (out_us if known is None else known.invalid_us)
    if invalid_us > now_us or (known is not None and invalid_us > known.invalid_us):
        raise SealStateError(
            "INVALIDITY_DATE",
            "the invalidity date cannot lie in the future, nor later than one that is known",
            "失效日期不能晚于当前时间，也不能晚于已登记的失效日期",
            seal=seal.id,
        )
    if known is not None and known.reason is RevocationReason.KEY_COMPROMISE:
        reason = known.reason
    at_us = out_us if known is None else min(known.at_us, out_us)
    return Revocation(reason, at_us, max(min(invalid_us, at_us), seal.not_before_us))


def require_countable(seal: Seal, at_us: int) -> None:
    """Refuses a signature of which it is known before it is released that it counts for nothing: its seal was revoked
    from before its slot (µs) on. Raises SealStateError SEAL_REVOKED.
    """
    if seal.invalid_at(at_us):
        raise SealStateError(
            "SEAL_REVOKED",
            "the seal was revoked with effect from before the signature",
            "印章已被撤销，撤销自签署之前起生效",
            seal=seal.id,
        )


def may_sign(seal: Seal, owner: str, at_us: int, kind: SealKind = SealKind.ORGANISATION) -> None:
    """Grants the signing slot: the owner's, ACTIVE, inside the certificate's time. Raises SealStateError.

    Called inside the write that hands out time and counter, so that no signature outlives a revocation. A person's seal
    has the platform as owner through which it was applied for, and signs what that person signs and nothing of the
    platform's own: whoever asks for one says so by `kind`, having checked whose hand it is.
    """
    if seal.owner != owner:
        raise SealStateError(
            "SEAL_NOT_YOURS", "the seal belongs to another platform", "该印章不属于本平台", seal=seal.id
        )
    if seal.kind is not kind:
        raise SealStateError(
            "SEAL_KIND",
            "this takes the seal of an organisation, not a person's",
            "此处须使用单位印章，不能使用个人印章",
            seal=seal.id,
        )
    if seal.state is not SealState.ACTIVE:
        raise SealStateError(
            "SEAL_STATE",
            f"the seal is {seal.state}",
            f"印章状态为 {seal.state}，不能用印",
            seal=seal.id,
            state=seal.state.value,
        )
    if not seal.not_before_us <= at_us <= seal.not_after_us:
        raise SealStateError(
            "SEAL_EXPIRED", "the seal's certificate is not valid now", "印章证书不在有效期内", seal=seal.id
        )
