"""The ground of parts of esign, for tests that open some of them."""

from concurrent.futures import Executor
from typing import Any

from services.esign.config import EsignSettings
from services.esign.keys.secrets import Secrets
from services.esign.wiring.opened import Opened
from shuniu.kit.foundation import Foundation


def opened_with(base: Foundation, secrets: Secrets, ledger: Any, neighbours: Any, layouts: Executor) -> Opened:
    """With the settings of its foundation."""
    assert isinstance(base.settings, EsignSettings)
    return Opened(
        base=base, settings=base.settings, secrets=secrets, ledger=ledger, neighbours=neighbours, layouts=layouts
    )
