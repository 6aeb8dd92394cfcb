"""Seals (印章): their states, and the one check that lets a seal sign."""

from dataclasses import dataclass
from enum import StrEnum

from services.esign.domain.errors import SealStateError


class SealState(StrEnum):
    APPLIED = "APPLIED"
    ISSUED = "ISSUED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"


_NEXT: dict[SealState, frozenset[SealState]] = {
    SealState.APPLIED: frozenset({SealState.ISSUED, SealState.REVOKED}),
    SealState.ISSUED: frozenset({SealState.ACTIVE, SealState.REVOKED}),
    SealState.ACTIVE: frozenset({SealState.SUSPENDED, SealState.REVOKED}),
    SealState.SUSPENDED: frozenset({SealState.ACTIVE, SealState.REVOKED}),
    SealState.REVOKED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as the signing slot sees it. Times in µs since 1970."""

    id: str
    owner: str
    name: str
    state: SealState
    not_before_us: int
    not_after_us: int


def move(current: SealState, wanted: SealState) -> SealState:
    """The wanted state, if the seal may go there. Raises SealStateError."""
    if wanted not in _NEXT[current]:
        raise SealStateError(
            "SEAL_STATE",
            f"a seal cannot go from {current} to {wanted}",
            f"印章不能由 {current} 变为 {wanted}",
            state=current.value,
            wanted=wanted.value,
        )
    return wanted


def may_sign(seal: Seal, owner: str, at_us: int) -> None:
    """Grants the signing slot: the owner's, ACTIVE, inside the certificate's time. Raises SealStateError.

    Called inside the write that hands out time and counter, so that no signature outlives a revocation.
    """
    if seal.owner != owner:
        raise SealStateError(
            "SEAL_NOT_YOURS", "the seal belongs to another platform", "该印章不属于本平台", seal=seal.id
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
