"""Events of the exchange: the topics it publishes.

It subscribes to none: what it needs of others it pulls from their feeds, which also works while the bus is away.
"""

from typing import Final

CASE_SUBMITTED: Final = "exchange.case.submitted"
"""To the handling agency: a new application."""
CASE_SUPPLEMENTED: Final = "exchange.case.supplemented"
"""To the handling agency: what a correction round asked for is there."""
CASE_WITHDRAWN: Final = "exchange.case.withdrawn"
"""To the handling agency: the applicant took the case back."""
CASE_MOVED: Final = "exchange.case.moved"
"""To the platform the case came through: the agency moved it."""
CASE_EVALUATED: Final = "exchange.case.evaluated"
"""To the handling agency: a level, without a name."""

PUBLISHED: Final = (CASE_SUBMITTED, CASE_SUPPLEMENTED, CASE_WITHDRAWN, CASE_MOVED, CASE_EVALUATED)
