"""Settings of one service's relay: set by the code that opens it, not by a file."""

from __future__ import annotations

from dataclasses import dataclass, field

from shuniu.kit.events.outbox_rows import BACKOFF_S, LONGEST_PAUSE_S
from shuniu.kit.events.outbox_upkeep import Terms


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Settings of one service's relay. ``area`` names its events and its own stream ``EVT_<AREA>``."""

    area: str
    # Events in one atomic batch, and their bytes.
    batch: int = 256
    batch_bytes: int = 2 * 1024 * 1024
    # Targets sent to at the same time.
    parallel: int = 8
    # Idle time between looks at the outbox, s; `wake` ends it at once. Where other processes emit too, nobody is woken.
    idle_s: float = 3.0
    idle_shared_s: float = 0.25
    # A parked target is tried again after these, s; the last one repeats.
    backoff_s: tuple[float, ...] = BACKOFF_S
    # How long deliveries stay as they are, and how often those that are due are looked at, s.
    terms: Terms = field(default_factory=Terms)
    sweep_s: float = 60
    timeout_s: float = 10
    replicas: int = 1
    # Which replica this is; the lease lets one of them send.
    holder: str = "main"

    def __post_init__(self) -> None:
        if max(self.backoff_s) > LONGEST_PAUSE_S:
            raise ValueError(
                f"a target that waits longer than {LONGEST_PAUSE_S} s is taken for one parked by a wrong clock"
            )
