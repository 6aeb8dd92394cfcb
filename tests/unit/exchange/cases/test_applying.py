"""What becomes of an application: one decision, pure, with every fault of its content at once."""

from dataclasses import replace
from datetime import date

import pytest

from services.exchange.cases.domain.application import Application, AssuranceError, Material, decide
from services.exchange.cases.domain.routing import Item, ItemBook, ItemState, RoutingError
from services.exchange.domain.texts import ContentError

TODAY = date(2026, 11, 20)
BOOK = ItemBook()
BOOK.put(Item("152009001000", "", "证明", "150000", "", ItemState.PUBLISHED))
BOOK.put(Item("CITY", "152009001000", "证明", "150100", "bureau", ItemState.PUBLISHED, min_ial=2))
ASKED = Application(
    ial=2,
    item_code="152009001000",
    division="150102",
    form={"purpose": "出国"},
    materials=[Material("照片", "0" * 64, "image/png")],
    channel="WEB",
)


def linked(platform: str) -> bool:
    return platform == "bureau"


def test_an_application_goes_to_the_item_of_its_place():
    """The implementing item of the city, of the level that the applicant proved."""
    assert decide(ASKED, BOOK, TODAY, linked).code == "CITY"


def test_an_agency_that_cannot_be_told_gets_no_case():
    """Refused before anything else is looked at, rather than stored and lost."""
    with pytest.raises(RoutingError) as caught:
        decide(replace(ASKED, channel="", ial=0), BOOK, TODAY, lambda platform: False)
    assert caught.value.reason == "NO_HANDLING_AGENCY"


def test_faults_of_content_are_named_together():
    """Form, materials and channel in one answer."""
    asked = replace(ASKED, form={"": "x"}, materials=[Material("照片", "no digest", "png")], channel="")
    with pytest.raises(ContentError) as caught:
        decide(asked, BOOK, TODAY, linked)
    assert [each.field for each in caught.value.violations] == [
        "form",
        "materials[0].sha256",
        "materials[0].media_type",
        "channel",
    ]


def test_a_level_too_low_names_the_level():
    """So that the applicant can be sent to prove it."""
    with pytest.raises(AssuranceError) as caught:
        decide(replace(ASKED, ial=1), BOOK, TODAY, linked)
    assert caught.value.required == 2
