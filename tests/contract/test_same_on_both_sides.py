"""What two sides that may not import each other both state is the same."""

from typing import get_type_hints

from services.exchange.config import ExchangeSettings
from services.exchange.directory.domain import LABELS
from services.identity.platforms.domain.platforms import WORKING, Platform, SecrecyLabel
from shuniu.kit.feeds import registry
from shuniu.kit.process.config import Within
from shuniu.kit.rpc import requests, zones


def test_platforms_that_take_part() -> None:
    """Identity decides who works, and each process reads it in the registry."""
    assert {state.value for state in WORKING} == registry.WORKING


def test_labels_of_secrecy() -> None:
    """The contract's three labels, from the least confidential on, and the one of what bears none."""
    assert tuple(label.value for label in SecrecyLabel) == LABELS == zones.LABELS
    assert Platform.__dataclass_fields__["secrecy"].default == zones.UNLABELLED


def test_answers_to_requests_stay_as_long_as_the_kit_asks() -> None:
    """The exchange lets nobody set less than what the deletion refuses."""
    kept = get_type_hints(ExchangeSettings, include_extras=True)["answers_kept_hours"]
    (bounds,) = (each for each in kept.__metadata__ if isinstance(each, Within))
    assert ExchangeSettings(answers_kept_hours=bounds.least).answers_kept_us == requests.LEAST_KEPT_US
