"""Events of the exchange: the topics it publishes; the contract says who hears each.

It subscribes to none: what it needs of others it pulls from their feeds, which also works while the bus is away.
"""

from typing import Final

CASE_SUBMITTED: Final = "exchange.case.submitted"
"""A new application."""
CASE_SUPPLEMENTED: Final = "exchange.case.supplemented"
"""The applicant brought what a correction asked for."""
CASE_WITHDRAWN: Final = "exchange.case.withdrawn"
"""The applicant took the case back."""
CASE_MOVED: Final = "exchange.case.moved"
"""The agency, or the hub in its place, moved the case."""
CASE_RESUMED: Final = "exchange.case.resumed"
"""The hub ended a special procedure of the agency, whose days are over."""
CASE_EVALUATED: Final = "exchange.case.evaluated"
"""The applicant's evaluation: a level, without a name."""
