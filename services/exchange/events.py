"""Events of the exchange: the topics it publishes, and which party of the case each is addressed to.

It subscribes to none: what it needs of others it pulls from their feeds, which also works while the bus is away.
"""

from enum import StrEnum
from typing import Final


class Addressee(StrEnum):
    """The party of a case that hears an event, beside those who subscribed to its topic."""

    HANDLER = "handler"
    """The agency that handles the case."""
    SOURCE = "source"
    """The platform that the case came through."""


CASE_SUBMITTED: Final = "exchange.case.submitted"
"""A new application."""
CASE_SUPPLEMENTED: Final = "exchange.case.supplemented"
"""The applicant brought what a correction asked for."""
CASE_WITHDRAWN: Final = "exchange.case.withdrawn"
"""The applicant took the case back."""
CASE_MOVED: Final = "exchange.case.moved"
"""The agency moved the case."""
CASE_EVALUATED: Final = "exchange.case.evaluated"
"""The applicant's evaluation: a level, without a name."""

ADDRESSEES: Final = {
    CASE_SUBMITTED: Addressee.HANDLER,
    CASE_SUPPLEMENTED: Addressee.HANDLER,
    CASE_WITHDRAWN: Addressee.HANDLER,
    CASE_MOVED: Addressee.SOURCE,
    CASE_EVALUATED: Addressee.HANDLER,
}
