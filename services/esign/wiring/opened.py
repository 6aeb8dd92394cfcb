"""The ground that every part of esign stands on, opened before them."""

from concurrent.futures import Executor
from dataclasses import dataclass, field

from services.esign.config import EsignSettings
from services.esign.keys.secrets import Secrets
from services.esign.ledger.sequencer import Sequencer
from services.esign.service.neighbours import Neighbours
from shuniu.kit.foundation import Foundation


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """`layouts`: the threads that lay out documents."""

    base: Foundation
    settings: EsignSettings
    secrets: Secrets = field(repr=False)
    ledger: Sequencer
    neighbours: Neighbours
    layouts: Executor
